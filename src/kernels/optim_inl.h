/* Optimiser steps on flat arrays: plain multiplications and additions in the stated order, nothing fused. The
 * moments decay towards 0 and are flushed well above the subnormals. */
#ifndef RETORT_KERNELS_OPTIM_INL_H
#define RETORT_KERNELS_OPTIM_INL_H

#include "kernels/math_inl.h"

INLINE vf flush_first_moment(vf m) { return vf_flush_to(m, vf_set1(0x1p-63f)); }
INLINE vf flush_second_moment(vf v) { return vf_flush_to(v, vf_set1(0x1p-100f)); }

/* The new weights where mask (bytes) is set or absent, the old bits elsewhere. */
INLINE vf masked(const uint8_t *mask, ptrdiff_t i, int lanes, vf changed, vf old)
{
    if (!mask) return changed;
    uint8_t part[VW] = {0};
    if (lanes < VW) memcpy(part, mask + i, (size_t)lanes);
    const vf moves = vf_from_int(vi_load_bytes(lanes < VW ? part : mask + i));
    return vf_select(vf_lt(vf_set1(0.f), moves), changed, old);
}

/* b * m + c * g and b * v + (c * g) * g, flushed. */
INLINE vf next_first_moment(vf m, vf g, float b, float c)
{
    return flush_first_moment(vf_add(vf_mul(vf_set1(b), m), vf_mul(vf_set1(c), g)));
}
INLINE vf next_second_moment(vf v, vf g, float b, float c)
{
    return flush_second_moment(vf_add(vf_mul(vf_set1(b), v), vf_mul(vf_mul(vf_set1(c), g), g)));
}

static void adam(float *w, float *m, float *v, float *u, const float *g, const uint8_t *mask,
                 struct adam_step step, size_t n)
{
    FOR_VECTORS(i, lanes, n, {
        const vf gradient = vf_load_lanes(g + i, lanes, 0.f), old = vf_load_lanes(w + i, lanes, 0.f);
        const vf m1 =
            next_first_moment(vf_load_lanes(m + i, lanes, 0.f), gradient, step.beta1, step.one_minus_beta1);
        const vf v1 =
            next_second_moment(vf_load_lanes(v + i, lanes, 0.f), gradient, step.beta2, step.one_minus_beta2);
        const vf u1 = vf_div(vf_mul(vf_set1(step.rate), m1), vf_add(vf_sqrt(v1), vf_set1(step.epsilon)));
        vf_store_lanes(m + i, m1, lanes);
        vf_store_lanes(v + i, v1, lanes);
        vf_store_lanes(u + i, u1, lanes);
        vf_store_lanes(w + i, masked(mask, i, lanes, vf_flush(vf_sub(old, u1)), old), lanes);
    });
}

static void adamw(float *w, float *m, float *v, const float *g, const uint8_t *mask, struct adamw_step step,
                  size_t n)
{
    const vf keep = vf_set1(1.f - step.decay);
    FOR_VECTORS(i, lanes, n, {
        const vf gradient = vf_load_lanes(g + i, lanes, 0.f), old = vf_load_lanes(w + i, lanes, 0.f);
        const vf m1 =
            next_first_moment(vf_load_lanes(m + i, lanes, 0.f), gradient, step.beta1, step.one_minus_beta1);
        const vf v1 =
            next_second_moment(vf_load_lanes(v + i, lanes, 0.f), gradient, step.beta2, step.one_minus_beta2);
        const vf root = vf_add(vf_div(vf_sqrt(v1), vf_set1(step.root)), vf_set1(step.epsilon));
        const vf moved = vf_sub(vf_mul(old, keep), vf_mul(vf_set1(step.rate), vf_div(m1, root)));
        vf_store_lanes(m + i, m1, lanes);
        vf_store_lanes(v + i, v1, lanes);
        vf_store_lanes(w + i, masked(mask, i, lanes, vf_flush(moved), old), lanes);
    });
}

static void sgd(float *w, float *m, const float *g, const uint8_t *mask, float rate, float momentum,
                float decay, int nesterov, size_t n)
{
    const vf mu = vf_set1(momentum);
    FOR_VECTORS(i, lanes, n, {
        const vf old = vf_load_lanes(w + i, lanes, 0.f);
        const vf g1 = vf_add(vf_load_lanes(g + i, lanes, 0.f), vf_mul(vf_set1(decay), old));
        const vf m1 = flush_first_moment(vf_add(vf_mul(mu, vf_load_lanes(m + i, lanes, 0.f)), g1));
        const vf along = nesterov ? vf_add(g1, vf_mul(mu, m1)) : m1;
        const vf moved = vf_flush(vf_sub(old, vf_mul(vf_set1(rate), along)));
        vf_store_lanes(m + i, m1, lanes);
        vf_store_lanes(w + i, masked(mask, i, lanes, moved, old), lanes);
    });
}

static void ema(float *average, const float *w, float factor, size_t n)
{
    FOR_VECTORS(i, lanes, n, {
        const vf a = vf_load_lanes(average + i, lanes, 0.f), d = vf_sub(vf_load_lanes(w + i, lanes, 0.f), a);
        vf_store_lanes(average + i, vf_flush(vf_add(a, vf_mul(vf_set1(factor), d))), lanes);
    });
}

#endif
