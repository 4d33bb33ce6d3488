/* Light on a corner of a mesh. */
#ifndef RETORT_WORLD_SHADE_H
#define RETORT_WORLD_SHADE_H

#include "world/paint.h"

struct finish {
    double albedo[3]; /* linear */
    double mirror;    /* share reflected when seen straight on; more at grazing angles */
    double glint;     /* strength of the sun's spot */
    double glow[3];   /* emitted */
};

/* The finishes of a mover's materials. */
void shade_finishes(struct finish finishes[MAT_COUNT], const struct mover *mover, const struct light *light);

/* Linear colour; normal and view (towards the eye) are unit vectors of the world. */
void shade_corner(double colour[3], const struct finish *finish, struct point normal, struct point view,
                  const struct shine *shine);

#endif
