/* Vocabulary, AVX-512 (F, VL, DQ, BW): 16 lanes. Masks stay integer vectors so that kernels read the same on every ISA;
 * the compiler turns them back into mask registers. */
#include <immintrin.h>

#define VW 16
typedef __m512 vf;
typedef __m512i vi;

INLINE float fma1(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
INLINE vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
INLINE void vf_store(float *p, vf a) { _mm512_storeu_ps(p, a); }
INLINE vf vf_bcast(const float *p) { return _mm512_set1_ps(*p); }
INLINE vf vf_set1(float a) { return _mm512_set1_ps(a); }
INLINE vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
INLINE vf vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
INLINE vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
INLINE vf vf_div(vf a, vf b) { return _mm512_div_ps(a, b); }
INLINE vf vf_sqrt(vf a) { return _mm512_sqrt_ps(a); }
INLINE vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
INLINE vf vf_fnma(vf a, vf b, vf c) { return _mm512_fnmadd_ps(a, b, c); }
INLINE vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
INLINE vf vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }
INLINE vf vf_abs(vf a) { return _mm512_abs_ps(a); }
INLINE vi vf_asint(vf a) { return _mm512_castps_si512(a); }
INLINE vf vi_asfloat(vi a) { return _mm512_castsi512_ps(a); }
INLINE vi vi_set1(int32_t a) { return _mm512_set1_epi32(a); }
INLINE vi vi_add(vi a, vi b) { return _mm512_add_epi32(a, b); }
INLINE vi vi_sub(vi a, vi b) { return _mm512_sub_epi32(a, b); }
INLINE vi vi_and(vi a, vi b) { return _mm512_and_si512(a, b); }
INLINE vi vi_or(vi a, vi b) { return _mm512_or_si512(a, b); }
#define vi_shl(a, n) _mm512_slli_epi32(a, n)
#define vi_sra(a, n) _mm512_srai_epi32(a, n)
INLINE vi vi_eq(vi a, vi b) { return _mm512_movm_epi32(_mm512_cmpeq_epi32_mask(a, b)); }
INLINE vi vf_lt(vf a, vf b) { return _mm512_movm_epi32(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ)); }
INLINE vf vf_select(vi m, vf a, vf b) { return _mm512_mask_blend_ps(_mm512_movepi32_mask(m), b, a); }
INLINE vf vf_flush_to(vf a, vf t)
{
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(_mm512_abs_ps(a), t, _CMP_GE_OQ), a);
}

#define VF_HAS_PART
INLINE vf vf_load_part(const float *p, int n, float fill)
{
    return _mm512_mask_loadu_ps(_mm512_set1_ps(fill), (__mmask16)((1u << n) - 1), p);
}
INLINE void vf_store_part(float *p, vf a, int n) { _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), a); }

/* Integers (contracts in int8_conv_inl.h), with BW. */
typedef __m512i vp;
typedef __m512i vw;
typedef __m512i vx;
INLINE vx vx_load(const uint8_t *p)
{
    int32_t four;
    memcpy(&four, p, sizeof four);
    return _mm512_set1_epi32(four);
}
#if defined(VF_DOTS) /* VNNI: four products at once, of a byte and a signed one */
INLINE vp vp_dot(vp a, vx x, const int8_t *w) { return _mm512_dpbusd_epi32(a, x, _mm512_loadu_si512(w)); }
INLINE vp vp_dot_two(vp a, vx x, const int8_t *v, vx y, const int8_t *w)
{
    return vp_dot(vp_dot(a, x, v), y, w);
}
#else
INLINE __m512i vx_halves(vx x, const int8_t *w) { return _mm512_maddubs_epi16(x, _mm512_loadu_si512(w)); }
INLINE vp vp_add_halves(vp a, __m512i h)
{
    return _mm512_add_epi32(a, _mm512_madd_epi16(h, _mm512_set1_epi16(1)));
}
INLINE vp vp_dot(vp a, vx x, const int8_t *w) { return vp_add_halves(a, vx_halves(x, w)); }
INLINE vp vp_dot_two(vp a, vx x, const int8_t *v, vx y, const int8_t *w)
{
    return vp_add_halves(a, _mm512_add_epi16(vx_halves(x, v), vx_halves(y, w)));
}
#endif
INLINE vw vw_even(vx x) { return _mm512_and_si512(x, _mm512_set1_epi16(255)); }
INLINE vw vw_odd(vx x) { return _mm512_srli_epi16(x, 8); }
INLINE vw vw_load(const int16_t *p) { return _mm512_loadu_si512(p); }
INLINE vw vw_zip(const uint8_t *p, const uint8_t *q)
{
    const __m128i a = _mm_loadu_si128((const __m128i *)p), b = _mm_loadu_si128((const __m128i *)q);
    return _mm512_cvtepu8_epi16(_mm256_set_m128i(_mm_unpackhi_epi8(a, b), _mm_unpacklo_epi8(a, b)));
}
INLINE vp vp_zero(void) { return _mm512_setzero_si512(); }
INLINE vp vp_madd(vp a, vw w, vw x) { return _mm512_add_epi32(a, _mm512_madd_epi16(w, x)); }
INLINE vi vp_sum(vp a) { return a; }
INLINE vi vi_load(const int32_t *p) { return _mm512_loadu_si512(p); }
INLINE void vi_store(int32_t *p, vi a) { _mm512_storeu_si512(p, a); }
INLINE vf vf_from_int(vi a) { return _mm512_cvtepi32_ps(a); }
INLINE vi vi_load_bytes(const uint8_t *p)
{
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p));
}
INLINE void vi_store_bytes(uint8_t *p, vi a) { _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(a)); }
