/* Optimiser steps: published vectors, one reference step, bits that masks must keep. */
#include "check.h"

#include "base/rng.h"
#include "kernels/kernels.h"
#include "nn/weights.h"
#include "train/optim.h"
#include "train/schedule.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* grad_norm_all of golden/yolo11/train_step.json, 80 classes. */
#define NORM_ALL 3698.79528

static const struct kernels *kernels;

static int set_up(void **state)
{
    (void)state;
    struct error err;
    check_ok(kernels_get(&kernels, NULL, &err), &err);
    return 0;
}

static void check_near(double got, double expected, double tolerance)
{
    if (fabs(got - expected) <= tolerance) return;
    print_error("%.10g instead of %.10g (tolerance %g)\n", got, expected, tolerance);
    _fail(__FILE__, __LINE__);
}

/* ---- masked Adam ---- */

static const struct optim_tensor THREE[] = {{"t.weight", 0, 3, OPTIM_WEIGHT, true, false}};

/* AMS vector U2; float32 within 1e-6 relative of exact arithmetic. */
static void three_steps_of_masked_adam(void **state)
{
    (void)state;
    static const float g[3][3] = {{1, -2, .5f}, {1, 2, .25f}, {-1, -2, .5f}};
    static const double u[3][3] = {{9.999996838e-4, -9.999998419e-4, 9.999993675e-4},
                                   {9.999997763e-4, 5.263157306e-5, 9.321791113e-4},
                                   {2.619925721e-4, -3.357933273e-4, 9.629601368e-4}};
    static const double rates[] = {3.1622777e-4, 2.3531673e-4, 2.0201060e-4};
    static const double last_w[] = {-2.261992032e-3, 0, -2.895138616e-3}, last_m[] = {0.071, -0.182, 0.113};
    static const uint8_t mask[] = {1, 0, 1};
    const struct optim optim = {kernels, THREE, 1, 1};
    float w[3] = {0}, m[3] = {0}, v[3] = {0}, got[3];
    struct optim_clock clock = OPTIM_CLOCK_START;
    for (int i = 0; i < 3; i++) {
        struct optim_clock next = clock;
        check_near(optim_adam_constants(&next, 1e-3).rate, rates[i], 1e-7 * rates[i]);
        const struct optim_arrays arrays = {w, m, v, got, g[i], mask};
        optim_adam(&optim, &arrays, &clock, 1e-3);
        for (int k = 0; k < 3; k++) {
            check_near(got[k], u[i][k], 1e-6 * fabs(u[i][k]));
            assert_true(fabsf(got[k]) <= 1e-3f * (1 + 1e-6f) || i > 0); /* U3 */
        }
    }
    assert_int_equal(clock.step, 3);
    for (int k = 0; k < 3; k++) {
        check_near(w[k], last_w[k], 1e-6 * fabs(last_w[k]));
        check_near(m[k], last_m[k], 1e-6 * fabs(last_m[k]));
    }
}

enum { N = 10007, TENSORS = 4 };
static const struct optim_tensor PIECES[TENSORS] = {
    {"a.conv.weight", 0, 5001, OPTIM_WEIGHT, true, false},
    {"a.bn.weight", 5001, 6, OPTIM_NORM, true, false},
    {"a.dfl.conv.weight", 5007, 1000, OPTIM_WEIGHT, false, false},
    {"b.bias", 6007, 4000, OPTIM_BIAS, true, false},
};

struct net {
    float w[N], m[N], v[N], u[N], average[N];
    uint8_t mask[N];
};

static void random_floats(float *x, size_t n, uint64_t step, float scale)
{
    const uint64_t key = rng_step(rng_key(3, "test"), step);
    for (size_t i = 0; i < n; i++) x[i] = scale * (float)(2 * rng_real(key, i) - 1);
}

static void start(struct net *net, int every)
{
    memset(net, 0, sizeof *net);
    random_floats(net->w, N, 1000, 1);
    for (size_t i = 0; i < N; i++)
        net->mask[i] = every && i % (size_t)every == 0 && (i < PIECES[2].offset || i >= PIECES[3].offset);
    for (size_t i = 1; i < N; i += 97) net->w[i] = -0.f; /* copying keeps this, adding zero does not */
    memcpy(net->average, net->w, sizeof net->w);
}

enum kind { ADAM, ADAMW, SGD };

static void train(struct net *net, enum kind kind, int steps, int threads, bool masked)
{
    static float g[N];
    const struct optim optim = {kernels, PIECES, TENSORS, threads};
    const struct optim_rates rates = {{1e-3, 2e-3, 3e-3}, 0.05, 0};
    struct optim_clock clock = OPTIM_CLOCK_START;
    const uint8_t *mask = masked ? net->mask : NULL;
    for (int step = 1; step <= steps; step++) {
        random_floats(g, N, (uint64_t)step, 0.1f);
        const struct optim_arrays arrays = {net->w, net->m, net->v, net->u, g, mask};
        if (kind == ADAM)
            optim_adam(&optim, &arrays, &clock, 1e-3);
        else if (kind == ADAMW)
            optim_adamw(&optim, &arrays, &clock, &rates);
        else
            optim_sgd(&optim, &arrays, &rates, 0.9, true);
        optim_average(&optim, net->average, net->w, mask, schedule_average_decay(step), N);
    }
}

