/* Functions from IEEE + - * / fma and integer operations only, so the same bits on every ISA; no libm.
 *
 * No NaN in, no NaN out. vf_silu, vf_sigmoid and the activations flush and take any finite input; vf_exp,
 * vf_erf and vf_tanh take 0 or magnitudes of at least 2^-63. Errors are the largest found against double over
 * all inputs (accuracy is compared again, on a sample, in tests/test_math.c). */
#ifndef RETORT_KERNELS_MATH_INL_H
#define RETORT_KERNELS_MATH_INL_H

#include "kernels/kernels.h"
#include "kernels/vf.h"

/* Runs the body for each vector of n elements: from element i, `lanes` of them (VW, fewer at the end). */
#define FOR_VECTORS(i, lanes, n, ...)                                                                        \
    do {                                                                                                     \
        const ptrdiff_t end_ = (ptrdiff_t)(n);                                                               \
        ptrdiff_t i = 0;                                                                                     \
        for (; i + VW <= end_; i += VW) {                                                                    \
            enum { lanes = VW };                                                                             \
            __VA_ARGS__                                                                                      \
        }                                                                                                    \
        if (i < end_) {                                                                                      \
            const int lanes = (int)(end_ - i);                                                               \
            __VA_ARGS__                                                                                      \
        }                                                                                                    \
    } while (0)

INLINE vf vf_load_lanes(const float *p, int lanes, float fill)
{
    return lanes >= VW ? vf_load(p) : vf_load_part(p, lanes, fill);
}
INLINE void vf_store_lanes(float *p, vf a, int lanes)
{
    if (lanes >= VW)
        vf_store(p, a);
    else
        vf_store_part(p, a, lanes);
}

/* One step of a polynomial: p * x + c. */
INLINE vf vf_horner(vf p, vf x, float c) { return vf_fma(p, x, vf_set1(c)); }

/* Adding it rounds |t| < 2^22 to the nearest integer, which then stands in the low bits. */
#define VF_ROUND_MAGIC 12582912.f

/* p * 2^n where magic = VF_ROUND_MAGIC + n. */
INLINE vf vf_scale_by_power(vf p, vf magic)
{
    return vi_asfloat(vi_add(vf_asint(p), vi_shl(vf_asint(magic), 23)));
}

/* |y| with the sign of x. */
INLINE vf vf_with_sign(vf y, vf x)
{
    return vi_asfloat(vi_or(vf_asint(y), vi_and(vf_asint(x), vi_set1(INT32_MIN))));
}

/* x / d for d in [1, 2^64], where the result is flushed afterwards.
 *
 * ARMv7 has no vector divide. Newton's iteration gives 1/d correctly rounded, except where the mantissa of d
 * is all ones and one ulp is missing; Markstein's correction of x * (1/d) then has the bits of the divide
 * (compared over all floats x with the d of vf_sigmoid). */
#if defined(VF_NEON) && !defined(__aarch64__)
INLINE vf vf_div_bounded(vf x, vf d)
{
    const vi mantissa = vi_set1(0x7fffff);
    vf r = vi_asfloat(vi_sub(vi_set1(0x7ef311c7), vf_asint(d)));
    for (int i = 0; i < 4; i++) r = vf_fma(r, vf_fnma(d, r, vf_set1(1.f)), r);
    r = vi_asfloat(vi_sub(vf_asint(r), vi_eq(vi_and(vf_asint(d), mantissa), mantissa)));
    const vf q = vf_mul(x, r);
    return vf_fma(vf_fnma(q, d, x), r, q);
}
#else
INLINE vf vf_div_bounded(vf x, vf d) { return vf_div(x, d); }
#endif

/* 1 + exp(-x) in [1, 2^64], as 1 + 2^t with t = -x log2 e clamped to [-64, 64]: 2^t = 2^round(t) * p(rest).
 * For n vectors, a constant of at most VF_MANY, one step for all at a time: one alone is a chain of
 * operations, each of which waits for the last. */
