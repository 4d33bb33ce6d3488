#include "base/dmath.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

/* ln 2 and pi/2 in pieces: every piece but the last has so few bits that its product with the reduction's
 * integer (11 bits for exp, 20 for cos) is exact. */
#define LN2_HIGH 0x1.62e42fee00000p-1
#define LN2_LOW 0x1.a39ef35793c76p-33
#define LOG2_E 0x1.71547652b82fep+0
#define PIO2_1 0x1.921fb54400000p+0
#define PIO2_2 0x1.0b4611a600000p-34
#define PIO2_3 0x1.3198a2e000000p-69
#define PIO2_4 0x1.b839a252049c1p-104
#define PIO2 0x1.921fb54442d18p+0
#define PIO2_LOW 0x1.1a62633145c07p-54
#define TWO_OVER_PI 0x1.45f306dc9c883p-1

/* Taylor coefficients of (e^r - 1 - r)/r^2, (sin r - r)/r^3 and (cos r - 1 + r^2/2)/r^4 (the two in r^2). */
static const double exp_terms[] = {1.0 / 2,          1.0 / 6,        1.0 / 24,        1.0 / 120,
                                   1.0 / 720,        1.0 / 5040,     1.0 / 40320,     1.0 / 362880,
                                   1.0 / 3628800,    1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800,
                                   1.0 / 87178291200};
static const double sin_terms[] = {-1.0 / 6,
                                   1.0 / 120,
                                   -1.0 / 5040,
                                   1.0 / 362880,
                                   -1.0 / 39916800,
                                   1.0 / 6227020800,
                                   -1.0 / 1307674368000,
                                   1.0 / 355687428096000,
                                   -1.0 / 121645100408832000};
static const double cos_terms[] = {
    1.0 / 24,        -1.0 / 720,         1.0 / 40320,          -1.0 / 3628800,
    1.0 / 479001600, -1.0 / 87178291200, 1.0 / 20922789888000, -1.0 / 6402373705728000};

#define POLYNOMIAL(x, terms) polynomial((x), (terms), (int)(sizeof(terms) / sizeof *(terms)))
static double polynomial(double x, const double *terms, int n)
{
    double sum = terms[n - 1];
    for (int i = n - 2; i >= 0; i--) sum = sum * x + terms[i];
    return sum;
}

/* sum of x^i * sign^i / (2i + 3), i < n: the tails of atan (sign -1) and atanh (sign 1). */
static double odd_series(double x, double sign, int n)
{
    double sum = 0;
    for (int i = n - 1; i >= 0; i--) sum = sum * (x * sign) + 1.0 / (2 * i + 3);
    return sum;
}

static double power_of_two(int k)
{
    const uint64_t bits = (uint64_t)(k + 1023) << 52;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* e^r - 1 for |r| <= 0.5 */
static double expm1_small(double r) { return r + r * r * POLYNOMIAL(r, exp_terms); }

double dmath_exp(double x)
{
    if (x < -708) return 0;
    if (x > 709.7) return DBL_MAX;
    if (x != x) return x;
    const double k = rint(x * LOG2_E);
    const double r = (x - k * LN2_HIGH) - k * LN2_LOW;
    const int half = (int)k / 2;
    return (1 + expm1_small(r)) * power_of_two(half) * power_of_two((int)k - half);
}

/* x = 2^k * m with m in [sqrt(1/2), sqrt 2); returns m - 1, which is exact. */
static double split_power(double x, double *k)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int exponent = (int)(bits >> 52) - 1023;
    bits = (bits & 0xfffffffffffffu) | 0x3ff0000000000000u;
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m >= 1.4142135623730951) {
        m *= 0.5;
        exponent++;
    }
    *k = exponent;
    return m - 1;
}

enum { ATANH_TERMS = 11, ATAN_TERMS = 20 };

