/* Geometry and noise of the camera world: doubles in fixed order, hashes in integers, no libm.
 *
 * World: metres; the camera stands above the origin and looks along +y; x to the right, z up. */
#ifndef RETORT_WORLD_SPACE_H
#define RETORT_WORLD_SPACE_H

#include "base/dmath.h"

#include <math.h>
#include <stdint.h>

#define SPACE_PI 3.141592653589793

struct point {
    double x, y, z;
};

static inline double space_cos(double a) { return dmath_cos(a); }
static inline double space_sin(double a) { return dmath_cos(a - SPACE_PI / 2); }
static inline double space_clamp(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}
static inline double space_mix(double a, double b, double t) { return a + (b - a) * t; }

/* 0 below low, 1 above high, smooth between. */
static inline double space_ramp(double v, double low, double high)
{
    const double t = space_clamp((v - low) / (high - low), 0, 1);
    return t * t * (3 - 2 * t);
}

/* 1 at the centre, 0 from `width` away on, smooth. */
static inline double space_bump(double v, double centre, double width)
{
    return 1 - space_ramp(fabs(v - centre), 0, width);
}

static inline struct point point_add(struct point a, struct point b)
{
    return (struct point){a.x + b.x, a.y + b.y, a.z + b.z};
}
static inline struct point point_sub(struct point a, struct point b)
{
    return (struct point){a.x - b.x, a.y - b.y, a.z - b.z};
}
static inline struct point point_scale(struct point a, double k)
{
    return (struct point){a.x * k, a.y * k, a.z * k};
}
static inline double point_dot(struct point a, struct point b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
static inline struct point point_cross(struct point a, struct point b)
{
    return (struct point){a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
/* The zero vector stays as it is. */
static inline struct point point_unit(struct point a)
{
    const double n = sqrt(point_dot(a, a));
    return n > 0 ? point_scale(a, 1 / n) : a;
}

/* 32 well mixed bits of a cell. */
static inline uint32_t space_hash(uint32_t key, int32_t x, int32_t y, int32_t z)
{
    uint32_t h = key ^ (uint32_t)x * 0x9E3779B1u ^ (uint32_t)y * 0x85EBCA77u ^ (uint32_t)z * 0xC2B2AE3Du;
    h = (h ^ h >> 15) * 0x2C1B3C6Du;
    h = (h ^ h >> 12) * 0x297A2D39u;
    return h ^ h >> 15;
}
static inline double space_hash_real(uint32_t key, int32_t x, int32_t y, int32_t z)
{
    return (space_hash(key, x, y, z) >> 8) * 0x1p-24;
}

/* Smooth noise in [0, 1) with cells of side 1; |x|, |y| < 2^31. */
static inline double space_noise(uint32_t key, double x, double y)
{
    const double fx = floor(x), fy = floor(y);
    const int32_t ix = (int32_t)fx, iy = (int32_t)fy;
    double tx = x - fx, ty = y - fy;
    tx = tx * tx * (3 - 2 * tx);
    ty = ty * ty * (3 - 2 * ty);
    const double a = space_hash_real(key, ix, iy, 0), b = space_hash_real(key, ix + 1, iy, 0);
    const double c = space_hash_real(key, ix, iy + 1, 0), d = space_hash_real(key, ix + 1, iy + 1, 0);
    return space_mix(space_mix(a, b, tx), space_mix(c, d, tx), ty);
}

/* Three octaves of it. */
static inline double space_cloud(uint32_t key, double x, double y)
{
    return (4 * space_noise(key, x, y) + 2 * space_noise(key + 1, 2.03 * x, 2.03 * y) +
            space_noise(key + 2, 4.1 * x, 4.1 * y)) /
           7;
}

#endif