enum { VF_MANY = 8 };
INLINE void vf_one_plus_exp_minus_many(vf *y, const vf *x, int n)
{
    vf magic[VF_MANY], f[VF_MANY];
    for (int i = 0; i < n; i++)
        f[i] = vf_min(vf_max(vf_mul(x[i], vf_set1(-1.44269504f)), vf_set1(-64.f)), vf_set1(64.f));
    for (int i = 0; i < n; i++) magic[i] = vf_add(f[i], vf_set1(VF_ROUND_MAGIC));
    for (int i = 0; i < n; i++) f[i] = vf_sub(f[i], vf_sub(magic[i], vf_set1(VF_ROUND_MAGIC)));
    for (int i = 0; i < n; i++) y[i] = vf_horner(vf_set1(1.3276473e-3f), f[i], 9.6755421e-3f);
    for (int i = 0; i < n; i++) y[i] = vf_horner(y[i], f[i], 5.5507133e-2f);
    for (int i = 0; i < n; i++) y[i] = vf_horner(y[i], f[i], 2.4022120e-1f);
    for (int i = 0; i < n; i++) y[i] = vf_horner(y[i], f[i], 6.9314697e-1f);
    for (int i = 0; i < n; i++) y[i] = vf_horner(y[i], f[i], 1.f);
    for (int i = 0; i < n; i++) y[i] = vf_add(vf_scale_by_power(y[i], magic[i]), vf_set1(1.f));
}
INLINE vf vf_one_plus_exp_minus(vf x)
{
    vf y;
    vf_one_plus_exp_minus_many(&y, &x, 1);
    return y;
}

/* 1 / (1 + exp(-x)), flushed; absolute error 1.1e-7. */
INLINE vf vf_sigmoid(vf x) { return vf_flush(vf_div_bounded(vf_set1(1.f), vf_one_plus_exp_minus(x))); }

/* x / (1 + exp(-x)), flushed; absolute error 1.3e-6 for |x| < 40; 0 from -44 down to -2^24. The divisor may
 * be given, here and for the derivative s (1 + x (1 - s)). */
INLINE vf vf_silu_of(vf x, vf one_plus_exp_minus) { return vf_flush(vf_div_bounded(x, one_plus_exp_minus)); }
INLINE vf vf_silu(vf x) { return vf_silu_of(x, vf_one_plus_exp_minus(x)); }
INLINE vf vf_silu_slope_of(vf x, vf one_plus_exp_minus)
{
    const vf one = vf_set1(1.f), s = vf_flush(vf_div_bounded(one, one_plus_exp_minus));
    return vf_flush(vf_mul(s, vf_fma(x, vf_sub(one, s), one)));
}

/* exp(x), x clamped to [-87, 88]; 0.99 ulp. x = n ln 2 + r with ln 2 in two parts, the first exact times n.
 */
INLINE vf vf_exp(vf x)
{
    x = vf_min(vf_max(x, vf_set1(-87.f)), vf_set1(88.f));
    const vf magic = vf_horner(x, vf_set1(0x1.715476p+0f), VF_ROUND_MAGIC);
    const vf n = vf_sub(magic, vf_set1(VF_ROUND_MAGIC));
    const vf r = vf_fma(n, vf_set1(0x1.bd0106p-13f), vf_fnma(n, vf_set1(0x1.63p-1f), x));
    vf q = vf_set1(0x1.6a4b98p-10f);
    q = vf_horner(q, r, 0x1.123e5cp-7f);
    q = vf_horner(q, r, 0x1.5558bap-5f);
    q = vf_horner(q, r, 0x1.55548cp-3f);
    q = vf_horner(q, r, 0x1.fffffcp-2f);
    return vf_scale_by_power(vf_add(vf_fma(vf_mul(r, r), q, r), vf_set1(1.f)), magic);
}

