/* What moves through the world: kinds, their classes, and shapes of each. */
#ifndef RETORT_WORLD_MODEL_H
#define RETORT_WORLD_MODEL_H

#include "world/mesh.h"
#include "world/site.h"

enum kind {
    KIND_CAR,
    KIND_VAN,
    KIND_BUS,
    KIND_LORRY,
    KIND_MOTORCYCLE,
    KIND_BICYCLE,
    KIND_PERSON, /* on foot */
    KIND_RIDER,  /* on a motorcycle or bicycle */
    KIND_COUNT
};

extern const char *const kind_names[KIND_COUNT];
int kind_class(enum kind kind); /* COCO's number: 0 person, 1 bicycle, 2 car, 3 motorcycle, 5 bus, 7 truck */

struct model {
    struct mesh mesh;
    enum kind kind;
    double length, width, height;
    double lamp_height; /* of head and tail lamps; 0: has none */
};

enum { MODEL_MAX = SITE_SHAPES, MODEL_STEPS = 4 };

/* Models of a kind are first[kind] .. first[kind + 1] - 1; people come in MODEL_STEPS phases of a step each.
 */
struct models {
    int count, first[KIND_COUNT + 1];
    struct model models[MODEL_MAX];
};

/* false: memory is short. Vehicles have the proportions of the site. */
bool models_make(struct models *models, const struct site *site, struct arena *arena);

/* Parts of models_make: one shape into an empty builder, *model without its mesh. variant counts from 0;
 * false when there is no such variant. */
bool model_road_vehicle(struct model *model, struct mesh_builder *mesh, enum kind kind, int variant,
                        const struct proportions *proportions);
bool model_heavy_vehicle(struct model *model, struct mesh_builder *mesh, enum kind kind, int variant,
                         const struct proportions *proportions);
bool model_figure(struct model *model, struct mesh_builder *mesh, enum kind kind, int variant);

enum { MODEL_HEAVY_LORRIES = 6 }; /* variants of model_heavy_vehicle; pick-ups come behind them */

/* A pair of wheels across at x, outer sides at y = +-half. */
void model_wheels(struct mesh_builder *mesh, double x, double half, double radius, bool arch);

#endif
