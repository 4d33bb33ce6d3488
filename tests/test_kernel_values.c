/* What the kernels compute, against the plain formulas in double (equal bits between tables are test_kernels'
 * part). The tolerances are the rounding of float sums of this length: some n/16 + 10 roundings of 6e-8
 * relative to the size of the terms, which are of order 1 here. */
#include "check.h"

#include "base/rng.h"
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

enum { N = 77, ROWS = 23 };
static const double close_enough = 2e-6;

static const struct kernels *best_table(void)
{
    const struct kernels *k;
    struct error err;
    check_ok(kernels_get(&k, NULL, &err), &err);
    return k;
}

static void draw(float *x, int n, const char *name, double low, double high)
{
    struct rng rng = {rng_key(5, name), 0};
    for (int i = 0; i < n; i++) x[i] = (float)rng_uniform(&rng, low, high);
}

static void assert_close(double found, double expected)
{
    if (!(fabs(found - expected) <= close_enough * (1 + fabs(expected))))
        print_error("found %.9g, expected %.9g\n", found, expected);
    assert_true(fabs(found - expected) <= close_enough * (1 + fabs(expected)));
}

static double activation(double x, enum activation a)
{
    switch (a) {
    case ACT_NONE:
        return x;
    case ACT_SILU:
        return x / (1 + exp(-x));
    case ACT_RELU:
        return fmax(x, 0);
    case ACT_RELU6:
        return fmin(fmax(x, 0), 6);
    case ACT_GELU:
        return .5 * x * erfc(-x * 0.70710678118654752440);
    case ACT_SIGMOID:
        return 1 / (1 + exp(-x));
    }
    return 0;
}

/* The derivative by a central difference in double: good to 1e-9 away from the kinks. */
static double slope(double x, enum activation a)
{
    return (activation(x + 1e-5, a) - activation(x - 1e-5, a)) / 2e-5;
}

static void activations_and_their_derivatives(void **state)
{
    (void)state;
    const struct kernels *k = best_table();
    float x[N], dy[N], y[N], dx[N];
    draw(x, N, "x", -8, 8);
    draw(dy, N, "dy", -2, 2);
    for (enum activation a = ACT_NONE; a <= ACT_SIGMOID; a++) {
        k->activate(y, N, x, N, 1, N, a);
        k->activate_backward(dx, N, dy, N, x, N, 1, N, a);
        for (int i = 0; i < N; i++) {
            assert_close(y[i], activation(x[i], a));
            assert_close(dx[i], dy[i] * slope(x[i], a));
        }
    }
    const float kinks[4] = {0.f, 6.f, -1e30f, 1e30f}, ones[4] = {1, 1, 1, 1};
    k->activate_backward(dx, 4, ones, 4, kinks, 4, 1, 4, ACT_RELU);
    assert_true(dx[0] == 0 && dx[1] == 1 && dx[2] == 0 && dx[3] == 1);
    k->activate_backward(dx, 4, ones, 4, kinks, 4, 1, 4, ACT_RELU6);
    assert_true(dx[0] == 0 && dx[1] == 0 && dx[2] == 0 && dx[3] == 0);
    for (enum activation a = ACT_SILU; a <= ACT_SIGMOID; a++) {
        k->activate_backward(dx, 4, ones, 4, kinks, 4, 1, 4, a);
        assert_true(dx[2] == 0 && dx[3] == (a == ACT_SIGMOID || a == ACT_RELU6 ? 0 : 1));
    }
}

static void reductions(void **state)
{
    (void)state;
    const struct kernels *k = best_table();
    float x[ROWS][N], y[ROWS][N], mean[N], sums[N], squares[N], dots[N];
    draw(x[0], ROWS * N, "x", -1, 1);
    draw(y[0], ROWS * N, "y", -1, 1);
    draw(mean, N, "mean", -1, 1);
    memcpy(sums, mean, sizeof sums);
    memcpy(squares, mean, sizeof squares);
    memcpy(dots, mean, sizeof dots);
    k->column_sum(sums, x[0], N, ROWS, N);
    k->column_sum_squares(squares, x[0], N, mean, ROWS, N);
    k->column_dot(dots, x[0], N, y[0], N, ROWS, N);
    for (int c = 0; c < N; c++) {
        double sum = mean[c], square = mean[c], dot = mean[c];
        for (int r = 0; r < ROWS; r++) {
            sum += x[r][c];
            square += pow((double)x[r][c] - mean[c], 2);
            dot += (double)x[r][c] * y[r][c];
        }
        assert_close(sums[c], sum);
        assert_close(squares[c], square);
        assert_close(dots[c], dot);
    }
    double sum = 0, square = 0, dot = 0, max = x[0][0];
    for (int c = 0; c < N; c++) {
        sum += x[0][c];
        square += pow(x[0][c] - .25, 2);
        dot += (double)x[0][c] * y[0][c];
        max = fmax(max, x[0][c]);
    }
    assert_close(k->sum(x[0], N), sum);
    assert_close(k->sum_squares(x[0], .25f, N), square);
    assert_close(k->dot(x[0], y[0], N), dot);
    assert_true(k->max(x[0], N) == (float)max);
}