/* log(2^n (1 + f)) for 1 + f in [sqrt 1/2, sqrt 2). */
INLINE vf vf_log_parts(vf n, vf f)
{
    vf q = vf_set1(-0x1.38c9fap-4f);
    q = vf_horner(q, f, 0x1.0573b2p-3f);
    q = vf_horner(q, f, -0x1.0d8bfap-3f);
    q = vf_horner(q, f, 0x1.22d710p-3f);
    q = vf_horner(q, f, -0x1.547164p-3f);
    q = vf_horner(q, f, 0x1.99a028p-3f);
    q = vf_horner(q, f, -0x1.00022ap-2f);
    q = vf_horner(q, f, 0x1.555554p-2f);
    const vf f2 = vf_mul(f, f);
    const vf rest = vf_fma(q, vf_mul(f, f2), vf_mul(n, vf_set1(-0x1.bd0106p-13f)));
    return vf_fma(n, vf_set1(0x1.63p-1f), vf_add(f, vf_fnma(vf_set1(.5f), f2, rest)));
}

/* log(x), x positive and normal; 0.81 ulp. */
INLINE vf vf_log(vf x)
{
    const vi bits = vf_asint(x);
    const vi e = vi_sra(vi_sub(bits, vi_set1(0x3f3504f3)), 23);
    const vf f = vf_sub(vi_asfloat(vi_sub(bits, vi_shl(e, 23))), vf_set1(1.f));
    const vf n = vf_sub(vi_asfloat(vi_add(e, vi_set1(0x4b400000))), vf_set1(VF_ROUND_MAGIC));
    return vf_log_parts(n, f);
}

/* log(1 + e) for e in [0, 1], relative error 1.2e-7 however small e is: 1 + e is never formed. */
INLINE vf vf_log1p(vf e)
{
    const vi low = vf_lt(e, vf_set1(0x1.a8279ap-2f)); /* sqrt 2 - 1 */
    const vf halved = vf_mul(vf_sub(e, vf_set1(1.f)), vf_set1(.5f));
    return vf_log_parts(vf_select(low, vf_set1(0.f), vf_set1(1.f)), vf_select(low, e, halved));
}

/* erf(x); 1.04 ulp. Below 1 an odd polynomial, from there 1 - exp(-R(|x|)). */
INLINE vf vf_erf(vf x)
{
    const vf a = vf_min(vf_abs(x), vf_set1(4.f)), s = vf_mul(a, a);
    vf p = vf_set1(0x1.4771fcp-14f);
    p = vf_horner(p, s, -0x1.a3515ep-11f);
    p = vf_horner(p, s, 0x1.53f224p-8f);
    p = vf_horner(p, s, -0x1.b7f71ap-6f);
    p = vf_horner(p, s, 0x1.ce2ce6p-4f);
    p = vf_horner(p, s, -0x1.81273ep-2f);
    p = vf_horner(p, s, 0x1.06eba8p-3f);
    vf r = vf_set1(-0x1.cdbbd8p-23f);
    r = vf_horner(r, a, 0x1.9fde7ap-16f);
    r = vf_horner(r, a, -0x1.e2e374p-12f);
    r = vf_horner(r, a, 0x1.17e864p-8f);
    r = vf_horner(r, a, -0x1.9f53c4p-6f);
    r = vf_horner(r, a, 0x1.bcdadep-4f);
    r = vf_horner(r, a, 0x1.442128p-1f);
    r = vf_horner(r, a, 0x1.2130b4p+0f);
    r = vf_horner(r, a, -0x1.a7c310p-13f);
    const vf near_zero = vf_fma(a, p, a);
    const vf far = vf_sub(vf_set1(1.f), vf_exp(vf_sub(vf_set1(0.f), r)));
    return vf_with_sign(vf_select(vf_lt(a, vf_set1(1.f)), near_zero, far), x);
}

/* tanh(x); 1.30 ulp. Below 0.625 an odd polynomial, from there 1 - 2 / (exp(2|x|) + 1). */
INLINE vf vf_tanh(vf x)
{
    const vf a = vf_min(vf_abs(x), vf_set1(9.02f)), s = vf_mul(a, a);
    vf p = vf_set1(-0x1.754a30p-8f);
    p = vf_horner(p, s, 0x1.52044ap-6f);
    p = vf_horner(p, s, -0x1.b836fap-5f);
    p = vf_horner(p, s, 0x1.1106fcp-3f);
    p = vf_horner(p, s, -0x1.555532p-2f);
    const vf near_zero = vf_fma(vf_mul(a, s), p, a);
    const vf far = vf_sub(vf_set1(1.f), vf_div(vf_set1(2.f), vf_add(vf_exp(vf_add(a, a)), vf_set1(1.f))));
    return vf_with_sign(vf_select(vf_lt(a, vf_set1(.625f)), near_zero, far), x);
}

