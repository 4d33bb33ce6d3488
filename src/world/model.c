#include "world/model.h"

const char *const kind_names[KIND_COUNT] = {"car",        "van",     "bus",    "lorry",
                                            "motorcycle", "bicycle", "person", "rider"};

int kind_class(enum kind kind)
{
    static const int classes[KIND_COUNT] = {2, 2, 5, 7, 3, 1, 0, 0};
    return classes[kind];
}

void model_wheels(struct mesh_builder *mesh, double x, double half, double radius, bool arch)
{
    for (int side = -1; side <= 1; side += 2) {
        struct point c = {x, side * (half + 0.012), radius};
        if (arch) mesh_disc(mesh, (struct point){x, c.y, radius + 0.03}, radius * 1.17, side, MAT_TRIM, true);
        c.y += side * 0.008;
        mesh_disc(mesh, c, radius, side, MAT_TYRE, true);
        c.y += side * 0.008;
        mesh_disc(mesh, c, radius * 0.62, side, MAT_RIM, true);
        c.y += side * 0.008;
        mesh_disc(mesh, c, radius * 0.2, side, MAT_TRIM, true);
    }
}

static bool make(struct model *model, struct mesh_builder *mesh, enum kind kind, int variant,
                 const struct site *site)
{
    const struct proportions p = site_proportions(site, (int)kind, variant);
    switch (kind) {
    case KIND_CAR:
    case KIND_VAN:
        return model_road_vehicle(model, mesh, kind, variant, &p);
    case KIND_BUS:
        return model_heavy_vehicle(model, mesh, kind, variant, &p);
    case KIND_LORRY:
        return variant < MODEL_HEAVY_LORRIES
                   ? model_heavy_vehicle(model, mesh, kind, variant, &p)
                   : model_road_vehicle(model, mesh, kind, variant - MODEL_HEAVY_LORRIES, &p);
    default:
        return model_figure(model, mesh, kind, variant);
    }
}

bool models_make(struct models *models, const struct site *site, struct arena *arena)
{
    struct mesh_builder *mesh = arena_alloc(arena, 1, sizeof *mesh);
    if (!mesh) return false;
    *models = (struct models){0};
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        models->first[kind] = models->count;
        for (int variant = 0; models->count < MODEL_MAX; variant++) {
            struct model *model = &models->models[models->count];
            *model = (struct model){.kind = (enum kind)kind};
            mesh->point_count = mesh->face_count = 0;
            if (!make(model, mesh, (enum kind)kind, variant, site)) break;
            if (!mesh_finish(&model->mesh, mesh, arena)) return false;
            models->count++;
        }
    }
    models->first[KIND_COUNT] = models->count;
    return true;
}
