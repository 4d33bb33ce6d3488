/* Reductions. A row goes to one value in 16 virtual lanes (element i to lane i mod 16, ascending) and the
 * tree 16-8-4-2-1: one AVX-512 register, two of AVX2, four of NEON or sixteen floats, the same bits. What is
 * indexed by column is a plain chain over rows, vectors across columns. */
#ifndef RETORT_KERNELS_REDUCE_INL_H
#define RETORT_KERNELS_REDUCE_INL_H

#include "kernels/math_inl.h"

enum { ROW_LANES = 16, ROW_PARTS = ROW_LANES / VW };

struct row_lanes {
    vf part[ROW_PARTS];
};

INLINE struct row_lanes row_start(float value)
{
    struct row_lanes s;
    for (int p = 0; p < ROW_PARTS; p++) s.part[p] = vf_set1(value);
    return s;
}

INLINE float row_sum(struct row_lanes s)
{
    float t[ROW_LANES];
    for (int p = 0; p < ROW_PARTS; p++) vf_store(t + p * VW, s.part[p]);
    for (int w = ROW_LANES / 2; w; w /= 2)
        for (int i = 0; i < w; i++) t[i] += t[i + w];
    return t[0];
}

INLINE float row_max(struct row_lanes s)
{
    float t[ROW_LANES];
    for (int p = 0; p < ROW_PARTS; p++) vf_store(t + p * VW, s.part[p]);
    for (int w = ROW_LANES / 2; w; w /= 2)
        for (int i = 0; i < w; i++) t[i] = t[i] > t[i + w] ? t[i] : t[i + w];
    return t[0];
}

/* Runs the body for each vector of a row: from element i, `lanes` of them, belonging to part p of the lanes.
 * Parts beyond the end are left out: adding a neutral element would change nothing, as no accumulator is ever
 * -0. */
#define FOR_ROW_LANES(i, p, lanes, n, ...)                                                                   \
    do {                                                                                                     \
        int i = 0;                                                                                           \
        while (i + ROW_LANES <= (n))                                                                         \
            for (int p = 0; p < ROW_PARTS; p++, i += VW) {                                                   \
                enum { lanes = VW };                                                                         \
                __VA_ARGS__                                                                                  \
            }                                                                                                \
        for (int p = 0; p < ROW_PARTS && i < (n); p++, i += VW) {                                            \
            const int lanes = (n)-i;                                                                         \
            __VA_ARGS__                                                                                      \
        }                                                                                                    \
    } while (0)

static float sum(const float *x, int n)
{
    struct row_lanes s = row_start(0.f);
    FOR_ROW_LANES(i, p, lanes, n, s.part[p] = vf_add(s.part[p], vf_load_lanes(x + i, lanes, 0.f)););
    return row_sum(s);
}

/* Where 0 and -0 are the largest, the last one met wins: lanes past the end must lose, or it would depend on
 * how many a vector has. */
static float max(const float *x, int n)
{
    const float least = -__builtin_inff();
    struct row_lanes s = row_start(x[0]);
    FOR_ROW_LANES(i, p, lanes, n, s.part[p] = vf_max(s.part[p], vf_load_lanes(x + i, lanes, least)););
    return row_max(s);
}

static float dot(const float *x, const float *y, int n)
{
    struct row_lanes s = row_start(0.f);
    FOR_ROW_LANES(i, p, lanes, n, {
        s.part[p] = vf_fma(vf_load_lanes(x + i, lanes, 0.f), vf_load_lanes(y + i, lanes, 0.f), s.part[p]);
    });
    return row_sum(s);
}

static void dots(float *out, const float *x, const float *const *y, int n, int rows)
{
    int r = 0;
    for (; r + 4 <= rows; r += 4) {
        struct row_lanes s[4] = {row_start(0.f), row_start(0.f), row_start(0.f), row_start(0.f)};
        FOR_ROW_LANES(i, p, lanes, n, {
            const vf v = vf_load_lanes(x + i, lanes, 0.f);
            s[0].part[p] = vf_fma(v, vf_load_lanes(y[r] + i, lanes, 0.f), s[0].part[p]);
            s[1].part[p] = vf_fma(v, vf_load_lanes(y[r + 1] + i, lanes, 0.f), s[1].part[p]);
            s[2].part[p] = vf_fma(v, vf_load_lanes(y[r + 2] + i, lanes, 0.f), s[2].part[p]);
            s[3].part[p] = vf_fma(v, vf_load_lanes(y[r + 3] + i, lanes, 0.f), s[3].part[p]);
        });
        for (int k = 0; k < 4; k++) out[r + k] = row_sum(s[k]);
    }
    for (; r < rows; r++) out[r] = dot(x, y[r], n);
}

