/* The look of the ground: carriageways with their marks and wear, pavements, verges. */
#ifndef RETORT_WORLD_GROUND_H
#define RETORT_WORLD_GROUND_H

#include "world/layout.h"

struct ground {
    const struct layout *layout;
    uint32_t key;
    double asphalt, wear; /* albedo; contrast of stains and tracks */
    double tint[3];       /* of the asphalt */
    double slab, cobble;  /* metres from joint to joint; 0: none */
    double coarse;        /* contrast of stones, 1 is asphalt's */
    int patched, stained; /* of 64 places */
    double verge[2][3];   /* two colours that mix beyond the pavement */
    double rough;         /* contrast of the verge's blades and stones */
    double tiles;         /* side of the verge's tiles, 0: none */
    double paving[3];
    double flag;                /* side of the pavement's slabs */
    double marks[2][3];         /* albedo of the marks: edges and lanes, middle line */
    double fresh;               /* what is left of them, 0 to 1 */
    bool unbroken;              /* the middle line is */
    double strip, strip_own[3]; /* width and albedo of a coloured lane along the kerb, 0: none */
};

struct ground ground_make(const struct layout *layout);

/* Linear albedo at (x, y); footprint: metres that a sample covers across the view and along it. *paved: 1 on
 * asphalt, where water mirrors. */
void ground_albedo(double albedo[3], double *paved, const struct ground *ground, double x, double y,
                   double across, double along);

#endif
