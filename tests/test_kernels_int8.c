/* Integer kernels of every table against the rule written plainly. */
#include "check.h"

#include "base/rng.h"
#include "kernels/kernels.h"
#include "nn/int8_pack.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIXELS = 27, CHANNELS = 70, STEPS = 90, WINDOW = 300, TAPS = 9, GUARD = 0xA5, ROUNDS = 60 };

struct draws {
    uint64_t key, next;
};

static int draw(struct draws *d, int low, int high)
{
    return low + (int)rng_int(d->key, d->next++, high - low + 1);
}

static float draw_float(struct draws *d, float low, float high)
{
    return low + (high - low) * (float)rng_real(d->key, d->next++);
}

struct finish_case {
    int32_t start[CHANNELS + 16];
    float scale[CHANNELS + 16], bias[CHANNELS + 16];
    uint8_t shortcut[PIXELS][CHANNELS], bytes[PIXELS][CHANNELS + 3];
    float real[PIXELS][CHANNELS + 3];
    struct int8_finish finish;
};

static void make_finish(struct finish_case *c, struct draws *d, float largest)
{
    for (int i = 0; i < CHANNELS + 16; i++) {
        c->start[i] = draw(d, -20000, 20000);
        c->scale[i] = draw_float(d, 0.2f, 8.f) / largest;
        c->bias[i] = draw_float(d, -3.f, 3.f);
    }
    for (int p = 0; p < PIXELS; p++)
        for (int i = 0; i < CHANNELS; i++) c->shortcut[p][i] = (uint8_t)draw(d, 0, 255);
    const bool bytes = draw(d, 0, 3) != 0, added = draw(d, 0, 1);
    c->finish = (struct int8_finish){.start = c->start,
                                     .scale = c->scale,
                                     .bias = c->bias,
                                     .activation = (enum activation)draw(d, ACT_NONE, ACT_SIGMOID),
                                     .residual = added ? c->shortcut[0] : NULL,
                                     .residual_stride = CHANNELS,
                                     .residual_scale = draw_float(d, 0.01f, 0.1f),
                                     .residual_zero = (float)draw(d, 0, 255),
                                     .out = bytes ? c->bytes[0] : NULL,
                                     .out_stride = CHANNELS + 3,
                                     .real = c->real[0],
                                     .real_stride = CHANNELS + 3,
                                     .inverse = draw_float(d, 5.f, 60.f),
                                     .zero = (float)draw(d, 0, 255)};
}

static void clear_output(struct finish_case *c)
{
    memset(c->bytes, GUARD, sizeof c->bytes);
    memset(c->real, GUARD, sizeof c->real);
}

/* The same inputs with outputs of its own. */
static void copy_case(struct finish_case *to, const struct finish_case *from)
{
    *to = *from;
    clear_output(to);
    to->finish.start = to->start;
    to->finish.scale = to->scale;
    to->finish.bias = to->bias;
    to->finish.residual = from->finish.residual ? to->shortcut[0] : NULL;
    to->finish.out = from->finish.out ? to->bytes[0] : NULL;
    to->finish.real = to->real[0];
}