static float sum_squares(const float *x, float mean, int n)
{
    struct row_lanes s = row_start(0.f);
    FOR_ROW_LANES(i, p, lanes, n, {
        const vf d = vf_sub(vf_load_lanes(x + i, lanes, mean), vf_set1(mean));
        s.part[p] = vf_fma(d, d, s.part[p]);
    });
    return row_sum(s);
}

/* Column chains. Each function advances `vectors` neighbouring column vectors down all rows with the
 * accumulators in registers; the last, partial vector goes alone. */
enum column_kind { COLUMN_SUM, COLUMN_SQUARES, COLUMN_DOT };

INLINE vf column_step(vf acc, const float *x, const float *y, vf mean, int lanes, enum column_kind kind)
{
    const vf v = vf_load_lanes(x, lanes, 0.f);
    if (kind == COLUMN_SUM) return vf_add(acc, v);
    if (kind == COLUMN_DOT) return vf_fma(v, vf_load_lanes(y, lanes, 0.f), acc);
    const vf d = vf_sub(v, mean);
    return vf_fma(d, d, acc);
}

INLINE void column_one(float *acc, const float *x, ptrdiff_t x_stride, const float *y, ptrdiff_t y_stride,
                       const float *mean, int rows, int lanes, enum column_kind kind)
{
    const vf m = kind == COLUMN_SQUARES ? vf_load_lanes(mean, lanes, 0.f) : vf_set1(0.f);
    vf a = vf_load_lanes(acc, lanes, 0.f);
    for (int r = 0; r < rows; r++) a = column_step(a, x + r * x_stride, y + r * y_stride, m, lanes, kind);
    vf_store_lanes(acc, a, lanes);
}

INLINE void column_four(float *acc, const float *x, ptrdiff_t x_stride, const float *y, ptrdiff_t y_stride,
                        const float *mean, int rows, enum column_kind kind)
{
    const int squares = kind == COLUMN_SQUARES;
    const vf m0 = squares ? vf_load(mean) : vf_set1(0.f), m1 = squares ? vf_load(mean + VW) : m0;
    const vf m2 = squares ? vf_load(mean + 2 * VW) : m0, m3 = squares ? vf_load(mean + 3 * VW) : m0;
    vf a0 = vf_load(acc), a1 = vf_load(acc + VW), a2 = vf_load(acc + 2 * VW), a3 = vf_load(acc + 3 * VW);
    for (int r = 0; r < rows; r++, x += x_stride, y += y_stride) {
        a0 = column_step(a0, x, y, m0, VW, kind);
        a1 = column_step(a1, x + VW, y + VW, m1, VW, kind);
        a2 = column_step(a2, x + 2 * VW, y + 2 * VW, m2, VW, kind);
        a3 = column_step(a3, x + 3 * VW, y + 3 * VW, m3, VW, kind);
    }
    vf_store(acc, a0);
    vf_store(acc + VW, a1);
    vf_store(acc + 2 * VW, a2);
    vf_store(acc + 3 * VW, a3);
}

INLINE void column_chains(float *acc, const float *x, ptrdiff_t x_stride, const float *y, ptrdiff_t y_stride,
                          const float *mean, int rows, int cols, enum column_kind kind)
{
    int c = 0;
    for (; c + 4 * VW <= cols; c += 4 * VW)
        column_four(acc + c, x + c, x_stride, y + c, y_stride, mean + c, rows, kind);
    for (; c + VW <= cols; c += VW)
        column_one(acc + c, x + c, x_stride, y + c, y_stride, mean + c, rows, VW, kind);
    if (c < cols) column_one(acc + c, x + c, x_stride, y + c, y_stride, mean + c, rows, cols - c, kind);
}

static void column_sum(float *acc, const float *x, ptrdiff_t stride, int rows, int cols)
{
    column_chains(acc, x, stride, x, stride, acc, rows, cols, COLUMN_SUM);
}

static void column_sum_squares(float *acc, const float *x, ptrdiff_t stride, const float *mean, int rows,
                               int cols)
{
    column_chains(acc, x, stride, x, stride, mean, rows, cols, COLUMN_SQUARES);
}

static void column_dot(float *acc, const float *x, ptrdiff_t x_stride, const float *y, ptrdiff_t y_stride,
                       int rows, int cols)
{
    column_chains(acc, x, x_stride, y, y_stride, acc, rows, cols, COLUMN_DOT);
}

#endif
