/* Parked cars as pixels: they look the same for as long as their backdrop holds, and are painted once for it. */
#ifndef RETORT_WORLD_STILLS_H
#define RETORT_WORLD_STILLS_H

#include "world/canvas.h"

struct still {
    struct mover mover;
    struct patch patch;
};

struct stills {
    int count, capacity;
    struct still *list;
    size_t used, room;     /* pixels of all patches */
    uint16_t (*pixels)[4]; /* as in struct patch */
    uint16_t *nearness;
};

/* Bytes for the stills of a place; none where nobody parks. */
size_t stills_bytes(const struct place *place);
bool stills_alloc(struct stills *stills, const struct place *place, struct arena *arena);

/* Paints those that are parked among the movers, as many as there is room for, before the canvas's backdrop. */
void stills_paint(struct stills *stills, struct painter *painter, const struct canvas *canvas,
                  const struct models *models, const struct movers *movers);

/* What paint_mover would make of the mover before that backdrop, or NULL where it was not painted. */
const struct patch *stills_find(const struct stills *stills, const struct mover *mover);

#endif