/* log(1 + f) = 2 atanh(s), s = f / (2 + f), |s| <= 0.172. */
double dmath_log(double x)
{
    double k;
    const double f = split_power(x, &k), s = f / (2 + f), z = s * s;
    /* 2s = f - s f keeps the exact f apart from everything that was rounded. */
    const double tail = s * (2 * z * odd_series(z, 1, ATANH_TERMS) - f);
    return k * LN2_HIGH + (f + (tail + k * LN2_LOW));
}

double dmath_atan(double x)
{
    const double a = fabs(x);
    double t = a, base = 0, base_low = 0;
    if (a > 2.414213562373095) {
        base = PIO2;
        base_low = PIO2_LOW;
        t = -1 / a;
    } else if (a > 0.41421356237309503) {
        base = PIO2 / 2;
        base_low = PIO2_LOW / 2;
        t = (a - 1) / (a + 1);
    }
    const double z = t * t;
    const double y = base + (t + (base_low - t * z * odd_series(z, -1, ATAN_TERMS)));
    return x < 0 ? -y : y;
}

/* An unevaluated sum; |low| <= ulp(high) / 2. */
struct pair {
    double high, low;
};

static struct pair fast_sum(double a, double b) /* |a| >= |b| or a == 0 */
{
    const double sum = a + b;
    return (struct pair){sum, b - (sum - a)};
}

static struct pair two_sum(double a, double b)
{
    const double sum = a + b, part = sum - a;
    return (struct pair){sum, (a - (sum - part)) + (b - part)};
}

static struct pair two_product(double a, double b)
{
    const double splitter = 134217729; /* 2^27 + 1 (Dekker) */
    const double ca = splitter * a, a1 = ca - (ca - a), a2 = a - a1;
    const double cb = splitter * b, b1 = cb - (cb - b), b2 = b - b1;
    const double product = a * b;
    return (struct pair){product, ((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b2};
}

/* log x to about 2^-60: the quotient s and the sums carry their errors, the series below s^3 need not. */
static struct pair log_pair(double x)
{
    double k;
    const double f = split_power(x, &k);
    const struct pair divisor = fast_sum(2, f);
    const double s = f / divisor.high;
    const struct pair product = two_product(s, divisor.high);
    const double s_low = ((f - product.high) - product.low - s * divisor.low) / divisor.high;
    const double z = s * s;
    const struct pair big = two_sum(k * LN2_HIGH, 2 * s);
    const double small = 2 * s_low + 2 * s * z * odd_series(z, 1, ATANH_TERMS);
    const struct pair sum = two_sum(big.high, small);
    return fast_sum(sum.high, sum.low + (big.low + k * LN2_LOW));
}

static double integer_power(double x, int n)
{
    double y = 1;
    for (; n; n >>= 1, x *= x)
        if (n & 1) y *= x;
    return y;
}

double dmath_pow(double x, double y)
{
    enum { SMALL = 16 };
    if (fabs(y) <= SMALL && y == rint(y)) {
        const double z = integer_power(x, (int)fabs(y));
        return y < 0 ? 1 / z : z;
    }
    const struct pair log_x = log_pair(x);
    if (fabs(y * log_x.high) > 710) return dmath_exp(y * log_x.high);
    const struct pair p = two_product(y, log_x.high);
    const double e = dmath_exp(p.high);
    return e + e * (p.low + y * log_x.low);
}

double dmath_cos(double x)
{
    assert(fabs(x) <= 1e6);
    const double k = rint(x * TWO_OVER_PI);
    const struct pair a = two_sum(x - k * PIO2_1, -(k * PIO2_2));
    const struct pair b = two_sum(a.high, -(k * PIO2_3));
    const double r = b.high + (a.low + (b.low - k * PIO2_4)), z = r * r;
    const double sine = r + r * z * POLYNOMIAL(z, sin_terms);
    const double cosine = 1 - (z * 0.5 - z * z * POLYNOMIAL(z, cos_terms));
    switch ((int)k & 3) {
    case 0:
        return cosine;
    case 1:
        return -sine;
    case 2:
        return -cosine;
    default:
        return sine;
    }
}
