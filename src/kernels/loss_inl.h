/* Binary cross-entropy on logits, from exp(-|z|): neither side loses the small probabilities. */
#ifndef RETORT_KERNELS_LOSS_INL_H
#define RETORT_KERNELS_LOSS_INL_H

#include "kernels/reduce_inl.h"

/* The logit that fills the last vector: its loss is exactly 0. */
#define LOSS_FILL (-88.f)

static float binary_cross_entropy(float *dz, const float *z, const float *t, float factor, int n)
{
    const vf zero = vf_set1(0.f), one = vf_set1(1.f), f = vf_set1(factor);
    struct row_lanes s = row_start(0.f);
    FOR_ROW_LANES(i, p, lanes, n, {
        const vf logit = vf_load_lanes(z + i, lanes, LOSS_FILL), target = vf_load_lanes(t + i, lanes, 0.f);
        const vf e = vf_exp(vf_sub(zero, vf_abs(logit)));
        /* Below 2^-63 exp(-|z|) would have a subnormal square, and no float sum sees it. */
        const vf tail = vf_log1p(vf_flush_to(e, vf_set1(0x1p-63f)));
        s.part[p] = vf_add(s.part[p], vf_add(vf_fnma(logit, target, vf_max(logit, zero)), tail));
        if (dz) {
            const vf sigmoid = vf_div(vf_select(vf_lt(logit, zero), e, one), vf_add(one, e));
            const vf d = vf_flush(vf_mul(f, vf_sub(sigmoid, target)));
            vf_store_lanes(dz + i, d, lanes);
        }
    });
    return row_sum(s);
}

#endif
