#include "train/polygon.h"

#include <math.h>

/* What was found so far. */
struct bounds {
    double low[2], high[2];
    bool any;
};

static void add(struct bounds *bounds, const double p[2])
{
    for (int k = 0; k < 2; k++) {
        if (!bounds->any || p[k] < bounds->low[k]) bounds->low[k] = p[k];
        if (!bounds->any || p[k] > bounds->high[k]) bounds->high[k] = p[k];
    }
    bounds->any = true;
}

/* The part of the edge a..b inside the rectangle, cut side by side: both ends of [from, to] of its length. */
static bool cut_edge(const double a[2], const double b[2], const double low[2], const double high[2],
                     double *from, double *to)
{
    *from = 0, *to = 1;
    for (int k = 0; k < 2; k++) {
        const double d = b[k] - a[k];
        if (d == 0) {
            if (a[k] < low[k] || a[k] > high[k]) return false;
            continue;
        }
        const double t = (low[k] - a[k]) / d, u = (high[k] - a[k]) / d;
        const double enter = d > 0 ? t : u, leave = d > 0 ? u : t;
        if (enter > *from) *from = enter;
        if (leave < *to) *to = leave;
    }
    return *from <= *to;
}

static void add_edge(struct bounds *bounds, const double a[2], const double b[2], const double low[2],
                     const double high[2])
{
    double at[2];
    if (!cut_edge(a, b, low, high, &at[0], &at[1])) return;
    for (int i = 0; i < 2; i++) {
        double p[2];
        for (int k = 0; k < 2; k++) {
            p[k] = at[i] == 0 ? a[k] : at[i] == 1 ? b[k] : a[k] + at[i] * (b[k] - a[k]);
            p[k] = fmin(fmax(p[k], low[k]), high[k]); /* rounding */
        }
        add(bounds, p);
    }
}

/* Does the edge a..b cross the ray from the point to the right? */
static bool crosses(const double a[2], const double b[2], const double point[2])
{
    if ((a[1] > point[1]) == (b[1] > point[1])) return false;
    return point[0] < a[0] + (point[1] - a[1]) / (b[1] - a[1]) * (b[0] - a[0]);
}

bool polygon_box_inside(double low[2], double high[2], const float *points, int count,
                        const struct polygon_move *move)
{
    const double corners[4][2] = {{low[0], low[1]}, {high[0], low[1]}, {low[0], high[1]}, {high[0], high[1]}};
    bool covered[4] = {false};
    struct bounds bounds = {.any = false};
    double a[2], b[2];
    for (int k = 0; k < 2; k++) a[k] = move->scale[k] * (double)points[2 * count - 2 + k] + move->shift[k];
    for (int i = 0; i < count; i++) {
        for (int k = 0; k < 2; k++) b[k] = move->scale[k] * (double)points[2 * i + k] + move->shift[k];
        add_edge(&bounds, a, b, low, high);
        for (int c = 0; c < 4; c++)
            if (crosses(a, b, corners[c])) covered[c] = !covered[c];
        a[0] = b[0], a[1] = b[1];
    }
    for (int c = 0; c < 4; c++)
        if (covered[c]) add(&bounds, corners[c]);
    if (!bounds.any) return false;
    for (int k = 0; k < 2; k++) low[k] = bounds.low[k], high[k] = bounds.high[k];
    return true;
}
