/* PyTorch checkpoints. */
#include "check.h"
#include "check_json.h"

#include "base/hash.h"
#include "base/json.h"
#include "nn/pt.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static float *read_tensor(const struct weight_tensor *tensor)
{
    float *values = malloc((size_t)(tensor->count + 1) * sizeof *values);
    assert_non_null(values);
    weights_read(values, tensor);
    return values;
}

/* Every tensor of the file as the reference lists it: set of names, shape, hash of the float32 values. */
static void compare_file(const char *file, const char *key)
{
    check_needs_json();
    struct error err;
    struct json *root;
    struct weights weights;
    check_ok(json_read_file(&root, check_shared("golden/yolo11/pt_fixture.json"), 1 << 20, &err), &err);
    check_ok(weights_open(&weights, check_shared(file), &err), &err);
    const struct json *tensors = json_member(json_member(root, key), "tensors");
    assert_int_equal(weights.count, json_count(tensors));
    struct json_cursor cursor = {.object = tensors};
    const char *name;
    size_t place = 0;
    for (const struct json *row; json_next(&cursor, &name, &row); place++) {
        const struct weight_tensor *tensor = weights_find(&weights, name);
        assert_non_null(tensor);
        assert_ptr_equal(tensor, &weights.tensors[place]); /* the order of the state dict */
        const struct json *shape = json_member(row, "shape");
        assert_int_equal(tensor->dims, json_count(shape));
        for (int d = 0; d < tensor->dims; d++)
            assert_int_equal(tensor->shape[d], json_int(json_item(shape, (size_t)d), -1));
        float *values = read_tensor(tensor);
        char hex[SHA256_HEX];
        sha256_bytes(values, (size_t)tensor->count * sizeof *values, hex);
        assert_string_equal(hex, json_text(json_member(row, "sha256_float32")));
        free(values);
    }
    weights_close(&weights);
    json_free(root);
}

static void checkpoint_matches_the_reference(void **state)
{
    (void)state;
    compare_file("golden/yolo11/fixture.pt", "fixture.pt");
}

static void mixed_state_dict_matches_the_reference(void **state)
{
    (void)state;
    compare_file("golden/yolo11/fixture_mixed_state.pt", "fixture_mixed_state.pt");
}

static void published_checkpoint_holds_the_same_values(void **state)
{
    (void)state;
    check_needs_json();
    struct error err;
    struct weights exact, half;
    check_ok(weights_open(&exact, check_shared("weights/yolo11n-coco.safetensors"), &err), &err);
    check_ok(weights_open(&half, check_shared("weights/yolo11n-coco.pt"), &err), &err);
    const char *classes = weights_metadata(&half, "classes");
    assert_true(classes && strncmp(classes, "person\nbicycle\ncar\n", 19) == 0);
    assert_string_equal(weights_metadata(&half, "architecture"), "yolo11n");
    size_t counters = 0;
    for (size_t i = 0; i < half.count; i++) {
        const char *name = half.tensors[i].name;
        if (strstr(name, "num_batches_tracked")) {
            counters++;
            continue;
        }
        const struct weight_tensor *other = weights_find(&exact, name);
        if (!other) print_error("%s is not in the safetensors file\n", name);
        assert_true(other && other->count == half.tensors[i].count);
        float *a = read_tensor(other), *b = read_tensor(&half.tensors[i]);
        /* Rounding to nearest: half a unit of an 11-bit significand, or of the smallest subnormal. */
        for (int64_t k = 0; k < other->count; k++)
            assert_true(fabsf(a[k] - b[k]) <= fmaxf(fabsf(a[k]) * 0x1p-11f, 0x1p-25f));
        free(a);
        free(b);
    }
    assert_int_equal(half.count - counters, exact.count);
    weights_close(&exact);
    weights_close(&half);
}

/* fuzz/corpus/pt/views.pt: five tensors, three of them views of one storage 0, 1, ..., 11 of [3,4]. */
static uint8_t *read_seed(size_t *n)
{
    FILE *file = fopen("fuzz/corpus/pt/views.pt", "rb");
    assert_non_null(file);
    uint8_t *data = malloc(10000);
    *n = fread(data, 1, 10000, file);
    fclose(file);
    return data;
}

