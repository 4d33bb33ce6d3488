/* Every table of this machine against the scalar one, bit for bit; the harness itself; the choice of a table.
 * RETORT_SEED repeats a run. */
#include "check.h"
#include "check_kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 60 };
#define RECORDED_HASH 0xe3dd11d870e6d026u /* of all cases, seed 1, on every instruction set */

static const struct kernels *scalar_table(void)
{
    const struct kernels *scalar;
    struct error err;
    check_ok(kernels_get(&scalar, "scalar", &err), &err);
    return scalar;
}

static uint64_t seed_of_this_run(void)
{
    const char *text = getenv("RETORT_SEED");
    return text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);
}

static void compare_tables(const struct kernel_case *cases, int case_count)
{
    const uint64_t seed = seed_of_this_run();
    printf("RETORT_SEED=%llu\n", (unsigned long long)seed);
    int count;
    const struct kernels *const *tables = kernels_available(&count);
    for (int i = 0; i < count; i++) {
        char report[1000];
        const int differing = count_differences(scalar_table(), tables[i], cases, case_count, seed, ROUNDS,
                                                report, sizeof report);
        if (differing) print_error("%s differs from scalar in: %s\n", tables[i]->name, report);
        assert_int_equal(differing, 0);
    }
}

static void tables_give_the_same_bits(void **state)
{
    (void)state;
    compare_tables(kernel_cases, kernel_case_count);
}

static void convolutions_give_the_same_bits(void **state)
{
    (void)state;
    compare_tables(conv_cases, conv_case_count);
}

/* One number for all instruction sets and compilers: the arithmetic is the definition. */
static void results_hash_to_the_recorded_value(void **state)
{
    (void)state;
    int count;
    const struct kernels *const *tables = kernels_available(&count);
    for (int i = 0; i < count; i++) {
        const uint64_t hash = hash_cases(tables[i], kernel_cases, kernel_case_count, 1, ROUNDS);
        if (hash != RECORDED_HASH)
            print_error("%s gives %016llx\n", tables[i]->name, (unsigned long long)hash);
        assert_true(hash == RECORDED_HASH);
    }
}

static void add_slightly_wrong(float *y, ptrdiff_t y_stride, const float *a, ptrdiff_t a_stride,
                               const float *b, ptrdiff_t b_stride, int rows, int cols)
{
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < cols; c++)
            y[r * y_stride + c] = (float)((double)a[r * a_stride + c] * (1 + 1e-7) + b[r * b_stride + c]);
}

static float sum_in_sequence(const float *x, int n)
{
    float s = 0;
    for (int i = 0; i < n; i++) s += x[i];
    return s;
}

static void fill_one_too_many(float *y, ptrdiff_t stride, float value, int rows, int cols)
{
    for (int r = 0; r < rows; r++)
        for (int c = 0; c <= cols; c++) y[r * stride + c] = value;
}

static void the_harness_sees_a_wrong_kernel(void **state)
{
    (void)state;
    char report[1000];
    struct kernels broken = *scalar_table();
    broken.add = add_slightly_wrong;
    broken.sum = sum_in_sequence;
    assert_int_equal(count_differences(scalar_table(), &broken, kernel_cases, kernel_case_count, 1, ROUNDS,
                                       report, sizeof report),
                     2);
    assert_string_equal(report, "sum add");
    broken = *scalar_table();
    broken.fill = fill_one_too_many;
    assert_int_equal(count_differences(&broken, &broken, kernel_cases, kernel_case_count, 1, ROUNDS, report,
                                       sizeof report),
                     1);
    assert_string_equal(report, "fill");
}

static void a_table_is_chosen_by_name(void **state)
{
    (void)state;
    struct error err;
    int count;
    const struct kernels *const *tables = kernels_available(&count);
    const struct kernels *table;
    unsetenv("RETORT_ISA");
    check_ok(kernels_get(&table, NULL, &err), &err);
    assert_ptr_equal(table, tables[0]);
    assert_string_equal(tables[count - 1]->name, "scalar");
    assert_int_equal(kernels_get(&table, "mmx", &err), ERR_USAGE);
    assert_non_null(strstr(err.message, "mmx"));
    for (int i = 0; i < count; i++) {
        assert_non_null(strstr(err.message, tables[i]->name));
        setenv("RETORT_ISA", tables[i]->name, 1);
        check_ok(kernels_get(&table, NULL, &err), &err);
        assert_ptr_equal(table, tables[i]);
    }
    setenv("RETORT_ISA", "mmx", 1);
    assert_int_equal(kernels_get(&table, NULL, &err), ERR_USAGE);
    unsetenv("RETORT_ISA");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_give_the_same_bits),
        cmocka_unit_test(convolutions_give_the_same_bits),
        cmocka_unit_test(results_hash_to_the_recorded_value),
        cmocka_unit_test(the_harness_sees_a_wrong_kernel),
        cmocka_unit_test(a_table_is_chosen_by_name),
    };
    return cmocka_run_group_tests_name("kernels", tests, NULL, NULL);
}