/* AMS vectors U1 and U21: 50 steps with decay and averaging; what is not masked or not trainable keeps its
 * bits. */
static void coordinates_outside_the_mask_keep_their_bits(void **state)
{
    (void)state;
    static struct net first, net, full;
    for (enum kind kind = ADAM; kind <= SGD; kind++) {
        start(&first, 7);
        start(&net, 7);
        train(&net, kind, 50, 1, true);
        int moved = 0;
        for (size_t i = 0; i < N; i++) {
            moved += net.w[i] != first.w[i];
            if (first.mask[i]) continue;
            assert_memory_equal(&net.w[i], &first.w[i], sizeof(float));
            assert_memory_equal(&net.average[i], &first.w[i], sizeof(float));
            assert_true(net.m[i] != 0 || (i >= PIECES[2].offset && i < PIECES[3].offset));
        }
        assert_true(moved > 1200); /* of 1287 */
        start(&net, 1);
        start(&full, 1);
        train(&net, kind, 5, 1, true);
        train(&full, kind, 5, 1, false);
        assert_memory_equal(net.w, full.w, sizeof net.w);
        assert_memory_equal(net.m, full.m, sizeof net.m);
    }
}

static void moments_move_without_weights(void **state)
{
    (void)state;
    static struct net net, first, full;
    start(&first, 0);
    start(&net, 0);
    start(&full, 0);
    train(&net, ADAM, 1, 1, true);
    train(&full, ADAM, 1, 1, false);
    assert_memory_equal(net.w, first.w, sizeof net.w);
    assert_memory_equal(net.m, full.m, sizeof net.m);
    assert_memory_equal(net.v, full.v, sizeof net.v);
}

static void threads_and_tables_do_not_change_a_bit(void **state)
{
    (void)state;
    static struct net expected, net;
    int tables;
    const struct kernels *const *all = kernels_available(&tables);
    for (enum kind kind = ADAM; kind <= SGD; kind++) {
        kernels = all[0];
        start(&expected, 3);
        train(&expected, kind, 4, 1, true);
        for (int t = 0; t < tables; t++)
            for (int threads = 1; threads <= 3; threads++) {
                kernels = all[t];
                start(&net, 3);
                train(&net, kind, 4, threads, true);
                assert_memory_equal(&net, &expected, sizeof net);
            }
    }
    kernels = all[0];
}

/* By hand: g = 0.5, decay 0.1, momentum 0.5, rate 0.25, all exact but the decay. */
static void sgd_by_hand(void **state)
{
    (void)state;
    static const struct optim_tensor tensors[] = {{"t.weight", 0, 1, OPTIM_WEIGHT, true, false},
                                                  {"t.bias", 1, 1, OPTIM_BIAS, true, false}};
    const struct optim optim = {kernels, tensors, 2, 1};
    const struct optim_rates rates = {{0.25, 0.25, 0.125}, 0.125, 0};
    const float g[2] = {0.5f, 0.5f};
    float w[2] = {1, 1}, m[2] = {0};
    const struct optim_arrays arrays = {w, m, NULL, NULL, g, NULL};
    optim_sgd(&optim, &arrays, &rates, 0.5, false);
    assert_true(w[0] == 1 - 0.25f * 0.625f && w[1] == 1 - 0.125f * 0.5f && m[0] == 0.625f);
    optim_sgd(&optim, &arrays, &rates, 0.5, true);
    assert_true(m[1] == 0.75f && w[1] == 0.9375f - 0.125f * (0.5f + 0.5f * 0.75f));
}

/* ---- gradients ---- */

static void norms_clip_and_name_what_is_not_finite(void **state)
{
    (void)state;
    static float g[N];
    double sums[TENSORS], norm, again, expected = 0;
    struct error err;
    struct optim optim = {kernels, PIECES, TENSORS, 1};
    random_floats(g, N, 5, 3);
    for (size_t i = PIECES[2].offset; i < PIECES[3].offset; i++)
        g[i] = NAN; /* not trainable: not looked at */
    for (size_t i = 0; i < N; i++)
        if (isfinite(g[i])) expected += (double)g[i] * g[i];
    check_ok(optim_norm(&norm, &optim, g, sums, &err), &err);
    check_near(norm, sqrt(expected), 1e-12 * norm);
    optim.threads = 3;
    check_ok(optim_norm(&again, &optim, g, sums, &err), &err);
    assert_true(norm == again);
    assert_true(optim_clip_factor(9, 10) == 1);
    check_near(optim_clip_factor(40, 10), 10 / (40 + 1e-6), 0);

    g[0] = 0x1p-57f, g[1] = 0x1.8p-58f, g[2] = -3;
    optim_scale(&optim, g, 0.5);
    assert_true(g[0] == 0x1p-58f && g[1] == 0 && g[2] == -1.5f);
    g[6010] = INFINITY;
    assert_int_equal(optim_norm(&norm, &optim, g, sums, &err), ERR_CHECK);
    assert_string_equal(err.message, "gradient of b.bias: a value is not finite");
}

