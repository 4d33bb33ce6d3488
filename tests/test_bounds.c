/* Bounds of products from 8-bit copies: never below the product, close to it, and silent where they cannot
 * tell. */
#include "select/bounds.h"

#include "check.h"
#include "check_select.h"

#include <math.h>
#include <string.h>

enum { ROWS = 97, WIDTH = 388 };

static struct bounds bounds(const struct embeddings *set, struct arena *arena)
{
    struct bounds b;
    check_ok(bounds_of(&b, set, check_kernels(), 2, arena, NULL), NULL);
    return b;
}

static void expect_above(struct check_rows rows, float slack)
{
    struct arena arena = {0};
    struct embeddings set;
    check_ok(embeddings_of(&set, rows.values, WIDTH, NULL, ROWS, WIDTH, &arena, NULL), NULL);
    struct bounds b = bounds(&set, &arena);
    for (int aim = 0; aim < ROWS; aim++) {
        bounds_aim(&b, aim);
        for (int i = 0; i < ROWS; i++) {
            const float product = check_kernels()->dot(set.rows[i], set.rows[aim], WIDTH);
            const float above = bounds_above(&b, i);
            assert_true(above >= product && above <= product + slack);
        }
    }
    arena_free(&arena);
}

/* A row of equal steps loses half a step a number: sqrt(388) / 2 / 127 of its largest number, which for these
 * rows is below 0.2. */
static void test_above(void **state)
{
    (void)state;
    struct arena arena = {0};
    const struct check_rows rows = check_unit(&arena, "bounds", ROWS, WIDTH);
    expect_above(rows, 0.02F);
    for (int j = 0; j < WIDTH; j++) {
        rows.values[j] = 0;
        rows.values[WIDTH + j] = j == 7;
        rows.values[2 * WIDTH + j] = 1e-30F * (float)j;
        rows.values[3 * WIDTH + j] = j % 2 ? 100 : -100;
        rows.values[4 * WIDTH + j] = 1e4F;
    }
    expect_above(rows, 1e7F);
    arena_free(&arena);
}

static void test_too_wide(void **state)
{
    (void)state;
    struct arena arena = {0};
    static float values[2][16385];
    const float *rows[] = {values[0], values[1]};
    const struct embeddings set = {rows, 2, 16385, 0};
    struct bounds b = bounds(&set, &arena);
    bounds_aim(&b, 0);
    assert_true(isnan(bounds_above(&b, 1)));
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_above), cmocka_unit_test(test_too_wide)};
    return cmocka_run_group_tests_name("bounds", tests, NULL, NULL);
}
