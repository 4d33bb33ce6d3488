/* Integer convolutions on bytes: exact sums, then one rule in float (kernels.h, struct int8_finish).
 *
 * The vocabulary's integer part. vp holds the sums of VW channels in the making, vp_sum(a) is the sums. A vx
 * is four bytes of the input for all channels: vp_dot(a, x, w) adds x[0..3] * w[n][0..3] to channel n, where
 * the products 0, 1 and the products 2, 3 have sums of 16 bits, and vp_dot_two(a, x, v, y, w) two of these,
 * where the sums over both have (kernels.h, struct int8_column); vp_dot_wide(a, x, w) takes any weights, as
 * words. A vw holds 2 * VW words, vp_madd(a, w, x) adds w[n][0] * x[n][0] + w[n][1] * x[n][1]; vw_even(x) is
 * the bytes 0 and 2 for all channels, vw_odd(x) 1 and 3; vw_zip(p, q) is p[0], q[0], p[1], q[1], ... of VW
 * bytes each. Pairs of products of a byte and a weight of -127..127 fit 32 bits, so nothing saturates on any
 * ISA. vf_from_int rounds to nearest even.
 *
 * VF_DOTS: an instruction adds four products of bytes to 32 bits, whatever the weights are (dots.c). Where its
 * inputs are signed, VX_SHIFTED, a vx is the inputs minus 128. */
#ifndef RETORT_KERNELS_INT8_CONV_INL_H
#define RETORT_KERNELS_INT8_CONV_INL_H

#include "kernels/kernels.h"
#include "kernels/math_inl.h"
#include "kernels/repeat.h"

#if defined(VF_AVX512)
#define INT8_ROWS 10
#define INT8_COLUMNS 16
#define INT8_VECTORS 1
#define INT8_TOGETHER 5 /* rows of sums that are finished together */
#elif defined(VF_AVX2)
#define INT8_ROWS 5
#define INT8_COLUMNS 16
#define INT8_VECTORS 2
#define INT8_TOGETHER 5
#elif defined(VF_NEON) && defined(VF_DOTS)
#define INT8_ROWS 4
#define INT8_COLUMNS 16
#define INT8_VECTORS 4
#define INT8_TOGETHER 4
#elif defined(VF_NEON) && defined(__aarch64__)
#define INT8_ROWS 2
#define INT8_COLUMNS 16
#define INT8_VECTORS 4
#define INT8_TOGETHER 2
#elif defined(VF_NEON)
#define INT8_ROWS 2
#define INT8_COLUMNS 8
#define INT8_VECTORS 2
#define INT8_TOGETHER 2
#else
#define INT8_ROWS 2
#define INT8_COLUMNS 8
#define INT8_VECTORS 8
#define INT8_TOGETHER 1
#endif
_Static_assert(INT8_VECTORS *VW == INT8_COLUMNS, "a tile is a whole number of vectors");

#if !defined(VF_DOTS) || defined(VF_AVX512)
INLINE vp vp_dot_wide(vp a, vx x, const int16_t *w)
{
    return vp_madd(vp_madd(a, vw_load(w), vw_even(x)), vw_load(w + 2 * KERNEL_BLOCK), vw_odd(x));
}
#endif

#define MR INT8_ROWS
#define NV INT8_VECTORS
#include "kernels/tile_int8.h"
#define MR 1
#define NV INT8_VECTORS
#include "kernels/tile_int8.h"
#if defined(VF_AVX2) /* eight channels alone: half the columns, more rows */
#define MR 10
#define NV 1
#include "kernels/tile_int8.h"
#endif

typedef void int8_tile_function(const uint8_t *in, ptrdiff_t step, const struct int8_column *column,
                                const int32_t *offset, const int8_t *w, int32_t *acc);

