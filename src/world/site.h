/* The character of a site: what makes the pictures of one camera unlike those of another. Drawn once from the seed and
 * handed to the parts; it never changes over time. The looks of ground and furniture are drawn where they are painted
 * (ground.c, furniture.c). */
#ifndef RETORT_WORLD_SITE_H
#define RETORT_WORLD_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SITE_SHAPES = 48 }; /* of vehicles, numbered as in model.h */

struct range {
    double low, high;
};

/* The index of one of `count` items of `size` bytes that begin with their share, a double: each as often as its
 * share of their sum. u in [0, 1). */
int site_choose(const void *items, size_t size, int count, double u);

/* One colour of a mixture. */
struct tint {
    double share;
    uint8_t rgb[3];
};
struct palette {
    const struct tint *tints;
    int count;
};
#define SITE_COUNT(table) ((int)(sizeof(table) / sizeof *(table)))
const uint8_t *palette_pick(const struct palette *palette, double u); /* u in [0, 1) */
void palette_albedo(double albedo[3], const uint8_t rgb[3]);          /* linear */

struct site_camera {
    double stand; /* metres above the ground */
    double reach; /* metres on the ground to what it looks at, over stand: small looks down */
    double car;   /* length of a car there, over the picture's width */
    double roll;  /* radians */
};

struct site_fleet {
    double vans, buses, lorries, motorcycles; /* shares by day; the rest are cars */
    double taxis, company;                    /* of the cars; of vans and lorries: those that look alike */
    double two_tone;                          /* of the cars: those with the roof colour */
    double dust;                              /* how far all colours are worn towards dust_colour */
    struct palette cars;
    double favour[SITE_SHAPES]; /* how often a shape is seen among those of its kind, in (0, 1] */
    uint8_t taxi_colours[2][3]; /* body, roof */
    uint8_t company_colour[3], roof_colour[3], dust_colour[3];
};

struct site_look {
    double balance[3]; /* gains of the channels, the largest is 1 */
    double exposure, gamma, shoulder, contrast, black;
    double saturation; /* 0 grey, 1 as it is */
    double focus;      /* below 0 sharpened, above 0 soft */
    double grain;      /* noise, 1 is usual */
    bool infrared;     /* grey by night */
};

struct site {
    uint64_t seed;
    struct site_camera camera;
    struct site_fleet fleet;
    struct site_look look;
};

void site_make(struct site *site, uint64_t seed);

/* Factors of a vehicle shape's size, and how far its roof line moves (fraction of the length). */
struct proportions {
    double length, width, height, roof;
};
struct proportions site_proportions(const struct site *site, int kind, int variant);

#endif
