/* The vector vocabulary: the operations every kernel is written in, each with one exact meaning on every ISA.
 *
 *   vf_fma(a,b,c)  = a*b + c, one rounding        vf_fnma(a,b,c)     = c - a*b, one rounding
 *   vf_max(a,b)    = a > b ? a : b                vf_min(a,b)        = a < b ? a : b
 *   vf_flush(a)    = |a| >= 2^-40 ? a : +0        vf_select(m,a,b)   = m ? a : b, m all ones or zero per lane
 *   vf_flush_to(a,t) = |a| >= t ? a : +0          vf_lt(a,b)         = a < b as such a mask
 * and everything else is the IEEE 754 operation of its name, round to nearest even.
 *
 * The Makefile defines one of VF_SCALAR, VF_FMA (the same on an x86 with FMA), VF_AVX2, VF_AVX512, VF_NEON, or
 * for dots.c VF_NEONDOT or VF_VNNI.
 * Intrinsics appear in vf_*.h and nowhere else. */
#ifndef RETORT_KERNELS_VF_H
#define RETORT_KERNELS_VF_H

#include "base/flush.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline, unused))
#if defined(__clang__)
#define NOINLINE __attribute__((noinline))
#else /* nor a copy for a caller's constants */
#define NOINLINE __attribute__((noinline, noclone))
#endif

#if defined(VF_NEONDOT)
#define VF_NEON
#define VF_DOTS
#elif defined(VF_VNNI)
#define VF_AVX512
#define VF_DOTS
#endif

#if defined(VF_SCALAR) || defined(VF_FMA)
#include "kernels/vf_scalar.h"
#elif defined(VF_AVX2)
#include "kernels/vf_avx2.h"
#elif defined(VF_AVX512)
#include "kernels/vf_avx512.h"
#elif defined(VF_NEON)
#include "kernels/vf_neon.h"
#else
#error "the Makefile must name the vocabulary"
#endif

INLINE vf vf_flush(vf a) { return vf_flush_to(a, vf_set1(FLUSH_QUANTUM)); }
INLINE float flush1(float a) { return __builtin_fabsf(a) >= FLUSH_QUANTUM ? a : 0.f; }

/* n < VW floats as a vector whose other lanes hold fill, and back; nothing beyond them is touched. */
#if !defined(VF_HAS_PART)
INLINE vf vf_load_part(const float *p, int n, float fill)
{
    float lanes[VW];
    for (int i = 0; i < VW; i++) lanes[i] = i < n ? p[i] : fill;
    return vf_load(lanes);
}
INLINE void vf_store_part(float *p, vf a, int n)
{
    float lanes[VW];
    vf_store(lanes, a);
    for (int i = 0; i < n; i++) p[i] = lanes[i];
}
#endif

#endif