static float read_one(const struct weights *file, const char *prefix, const char *name, float *values)
{
    char full[200];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    const struct weight_tensor *tensor = weights_find(file, full);
    if (!tensor) print_error("%s is missing\n", full);
    assert_non_null(tensor);
    weights_read(values, tensor);
    return values[0];
}

/* One AdamW step and one average from the reference's gradients: 1e-6, as golden/yolo11/README.md. */
static void one_step_equals_the_reference(void **state)
{
    (void)state;
    enum { MOST = 65536 };
    static float w[MOST], g[MOST], m[MOST], v[MOST], average[MOST], expected[MOST];
    struct weights gradients, after;
    struct error err;
    check_ok(weights_open(&gradients, check_shared("golden/yolo11/train_grad_nc80.safetensors"), &err), &err);
    check_ok(weights_open(&after, check_shared("golden/yolo11/train_state_nc80.safetensors"), &err), &err);
    const struct optim_rates rates = {{0.002, 0.002, 0.002}, 0.0005, 0};
    int compared = 0;
    for (size_t i = 0; i < after.count; i++) {
        if (strncmp(after.tensors[i].name, "after.", 6)) continue;
        const char *name = after.tensors[i].name + 6;
        const size_t n = (size_t)after.tensors[i].count;
        const struct optim_tensor tensor = {name, 0, n, optim_group_of(name), true, false};
        const struct optim optim = {kernels, &tensor, 1, 1};
        struct optim_clock clock = OPTIM_CLOCK_START;
        assert_true(n <= MOST);
        memset(m, 0, sizeof m), memset(v, 0, sizeof v);
        check_synth(w, name, after.tensors[i].shape, after.tensors[i].dims);
        memcpy(average, w, n * sizeof *w);
        read_one(&gradients, "", name, g);
        const struct optim_arrays arrays = {w, m, v, NULL, g, NULL};
        optim_adamw(&optim, &arrays, &clock, &rates);
        optim_average(&optim, average, w, NULL, schedule_average_decay(1), n);
        read_one(&after, "after.", name, expected);
        check_near(check_max_difference(w, expected, n), 0, 1e-6);
        read_one(&after, "ema.", name, expected);
        check_near(check_max_difference(average, expected, n), 0, 1e-6);
        compared++;
    }
    assert_int_equal(compared, 12);
    weights_close(&after);
    weights_close(&gradients);
}

/* 87 weights, 81 norms, 87 biases; and the norm of all gradients, which the reference states in float64. */
static void groups_and_norm_equal_the_reference(void **state)
{
    (void)state;
    static struct optim_tensor tensors[300];
    static double sums[300];
    static float g[2700000];
    struct weights file;
    struct error err;
    int groups[3] = {0};
    size_t n = 0;
    check_ok(weights_open(&file, check_shared("golden/yolo11/train_grad_nc80.safetensors"), &err), &err);
    for (size_t i = 0; i < file.count; i++) {
        const struct weight_tensor *t = &file.tensors[i];
        tensors[i] =
            (struct optim_tensor){t->name, n, (size_t)t->count, optim_group_of(t->name), true, false};
        groups[tensors[i].group]++;
        n += (size_t)t->count;
        assert_true(n <= sizeof g / sizeof *g);
        weights_read(g + tensors[i].offset, t);
    }
    assert_int_equal(n, 2624064);
    assert_true(groups[OPTIM_WEIGHT] == 87 && groups[OPTIM_NORM] == 81 && groups[OPTIM_BIAS] == 87);
    const struct optim optim = {kernels, tensors, (int)file.count, 2};
    double norm;
    check_ok(optim_norm(&norm, &optim, g, sums, &err), &err);
    check_near(norm, NORM_ALL, 1e-4 * NORM_ALL); /* float32 gradients differ by up to 9e-5 */
    weights_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_steps_of_masked_adam),
        cmocka_unit_test(coordinates_outside_the_mask_keep_their_bits),
        cmocka_unit_test(moments_move_without_weights),
        cmocka_unit_test(threads_and_tables_do_not_change_a_bit),
        cmocka_unit_test(sgd_by_hand),
        cmocka_unit_test(norms_clip_and_name_what_is_not_finite),
        cmocka_unit_test(one_step_equals_the_reference),
        cmocka_unit_test(groups_and_norm_equal_the_reference),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
