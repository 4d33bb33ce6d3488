/* One frame: traffic on a backdrop, and the truth about it. */
#ifndef RETORT_WORLD_FRAME_H
#define RETORT_WORLD_FRAME_H

#include "world/sensor.h"
#include "world/stills.h"
#include "world/world.h"

/* One thread's memory for frames of a place. */
struct frame_work {
    const struct place *place;
    const struct models *models;
    const struct sensor *sensor;
    struct times times;
    double fps;
    bool still;
    struct canvas canvas;
    struct painter painter;
    struct develop *develop;
    struct movers movers;
    struct image image;
    uint8_t *mask;
    struct world_truth truth;
};

/* Paints who is parked at frame `index` before the backdrop. */
void frame_stills(struct frame_work *work, struct stills *stills, const struct backdrop *backdrop, int64_t index);

/* Renders frame `index` before the backdrop, with its stills, into work->image, mask and truth. */
void frame_render(struct frame_work *work, const struct backdrop *backdrop, const struct stills *stills,
                  int64_t index);

#endif
