#include "nn/half.h"

#include <string.h>

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

uint16_t half_from_float(float x)
{
    const uint32_t bits = bits_of(x), magnitude = bits & 0x7fffffff;
    const uint32_t sign = bits >> 16 & 0x8000;
    if (magnitude > 0x7f800000) return (uint16_t)(sign | 0x7e00);
    const int exponent = (int)(magnitude >> 23) - 127;
    if (exponent > 15) return (uint16_t)(sign | 0x7c00);
    const uint32_t significand = (magnitude & 0x7fffff) | 0x800000;
    const bool normal = exponent >= -14;
    const int drop = normal ? 13 : 13 + (-14 - exponent);
    if (drop > 25) return (uint16_t)sign;
    /* A normal result's hidden bit adds one to the exponent field, and so does a carry out of the fraction.
     */
    uint32_t result = (significand >> drop) + (normal ? (uint32_t)(exponent + 14) << 10 : 0);
    const uint32_t rest = significand & ((1u << drop) - 1), tie = 1u << (drop - 1);
    if (rest > tie || (rest == tie && (result & 1))) result++;
    return (uint16_t)(sign | result);
}

bool half_fits(float x) { return (bits_of(x) & 0x7fffffff) < bits_of(65520.0f); }

float half_to_float(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    const uint32_t exponent = half >> 10 & 31, fraction = half & 0x3ff;
    if (exponent == 31) return float_of(sign | 0x7f800000 | fraction << 13);
    if (exponent) return float_of(sign | (exponent + 112) << 23 | fraction << 13);
    const float value = (float)fraction * 0x1p-24f;
    return float_of(sign | bits_of(value));
}

float half_from_bfloat16(uint16_t bfloat) { return float_of((uint32_t)bfloat << 16); }
