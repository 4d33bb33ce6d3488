/* Who is where at a moment: a pure function of place and time.
 *
 * A stream has places for movers at a steady headway; a draw for each place says whether it is taken and by
 * whom, with the density of the hour at which it enters. All movers of a stream keep its speed, so that none
 * runs into another; signals hold them up in groups that never last longer than one cycle, and in a
 * roundabout places turn with the ring. */
#ifndef RETORT_WORLD_TRAFFIC_H
#define RETORT_WORLD_TRAFFIC_H

#include "world/layout.h"
#include "world/model.h"

enum { TRAFFIC_MAX_MOVERS = 800 };

/* Two clocks: seconds of motion, and seconds since midnight, which may run faster. */
struct times {
    double start, rate; /* time of day at motion 0; its seconds for each of motion */
};
static inline double times_clock(const struct times *times, double motion)
{
    return times->start + times->rate * motion;
}

struct mover {
    uint64_t id; /* of the vehicle or person, the same from frame to frame */
    enum kind kind;
    int model; /* index of models */
    struct pose pose;
    double speed, scale;
    bool braking, parked;
    uint8_t colours[3][3]; /* red, green, blue of MAT_BODY, MAT_SECOND, MAT_THIRD */
    uint8_t skin[3];
};

struct movers {
    int count;
    struct mover movers[TRAFFIC_MAX_MOVERS];
};

/* Share of the places that are taken on a main road, 0 to 1: rush hours, a quiet night, empty stretches. */
double traffic_density(uint64_t seed, enum traffic traffic, double clock, double motion);

void traffic_at(struct movers *movers, const struct layout *layout, const struct models *models,
                const struct times *times, double motion);

/* Fills kind, model, colours and scale from draws of mover->id; who says which kinds may come. */
void traffic_dress(struct mover *mover, const struct models *models, enum traffic traffic, double clock,
                   const struct site *site);

#endif
