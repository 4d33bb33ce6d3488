/* What else integer networks need: depthwise convolutions, and between floats and bytes. */
#include "kernels/int8_conv_inl.h"

enum { INT8_DEPTHWISE_ROWS = 10 };

/* Sums of channels [c, c + valid) of `rows` pixels from `in`: vectors, then what is left one by one. `taps`
 * is a constant where it is the usual one. */
INLINE void depthwise_int8_sums(const struct int8_depthwise *b, int taps, const uint8_t *in, int rows, int c,
                                int valid, int32_t *acc)
{
    const int16_t *weights = b->weights + 2 * c;
    const int32_t *offset = b->offset;
    in += c;
    int i = 0;
    for (; i + VW <= valid; i += VW)
        for (int m = 0; m < rows; m++) {
            const uint8_t *x = in + m * b->in.pixel + i;
            vp sum = vp_zero();
            for (int t = 0; t < taps; t += 2) {
                const int next = t + 1 < taps ? t + 1 : t; /* its weights are 0 */
                sum = vp_madd(sum, vw_load(weights + (ptrdiff_t)t * b->channels + 2 * i),
                              vw_zip(x + offset[t], x + offset[next]));
            }
            vi_store(acc + m * KERNEL_BLOCK + i, vp_sum(sum));
        }
    for (; i < valid; i++)
        for (int m = 0; m < rows; m++) {
            const uint8_t *x = in + m * b->in.pixel + i;
            int32_t sum = 0;
            for (int t = 0; t < taps; t++)
                sum += x[offset[t]] * weights[(ptrdiff_t)(t - t % 2) * b->channels + 2 * i + t % 2];
            acc[m * KERNEL_BLOCK + i] = sum;
        }
}

static void depthwise_int8(const struct int8_depthwise *b)
{
    for (int y = 0; y < b->in.height; y++)
        for (int c = 0; c < b->channels; c += KERNEL_BLOCK) {
            const int valid = b->channels - c < KERNEL_BLOCK ? b->channels - c : KERNEL_BLOCK;
            for (int x = 0; x < b->in.width; x += INT8_DEPTHWISE_ROWS) {
                const int rest = b->in.width - x,
                          rows = rest < INT8_DEPTHWISE_ROWS ? rest : INT8_DEPTHWISE_ROWS;
                const uint8_t *in = b->in.first + y * b->in.row + x * b->in.pixel;
                int32_t acc[INT8_DEPTHWISE_ROWS * KERNEL_BLOCK];
                if (valid < KERNEL_BLOCK) memset(acc, 0, sizeof acc);
                if (b->taps == 9)
                    depthwise_int8_sums(b, 9, in, rows, c, valid, acc);
                else
                    depthwise_int8_sums(b, b->taps, in, rows, c, valid, acc);
                int8_finish_tile(&b->finish, acc, rows, y * b->in.width + x, c, valid);
            }
        }
}

static void quantise(uint8_t *y, ptrdiff_t y_stride, const float *x, ptrdiff_t x_stride, const float *inverse,
                     const float *zero, int rows, int cols)
{
    for (int r = 0; r < rows; r++, x += x_stride, y += y_stride) {
        int c = 0;
        for (; c + VW <= cols; c += VW)
            vf_store_bytes(y + c, vf_fma(vf_load(x + c), vf_load(inverse + c), vf_load(zero + c)));
        if (c >= cols) continue;
        uint8_t bytes[VW];
        const int rest = cols - c;
        vf_store_bytes(bytes, vf_fma(vf_load_part(x + c, rest, 0.f), vf_load_part(inverse + c, rest, 0.f),
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

static void maximum_bytes(uint8_t *y, const uint8_t *x, int n)
{
    for (int i = 0; i < n; i++) y[i] = x[i] > y[i] ? x[i] : y[i];
}
