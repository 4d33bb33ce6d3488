/* The contrastive loss: values that can be worked out by hand, and its gradient by differences. */
#include "check.h"

#include "train/contrast.h"

#include <math.h>
#include <string.h>

enum { ROWS = 8, DIM = 12, STRIDE = 17 };

static struct contrast_items run(struct contrast *contrast, float *gradient, const float *values,
                                 double scale)
{
    struct error err;
    struct contrast_items items;
    check_ok(contrast_run(contrast, &items, gradient, STRIDE, values, STRIDE, scale, &err), &err);
    return items;
}

static struct contrast make(struct arena *arena, int rows, int dim, double temperature, int threads)
{
    struct error err;
    struct contrast contrast;
    check_ok(contrast_init(&contrast, arena, rows, dim, temperature, threads, &err), &err);
    return contrast;
}

/* Two pairs at right angles, temperature 1: each row sees its partner at 1 and two rows at 0. */
static void four_rows_by_hand(void **state)
{
    (void)state;
    struct arena arena = {0};
    float values[4 * STRIDE] = {0};
    values[0] = 3, values[STRIDE] = 0.5f, values[2 * STRIDE + 1] = 1, values[3 * STRIDE + 1] = 7;
    struct contrast contrast = make(&arena, 4, 2, 1, 1);
    struct contrast_items items = run(&contrast, NULL, values, 1);
    assert_true(fabs(items.loss - log(1 + 2 * exp(-1))) < 1e-12);
    assert_true(items.found == 1);
    for (int i = 0; i < 4; i++) values[i * STRIDE] = values[i * STRIDE + 1] = 1; /* all alike: a tie */
    items = run(&contrast, NULL, values, 1);
    assert_true(fabs(items.loss - log(3)) < 1e-12);
    assert_true(items.found == 0);
    arena_free(&arena);
}

/* Differences of the loss over steps of about 2^-9 in float values of size 1: their error is the third
 * derivative's share, some 1e-5 of the gradient's size at this temperature. */
static void gradient_is_that_of_the_loss(void **state)
{
    (void)state;
    struct arena arena = {0};
    float values[ROWS * STRIDE], gradient[ROWS * STRIDE];
    check_uniform(values, "contrast", ROWS * STRIDE);
    struct contrast contrast = make(&arena, ROWS, DIM, 0.5, 2);
    run(&contrast, gradient, values, 1);
    double worst = 0, most = 0;
    for (int i = 0; i < ROWS; i++)
        for (int k = 0; k < DIM; k++) {
            float *value = values + i * STRIDE + k;
            const float before = *value, above = before + 0x1p-9f, below = before - 0x1p-9f;
            *value = above;
            const double high = run(&contrast, NULL, values, 1).loss;
            *value = below;
            const double low = run(&contrast, NULL, values, 1).loss;
            *value = before;
            const double slope = (high - low) / ((double)above - below);
            worst = fmax(worst, fabs(slope - gradient[i * STRIDE + k]));
            most = fmax(most, fabs(slope));
        }
    assert_true(most > 1e-3);
    assert_true(worst < 1e-4 * most);
    arena_free(&arena);
}

static void threads_and_powers_of_two_change_no_bit(void **state)
{
    (void)state;
    struct arena arena = {0};
    float values[ROWS * STRIDE], one[ROWS * STRIDE] = {0}, three[ROWS * STRIDE] = {0};
    check_uniform(values, "contrast", ROWS * STRIDE);
    struct contrast a = make(&arena, ROWS, DIM, 0.1, 1), b = make(&arena, ROWS, DIM, 0.1, 3);
    run(&a, one, values, 1);
    run(&b, three, values, 0x1p32);
    for (int i = 0; i < ROWS; i++)
        for (int k = 0; k < DIM; k++)
            assert_true(one[i * STRIDE + k] == 0 || one[i * STRIDE + k] * 0x1p32f == three[i * STRIDE + k]);
    arena_free(&arena);
}

static void bad_rows_are_named(void **state)
{
    (void)state;
    struct error err;
    struct arena arena = {0};
    struct contrast_items items;
    float values[ROWS * STRIDE];
    check_uniform(values, "contrast", ROWS * STRIDE);
    struct contrast contrast = make(&arena, ROWS, DIM, 0.1, 1);
    memset(values + 5 * STRIDE, 0, DIM * sizeof *values);
    assert_int_equal(contrast_run(&contrast, &items, NULL, 0, values, STRIDE, 1, &err), ERR_CHECK);
    assert_non_null(strstr(err.message, "row 5"));
    values[2 * STRIDE] = INFINITY;
    assert_int_equal(contrast_run(&contrast, &items, NULL, 0, values, STRIDE, 1, &err), ERR_CHECK);
    assert_non_null(strstr(err.message, "row 2"));
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_rows_by_hand),
        cmocka_unit_test(gradient_is_that_of_the_loss),
        cmocka_unit_test(threads_and_powers_of_two_change_no_bit),
        cmocka_unit_test(bad_rows_are_named),
    };
    return cmocka_run_group_tests_name("contrast", tests, NULL, NULL);
}
