/* Accuracy of the functions against libm in double, on every table: the only place where a tolerance is
 * right, as libm is an outside reference. The bounds are those stated in kernels.h. */
#include "check.h"

#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

enum { BATCH = 4096 };

struct function {
    const char *name;
    void (*apply)(const struct kernels *k, float *y, const float *x, int n);
    double (*reference)(double x);
    float low, high;
    double ulps, absolute; /* bounds; 0: not stated */
};

static void apply_exp(const struct kernels *k, float *y, const float *x, int n) { k->exp(y, x, (size_t)n); }
static void apply_log(const struct kernels *k, float *y, const float *x, int n) { k->log(y, x, (size_t)n); }
static void apply_erf(const struct kernels *k, float *y, const float *x, int n) { k->erf(y, x, (size_t)n); }
static void apply_tanh(const struct kernels *k, float *y, const float *x, int n) { k->tanh(y, x, (size_t)n); }
static void apply_sigmoid(const struct kernels *k, float *y, const float *x, int n)
{
    k->sigmoid(y, x, (size_t)n);
}
static void apply_silu(const struct kernels *k, float *y, const float *x, int n)
{
    k->activate(y, n, x, n, 1, n, ACT_SILU);
}
static void apply_gelu(const struct kernels *k, float *y, const float *x, int n)
{
    k->activate(y, n, x, n, 1, n, ACT_GELU);
}
/* With target 0 and one row of one logit -|z| the loss is log1p(exp(-|z|)). */
static void apply_softplus(const struct kernels *k, float *y, const float *x, int n)
{
    const float zero = 0;
    for (int i = 0; i < n; i++) y[i] = k->binary_cross_entropy(NULL, x + i, &zero, 1.f, 1);
}
static void apply_loss_gradient(const struct kernels *k, float *y, const float *x, int n)
{
    static const float zeros[BATCH];
    k->binary_cross_entropy(y, x, zeros, 0x1p32f, n);
}

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double silu(double x) { return x / (1 + exp(-x)); }
static double gelu(double x) { return .5 * x * erfc(-x * 0.70710678118654752440); }
static double softplus(double x) { return log1p(exp(x)); }
static double scaled_sigmoid(double x) { return 0x1p32 / (1 + exp(-x)); }

/* The loss terms: exp is good to 0.99 ulp, log1p adds 0.9, and where the result has a smaller significand
 * than exp the same error counts double; together less than 3. The sigmoid adds a division. */
static const struct function functions[] = {
    {"exp", apply_exp, exp, -87.f, 88.f, .99, 0},
    {"log", apply_log, log, 0x1p-126f, 0x1.fffffep127f, .81, 0},
    {"erf", apply_erf, erf, -100.f, 100.f, 1.04, 0},
    {"tanh", apply_tanh, tanh, -100.f, 100.f, 1.30, 0},
    {"sigmoid", apply_sigmoid, sigmoid, -100.f, 100.f, 0, 1.1e-7},
    {"silu", apply_silu, silu, -40.f, 40.f, 0, 1.3e-6},
    {"gelu", apply_gelu, gelu, -100.f, 100.f, 0, 3.0e-7},
    {"softplus", apply_softplus, softplus, -40.f, 0.f, 3, 0},
    {"loss gradient", apply_loss_gradient, scaled_sigmoid, -48.f, 40.f, 3, 0},
};

/* Every 9973rd float in [low, high] that the quantum rule allows: 0 or at least 2^-63 in magnitude. */
static int next_batch(float x[BATCH], uint64_t *bits, float low, float high)
{
    int n = 0;
    for (; n < BATCH && *bits <= UINT32_MAX; *bits += 9973) {
        const uint32_t pattern = (uint32_t)*bits;
        float value;
        memcpy(&value, &pattern, sizeof value);
        if (value >= low && value <= high && (value == 0 || low > 0 || fabsf(value) >= 0x1p-63f))
            x[n++] = value;
    }
    return n;
}

