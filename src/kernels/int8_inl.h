/* Integer convolutions on bytes: exact sums, then one rule in float (kernels.h, struct int8_finish).
 *
 * The vocabulary's integer part: a vw holds 2 * VW words, the weights of VW channels for a pair of inputs;
 * vw_pair(x) repeats x[0], x[1]; vp_madd(a, w, x) adds w[n][0] * x[0] + w[n][1] * x[1] to channel n of a, and
 * vp_sum(a) is the VW sums; vw_zip(p, q) is p[0], q[0], p[1], q[1], ... of VW bytes each. Products of a byte
 * and a weight of -127..127 fit a word, pairs of them 32 bits, so nothing saturates on any ISA. vf_from_int
 * rounds to nearest even. */
#include "kernels/kernels.h"
#include "kernels/math_inl.h"
#include "kernels/repeat.h"

#if defined(VF_AVX512)
#define INT8_ROWS 10
#define INT8_COLUMNS 16
#define INT8_VECTORS 1
#elif defined(VF_AVX2)
#define INT8_ROWS 6
#define INT8_COLUMNS 16
#define INT8_VECTORS 2
#elif defined(VF_NEON) && defined(__aarch64__)
#define INT8_ROWS 2
#define INT8_COLUMNS 16
#define INT8_VECTORS 4
#elif defined(VF_NEON)
#define INT8_ROWS 2
#define INT8_COLUMNS 8
#define INT8_VECTORS 2
#else
#define INT8_ROWS 2
#define INT8_COLUMNS 8
#define INT8_VECTORS 8
#endif
_Static_assert(INT8_VECTORS *VW == INT8_COLUMNS, "a tile is a whole number of vectors");

#define NAME int8_tile
#define MR INT8_ROWS
#define NV INT8_VECTORS
#include "kernels/tile_int8.h"
#define NAME int8_tile_single
#define MR 1
#define NV INT8_VECTORS
#include "kernels/tile_int8.h"
#if defined(VF_AVX2) /* eight channels alone: half the columns, more rows */
#define INT8_NARROW_ROWS 10
#define NAME int8_tile_narrow
#define MR INT8_NARROW_ROWS
#define NV 1
#include "kernels/tile_int8.h"
#endif

typedef void int8_tile_function(const int16_t *in, ptrdiff_t stride, int pairs, const int16_t *w,
                                int32_t *acc);

/* Clamped first: conversions out of range differ from CPU to CPU. */
INLINE vi vi_quantise(vf t, vf inverse, vf zero)
{
    const vf v = vf_min(vf_max(vf_fma(t, inverse, zero), vf_set1(0.f)), vf_set1(255.f));
    return vi_and(vf_asint(vf_add(v, vf_set1(VF_ROUND_MAGIC))), vi_set1(255));
}

/* Rows of one tile of sums, acc[m][16], to pixels p + m, channels [c, c + columns), a multiple of VW. The
 * last three are constants; what is in registers is named, because a store of bytes may be one to *f. */
INLINE void int8_finish_rows(const struct int8_finish *f, const int32_t *acc, int rows, int p, int c,
                             int columns, enum activation activation, int added, int real)
{
    const vf inverse = vf_set1(f->inverse), zero = vf_set1(f->zero);
    const vf residual_scale = vf_set1(f->residual_scale), residual_zero = vf_set1(f->residual_zero);
    uint8_t *const *out = f->out + p;
    float *const *reals = f->real + p;
    const uint8_t *const *residual = f->residual + p;
    for (int n = c; n < c + columns; n += VW, acc += VW) {
        const vi start = vi_load(f->start + n);
        const vf scale = vf_load(f->scale + n), bias = vf_load(f->bias + n);
        for (int m = 0; m < rows; m++) {
            vf t = vf_fma(vf_from_int(vi_add(vi_load(acc + m * KERNEL_BLOCK), start)), scale, bias);
            t = vf_activate(t, activation);
            if (added) {
                const vf r = vf_sub(vf_from_int(vi_load_bytes(residual[m] + n)), residual_zero);
                t = vf_flush(vf_fma(r, residual_scale, t));
            }
            if (real)
                vf_store(reals[m] + n, t);
            else
                vi_store_bytes(out[m] + n, vi_quantise(t, inverse, zero));
        }
    }
}

