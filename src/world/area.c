#include "world/area.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { LINES = 4 };

static double limited(double v, double low, double high) { return v < low ? low : v > high ? high : v; }

struct area area_bounds(const double (*corners)[2], int n, int width, int height)
{
    if (n < 3) return (struct area){0};
    double low[2] = {1e30, 1e30}, high[2] = {-1e30, -1e30};
    for (int i = 0; i < n; i++)
        for (int a = 0; a < 2; a++) {
            if (corners[i][a] < low[a]) low[a] = corners[i][a];
            if (corners[i][a] > high[a]) high[a] = corners[i][a];
        }
    return (struct area){(int)floor(limited(low[0], 0, width)), (int)floor(limited(low[1], 0, height)),
                         (int)ceil(limited(high[0], 0, width)), (int)ceil(limited(high[1], 0, height))};
}

/* Where the line at height y enters and leaves. */
static bool crossings(double *left, double *right, const double (*corners)[2], int n, double y)
{
    *left = 1e30;
    *right = -1e30;
    for (int i = 0; i < n; i++) {
        const double *a = corners[i], *b = corners[i + 1 < n ? i + 1 : 0];
        if ((a[1] <= y) == (b[1] <= y)) continue;
        const double x = a[0] + (b[0] - a[0]) * ((y - a[1]) / (b[1] - a[1]));
        if (x < *left) *left = x;
        if (x > *right) *right = x;
    }
    return *left < *right;
}

void area_row(uint8_t *row, const double (*corners)[2], int n, int y, int x0, int x1)
{
    memset(row, 0, (size_t)(x1 - x0));
    for (int line = 0; line < LINES; line++) {
        double left, right;
        if (!crossings(&left, &right, corners, n, y + (line + 0.5) / LINES)) continue;
        const int full = (256 / LINES) - (line == LINES - 1);
        /* In 256ths of a pixel. */
        const int a = (int)(limited(left, x0, x1) * 256) - x0 * 256,
                  b = (int)(limited(right, x0, x1) * 256) - x0 * 256;
        if (a >= b) continue;
        const int first = a >> 8, last = (b - 1) >> 8;
        if (first == last) {
            row[first] = (uint8_t)(row[first] + ((b - a) * full >> 8));
            continue;
        }
        row[first] = (uint8_t)(row[first] + ((256 - (a & 255)) * full >> 8));
        for (int x = first + 1; x < last; x++) row[x] = (uint8_t)(row[x] + full);
        row[last] = (uint8_t)(row[last] + ((b - (last << 8)) * full >> 8));
    }
}

void area_fill(uint8_t *mask, int width, int height, const double (*corners)[2], int n)
{
    const struct area box = area_bounds(corners, n, width, height);
    uint8_t row[AREA_MAX_ROW];
    for (int y = box.y0; y < box.y1 && box.x0 < box.x1; y++) {
        area_row(row, corners, n, y, box.x0, box.x1);
        uint8_t *out = mask + (size_t)y * width + box.x0;
        for (int x = 0; x < box.x1 - box.x0; x++)
            if (row[x] > out[x]) out[x] = row[x];
    }
}
