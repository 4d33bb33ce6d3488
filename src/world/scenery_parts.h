/* What the makers of scenery share (scenery.c, furniture.c). */
#ifndef RETORT_WORLD_SCENERY_PARTS_H
#define RETORT_WORLD_SCENERY_PARTS_H

#include "base/rng.h"
#include "world/scenery.h"

/* Ground that is taken already. */
struct spot {
    double x, y, radius;
};
enum { SCENERY_MAX_SPOTS = 80 };

struct maker {
    struct scenery *scenery;
    const struct layout *layout;
    struct rng rng;
    double dense; /* share of buildings, 0 to 1 */
    int style;    /* of most buildings */
    double leaf[3];
    struct prop spare; /* written when the list is full */
    double slope;      /* half the picture's width over the focal length */
    int spot_count;
    struct spot spots[SCENERY_MAX_SPOTS];
};

/* Whether one of the first `count` spots is nearer to (x, y) than both radii. */
bool scenery_taken(const struct maker *m, int count, double x, double y, double radius);

/* Whether something of this radius at (x, y) hides nothing that the camera watches, however high it is. */
bool scenery_aside(const struct maker *m, double x, double y, double radius);

/* A body that stands on centre; half sizes along its own axes; a gable along its own x when ridge > 0. */
struct prop *scenery_body(struct maker *m, enum look look, struct point centre, double cosine, double sine,
                          struct point half, double ridge);

/* Containers, stalls, kiosks and the like beside roads, of few kinds and colours in one place. */
void furniture_make(struct maker *m);

/* Albedo of furniture where a ray meets it: through is the plane, (x, y, z) the body's own coordinates. */
void furniture_albedo(double albedo[3], const struct prop *prop, int through, double x, double y, double z);

#endif
