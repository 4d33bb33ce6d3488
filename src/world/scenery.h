/* What stands beside the road: buildings, trees, hedges, lamp posts, furniture, as convex bodies and ellipsoids. */
#ifndef RETORT_WORLD_SCENERY_H
#define RETORT_WORLD_SCENERY_H

#include "world/layout.h"

/* Furniture has the looks from LOOK_PLAIN on. */
enum look {
    LOOK_WALL,
    LOOK_ROOF,
    LOOK_LEAVES,
    LOOK_BARK,
    LOOK_METAL,
    LOOK_PLAIN,
    LOOK_SHEET,
    LOOK_STRIPES,
    LOOK_CLOTH,
    LOOK_POSTER
};

enum { PROP_MAX_PLANES = 7, SCENERY_MAX_PROPS = 2400, SCENERY_MAX_LAMPS = 120 };

struct prop {
    enum look look;
    bool ball;           /* an ellipsoid with radii half_x, half_x, half_z; else a convex body */
    struct point centre; /* of the ellipsoid; of a body's base */
    double half_x, half_y,
        half_z;          /* half_y, half_z: a body's own; it stands from 0 to 2 half_z above centre */
    double ridge;        /* height of a gable above that, 0: flat */
    double cosine, sine; /* direction of a body's own x */
    int plane_count;
    struct point normals[PROP_MAX_PLANES]; /* inside: normal . p <= offset */
    double offsets[PROP_MAX_PLANES];
    double colour[3]; /* linear albedo */
    uint32_t key;     /* of its details */
    int style;        /* of a wall: 0 punched windows, 1 bands of glass, 2 sheet metal, 3 house */
};

struct scenery {
    int prop_count, lamp_count;
    struct prop props[SCENERY_MAX_PROPS];
    struct point lamps[SCENERY_MAX_LAMPS]; /* the light itself */
};

void scenery_make(struct scenery *scenery, const struct layout *layout);

struct hit {
    double depth; /* ray parameter */
    struct point normal;
    double albedo[3];
    int glow; /* 1 to 255 for a window that may be lit, else 0 */
};

/* Where the ray from eye meets the prop, nearest first; false: it does not, or passes between leaves. */
bool scenery_hit(struct hit *hit, const struct prop *prop, struct point eye, struct point ray);

/* The outline of its shadow on the ground for a sun in this direction (sun.z > 0): convex, up to 16 corners.
 */
int scenery_shadow(double (*outline)[2], const struct prop *prop, struct point sun);

/* The convex hull of n <= 32 points, counter-clockwise, in place; returns its number of corners. */
int scenery_hull(double (*points)[2], int n);

#endif
