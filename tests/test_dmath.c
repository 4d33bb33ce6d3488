/* The double-precision functions against libm; golden_dmath.c has their bits. */
#include "base/dmath.h"

#include "base/rng.h"
#include "check.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#define FAIL(...) (print_error(__VA_ARGS__), print_error("\n"), _fail(__FILE__, __LINE__))

enum { SAMPLES = 20000 };

/* The header promises 1e-14; libm is itself right to about 1 ulp = 2.2e-16. Most functions stay below 2e-15.
 */
#define PROMISED 1e-14
#define TYPICAL 2e-15

static double relative(double a, double b) { return a == b ? 0 : fabs(a - b) / fabs(b); }

static double signed_log_uniform(uint64_t key, int i, double low, double high)
{
    const double x = exp(log(low) + (log(high) - log(low)) * rng_real(key, (uint64_t)i * 2));
    return rng_real(key, (uint64_t)i * 2 + 1) < 0.5 ? -x : x;
}

static void compare(const char *name, double (*ours)(double), double (*libm)(double), double low, double high,
                    bool positive, double limit)
{
    const uint64_t key = rng_key(1, name);
    double worst = 0, where = 0;
    for (int i = 0; i < SAMPLES; i++) {
        double x = signed_log_uniform(key, i, low, high);
        if (positive) x = fabs(x);
        const double e = relative(ours(x), libm(x));
        if (e > worst) worst = e, where = x;
    }
    if (worst > limit) FAIL("%s: relative error %g at %.17g", name, worst, where);
    printf("%s: largest relative error %.2g\n", name, worst);
}

static double log_near_one(double x) { return dmath_log(1 + x); }
static double libm_log_near_one(double x) { return log(1 + x); }

static void test_against_libm(void **state)
{
    (void)state;
    compare("exp", dmath_exp, exp, 1e-18, 707, false, TYPICAL);
    compare("log", dmath_log, log, 1e-307, 1e308, true, TYPICAL);
    compare("log near 1", log_near_one, libm_log_near_one, 1e-15, 0.5, false, TYPICAL);
    compare("atan", dmath_atan, atan, 1e-300, 1e300, false, TYPICAL);
    compare("atan middle", dmath_atan, atan, 0.1, 10, false, TYPICAL);
    compare("cos", dmath_cos, cos, 1e-9, 1e6, false, TYPICAL);
}

static void test_cos_near_its_zeros(void **state)
{
    (void)state;
    const double half_pi = 1.5707963267948966;
    for (int k = 1; k < 636000; k += 2)
        for (int side = -1; side <= 1; side++) {
            const double x = k * half_pi, y = side < 0 ? nextafter(x, 0) : side ? nextafter(x, 1e9) : x;
            if (relative(dmath_cos(y), cos(y)) > TYPICAL) FAIL("cos %.17g", y);
        }
}

static void test_pow(void **state)
{
    (void)state;
    const uint64_t key = rng_key(1, "pow");
    double worst = 0;
    for (int i = 0; i < SAMPLES; i++) {
        const double x = fabs(signed_log_uniform(key, 2 * i, 1e-100, 1e100));
        const double limit = 700 / fmax(fabs(log(x)), 1e-3);
        const double y = limit * (2 * rng_real(key, 100000 + (uint64_t)i) - 1);
        const double e = relative(dmath_pow(x, y), pow(x, y));
        if (e > worst) worst = e;
        if (e > PROMISED) FAIL("pow(%.17g, %.17g): relative error %g", x, y, e);
    }
    for (int i = 0; i < SAMPLES; i++) { /* the bases of warm-up and averaging schedules */
        const double x = 0.5 + rng_real(key, 200000 + (uint64_t)i), y = i;
        const double expected = pow(x, y);
        if (expected < 1e-300 || expected > 1e300) continue;
        if (relative(dmath_pow(x, y), expected) > PROMISED) FAIL("pow(%.17g, %.17g)", x, y);
    }
    printf("pow: largest relative error %.2g\n", worst);
}

static void test_edges(void **state)
{
    (void)state;
    assert_true(dmath_exp(0) == 1 && dmath_exp(-708.5) == 0 && dmath_exp(-1e300) == 0);
    assert_true(dmath_exp(709.8) == DBL_MAX && dmath_exp(1e300) == DBL_MAX && dmath_exp(-707.9) > 0);
    assert_true(dmath_exp(709.7) < DBL_MAX && relative(dmath_exp(709.7), exp(709.7)) < TYPICAL);
    assert_true(relative(dmath_exp(-708), exp(-708)) < TYPICAL);
    assert_true(dmath_log(1) == 0 && relative(dmath_log(DBL_MIN), log(DBL_MIN)) < TYPICAL);
    assert_true(relative(dmath_log(DBL_MAX), log(DBL_MAX)) < TYPICAL);
    assert_true(dmath_atan(0) == 0 && dmath_atan(1e308) == dmath_atan(1e300));
    assert_true(dmath_cos(0) == 1);
    assert_true(dmath_pow(3, 5) == 243 && dmath_pow(2, -3) == 0.125 && dmath_pow(7, 0) == 1 &&
                dmath_pow(0.1, 1) == 0.1 && dmath_pow(1, 1e300) == 1);
    assert_true(dmath_pow(2, 1e300) == DBL_MAX && dmath_pow(2, -1e300) == 0);
    for (int i = 1; i < 100; i++) {
        const double x = i * 0.37;
        assert_true(dmath_atan(-x) == -dmath_atan(x));
        assert_true(dmath_cos(-x) == dmath_cos(x));
    }
}

/* Steps of about 100 ulp around the seams of the range reductions must not go backwards. */
static void test_monotone_at_seams(void **state)
{
    (void)state;
    const double ln2 = 0.6931471805599453;
    const struct {
        double (*of)(double);
        double at;
    } seams[] = {{dmath_exp, ln2 / 2},
                 {dmath_exp, -ln2 / 2},
                 {dmath_exp, 20.5 * ln2},
                 {dmath_log, 1},
                 {dmath_log, 0.7071067811865476},
                 {dmath_log, 1.4142135623730951},
                 {dmath_atan, 0.41421356237309503},
                 {dmath_atan, 2.414213562373095}};
    for (size_t s = 0; s < sizeof seams / sizeof *seams; s++) {
        const double step = fmax(fabs(seams[s].at), 0.01) * 100 * DBL_EPSILON;
        double before = seams[s].of(seams[s].at - 201 * step);
        for (int i = -200; i <= 200; i++) {
            const double y = seams[s].of(seams[s].at + i * step);
            if (y < before) FAIL("seam %zu: step %d goes back", s, i);
            before = y;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_libm),
        cmocka_unit_test(test_cos_near_its_zeros),
        cmocka_unit_test(test_pow),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_monotone_at_seams),
    };
    return cmocka_run_group_tests_name("dmath", tests, NULL, NULL);
}