static uint8_t byte_of(float t, float inverse, float zero)
{
    const float v = fmaf(t, inverse, zero);
    return (uint8_t)rintf(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* The rule of struct int8_finish for one value. */
static void finish_plainly(struct finish_case *c, const struct kernels *scalar, int64_t sum, int p, int i)
{
    const struct int8_finish *f = &c->finish;
    const int64_t whole = sum + c->start[i];
    assert_true(whole >= INT32_MIN && whole <= INT32_MAX);
    float t = fmaf((float)(int32_t)whole, c->scale[i], c->bias[i]);
    scalar->activate(&t, 1, &t, 1, 1, 1, f->activation);
    if (f->residual) {
        t = fmaf((float)c->shortcut[p][i] - f->residual_zero, f->residual_scale, t);
        if (fabsf(t) < 0x1p-40f) t = 0.f;
    }
    if (f->out)
        c->bytes[p][i] = byte_of(t, f->inverse, f->zero);
    else
        c->real[p][i] = t;
}

static const struct kernels *scalar_table(void)
{
    const struct kernels *scalar;
    struct error err;
    check_ok(kernels_get(&scalar, "scalar", &err), &err);
    return scalar;
}

static void expect_equal(const struct finish_case *got, const struct finish_case *expected, const char *name)
{
    const bool equal = !memcmp(got->bytes, expected->bytes, sizeof got->bytes) &&
                       !memcmp(got->real, expected->real, sizeof got->real);
    if (!equal) print_error("%s differs from plain C\n", name);
    assert_true(equal);
}

static int extreme_weight(struct draws *d)
{
    const int kind = draw(d, 0, 3);
    return kind == 0 ? 127 : kind == 1 ? -127 : draw(d, -127, 127);
}

static int extreme_byte(struct draws *d)
{
    const int kind = draw(d, 0, 3);
    return kind == 0 ? 255 : draw(d, 0, 255);
}

/* Weights of 16 outputs, as they are and packed; heavy ones are rare, usual or everywhere. */
static void make_column(struct draws *d, int8_t (*weights)[16][4], int steps, int32_t *column)
{
    static const int per_mille[] = {0, 0, 1, 5, 300};
    const int spread = draw(d, 4, draw(d, 8, 127)), heavy = per_mille[draw(d, 0, 4)];
    for (int i = 0; i < steps; i++)
        for (int n = 0; n < 16; n++)
            for (int k = 0; k < 4; k++)
                weights[i][n][k] =
                    (int8_t)(draw(d, 0, 999) < heavy ? extreme_weight(d) : draw(d, -spread, spread));
    for (int i = 0; i < steps; i++) memcpy(int8_pack_step(column, steps, i), weights[i], sizeof weights[i]);
}

/* Every step once, and 16 bits hold what the kernels put there. */
static void check_column(const struct int8_column *c, const int32_t *order, int steps,
                         int8_t (*weights)[16][4])
{
    bool seen[STEPS] = {false};
    assert_int_equal(c->twos + c->ones + c->wides, steps);
    assert_int_equal(c->twos % 2, 0);
    for (int i = 0; i < steps; i++) {
        assert_in_range(order[i], 0, steps - 1);
        assert_false(seen[order[i]]);
        seen[order[i]] = true;
    }
    for (int i = 0; i < c->twos + c->ones; i += i < c->twos ? 2 : 1)
        for (int h = 0; h < 32; h++) {
            int most = 0, least = 0;
            for (int j = i; j < i + (i < c->twos ? 2 : 1); j++)
                for (int k = 0; k < 2; k++) {
                    const int w = weights[order[j]][h / 2][h % 2 * 2 + k];
                    *(w > 0 ? &most : &least) += w;
                }
            assert_true(255 * most <= INT16_MAX && 255 * least >= INT16_MIN);
        }
}

static void shift_start(int32_t *shifted, const int32_t *start, int8_t (*weights)[16][4], int steps)
{
    for (int o = 0; o < 16; o++) {
        shifted[o] = start[o];
        for (int i = 0; i < steps; i++)
            for (int k = 0; k < 4; k++) shifted[o] += 128 * weights[i][o][k];
    }
}

static void test_conv_kernel(void **state)
{
    (void)state;
    enum { COLUMNS = (CHANNELS + 15) / 16 };
    static uint8_t in[PIXELS * WINDOW + WINDOW];
    static int8_t w[COLUMNS][STEPS][16][4];
    static int32_t packed[COLUMNS * (STEPS + 16 + 32 * STEPS)];
    static struct finish_case expected, got;
    int tables, kinds[3] = {0};
    const struct kernels *const *list = kernels_available(&tables), *scalar = scalar_table();
    for (int round = 0; round < ROUNDS; round++) {
        struct draws d = {rng_step(rng_key(1, "conv_int8"), (uint64_t)round), 0};
        const int cout = draw(&d, 1, CHANNELS), steps = draw(&d, 1, STEPS), columns = (cout + 15) / 16;
        const int height = draw(&d, 1, 3), width = draw(&d, 1, PIXELS / height);
        const struct int8_windows windows = {in, draw(&d, 0, 4 * WINDOW), draw(&d, 1, WINDOW / 4), height,
                                             width};
        struct int8_column counts[COLUMNS];
        int32_t offset[STEPS], shifted[COLUMNS * 16];
        for (size_t i = 0; i < sizeof in; i++) in[i] = (uint8_t)extreme_byte(&d);
        for (int i = 0; i < steps; i++) offset[i] = draw(&d, 0, WINDOW - 4);
        make_finish(&expected, &d, 255.f * 127 * 2 * (float)steps);
        clear_output(&expected);
        for (int c = 0; c < columns; c++) {
            int32_t *column = packed + c * int8_column_size(steps);
            make_column(&d, w[c], steps, column);
            shift_start(shifted + 16 * c, expected.start + 16 * c, w[c], steps);
            counts[c] = int8_pack_column(column, steps);
            check_column(counts + c, column, steps, w[c]);
            for (int i = 0; i < steps; i++) column[i] = offset[column[i]];
            kinds[0] += counts[c].twos, kinds[1] += counts[c].ones, kinds[2] += counts[c].wides;
        }
        for (int p = 0; p < height * width; p++)
            for (int o = 0; o < cout; o++) {
                const uint8_t *x = in + p / width * windows.row + p % width * windows.pixel;
                int64_t sum = 0;
                for (int i = 0; i < steps; i++)
                    for (int k = 0; k < 4; k++) sum += x[offset[i] + k] * w[o / 16][i][o % 16][k];
                finish_plainly(&expected, scalar, sum, p, o);
            }
        for (int t = 0; t < tables; t++) {
            copy_case(&got, &expected);
            list[t]->conv_int8(
                &(struct int8_block){windows, cout, steps, counts, packed, shifted, got.finish});
            expect_equal(&got, &expected, list[t]->name);
        }
    }
    for (int k = 0; k < 3; k++) assert_true(kinds[k] > 500);
}

static void test_depthwise_kernel(void **state)
{
    (void)state;
    static uint8_t in[PIXELS * WINDOW + WINDOW];
    static int16_t w[(TAPS + 1) * CHANNELS];
    static struct finish_case expected, got;
    int tables;
    const struct kernels *const *list = kernels_available(&tables), *scalar = scalar_table();
    for (int round = 0; round < ROUNDS; round++) {
        struct draws d = {rng_step(rng_key(1, "depthwise_int8"), (uint64_t)round), 0};
        const int channels = draw(&d, 1, CHANNELS), taps = draw(&d, 1, 4) == 1 ? draw(&d, 1, TAPS) : TAPS;
        const int height = draw(&d, 1, 3), width = draw(&d, 1, PIXELS / height);
        const struct int8_windows windows = {in, draw(&d, 0, 4 * WINDOW), draw(&d, 1, WINDOW / 4), height,
                                             width};
        int32_t offset[TAPS];
        memset(w, 0, sizeof w);
        for (size_t i = 0; i < sizeof in; i++) in[i] = (uint8_t)extreme_byte(&d);
        for (int t = 0; t < taps; t++) offset[t] = draw(&d, 0, WINDOW - CHANNELS);
        for (int t = 0; t < taps; t++)
            for (int c = 0; c < channels; c++)
                w[(t / 2 * channels + c) * 2 + t % 2] = (int16_t)extreme_weight(&d);
        make_finish(&expected, &d, 255.f * 127 * (float)taps);
        clear_output(&expected);
        for (int p = 0; p < height * width; p++)
            for (int c = 0; c < channels; c++) {
                const uint8_t *x = in + p / width * windows.row + p % width * windows.pixel;
                int64_t sum = 0;
                for (int t = 0; t < taps; t++)
                    sum += x[offset[t] + c] * w[(t / 2 * channels + c) * 2 + t % 2];
                finish_plainly(&expected, scalar, sum, p, c);
            }
        for (int t = 0; t < tables; t++) {
            copy_case(&got, &expected);
            list[t]->depthwise_int8(&(struct int8_depthwise){windows, taps, channels, offset, w, got.finish});
            expect_equal(&got, &expected, list[t]->name);
        }
    }
}

static void test_small_kernels(void **state)
{
    (void)state;
    enum { ROWS = 5, STRIDE = CHANNELS + 5 };
    float x[ROWS * STRIDE], factor[CHANNELS], inverse[CHANNELS], zero[CHANNELS], y[ROWS * STRIDE];
    uint8_t bytes[ROWS * STRIDE], other[ROWS * STRIDE];
    int tables;
    const struct kernels *const *list = kernels_available(&tables);
    for (int round = 0; round < ROUNDS; round++) {
        struct draws d = {rng_step(rng_key(1, "borders"), (uint64_t)round), 0};
        const int cols = draw(&d, 1, CHANNELS), n = draw(&d, 0, ROWS * STRIDE);
        for (int i = 0; i < ROWS * STRIDE; i++)
            x[i] = draw_float(&d, -6.f, 6.f), other[i] = (uint8_t)draw(&d, 0, 255);
        x[0] = 1e30f, x[1] = -1e30f;
        for (int c = 0; c < cols; c++) {
            factor[c] = draw_float(&d, 0.01f, 0.1f);
            inverse[c] = 1.f / factor[c];
            zero[c] = (float)draw(&d, 0, 255);
        }
        for (int t = 0; t < tables; t++) {
            memset(bytes, GUARD, sizeof bytes);
            list[t]->quantise(bytes, STRIDE, x, STRIDE, inverse, zero, ROWS, cols);
            for (int i = 0; i < ROWS * STRIDE; i++)
                assert_int_equal(bytes[i], i % STRIDE < cols
                                               ? byte_of(x[i], inverse[i % STRIDE], zero[i % STRIDE])
                                               : GUARD);
            for (int i = 0; i < ROWS * STRIDE; i++) y[i] = -1.f;
            list[t]->dequantise(y, STRIDE, bytes, STRIDE, factor, zero, ROWS, cols);
            for (int i = 0; i < ROWS * STRIDE; i++)
                assert_true(
                    y[i] ==
                    (i % STRIDE < cols ? ((float)bytes[i] - zero[i % STRIDE]) * factor[i % STRIDE] : -1.f));
            uint8_t most[ROWS * STRIDE];
            memcpy(most, bytes, sizeof most);
            list[t]->maximum_bytes(most, other, n);
            for (int i = 0; i < ROWS * STRIDE; i++)
                assert_int_equal(most[i], i < n && other[i] > bytes[i] ? other[i] : bytes[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv_kernel),
        cmocka_unit_test(test_depthwise_kernel),
        cmocka_unit_test(test_small_kernels),
    };
    return cmocka_run_group_tests_name("kernels, int8", tests, NULL, NULL);
}
