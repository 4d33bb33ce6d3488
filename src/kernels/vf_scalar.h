/* Vocabulary, one lane, plain C: the reference for every other variant, the RISC-V path, and what runs on an x86
 * without FMA. Where the target has no fused multiply-add the exact one is computed in double, rounded to odd. */
#include <string.h>

#define VW 1
typedef float vf;
typedef int32_t vi;

#if defined(__FMA__) || defined(__aarch64__) || defined(__riscv_flen) || defined(__ARM_FEATURE_FMA)
INLINE float fma1(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
#else
/* The product of two floats is exact in double. The sum is rounded to odd, that is: its last bit is made sticky on
 * the side of the exact value; rounding an odd-rounded 53-bit value to 24 bits rounds the exact one, once.
 * Not inlined: a hundred copies cost three times the size of the table and gain a fifteenth of its time. */
static NOINLINE float fma1(float a, float b, float c)
{
    const double p = (double)a * b, s = p + c, t = s - p;
    const double error = (p - (s - t)) + (c - t);
    int64_t bits;
    memcpy(&bits, &s, sizeof bits);
    if (error != 0 && !(bits & 1)) bits += (error > 0) == (s > 0) ? 1 : -1;
    double odd;
    memcpy(&odd, &bits, sizeof odd);
    return (float)odd;
}
#endif

INLINE vf vf_load(const float *p) { return *p; }
INLINE void vf_store(float *p, vf a) { *p = a; }
INLINE vf vf_bcast(const float *p) { return *p; }
INLINE vf vf_set1(float a) { return a; }
INLINE vf vf_add(vf a, vf b) { return a + b; }
INLINE vf vf_sub(vf a, vf b) { return a - b; }
INLINE vf vf_mul(vf a, vf b) { return a * b; }
INLINE vf vf_div(vf a, vf b) { return a / b; }
INLINE vf vf_sqrt(vf a) { return __builtin_sqrtf(a); }
INLINE vf vf_fma(vf a, vf b, vf c) { return fma1(a, b, c); }
INLINE vf vf_fnma(vf a, vf b, vf c) { return fma1(-a, b, c); }
INLINE vf vf_max(vf a, vf b) { return a > b ? a : b; }
INLINE vf vf_min(vf a, vf b) { return a < b ? a : b; }
INLINE vf vf_abs(vf a) { return __builtin_fabsf(a); }
INLINE vi vf_asint(vf a)
{
    vi i;
    memcpy(&i, &a, sizeof i);
    return i;
}
INLINE vf vi_asfloat(vi a)
{
    vf f;
    memcpy(&f, &a, sizeof f);
    return f;
}
INLINE vi vi_set1(int32_t a) { return a; }
INLINE vi vi_add(vi a, vi b) { return (vi)((uint32_t)a + (uint32_t)b); }
INLINE vi vi_sub(vi a, vi b) { return (vi)((uint32_t)a - (uint32_t)b); }
INLINE vi vi_and(vi a, vi b) { return a & b; }
INLINE vi vi_or(vi a, vi b) { return a | b; }
#define vi_shl(a, n) ((vi)((uint32_t)(a) << (n)))
#define vi_sra(a, n) ((a) >> (n))
INLINE vi vi_eq(vi a, vi b) { return a == b ? -1 : 0; }
INLINE vi vf_lt(vf a, vf b) { return a < b ? -1 : 0; }
INLINE vf vf_select(vi m, vf a, vf b) { return m ? a : b; }
INLINE vf vf_flush_to(vf a, vf t) { return __builtin_fabsf(a) >= t ? a : 0.f; }

/* Integers (contracts in int8_conv_inl.h). */
typedef int32_t vp;
typedef struct {
    int16_t first, second;
} vw;
typedef struct {
    uint8_t byte[4];
} vx;
INLINE vx vx_load(const uint8_t *p) { return (vx){{p[0], p[1], p[2], p[3]}}; }
INLINE vp vp_dot(vp a, vx x, const int8_t *w)
{
    return a + x.byte[0] * w[0] + x.byte[1] * w[1] + x.byte[2] * w[2] + x.byte[3] * w[3];
}
INLINE vp vp_dot_two(vp a, vx x, const int8_t *v, vx y, const int8_t *w)
{
    return vp_dot(vp_dot(a, x, v), y, w);
}
INLINE vw vw_even(vx x) { return (vw){x.byte[0], x.byte[2]}; }
INLINE vw vw_odd(vx x) { return (vw){x.byte[1], x.byte[3]}; }
INLINE vw vw_load(const int16_t *p) { return (vw){p[0], p[1]}; }
INLINE vw vw_zip(const uint8_t *p, const uint8_t *q) { return (vw){*p, *q}; }
INLINE vp vp_zero(void) { return 0; }
INLINE vp vp_madd(vp a, vw w, vw x) { return a + w.first * x.first + w.second * x.second; }
INLINE vi vp_sum(vp a) { return a; }
INLINE vi vi_load(const int32_t *p) { return *p; }
INLINE void vi_store(int32_t *p, vi a) { *p = a; }
INLINE vf vf_from_int(vi a) { return (float)a; }
INLINE vi vi_load_bytes(const uint8_t *p) { return *p; }
INLINE void vi_store_bytes(uint8_t *p, vi a) { *p = (uint8_t)a; }
