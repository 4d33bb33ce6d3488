/* The camera: a pinhole at (0, 0, height) that looks along +y and down, turned about its view by a little, and
 * the picture it fills.
 *
 * Frames are drawn with a margin on every side, which camera shake and shift take from. Coordinates here are
 * pixels of the drawn picture, margin included; pixel (i, j) covers [i, i + 1) x [j, j + 1). */
#ifndef RETORT_WORLD_LENS_H
#define RETORT_WORLD_LENS_H

#include "world/space.h"

#include <stdbool.h>

#define LENS_NEAR 1.0 /* metres; nearer geometry is cut */

struct lens {
    int width, height; /* of the drawn picture */
    int margin;
    double focal, cx, cy; /* pixels */
    double pixel;         /* side of a pixel at a depth of 1: 1 / focal */
    double stand;         /* metres above the ground */
    double sine, cosine;  /* of the downward pitch */
    double roll_sine, roll_cosine;
};

/* Camera coordinates: x right, y down, z forward. */
static inline struct point lens_turn(const struct lens *lens, struct point p)
{
    const double down = lens->stand - p.z;
    const double below = down * lens->cosine - p.y * lens->sine;
    return (struct point){p.x * lens->roll_cosine - below * lens->roll_sine,
                          p.x * lens->roll_sine + below * lens->roll_cosine,
                          p.y * lens->cosine + down * lens->sine};
}

/* (u, v, depth) of a point in camera coordinates with z >= LENS_NEAR. */
static inline struct point lens_project(const struct lens *lens, struct point camera)
{
    const double k = lens->focal / camera.z;
    return (struct point){lens->cx + camera.x * k, lens->cy + camera.y * k, camera.z};
}

/* The world direction of a picture position, with forward component 1: hits at parameter t lie at depth t. */
static inline struct point lens_ray(const struct lens *lens, double u, double v)
{
    const double across = (u - lens->cx) * lens->pixel, below = (v - lens->cy) * lens->pixel;
    const double a = across * lens->roll_cosine + below * lens->roll_sine,
                 b = below * lens->roll_cosine - across * lens->roll_sine;
    return (struct point){a, lens->cosine - b * lens->sine, -lens->sine - b * lens->cosine};
}

/* Depth as the buffers hold it: 0 far away, larger is nearer. */
static inline int lens_nearness(double depth)
{
    return (int)(65535 * LENS_NEAR / (depth < LENS_NEAR ? LENS_NEAR : depth));
}

enum { LENS_MAX_CORNERS = 40 };

/* A polygon on the ground (x, y of n <= 32 corners) as it appears in the picture, cut at the near plane:
 * writes u, v of at most LENS_MAX_CORNERS corners and returns their number, 0 when nothing is in front. */
int lens_ground_polygon(const struct lens *lens, const double (*ground)[2], int n, double (*out)[2]);

#endif
