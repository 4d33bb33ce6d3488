/* NumPy matrices. */
#include "check.h"

#include "base/file.h"
#include "nn/npy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const float values[] = {0, 1.5f, -2, 3, 0.1f, 5};

static void matrices_read_back(void **state)
{
    (void)state;
    struct error err;
    struct npy npy;
    char path[600];
    snprintf(path, sizeof path, "%s/matrix.npy", check_folder());
    check_ok(npy_write(path, values, 2, 3, &err), &err);
    check_ok(npy_read(&npy, path, &err), &err);
    assert_true(npy.rows == 2 && npy.columns == 3);
    assert_memory_equal(npy.values, values, sizeof values);
    npy_close(&npy);
    struct file_view view;
    check_ok(file_map(&view, path, &err), &err);
    /* As NumPy writes it. */
    static const char expected[] =
        "\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
    assert_int_equal(view.size, 128 + sizeof values);
    assert_memory_equal(view.data, expected, sizeof expected - 1);
    for (size_t cut = 0; cut < view.size; cut++) {
        uint8_t *part = malloc(cut + !cut);
        memcpy(part, view.data, cut);
        assert_int_equal(npy_parse(&npy, part, cut, "cut", &err), ERR_INPUT);
        free(part);
    }
    file_unmap(&view);
    check_ok(npy_write(path, values, 0, 3, &err), &err);
    check_ok(npy_read(&npy, path, &err), &err);
    assert_true(npy.rows == 0 && npy.columns == 3);
    npy_close(&npy);
}

static void other_headers_are_refused_with_a_reason(void **state)
{
    (void)state;
    static const struct {
        const char *header, *reason;
    } cases[] = {
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }", "float32"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2), }", "fortran_order"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "(rows, columns)"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 1), }", "(rows, columns)"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }", "do not match the shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (999999999999999, 999999999999999), }",
         "do not match"},
        {"{'descr': '<f4'}", "fortran_order"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t file[300] = "\x93NUMPY\x01";
        const size_t n = strlen(cases[i].header);
        file[8] = (uint8_t)n;
        memcpy(file + 10, cases[i].header, n);
        struct npy npy;
        struct error err;
        assert_int_equal(npy_parse(&npy, file, 10 + n + 8, "odd", &err), ERR_INPUT);
        assert_non_null(strstr(err.message, cases[i].reason));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matrices_read_back),
        cmocka_unit_test(other_headers_are_refused_with_a_reason),
    };
    return cmocka_run_group_tests_name("npy", tests, NULL, NULL);
}