/* a, clamped to [0, 255], to nearest even. Clamped first: conversions out of range differ from CPU to CPU. */
#if !defined(VF_HAS_STORE_BYTES)
INLINE void vf_store_bytes(uint8_t *p, vf a)
{
    const vf v = vf_min(vf_max(a, vf_set1(0.f)), vf_set1(255.f));
    vi_store_bytes(p, vi_and(vf_asint(vf_add(v, vf_set1(VF_ROUND_MAGIC))), vi_set1(255)));
}
#endif

/* VW channels from n of `count` rows of sums, acc[m][16], to as many pixels from p. Constants are count and
 * tiny, and where rows are finished together all the last four; what is in registers is named, because a store
 * of bytes may be one to *f. */
INLINE void int8_finish_some(const struct int8_finish *f, const int32_t *acc, int count, int p, int n,
                             enum activation activation, int tiny, int added, int real)
{
    const vf inverse = vf_set1(f->inverse), zero = vf_set1(f->zero);
    const vf residual_scale = vf_set1(f->residual_scale), residual_zero = vf_set1(f->residual_zero);
    const vi start = vi_load(f->start + n);
    const vf scale = vf_load(f->scale + n), bias = vf_load(f->bias + n);
    const ptrdiff_t stride = real ? f->real_stride : f->out_stride, residual_stride = f->residual_stride;
    uint8_t *const out = real ? NULL : f->out + p * stride + n;
    float *const reals = real ? f->real + p * stride + n : NULL;
    const uint8_t *const residual = added ? f->residual + p * residual_stride + n : NULL;
    vf t[VF_MANY];
    for (int m = 0; m < count; m++)
        t[m] = vf_fma(vf_from_int(vi_add(vi_load(acc + m * KERNEL_BLOCK), start)), scale, bias);
    vf_activate_many(t, count, activation, tiny);
    for (int m = 0; m < count && added; m++) {
        const vf r = vf_sub(vf_from_int(vi_load_bytes(residual + m * residual_stride)), residual_zero);
        t[m] = vf_flush(vf_fma(r, residual_scale, t[m]));
    }
    for (int m = 0; m < count; m++) {
        if (real)
            vf_store(reals + m * stride, t[m]);
        else
            vf_store_bytes(out + m * stride, vf_fma(t[m], inverse, zero));
    }
}

/* Rows of one tile of sums to pixels p + m, channels [c, c + columns), a multiple of VW. */
INLINE void int8_finish_rows(const struct int8_finish *f, const int32_t *acc, int rows, int p, int c,
                             int columns, enum activation activation, int tiny, int added, int real)
{
    for (int n = c; n < c + columns; n += VW, acc += VW) {
        int m = 0;
        for (; m + INT8_TOGETHER <= rows; m += INT8_TOGETHER)
            int8_finish_some(f, acc + m * KERNEL_BLOCK, INT8_TOGETHER, p + m, n, activation, tiny, added,
                             real);
        for (; m < rows; m++)
            int8_finish_some(f, acc + m * KERNEL_BLOCK, 1, p + m, n, activation, tiny, added, real);
    }
}

/* Bytes do not show whether t was flushed: below 2^-40 and times less than 2^38 it rounds to the zero. What
 * networks are full of is compiled for rows together, all else for one at a time. */
static NOINLINE void int8_finish_whole(const struct int8_finish *f, const int32_t *acc, int rows, int p,
                                       int c, int columns)
{
    const int added = f->residual != NULL, real = !f->out, silu = f->activation == ACT_SILU;
    if (silu && !real && !added && f->inverse < 0x1p38f)
        int8_finish_rows(f, acc, rows, p, c, columns, ACT_SILU, 1, 0, 0);
    else if (silu && !real && added)
        int8_finish_rows(f, acc, rows, p, c, columns, ACT_SILU, 0, 1, 0);
    else if (f->activation == ACT_NONE && !real && !added)
        int8_finish_rows(f, acc, rows, p, c, columns, ACT_NONE, 0, 0, 0);
    else if (f->activation == ACT_NONE && real && !added)
        int8_finish_rows(f, acc, rows, p, c, columns, ACT_NONE, 0, 0, 1);
    else
        for (int n = c; n < c + columns; n += VW, acc += VW)
            for (int m = 0; m < rows; m++)
                int8_finish_some(f, acc + m * KERNEL_BLOCK, 1, p + m, n, f->activation, 0, added, real);
}

