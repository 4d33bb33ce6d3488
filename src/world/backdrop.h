/* The place without traffic: surfaces once for a camera, lit once for a stretch of the day.
 *
 * Pictures here are linear, 16 bits, BACKDROP_ONE for 1.0, red, green, blue interleaved, of the lens's size.
 */
#ifndef RETORT_WORLD_BACKDROP_H
#define RETORT_WORLD_BACKDROP_H

#include "base/arena.h"
#include "world/ground.h"
#include "world/light.h"
#include "world/scenery.h"

enum { BACKDROP_ONE = 8192, BACKDROP_SAMPLES = 2 }; /* samples a pixel, each way */

struct surface {
    uint8_t albedo[3]; /* 255 times its square root; sky: elevation, cloud */
    int8_t normal[3];  /* 127 times it */
    uint8_t kind;      /* enum surface_kind */
    uint8_t lamp;      /* light of street lamps, 128 under one */
    uint8_t glow, paved;
};
enum surface_kind { SURFACE_SKY, SURFACE_FAR, SURFACE_GROUND, SURFACE_BODY };

/* Linear, of what surface.albedo holds. */
static inline float surface_albedo(int stored) { return (float)(stored / 255.0 * (stored / 255.0)); }

/* What the samples of a pixel show. Those of a plain one are lit as one: all ground, all far away, or all of things
 * that stand, and without lit windows. */
enum pixel_kind { PIXEL_MIXED, PIXEL_PLAIN, PIXEL_SKY };

/* Of a plain pixel. */
struct plain {
    float albedo[3]; /* linear, summed over the samples */
    float normal[3]; /* mean of the samples */
};

struct place {
    struct layout layout;
    struct ground ground;
    struct scenery scenery;
    struct surface *surfaces; /* samples, row by row */
    uint16_t *depths;         /* lens_nearness of each sample */
    uint16_t *standing;       /* [pixels] lens_nearness of what stands there, 0: ground and sky */
    uint8_t *paved;           /* [pixels] 255 on asphalt */
    uint8_t *pixel_kinds;     /* [pixels] enum pixel_kind */
    struct plain *plain;      /* [pixels] */
};

/* false: memory is short. */
bool place_make(struct place *place, const struct site *site, int width, int height, int threads,
                struct arena *arena);

struct backdrop {
    struct light light;
    uint16_t *lit, *shaded; /* with and without the sun */
    uint8_t *shadow;        /* 255 where something that stands keeps the sun off the ground */
};

size_t backdrop_bytes(const struct place *place);
bool backdrop_alloc(struct backdrop *backdrop, const struct place *place, struct arena *arena);

/* Fills a backdrop for the light. */
void backdrop_make(struct backdrop *backdrop, const struct place *place, const struct light *light,
                   double clock, int threads);

#endif
