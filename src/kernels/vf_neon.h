/* Vocabulary, NEON: 4 lanes, for AArch64 and for ARMv7 with VFPv4.
 *
 * Traps. vmlaq_f32 is fused or not at the compiler's whim (AArch64) or never (ARMv7): only vfmaq_f32 is used.
 * vmaxq_f32 differs from the contract on signed zeros and NaN. ARMv7 NEON always flushes subnormals, which the
 * quantum rule keeps from arising, and has no vector divide or square root: those go lane by lane through VFP. */
#include <arm_neon.h>

#define VW 4
typedef float32x4_t vf;
typedef int32x4_t vi;

INLINE float fma1(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
INLINE vf vf_load(const float *p) { return vld1q_f32(p); }
INLINE void vf_store(float *p, vf a) { vst1q_f32(p, a); }
INLINE vf vf_bcast(const float *p) { return vld1q_dup_f32(p); }
INLINE vf vf_set1(float a) { return vdupq_n_f32(a); }
INLINE vf vf_add(vf a, vf b) { return vaddq_f32(a, b); }
INLINE vf vf_sub(vf a, vf b) { return vsubq_f32(a, b); }
INLINE vf vf_mul(vf a, vf b) { return vmulq_f32(a, b); }
INLINE vf vf_fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }
INLINE vf vf_fnma(vf a, vf b, vf c) { return vfmsq_f32(c, a, b); }
INLINE vf vf_max(vf a, vf b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
INLINE vf vf_min(vf a, vf b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
INLINE vf vf_abs(vf a) { return vabsq_f32(a); }
INLINE vi vf_asint(vf a) { return vreinterpretq_s32_f32(a); }
INLINE vf vi_asfloat(vi a) { return vreinterpretq_f32_s32(a); }
INLINE vi vi_set1(int32_t a) { return vdupq_n_s32(a); }
INLINE vi vi_add(vi a, vi b) { return vaddq_s32(a, b); }
INLINE vi vi_sub(vi a, vi b) { return vsubq_s32(a, b); }
INLINE vi vi_and(vi a, vi b) { return vandq_s32(a, b); }
INLINE vi vi_or(vi a, vi b) { return vorrq_s32(a, b); }
#define vi_shl(a, n) vshlq_n_s32(a, n)
#define vi_sra(a, n) vshrq_n_s32(a, n)
INLINE vi vi_eq(vi a, vi b) { return vreinterpretq_s32_u32(vceqq_s32(a, b)); }
INLINE vi vf_lt(vf a, vf b) { return vreinterpretq_s32_u32(vcltq_f32(a, b)); }
INLINE vf vf_select(vi m, vf a, vf b) { return vbslq_f32(vreinterpretq_u32_s32(m), a, b); }
INLINE vf vf_flush_to(vf a, vf t)
{
    return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(a), vcageq_f32(a, t)));
}
#if defined(__aarch64__)
INLINE vf vf_div(vf a, vf b) { return vdivq_f32(a, b); }
INLINE vf vf_sqrt(vf a) { return vsqrtq_f32(a); }
#else
INLINE vf vf_div(vf a, vf b)
{
    float x[4], y[4];
    vst1q_f32(x, a);
    vst1q_f32(y, b);
    for (int i = 0; i < 4; i++) x[i] /= y[i];
    return vld1q_f32(x);
}
INLINE vf vf_sqrt(vf a)
{
    float x[4];
    vst1q_f32(x, a);
    for (int i = 0; i < 4; i++) x[i] = __builtin_sqrtf(x[i]);
    return vld1q_f32(x);
}
#endif
