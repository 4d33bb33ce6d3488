/* One mover as pixels: its mesh lit, projected and filled with samples finer than pixels. */
#ifndef RETORT_WORLD_PAINT_H
#define RETORT_WORLD_PAINT_H

#include "base/arena.h"
#include "world/light.h"
#include "world/traffic.h"

/* Rectangle of pixels of the drawn picture; colour is linear in units of BACKDROP_ONE and already multiplied
 * by the coverage. width 0: nothing is in the picture. */
struct patch {
    int x0, y0, width, height;
    uint16_t (*pixels)[4]; /* red, green, blue, coverage 0 to 255 */
    uint16_t *nearness;
};

/* One thread's memory. */
struct painter {
    const struct lens *lens;
    uint16_t (*colours)[4]; /* samples */
    int32_t *depths;
    size_t capacity; /* samples */
    struct patch patch, blurred;
    size_t patch_capacity;
};

/* What falls on a mover where it is. */
struct shine {
    const struct light *light;
    double sun;  /* share of the sun that reaches it */
    double lamp; /* of the street lamps' light */
};

bool painter_make(struct painter *painter, const struct lens *lens, struct arena *arena);

/* Fills painter->patch. */
void paint_mover(struct painter *painter, const struct model *model, const struct mover *mover,
                 const struct shine *shine);

/* Smears the patch over (dx, dy) pixels into painter->blurred and returns it; a short way leaves the patch.
 */
const struct patch *paint_smear(struct painter *painter, double dx, double dy);

#endif