/* The 16 lanes and the tree, written out: the definition of every row reduction. */
static void a_row_is_summed_in_sixteen_lanes(void **state)
{
    (void)state;
    float x[N], lanes[16] = {0};
    draw(x, N, "x", -1, 1);
    for (int i = 0; i < N; i++) lanes[i % 16] += x[i];
    for (int w = 8; w; w /= 2)
        for (int i = 0; i < w; i++) lanes[i] += lanes[i + w];
    assert_true(best_table()->sum(x, N) == lanes[0]);
}

static void several_dot_products_are_those_one_by_one(void **state)
{
    (void)state;
    const struct kernels *k = best_table();
    float x[N], y[ROWS][N], out[ROWS];
    const float *rows[ROWS];
    draw(x, N, "x", -1, 1);
    draw(y[0], ROWS * N, "y", -1, 1);
    for (int r = 0; r < ROWS; r++) rows[r] = y[r];
    for (int count = 0; count <= ROWS; count++) {
        k->dots(out, x, rows, N, count);
        for (int r = 0; r < count; r++) assert_true(out[r] == k->dot(x, y[r], N));
    }
}

/* 0 and -0 are equal, and which of them is the largest is the same on every table. */
static void the_largest_zero_has_one_sign(void **state)
{
    (void)state;
    float x[N];
    for (int i = 0; i < N; i++) x[i] = i ? -0.f : 0.f;
    int count;
    const struct kernels *const *tables = kernels_available(&count);
    for (int t = 0; t < count; t++)
        for (int n = 1; n <= N; n++) {
            const float found = tables[t]->max(x, n), expected = tables[0]->max(x, n);
            assert_memory_equal(&found, &expected, sizeof found);
        }
}

static void batch_norm(void **state)
{
    (void)state;
    const struct kernels *k = best_table();
    float x[ROWS][N], dy[ROWS][N], y[ROWS][N], du[ROWS][N], dx[ROWS][N];
    float mean[N], inv[N], gamma[N], beta[N], dgamma[N] = {0}, dbeta[N] = {0}, scale[N], a[N], b[N];
    draw(x[0], ROWS * N, "x", -1, 1);
    draw(dy[0], ROWS * N, "dy", -1, 1);
    draw(mean, N, "mean", -1, 1);
    draw(inv, N, "inv", .5, 2);
    draw(gamma, N, "gamma", -1, 1);
    draw(beta, N, "beta", -1, 1);
    const struct norm_params norm = {mean, inv, gamma, beta};
    k->batch_norm(y[0], N, x[0], N, norm, ROWS, N, ACT_SILU);
    k->batch_norm_backward_sums(du[0], N, dy[0], N, x[0], N, norm, dgamma, dbeta, ROWS, N, ACT_SILU);
    for (int c = 0; c < N; c++) {
        a[c] = dbeta[c] / ROWS;
        b[c] = dgamma[c] / ROWS;
        scale[c] = gamma[c] * inv[c];
    }
    k->batch_norm_backward(dx[0], N, du[0], N, x[0], N, norm, scale, a, b, ROWS, N);
    for (int c = 0; c < N; c++) {
        double sum_du = 0, sum_dux = 0;
        for (int r = 0; r < ROWS; r++) {
            const double xhat = ((double)x[r][c] - mean[c]) * inv[c], u = xhat * gamma[c] + beta[c];
            const double d = dy[r][c] * slope(u, ACT_SILU);
            assert_close(y[r][c], activation(u, ACT_SILU));
            assert_close(du[r][c], d);
            sum_du += d;
            sum_dux += d * xhat;
            assert_close(dx[r][c], scale[c] * (d - (a[c] + xhat * b[c])));
        }
        assert_close(dbeta[c], sum_du);
        assert_close(dgamma[c], sum_dux);
    }
}

static double layer_norm_loss(const double *x, const float *gamma, const float *beta, const float *dy)
{
    double mean = 0, variance = 0, loss = 0;
    for (int i = 0; i < N; i++) mean += x[i] / N;
    for (int i = 0; i < N; i++) variance += pow(x[i] - mean, 2) / N;
    for (int i = 0; i < N; i++) loss += dy[i] * ((x[i] - mean) / sqrt(variance + 1e-6) * gamma[i] + beta[i]);
    return loss;
}

