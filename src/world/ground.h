/* The look of the ground: carriageways with their marks and wear, pavements, verges. */
#ifndef RETORT_WORLD_GROUND_H
#define RETORT_WORLD_GROUND_H

#include "world/layout.h"

struct ground {
    const struct layout *layout;
    uint32_t key;
    double asphalt, wear; /* albedo; contrast of stains and tracks */
    double tint[3];       /* of the asphalt */
    double verge[2][3];   /* two colours that mix beyond the pavement */
    double paving[3];
    double paint; /* albedo of the marks */
    bool yellow;  /* the middle line is */
};

struct ground ground_make(const struct layout *layout);

/* Linear albedo at (x, y); footprint: metres that a sample covers across the view and along it. *paved: 1 on
 * asphalt, where water mirrors. */
void ground_albedo(double albedo[3], double *paved, const struct ground *ground, double x, double y,
                   double across, double along);

#endif
