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

/* Integers (contracts in int8_conv_inl.h). */
#if defined(VF_DOTS) /* the dot product of ARMv8.2, of signed bytes */
#define VX_SHIFTED
typedef int32x4_t vp;
typedef int8x16_t vx;
INLINE vx vx_load(const uint8_t *p)
{
    uint32_t four;
    memcpy(&four, p, sizeof four);
    return veorq_s8(vreinterpretq_s8_u32(vdupq_n_u32(four)), vdupq_n_s8(-128));
}
INLINE vp vp_dot(vp a, vx x, const int8_t *w) { return vdotq_s32(a, vld1q_s8(w), x); }
INLINE vp vp_dot_two(vp a, vx x, const int8_t *v, vx y, const int8_t *w)
{
    return vp_dot(vp_dot(a, x, v), y, w);
}
INLINE vp vp_dot_wide(vp a, vx x, const int16_t *w)
{
    const int16x8_t even = vandq_s16(vld1q_s16(w), vdupq_n_s16(255));
    const int16x8_t odd = vshlq_n_s16(vld1q_s16(w + 2 * KERNEL_BLOCK), 8);
    return vdotq_s32(a, vreinterpretq_s8_s16(vorrq_s16(even, odd)), x);
}
INLINE vp vp_zero(void) { return vdupq_n_s32(0); }
INLINE vi vp_sum(vp a) { return a; }
#else /* the two products of a pair stay in lanes of their own until the end */
typedef struct {
    int32x4_t low, high;
} vp;
typedef int16x8_t vw;
INLINE vw vw_load(const int16_t *p) { return vld1q_s16(p); }
typedef uint16x8_t vx; /* bytes */
INLINE vx vx_load(const uint8_t *p)
{
    uint32_t four;
    memcpy(&four, p, sizeof four);
    return vreinterpretq_u16_u32(vdupq_n_u32(four));
}
INLINE vw vx_words(vx x) { return vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(vreinterpretq_u8_u16(x)))); }
INLINE vp vp_dot(vp a, vx x, const int8_t *w)
{
    const int8x16_t b = vld1q_s8(w);
    return (vp){vpadalq_s16(a.low, vmulq_s16(vmovl_s8(vget_low_s8(b)), vx_words(x))),
                vpadalq_s16(a.high, vmulq_s16(vmovl_s8(vget_high_s8(b)), vx_words(x)))};
}
INLINE vp vp_dot_two(vp a, vx x, const int8_t *v, vx y, const int8_t *w)
{
    const int8x16_t b = vld1q_s8(v), c = vld1q_s8(w);
    const int16x8_t low = vmulq_s16(vmovl_s8(vget_low_s8(b)), vx_words(x));
    const int16x8_t high = vmulq_s16(vmovl_s8(vget_high_s8(b)), vx_words(x));
    return (vp){vpadalq_s16(a.low, vmlaq_s16(low, vmovl_s8(vget_low_s8(c)), vx_words(y))),
                vpadalq_s16(a.high, vmlaq_s16(high, vmovl_s8(vget_high_s8(c)), vx_words(y)))};
}
INLINE vw vw_even(vx x) { return vreinterpretq_s16_u16(vandq_u16(x, vdupq_n_u16(255))); }
INLINE vw vw_odd(vx x) { return vreinterpretq_s16_u16(vshrq_n_u16(x, 8)); }
INLINE vw vw_zip(const uint8_t *p, const uint8_t *q)
{
    uint32_t a, b;
    memcpy(&a, p, sizeof a);
    memcpy(&b, q, sizeof b);
    const uint8x8x2_t pairs = vzip_u8(vreinterpret_u8_u32(vdup_n_u32(a)), vreinterpret_u8_u32(vdup_n_u32(b)));
    return vreinterpretq_s16_u16(vmovl_u8(pairs.val[0]));
}
INLINE vp vp_zero(void) { return (vp){vdupq_n_s32(0), vdupq_n_s32(0)}; }
INLINE vp vp_madd(vp a, vw w, vw x)
{
    return (vp){vmlal_s16(a.low, vget_low_s16(w), vget_low_s16(x)),
                vmlal_s16(a.high, vget_high_s16(w), vget_high_s16(x))};
}
INLINE vi vp_sum(vp a)
{
    return vcombine_s32(vpadd_s32(vget_low_s32(a.low), vget_high_s32(a.low)),
                        vpadd_s32(vget_low_s32(a.high), vget_high_s32(a.high)));
}
#endif
INLINE vi vi_load(const int32_t *p) { return vld1q_s32(p); }
INLINE void vi_store(int32_t *p, vi a) { vst1q_s32(p, a); }
INLINE vf vf_from_int(vi a) { return vcvtq_f32_s32(a); }
INLINE vi vi_load_bytes(const uint8_t *p)
{
    uint32_t bytes;
    memcpy(&bytes, p, sizeof bytes);
    const uint16x8_t words = vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(bytes)));
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(words)));
}
INLINE void vi_store_bytes(uint8_t *p, vi a)
{
    const uint16x4_t words = vmovn_u32(vreinterpretq_u32_s32(a));
    const uint32_t bytes = vget_lane_u32(vreinterpret_u32_u8(vmovn_u16(vcombine_u16(words, words))), 0);
    memcpy(p, &bytes, sizeof bytes);
}