static NOINLINE void int8_finish_whole(const struct int8_finish *f, const int32_t *acc, int rows, int p,
                                       int c, int columns)
{
    if (f->activation == ACT_SILU && f->out) {
        if (f->residual)
            int8_finish_rows(f, acc, rows, p, c, columns, ACT_SILU, 1, 0);
        else
            int8_finish_rows(f, acc, rows, p, c, columns, ACT_SILU, 0, 0);
    } else if (f->out) {
        int8_finish_rows(f, acc, rows, p, c, columns, f->activation, f->residual != NULL, 0);
    } else if (f->activation == ACT_NONE) {
        int8_finish_rows(f, acc, rows, p, c, columns, ACT_NONE, f->residual != NULL, 1);
    } else {
        int8_finish_rows(f, acc, rows, p, c, columns, f->activation, f->residual != NULL, 1);
    }
}

/* The same for any number of channels, through copies of what is there. */
static void int8_finish_tile(const struct int8_finish *f, const int32_t *acc, int rows, int p, int c,
                             int valid)
{
    if (valid % VW == 0) {
        int8_finish_whole(f, acc, rows, p, c, valid);
        return;
    }
    uint8_t bytes[KERNEL_BLOCK], shortcut[KERNEL_BLOCK] = {0}, *out = bytes;
    float reals[KERNEL_BLOCK], *real = reals;
    const uint8_t *residual = shortcut;
    struct int8_finish one = *f;
    one.out = f->out ? &out : NULL;
    one.real = &real;
    one.residual = f->residual ? &residual : NULL;
    one.start += c;
    one.scale += c;
    one.bias += c;
    for (int m = 0; m < rows; m++) {
        if (f->residual) memcpy(shortcut, f->residual[p + m] + c, (size_t)valid);
        int8_finish_whole(&one, acc + m * KERNEL_BLOCK, 1, 0, 0, (valid + VW - 1) / VW * VW);
        if (f->out)
            memcpy(f->out[p + m] + c, bytes, (size_t)valid);
        else
            memcpy(f->real[p + m] + c, reals, (size_t)valid * sizeof *reals);
    }
}

/* All pixels of one column range; the last tile overlaps the one before. */
static void int8_columns(const struct int8_block *b, int8_tile_function *tile, int rows, int columns, int c0,
                         const int16_t *w)
{
    int32_t acc[10 * KERNEL_BLOCK];
    const int valid = b->cout - c0 < columns ? b->cout - c0 : columns;
    const ptrdiff_t stride = 2 * (ptrdiff_t)b->pairs;
    for (int p = 0; p < b->pixels;) {
        if (b->pixels - p < rows && b->pixels >= rows) p = b->pixels - rows;
        const int n = b->pixels >= rows ? rows : 1;
        (n == 1 ? int8_tile_single : tile)(b->in + p * stride, stride, b->pairs, w, acc);
        int8_finish_tile(&b->finish, acc, n, p, c0, valid);
        p += n;
    }
}

static void conv_int8(const struct int8_block *b)
{
    const ptrdiff_t size = 2 * (ptrdiff_t)b->pairs * KERNEL_BLOCK;
    for (int block = 0; block < b->cout; block += KERNEL_BLOCK) {
        const int16_t *w = b->weights + block / KERNEL_BLOCK * size;
#if defined(VF_AVX2)
        if (b->cout - block <= VW) {
            int8_columns(b, int8_tile_narrow, INT8_NARROW_ROWS, VW, block, w);
            continue;
        }
#endif
        for (int c = 0; c < KERNEL_BLOCK && block + c < b->cout; c += INT8_COLUMNS)
            int8_columns(b, int8_tile, INT8_ROWS, INT8_COLUMNS, block + c, w + 2 * c);
    }
}