static void views_share_a_storage(void **state)
{
    (void)state;
    size_t n;
    uint8_t *data = read_seed(&n);
    struct weights weights;
    struct error err;
    check_ok(weights_parse(&weights, data, n, "views", &err), &err);
    assert_int_equal(weights.count, 5);
    static const float transposed[] = {0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}, slice[] = {4, 6, 8, 10};
    float values[12];
    assert_ptr_equal(weights_find(&weights, "a")->data, weights_find(&weights, "t")->data);
    weights_read(values, weights_find(&weights, "t"));
    assert_memory_equal(values, transposed, sizeof transposed);
    weights_read(values, weights_find(&weights, "s"));
    assert_memory_equal(values, slice, sizeof slice);
    weights_read(values, weights_find(&weights, "h"));
    assert_true(values[0] == 1 && values[1] == 1);
    weights_read(values, weights_find(&weights, "n"));
    assert_true(values[0] == 5);
    weights_close(&weights);
    free(data);
}

static void cut_files_are_refused(void **state)
{
    (void)state;
    size_t n;
    uint8_t *data = read_seed(&n);
    for (size_t cut = 0; cut < n; cut++) {
        uint8_t *part = malloc(cut + !cut);
        memcpy(part, data, cut);
        struct weights weights;
        assert_int_equal(pt_parse(&weights, part, cut, "cut", NULL), ERR_INPUT);
        free(part);
    }
    free(data);
}

static void changed_bits_never_break_the_reader(void **state)
{
    (void)state;
    size_t n;
    uint8_t *data = read_seed(&n);
    for (size_t bit = 0; bit < 8 * n; bit++) {
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        struct weights weights;
        const enum status status = pt_parse(&weights, data, n, "bits", NULL);
        assert_true(status == OK || status == ERR_INPUT);
        for (size_t i = 0; status == OK && i < weights.count; i++) free(read_tensor(&weights.tensors[i]));
        if (status == OK) weights_close(&weights);
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    free(data);
}

static void unknown_opcodes_are_named_with_their_place(void **state)
{
    (void)state;
    size_t n;
    uint8_t *data = read_seed(&n);
    uint8_t *protocol = memchr(data, 0x80, n);
    assert_non_null(protocol);
    protocol[2] = 0xfe; /* the opcode after PROTO 2 */
    struct weights weights;
    struct error err;
    assert_int_equal(pt_parse(&weights, data, n, "odd", &err), ERR_INPUT);
    assert_string_equal(err.message, "odd: data.pkl: byte 2 (opcode 0xfe): unknown opcode");
    free(data);
}

/* The product of its other sizes is beyond 64 bits. */
static void empty_tensors_are_in_order(void **state)
{
    (void)state;
    const int64_t huge = (int64_t)1 << 40;
    const struct weight_tensor tensor = {.dims = 3, .shape = {0, huge, huge}, .stride = {7, huge, 1}};
    assert_true(weights_row_major(&tensor));
}

/* tests/data/shared.pt: 16 modules, each twice the child of the one before, and one dict that all share. */
static void endless_walks_are_refused(void **state)
{
    (void)state;
    struct weights weights;
    struct error err;
    assert_int_equal(weights_open(&weights, "tests/data/shared.pt", &err), ERR_INPUT);
    assert_non_null(strstr(err.message, "steps to walk"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checkpoint_matches_the_reference),
        cmocka_unit_test(mixed_state_dict_matches_the_reference),
        cmocka_unit_test(published_checkpoint_holds_the_same_values),
        cmocka_unit_test(views_share_a_storage),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(changed_bits_never_break_the_reader),
        cmocka_unit_test(unknown_opcodes_are_named_with_their_place),
        cmocka_unit_test(empty_tensors_are_in_order),
        cmocka_unit_test(endless_walks_are_refused),
    };
    return cmocka_run_group_tests_name("pt", tests, NULL, NULL);
}