/* The same for any number of channels, through copies of what is there. */
static void int8_finish_tile(const struct int8_finish *f, const int32_t *acc, int rows, int p, int c,
                             int valid)
{
    if (valid % VW == 0) {
        int8_finish_whole(f, acc, rows, p, c, valid);
        return;
    }
    uint8_t bytes[KERNEL_BLOCK], shortcut[KERNEL_BLOCK] = {0};
    float reals[KERNEL_BLOCK];
    struct int8_finish one = *f;
    one.out = f->out ? bytes : NULL;
    one.real = reals;
    one.residual = f->residual ? shortcut : NULL;
    one.start += c;
    one.scale += c;
    one.bias += c;
    for (int m = 0; m < rows; m++) {
        if (f->residual) memcpy(shortcut, f->residual + (p + m) * f->residual_stride + c, (size_t)valid);
        int8_finish_whole(&one, acc + m * KERNEL_BLOCK, 1, 0, 0, (valid + VW - 1) / VW * VW);
        if (f->out)
            memcpy(f->out + (p + m) * f->out_stride + c, bytes, (size_t)valid);
        else
            memcpy(f->real + (p + m) * f->real_stride + c, reals, (size_t)valid * sizeof *reals);
    }
}

/* All pixels of channels [c0, c0 + columns), which begin at w of each step: sums of part of a row, where the
 * last tile overlaps the one before, then their finish. */
static void int8_columns(const struct int8_block *b, int8_tile_function *tile, int rows, int columns, int c0)
{
    enum { PART = 40, REST = 10 };
    const struct int8_column *column = b->columns + c0 / KERNEL_BLOCK;
    const int32_t *offset = b->weights + c0 / KERNEL_BLOCK * int8_column_size(b->steps);
    const int8_t *w = (const int8_t *)(offset + int8_column_offsets(b->steps)) + c0 % KERNEL_BLOCK * 4;
    int32_t acc[(PART + REST) * KERNEL_BLOCK];
    const int valid = b->cout - c0 < columns ? b->cout - c0 : columns;
    int count;
    for (int y = 0; y < b->in.height; y++)
        for (int begin = 0; begin < b->in.width; begin += count) {
            const uint8_t *in = b->in.first + y * b->in.row + begin * b->in.pixel;
            count = b->in.width - begin;
            if (count > PART + REST) count = PART;
            for (int x = 0; x < count;) {
                if (count - x < rows && count >= rows) x = count - rows;
                const int n = count >= rows ? rows : 1;
                (n == 1 ? TILE_NAME(int8_tile, 1, INT8_VECTORS)
                        : tile)(in + x * b->in.pixel, b->in.pixel, column, offset, w, acc + x * KERNEL_BLOCK);
                x += n;
            }
            int8_finish_tile(&b->finish, acc, count, y * b->in.width + begin, c0, valid);
        }
}

static void conv_int8(const struct int8_block *b)
{
#if defined(VX_SHIFTED)
    struct int8_block shifted = *b;
    shifted.finish.start = b->shifted_start;
    b = &shifted;
#endif
    for (int c = 0; c < b->cout; c += INT8_COLUMNS) {
#if defined(VF_AVX2)
        if (b->cout - c <= VW) {
            int8_columns(b, int8_tile_10x1, 10, VW, c);
            continue;
        }
#endif
        int8_columns(b, TILE_NAME(int8_tile, INT8_ROWS, INT8_VECTORS), INT8_ROWS, INT8_COLUMNS, c);
    }
}

#endif