/* x/2 (1 + erf(x / sqrt 2)), flushed; absolute error 3.0e-7. */
INLINE vf vf_gelu(vf x)
{
    const vf half = vf_mul(x, vf_set1(.5f));
    return vf_flush(vf_fma(half, vf_erf(vf_mul(x, vf_set1(0x1.6a09e6p-1f))), half));
}

/* The activation named (a constant at every use, so the switch folds), flushed. */
INLINE vf vf_activate(vf x, enum activation activation)
{
    switch (activation) {
    case ACT_SILU:
        return vf_silu(x);
    case ACT_RELU:
        return vf_flush(vf_max(x, vf_set1(0.f)));
    case ACT_RELU6:
        return vf_flush(vf_min(vf_max(x, vf_set1(0.f)), vf_set1(6.f)));
    case ACT_GELU:
        return vf_gelu(x);
    case ACT_SIGMOID:
        return vf_sigmoid(x);
    case ACT_NONE:
        break;
    }
    return vf_flush(x);
}

/* The same for n vectors in place, n a constant of at most VF_MANY. Where tiny results may stay, SiLU is not
 * flushed. */
INLINE void vf_activate_many(vf *x, int n, enum activation activation, int tiny)
{
    vf d[VF_MANY];
    if (activation == ACT_SILU) vf_one_plus_exp_minus_many(d, x, n);
    for (int i = 0; i < n; i++)
        x[i] = activation != ACT_SILU ? vf_activate(x[i], activation)
               : tiny                 ? vf_div_bounded(x[i], d[i])
                                      : vf_silu_of(x[i], d[i]);
}

/* Its derivative at x, flushed so that a product with a stored gradient is never subnormal. */
INLINE vf vf_activate_slope(vf x, enum activation activation)
{
    const vf zero = vf_set1(0.f), one = vf_set1(1.f);
    switch (activation) {
    case ACT_SILU:
        return vf_silu_slope_of(x, vf_one_plus_exp_minus(x));
    case ACT_RELU:
        return vf_select(vf_lt(zero, x), one, zero);
    case ACT_RELU6:
        return vf_select(vi_and(vf_lt(zero, x), vf_lt(x, vf_set1(6.f))), one, zero);
    case ACT_GELU: { /* (1 + erf(x / sqrt 2)) / 2 + x exp(-x^2 / 2) / sqrt(2 pi); beyond 14 the last term is 0
                      */
        const vf a = vf_min(vf_max(x, vf_set1(-14.f)), vf_set1(14.f));
        const vf erf = vf_erf(vf_mul(a, vf_set1(0x1.6a09e6p-1f)));
        const vf density = vf_exp(vf_mul(vf_mul(a, a), vf_set1(-.5f)));
        const vf left = vf_fma(vf_set1(.5f), erf, vf_set1(.5f));
        return vf_flush(vf_fma(vf_mul(a, vf_set1(0x1.988454p-2f)), density, left));
    }
    case ACT_SIGMOID: {
        const vf s = vf_sigmoid(x);
        return vf_flush(vf_mul(s, vf_sub(one, s)));
    }
    case ACT_NONE:
        break;
    }
    return one;
}

/* Calls function(..., activation): a copy for SiLU, which networks are full of, and one for the others, which is as
 * fast where they are long (GELU) and small where they are not. */
#define WITH_ACTIVATION(activation, function, ...)                                                           \
    do {                                                                                                     \
        if ((activation) == ACT_SILU)                                                                        \
            function(__VA_ARGS__, ACT_SILU);                                                                 \
        else                                                                                                 \
            function(__VA_ARGS__, activation);                                                               \
    } while (0)

#endif