/* Channels [c, c + valid) of pixels [p, p + rows): vectors, then what is left one by one. */
static void depthwise_int8_sums(const struct int8_depthwise *b, int p, int rows, int c, int valid,
                                int32_t *acc)
{
    const int16_t *weights = b->weights + 2 * c;
    int i = 0;
    for (; i + VW <= valid; i += VW)
        for (int m = 0; m < rows; m++) {
            const uint8_t *const *in = b->in + p + m;
            vp sum = vp_zero();
            for (int t = 0; t < b->taps; t += 2) {
                const int next = t + 1 < b->taps ? t + 1 : t; /* its weights are 0 */
                sum = vp_madd(
                    sum, vw_load(weights + (ptrdiff_t)t * b->channels + 2 * i),
                    vw_zip(in[(ptrdiff_t)t * b->pixels] + c + i, in[(ptrdiff_t)next * b->pixels] + c + i));
            }
            vi_store(acc + m * KERNEL_BLOCK + i, vp_sum(sum));
        }
    for (; i < valid; i++)
        for (int m = 0; m < rows; m++) {
            int32_t sum = 0;
            for (int t = 0; t < b->taps; t++)
                sum += b->in[t * b->pixels + p + m][c + i] *
                       weights[(ptrdiff_t)(t - t % 2) * b->channels + 2 * i + t % 2];
            acc[m * KERNEL_BLOCK + i] = sum;
        }
}

static void depthwise_int8(const struct int8_depthwise *b)
{
    enum { ROWS_AT_ONCE = 8 };
    for (int c = 0; c < b->channels; c += KERNEL_BLOCK) {
        const int valid = b->channels - c < KERNEL_BLOCK ? b->channels - c : KERNEL_BLOCK;
        for (int p = 0; p < b->pixels; p += ROWS_AT_ONCE) {
            const int rows = b->pixels - p < ROWS_AT_ONCE ? b->pixels - p : ROWS_AT_ONCE;
            int32_t acc[ROWS_AT_ONCE * KERNEL_BLOCK] = {0};
            depthwise_int8_sums(b, p, rows, c, valid, acc);
            int8_finish_tile(&b->finish, acc, rows, p, c, valid);
        }
    }
}

static void quantise(uint8_t *y, ptrdiff_t y_stride, const float *x, ptrdiff_t x_stride, const float *inverse,
                     const float *zero, int rows, int cols)
{
    for (int r = 0; r < rows; r++, x += x_stride, y += y_stride) {
        int c = 0;
        for (; c + VW <= cols; c += VW)
            vi_store_bytes(y + c, vi_quantise(vf_load(x + c), vf_load(inverse + c), vf_load(zero + c)));
        if (c >= cols) continue;
        uint8_t bytes[VW];
        const int rest = cols - c;
        vi_store_bytes(bytes,
                       vi_quantise(vf_load_part(x + c, rest, 0.f), vf_load_part(inverse + c, rest, 0.f),
                                   vf_load_part(zero + c, rest, 0.f)));
        memcpy(y + c, bytes, (size_t)rest);
    }
}

static void dequantise(float *y, ptrdiff_t y_stride, const uint8_t *x, ptrdiff_t x_stride, const float *scale,
                       const float *zero, int rows, int cols)
{
    for (int r = 0; r < rows; r++, x += x_stride, y += y_stride) {
        int c = 0;
        for (; c + VW <= cols; c += VW)
            vf_store(y + c, vf_mul(vf_sub(vf_from_int(vi_load_bytes(x + c)), vf_load(zero + c)),
                                   vf_load(scale + c)));
        for (; c < cols; c++) y[c] = ((float)x[c] - zero[c]) * scale[c];
    }
}

static void widen(int16_t *y, const uint8_t *x, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i += INT8_SLACK)
        for (int k = 0; k < INT8_SLACK; k++) y[i + k] = x[i + k];
}

static void maximum_bytes(uint8_t *y, const uint8_t *x, int n)
{
    for (int i = 0; i < n; i++) y[i] = x[i] > y[i] ? x[i] : y[i];
}

static int32_t dot_bytes(const uint8_t *x, const int16_t *y, int n)
{
    int32_t sum = 0;
    for (int i = 0; i < n; i++) {
        const int16_t word = x[i];
        sum += word * y[i];
    }
    return sum;
}