static void check_function(const struct kernels *k, const struct function *f)
{
    static float x[BATCH], y[BATCH];
    double ulps = 0, absolute = 0;
    float worst = 0;
    uint64_t bits = 0;
    for (int n; (n = next_batch(x, &bits, f->low, f->high));) {
        f->apply(k, y, x, n);
        for (int i = 0; i < n; i++) {
            const double expected = f->reference(x[i]), error = fabs(expected - y[i]);
            if (error > absolute) absolute = error;
            const double in_ulps = error == 0 ? 0 : error / ldexp(1, ilogb(expected) - 23);
            if (in_ulps > ulps) ulps = in_ulps, worst = x[i];
        }
    }
    if ((f->ulps && ulps > f->ulps) || (f->absolute && absolute > f->absolute))
        print_error("%s, %s: %.3f ulp at %a, absolute %.2e\n", f->name, k->name, ulps, (double)worst,
                    absolute);
    assert_true(!f->ulps || ulps <= f->ulps);
    assert_true(!f->absolute || absolute <= f->absolute);
}

static void functions_are_as_accurate_as_stated(void **state)
{
    (void)state;
    int count;
    const struct kernels *const *tables = kernels_available(&count);
    for (size_t f = 0; f < sizeof functions / sizeof functions[0]; f++)
        for (int i = 0; i < count; i++) check_function(tables[i], &functions[f]);
}

static void ends_of_the_ranges(void **state)
{
    (void)state;
    int count;
    const struct kernels *const *tables = kernels_available(&count);
    for (int i = 0; i < count; i++) {
        const struct kernels *k = tables[i];
        const float x[4] = {-3e38f, 3e38f, 0.f, -0.f};
        float y[4];
        k->tanh(y, x, 4);
        assert_true(y[0] == -1 && y[1] == 1 && y[2] == 0 && signbit(y[3]));
        k->erf(y, x, 4);
        assert_true(y[0] == -1 && y[1] == 1 && y[2] == 0 && signbit(y[3]));
        k->sigmoid(y, x, 4);
        assert_true(y[0] == 0 && y[1] == 1 && y[2] == .5f && y[3] == .5f);
        k->exp(y, x, 4);
        assert_true(y[0] > 0 && isfinite(y[1]) && y[2] == 1 && y[3] == 1);
    }
}

static uint64_t random_state = 88172645463325252u;
static uint32_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 16);
}

/* A float with a sparse, almost full or random significand: products that end near the middle between two
 * floats. */
static float sparse_float(int lowest_exponent, int exponents)
{
    uint32_t m = next_random() & 0x7fffff;
    switch (next_random() & 3) {
    case 0:
        m &= 0x700000;
        break;
    case 1:
        m = 1u << next_random() % 23;
        break;
    case 2:
        m = 0x7fffff ^ 1u << next_random() % 23;
        break;
    default:
        break;
    }
    const uint32_t exponent = (uint32_t)(127 + lowest_exponent) + next_random() % (uint32_t)exponents;
    const uint32_t bits = (next_random() & 1) << 31 | exponent << 23 | m;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* scale_add is one fma for each element, then the flush; the scalar table of a CPU without FMA computes it in
 * double, where a plain sum would round twice (the first element is such a case). fmaf is exact by
 * definition. */
static void the_fused_multiply_add_rounds_once(void **state)
{
    (void)state;
    static float a[BATCH], b[BATCH], c[BATCH], y[BATCH];
    int count;
    const struct kernels *const *tables = kernels_available(&count);
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < BATCH; i++) {
            a[i] = sparse_float(-20, 40);
            b[i] = sparse_float(-20, 40);
            c[i] = sparse_float(-50, 80);
        }
        a[0] = c[0] = 1.f + 0x1p-23f;
        b[0] = (1.f - 0x1p-23f) * 0x1p-24f;
        for (int t = 0; t < count; t++) {
            tables[t]->scale_add(y, BATCH, c, BATCH, b, BATCH, a, 1, BATCH);
            assert_true(y[0] == 1.f + 0x1p-23f); /* a plain sum gives 1 + 2^-22 */
            for (int i = 0; i < BATCH; i++) {
                const float expected = fmaf(a[i], b[i], c[i]);
                assert_true(y[i] == (fabsf(expected) >= 0x1p-40f ? expected : 0.f));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_are_as_accurate_as_stated),
        cmocka_unit_test(ends_of_the_ranges),
        cmocka_unit_test(the_fused_multiply_add_rounds_once),
    };
    return cmocka_run_group_tests_name("math", tests, NULL, NULL);
}