static void layer_norm_by_finite_differences(void **state)
{
    (void)state;
    const struct kernels *k = best_table();
    float x[N], gamma[N], beta[N], dy[N], y[N], dx[N], twice[N], dgamma[N] = {0}, dbeta[N] = {0}, stats[2];
    draw(x, N, "x", -1, 2);
    draw(gamma, N, "gamma", -1, 1);
    draw(beta, N, "beta", -1, 1);
    draw(dy, N, "dy", -1, 1);
    k->layer_norm(y, x, gamma, beta, 1e-6f, N, stats);
    k->layer_norm_backward(dx, dy, x, gamma, stats, N, 0);
    memcpy(twice, dx, sizeof twice);
    k->layer_norm_backward(twice, dy, x, gamma, stats, N, 1);
    k->layer_norm_backward_params(dgamma, dbeta, dy, N, x, N, stats, 1, N);
    double wide[N], found = 0;
    for (int i = 0; i < N; i++) wide[i] = x[i];
    for (int i = 0; i < N; i++) found += (double)dy[i] * y[i];
    assert_close(found, layer_norm_loss(wide, gamma, beta, dy));
    for (int i = 0; i < N; i++) {
        wide[i] = x[i] + 1e-5;
        const double above = layer_norm_loss(wide, gamma, beta, dy);
        wide[i] = x[i] - 1e-5;
        assert_close(dx[i], (above - layer_norm_loss(wide, gamma, beta, dy)) / 2e-5);
        wide[i] = x[i];
        assert_true(twice[i] == 2 * dx[i]);
        assert_close(dgamma[i], dy[i] * ((double)x[i] - stats[0]) * stats[1]);
        assert_true(dbeta[i] == dy[i]);
    }
}

static void softmax_rows_sum_to_one(void **state)
{
    (void)state;
    const struct kernels *k = best_table();
    float x[1370], y[1370], dy[1370], dx[1370];
    draw(x, 1370, "x", -20, 20);
    draw(dy, 1370, "dy", -1, 1);
    for (int n = 1; n <= 1370; n = n * 3 / 2 + 1) {
        double total = 0, found = 0, dot = 0;
        k->softmax(y, x, n);
        k->softmax_backward(dx, dy, y, n);
        for (int i = 0; i < n; i++) {
            total += exp(x[i]);
            found += y[i];
            dot += (double)dy[i] * y[i];
        }
        /* The sum takes n/16 + 4 roundings, the reciprocal, the product and exp one each. */
        assert_true(fabs(found - 1) <= (n / 16 + 8) * 0x1p-24);
        for (int i = 0; i < n; i++) {
            assert_close(y[i], exp(x[i]) / total);
            assert_close(dx[i], y[i] * (dy[i] - dot));
        }
    }
}

static void binary_cross_entropy(void **state)
{
    (void)state;
    const struct kernels *k = best_table();
    float z[N], t[N], dz[N];
    draw(z, N, "z", -30, 30);
    draw(t, N, "t", 0, 1);
    double loss = 0;
    const float found = k->binary_cross_entropy(dz, z, t, .5f, N);
    for (int i = 0; i < N; i++) {
        loss += fmax(z[i], 0) - (double)z[i] * t[i] + log1p(exp(-fabs(z[i])));
        assert_close(dz[i], .5 * (1 / (1 + exp(-(double)z[i])) - t[i]));
    }
    assert_close(found, loss);
    assert_true(k->binary_cross_entropy(NULL, z, t, 1.f, 0) == 0);
}

