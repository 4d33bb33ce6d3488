/* Weights read where they lie, and memory by the page. */
#include "check.h"

#include "base/file.h"
#include "base/pages.h"
#include "detect/model.h"
#include "nn/safetensors.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void blocks_start_as_zeros(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 4096, 5000, (1 << 20) + 1, (5 << 20) + 3};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *block = pages_alloc(sizes[i]);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 64, 0);
        for (size_t k = 0; k < sizes[i]; k += 61) assert_int_equal(block[k], 0);
        memset(block, 7, sizes[i]);
        pages_free(block, sizes[i]);
    }
    assert_null(pages_alloc(SIZE_MAX));
    pages_free(NULL, 0);
}

static void the_peak_outlives_its_block(void **state)
{
    (void)state;
    enum { BLOCK = 96 << 20 };
    if (!pages_peak()) skip(); /* no /proc */
    unsigned char *block = pages_alloc(BLOCK);
    assert_non_null(block);
    memset(block, 7, BLOCK);
    pages_free(block, BLOCK);
    assert_true(pages_peak() >= BLOCK);
    assert_true(pages_peak() < (size_t)BLOCK << 4);
}

static void a_files_pages_come_back(void **state)
{
    (void)state;
    static char bytes[3 * 65536];
    struct file_view view;
    struct error err;
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)(i * 31 >> 4);
    check_ok(file_write("pages.tmp", bytes, sizeof bytes, &err), &err);
    check_ok(file_map(&view, "pages.tmp", &err), &err);
    assert_true(file_is_mapped(&view));
    assert_memory_equal(view.data, bytes, sizeof bytes);
    pages_rest(view.data + 5, sizeof bytes - 9);
    pages_rest(view.data + 5, 3); /* no whole page */
    assert_memory_equal(view.data, bytes, sizeof bytes);
    file_unmap(&view);
    unlink("pages.tmp");
}

static void fill(struct model *model)
{
    for (int i = 0; i < model->params.count; i++)
        for (size_t k = 0; k < model->params.list[i].size; k++)
            params_values(&model->params, i)[k] = (float)(k % 13) * 0.01f + (float)i * 0.001f + 0.01f;
}

static void write_model(const char *path, bool half, void (*change)(struct model *))
{
    struct model model;
    struct error err;
    check_ok(model_make(&model, (struct yolo11_config){.scale = YOLO11_PICO, .classes = 2}, &err), &err);
    fill(&model);
    if (change) change(&model);
    check_ok(model_save(&model, path, half, NULL, NULL, &err), &err);
    model_free(&model);
}

/* Returns how many tensors stayed in the file. */
static int compare_with_copy(const char *path)
{
    struct model copied, mapped;
    struct error err;
    check_ok(model_open(&copied, path, &err), &err);
    check_ok(model_open_mapped(&mapped, path, &err), &err);
    assert_int_equal(mapped.params.count, copied.params.count);
    int stayed = 0;
    for (int i = 0; i < copied.params.count; i++) {
        const struct param *a = copied.params.list + i, *b = mapped.params.list + i;
        assert_false(a->mapped);
        assert_memory_equal(a->place, b->place, a->size * sizeof(float));
        stayed += b->mapped;
    }
    struct model other; /* a copy owns its values, wherever they came from */
    check_ok(model_copy(&other, &mapped, &err), &err);
    model_free(&mapped);
    assert_memory_equal(other.params.values, copied.params.values, copied.params.total * sizeof(float));
    model_free(&other);
    model_free(&copied);
    return stayed;
}

/* One value that loading flushes, and one that it keeps. */
static void put_small(struct model *model)
{
    params_values(&model->params, 3)[1] = 0x1p-41f;
    params_values(&model->params, 5)[0] = -0x1p-40f;
}

static void put_infinity(struct model *model) { params_values(&model->params, 4)[2] = 1e38f * 10.f; }

static void put_negative_variance(struct model *model)
{
    for (int i = 0; i < model->params.count; i++)
        if (strstr(model->params.list[i].name, "model.1.bn.running_var"))
            params_values(&model->params, i)[2] = -0.25f;
}

static void mapped_values_are_the_copied_ones(void **state)
{
    (void)state;
    struct model model;
    struct error err;
    write_model("mapped.safetensors", false, NULL);
    const int all = compare_with_copy("mapped.safetensors");
    assert_true(all > 300);
    write_model("mapped.safetensors", false, put_small);
    assert_int_equal(compare_with_copy("mapped.safetensors"), all - 1);
    write_model("mapped.safetensors", true, NULL); /* float16 must be converted */
    assert_int_equal(compare_with_copy("mapped.safetensors"), 0);
    write_model("mapped.safetensors", false, put_infinity);
    assert_int_equal(model_open_mapped(&model, "mapped.safetensors", &err), ERR_INPUT);
    assert_non_null(strstr(err.message, "value 2 is inf, expected a finite number"));
    assert_null(model.params.list);
    write_model("mapped.safetensors", false, put_negative_variance);
    assert_int_equal(model_open_mapped(&model, "mapped.safetensors", &err), ERR_INPUT);
    assert_non_null(strstr(err.message, "model.1.bn.running_var: value 2 is -0.25, expected a variance"));
    assert_int_equal(model_open(&model, "mapped.safetensors", &err), ERR_INPUT);
    assert_non_null(strstr(err.message, "model.1.bn.running_var: value 2 is -0.25, expected a variance"));
    unlink("mapped.safetensors");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_start_as_zeros),
        cmocka_unit_test(the_peak_outlives_its_block),
        cmocka_unit_test(a_files_pages_come_back),
        cmocka_unit_test(mapped_values_are_the_copied_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
