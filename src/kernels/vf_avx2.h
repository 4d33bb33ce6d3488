/* Vocabulary, AVX2 + FMA: 8 lanes. */
#include <immintrin.h>

#define VW 8
typedef __m256 vf;
typedef __m256i vi;

INLINE float fma1(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
INLINE vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
INLINE void vf_store(float *p, vf a) { _mm256_storeu_ps(p, a); }
INLINE vf vf_bcast(const float *p) { return _mm256_broadcast_ss(p); }
INLINE vf vf_set1(float a) { return _mm256_set1_ps(a); }
INLINE vf vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
INLINE vf vf_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
INLINE vf vf_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
INLINE vf vf_div(vf a, vf b) { return _mm256_div_ps(a, b); }
INLINE vf vf_sqrt(vf a) { return _mm256_sqrt_ps(a); }
INLINE vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
INLINE vf vf_fnma(vf a, vf b, vf c) { return _mm256_fnmadd_ps(a, b, c); }
INLINE vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); } /* maxps is a > b ? a : b */
INLINE vf vf_min(vf a, vf b) { return _mm256_min_ps(a, b); }
INLINE vf vf_abs(vf a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.f), a); }
INLINE vi vf_asint(vf a) { return _mm256_castps_si256(a); }
INLINE vf vi_asfloat(vi a) { return _mm256_castsi256_ps(a); }
INLINE vi vi_set1(int32_t a) { return _mm256_set1_epi32(a); }
INLINE vi vi_add(vi a, vi b) { return _mm256_add_epi32(a, b); }
INLINE vi vi_sub(vi a, vi b) { return _mm256_sub_epi32(a, b); }
INLINE vi vi_and(vi a, vi b) { return _mm256_and_si256(a, b); }
INLINE vi vi_or(vi a, vi b) { return _mm256_or_si256(a, b); }
#define vi_shl(a, n) _mm256_slli_epi32(a, n)
#define vi_sra(a, n) _mm256_srai_epi32(a, n)
INLINE vi vi_eq(vi a, vi b) { return _mm256_cmpeq_epi32(a, b); }
INLINE vi vf_lt(vf a, vf b) { return _mm256_castps_si256(_mm256_cmp_ps(a, b, _CMP_LT_OQ)); }
INLINE vf vf_select(vi m, vf a, vf b) { return _mm256_blendv_ps(b, a, _mm256_castsi256_ps(m)); }
INLINE vf vf_flush_to(vf a, vf t) { return _mm256_and_ps(a, _mm256_cmp_ps(vf_abs(a), t, _CMP_GE_OQ)); }

#define VF_HAS_PART
INLINE vf vf_load_part(const float *p, int n, float fill)
{
    static const int32_t window[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    const __m256i mask = _mm256_loadu_si256((const __m256i *)(window + 8 - n));
    return _mm256_blendv_ps(_mm256_set1_ps(fill), _mm256_maskload_ps(p, mask), _mm256_castsi256_ps(mask));
}
INLINE void vf_store_part(float *p, vf a, int n) /* a masked store takes tens of cycles on some CPUs */
{
    __m128 rest = _mm256_castps256_ps128(a);
    if (n & 4) {
        _mm_storeu_ps(p, rest);
        rest = _mm256_extractf128_ps(a, 1);
        p += 4;
    }
    if (n & 2) {
        _mm_storel_pi((__m64 *)p, rest);
        rest = _mm_movehl_ps(rest, rest);
        p += 2;
    }
    if (n & 1) _mm_store_ss(p, rest);
}

/* Integers (contracts in int8_conv_inl.h). maddubs saturates sums of two products, hence the contract of vp_dot. */
typedef __m256i vp;
typedef __m256i vw;
typedef __m256i vx;
INLINE vx vx_load(const uint8_t *p)
{
    int32_t four;
    memcpy(&four, p, sizeof four);
    return _mm256_set1_epi32(four);
}
INLINE __m256i vx_halves(vx x, const int8_t *w)
{
    return _mm256_maddubs_epi16(x, _mm256_loadu_si256((const __m256i *)w));
}
INLINE vp vp_add_halves(vp a, __m256i h)
{
    return _mm256_add_epi32(a, _mm256_madd_epi16(h, _mm256_set1_epi16(1)));
}
INLINE vp vp_dot(vp a, vx x, const int8_t *w) { return vp_add_halves(a, vx_halves(x, w)); }
INLINE vp vp_dot_two(vp a, vx x, const int8_t *v, vx y, const int8_t *w)
{
    return vp_add_halves(a, _mm256_add_epi16(vx_halves(x, v), vx_halves(y, w)));
}
INLINE vw vw_even(vx x) { return _mm256_and_si256(x, _mm256_set1_epi16(255)); }
INLINE vw vw_odd(vx x) { return _mm256_srli_epi16(x, 8); }
INLINE vw vw_load(const int16_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
INLINE vw vw_zip(const uint8_t *p, const uint8_t *q)
{
    return _mm256_cvtepu8_epi16(
        _mm_unpacklo_epi8(_mm_loadl_epi64((const __m128i *)p), _mm_loadl_epi64((const __m128i *)q)));
}
INLINE vp vp_zero(void) { return _mm256_setzero_si256(); }
INLINE vp vp_madd(vp a, vw w, vw x) { return _mm256_add_epi32(a, _mm256_madd_epi16(w, x)); }
INLINE vi vp_sum(vp a) { return a; }
INLINE vi vi_load(const int32_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
INLINE void vi_store(int32_t *p, vi a) { _mm256_storeu_si256((__m256i *)p, a); }
INLINE vf vf_from_int(vi a) { return _mm256_cvtepi32_ps(a); }
INLINE vi vi_load_bytes(const uint8_t *p) { return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p)); }
#define VF_HAS_STORE_BYTES /* far below 0 the conversion gives INT32_MIN, and packing makes that 0 */
INLINE void vf_store_bytes(uint8_t *p, vf a)
{
    const __m256i i = _mm256_cvtps_epi32(_mm256_min_ps(a, _mm256_set1_ps(255.f)));
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(i), _mm256_extracti128_si256(i, 1));
    _mm_storel_epi64((__m128i *)p, _mm_packus_epi16(words, words));
}