/* Bits of the specification: float operations in the stated order. */
static void optimisers_step_as_specified(void **state)
{
    (void)state;
    const struct kernels *k = best_table();
    float w[3] = {1.f, 1.f, -2.f}, m[3] = {0}, v[3] = {0}, u[3];
    const float g[3] = {.5f, .5f, 0.f};
    const uint8_t mask[3] = {1, 0, 1};
    const float b1 = (float).9, b2 = (float).999, c1 = (float)(1 - .9), c2 = (float)(1 - .999);
    const float rate = (float)(1e-3 * sqrt(1 - .999) / (1 - .9)), epsilon = 1e-8f;
    k->adam(w, m, v, u, g, mask, (struct adam_step){b1, b2, c1, c2, rate, epsilon}, 3);
    const float m1 = c1 * .5f, v1 = (c2 * .5f) * .5f, u1 = (rate * m1) / (sqrtf(v1) + epsilon);
    assert_true(m[0] == m1 && m[1] == m1 && m[2] == 0);
    assert_true(v[0] == v1 && v[1] == v1 && v[2] == 0);
    assert_true(u[0] == u1 && u[1] == u1 && u[2] == 0);
    assert_true(w[0] == 1.f - u1 && w[1] == 1.f && w[2] == -2.f);
    assert_close(w[0], 1 - 1e-3); /* the first step of Adam is the learning rate */

    float w2[2] = {1.f, 1.f}, m2[2] = {0}, v2[2] = {0};
    const struct adamw_step step = {b1, b2, c1, c2, 1e-2f, (float)sqrt(1 - .999), epsilon, 1e-3f};
    k->adamw(w2, m2, v2, g, mask, step, 2);
    const float moved = 1e-2f * (m1 / (sqrtf(v1) / step.root + epsilon));
    assert_true(w2[0] == 1.f * (1.f - 1e-3f) - moved && w2[1] == 1.f);

    float w3[2] = {2.f, 2.f}, m3[2] = {1.f, 1.f}, m4[2] = {1.f, 1.f}, w4[2] = {2.f, 2.f};
    k->sgd(w3, m3, g, mask, .125f, .5f, .25f, 0, 2); /* g' = 1, m = 1.5 */
    assert_true(w3[0] == 2.f - .1875f && w3[1] == 2.f && m3[0] == 1.5f);
    k->sgd(w4, m4, g, NULL, .125f, .5f, .25f, 1, 2); /* g' + m/2 = 1.75 */
    assert_true(w4[0] == 2.f - .21875f && w4[1] == w4[0] && m4[1] == 1.5f);

    float average[2] = {1.f, 0x1p-40f};
    const float towards[2] = {2.f, 0.f};
    k->ema(average, towards, .25f, 2);
    assert_true(average[0] == 1.25f && average[1] == 0);
}

static void decaying_moments_reach_zero(void **state)
{
    (void)state;
    const struct kernels *k = best_table();
    float w = 1.f, m = 0x1p-60f, v = 0x1p-90f, u;
    const float g = 0.f;
    const struct adam_step step = {.9f, .9f, .1f, .1f, .001f, 1e-8f};
    for (int i = 0; i < 100; i++) {
        k->adam(&w, &m, &v, &u, &g, NULL, step, 1);
        assert_true((m == 0 || m >= 0x1p-63f) && (v == 0 || v >= 0x1p-100f));
    }
    assert_true(m == 0 && v == 0 && w == 1.f);
}

/* A window is compared in row-major order, so that of zeros the first keeps its sign. */
static void the_largest_of_a_window(void **state)
{
    (void)state;
    enum { HEIGHT = 4, WIDTH = 6, CHANNELS = 139, PIXEL = CHANNELS + 3 };
    static float x[HEIGHT * WIDTH * PIXEL], y[CHANNELS];
    const struct kernels *const k = best_table();
    for (int zeros = 0; zeros < 2; zeros++)
        for (int rows = 1; rows <= HEIGHT; rows++) {
            const int cols = WIDTH - rows;
            draw(x, HEIGHT * WIDTH * PIXEL, "window", -1, zeros ? 1 : 0.1);
            for (int i = 0; zeros && i < HEIGHT * WIDTH * PIXEL; i++) x[i] *= 0;
            k->maximum_window(y, x, WIDTH * PIXEL, PIXEL, rows, cols, CHANNELS);
            for (int c = 0; c < CHANNELS; c++) {
                float most = x[c];
                for (int p = 0; p < rows * WIDTH; p++)
                    if (p % WIDTH < cols && x[p * PIXEL + c] > most) most = x[p * PIXEL + c];
                assert_memory_equal(y + c, &most, sizeof most);
            }
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(activations_and_their_derivatives),
        cmocka_unit_test(reductions),
        cmocka_unit_test(a_row_is_summed_in_sixteen_lanes),
        cmocka_unit_test(several_dot_products_are_those_one_by_one),
        cmocka_unit_test(the_largest_zero_has_one_sign),
        cmocka_unit_test(batch_norm),
        cmocka_unit_test(layer_norm_by_finite_differences),
        cmocka_unit_test(softmax_rows_sum_to_one),
        cmocka_unit_test(binary_cross_entropy),
        cmocka_unit_test(optimisers_step_as_specified),
        cmocka_unit_test(decaying_moments_reach_zero),
        cmocka_unit_test(the_largest_of_a_window),
    };
    return cmocka_run_group_tests_name("kernel values", tests, NULL, NULL);
}
