/* Half precision and safetensors. */
#include "check.h"
#include "check_json.h"

#include "base/hash.h"
#include "base/json.h"
#include "nn/half.h"
#include "nn/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* CRC-32 as zlib computes it, over the bytes of one more 16-bit word. */
static uint32_t crc_word(uint32_t crc, uint16_t word)
{
    crc = ~crc;
    for (int bit = 0; bit < 16; bit++) {
        const uint32_t feed = (crc ^ (uint32_t)(word >> bit)) & 1;
        crc = crc >> 1 ^ (feed ? 0xedb88320u : 0);
    }
    return ~crc;
}

static void half_matches_the_reference(void **state)
{
    (void)state;
    check_needs_json();
    const char *path = check_shared("golden/ams/half.json");
    struct error err;
    struct json *root;
    check_ok(json_read_file(&root, path, 1 << 20, &err), &err);
    const struct json *cases = json_member(root, "cases");
    assert_true(json_count(cases) > 10);
    for (size_t i = 0; i < json_count(cases); i++) {
        const struct json *row = json_item(cases, i);
        const uint32_t bits = (uint32_t)strtoul(json_text(json_member(row, "f32_bits")), NULL, 16);
        const unsigned long expected = strtoul(json_text(json_member(row, "half_bits")), NULL, 16);
        float x;
        memcpy(&x, &bits, sizeof x);
        assert_int_equal(half_from_float(x), expected);
    }
    uint32_t middle = 0, below = 0, above = 0;
    const struct json *all = json_member(root, "all_midpoints");
    for (uint16_t j = 0; j <= 0x7bfe; j++) {
        /* The last neighbour is infinity: its place on the scale is 65536. */
        const float next = j + 1 < 0x7c00 ? half_to_float((uint16_t)(j + 1)) : 65536.0f;
        const float x = (half_to_float(j) + next) / 2;
        assert_int_equal(half_from_float(x), j + (j & 1));
        middle = crc_word(middle, half_from_float(x));
        below = crc_word(below, half_from_float(nextafterf(x, -INFINITY)));
        above = crc_word(above, half_from_float(nextafterf(x, INFINITY)));
    }
    assert_true(middle == (uint32_t)json_int(json_member(all, "crc32_of_result_le_u16"), 0));
    assert_true(below == (uint32_t)json_int(json_member(all, "crc32_next_below"), 0));
    assert_true(above == (uint32_t)json_int(json_member(all, "crc32_next_above"), 0));
    json_free(root);
}

static void half_rounds_to_nearest_even(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x10000; h++)
        if ((h & 0x7c00) != 0x7c00) assert_int_equal(half_from_float(half_to_float((uint16_t)h)), h);
    assert_int_equal(half_from_float(0x1p-25f), 0);
    assert_int_equal(half_from_float(nextafterf(0x1p-25f, 1)), 1);
    assert_int_equal(half_from_float(-0x1p-26f), 0x8000);
    assert_int_equal(half_from_float(nextafterf(65520, 0)), 0x7bff);
    assert_int_equal(half_from_float(-65520), 0xfc00);
    assert_true(half_fits(-65519.9f) && !half_fits(65520) && !half_fits(INFINITY) && !half_fits(NAN));
    assert_true(isnan(half_to_float(half_from_float(NAN))) && half_to_float(0xfc00) == -INFINITY);
    assert_true(half_from_bfloat16(0x3fc0) == 1.5f && half_from_bfloat16(0xc000) == -2);
}

/* A file of the given header text and data_size bytes 0, 1, 2, ...; *n receives its size. */
static uint8_t *file_of(const char *header, size_t data_size, size_t *n)
{
    const uint64_t length = strlen(header);
    *n = 8 + length + data_size;
    uint8_t *file = malloc(*n);
    memcpy(file, &length, 8);
    memcpy(file + 8, header, length);
    for (size_t i = 0; i < data_size; i++) file[8 + length + i] = (uint8_t)i;
    return file;
}

#define TENSOR(dtype, shape, begin, end)                                                                     \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"

static const char small_header[] = "{\"later\":" TENSOR(
    "I32", "[2]", 12, 20) ",\"__metadata__\":{\"architecture\":\"none\"},"
                          "\"first\":" TENSOR("U8", "[2,3]", 0, 6) ",\"empty\":" TENSOR(
                              "F32", "[0,5]", 6, 6) ",\"second\":" TENSOR("BOOL", "[6]", 6, 12) "}   ";

static void small_file_reads_in_any_order(void **state)
{
    (void)state;
    check_needs_json();
    size_t n;
    uint8_t *file = file_of(small_header, 20, &n);
    struct weights weights;
    struct error err;
    check_ok(safetensors_parse(&weights, file, n, "small", &err), &err);
    assert_int_equal(weights.count, 4);
    assert_string_equal(weights.tensors[0].name, "later");
    assert_string_equal(weights_metadata(&weights, "architecture"), "none");
    assert_null(weights_metadata(&weights, "classes"));
    const struct weight_tensor *first = weights_find(&weights, "first");
    assert_true(first && first->dims == 2 && first->shape[1] == 3 && first->stride[0] == 3 &&
                first->count == 6);
    float values[6];
    weights_read(values, first);
    for (int i = 0; i < 6; i++) assert_true(values[i] == (float)i);
    weights_read(values, weights_find(&weights, "second"));
    assert_true(values[0] == 1);
    weights_read(values, weights_find(&weights, "later"));
    assert_true(values[0] == (float)0x0f0e0d0c);
    assert_int_equal(weights_find(&weights, "empty")->count, 0);
    assert_null(weights_find(&weights, "fir"));
    weights_close(&weights);
    free(file);
}

static void cut_files_are_refused(void **state)
{
    (void)state;
    check_needs_json();
    size_t n;
    uint8_t *file = file_of(small_header, 20, &n);
    for (size_t cut = 0; cut < n; cut++) {
        uint8_t *part = malloc(cut + !cut); /* exact, so that a sanitizer sees a read beyond */
        memcpy(part, file, cut);
        struct weights weights;
        struct error err;
        assert_int_equal(weights_parse(&weights, part, cut, "cut", &err), ERR_INPUT);
        assert_int_equal(strncmp(err.message, "cut: ", 5), 0);
        free(part);
    }
    free(file);
}

static void changed_bits_never_break_the_reader(void **state)
{
    (void)state;
    check_needs_json();
    size_t n;
    uint8_t *file = file_of(small_header, 20, &n);
    float values[64];
    for (size_t bit = 0; bit < 8 * n; bit++) {
        file[bit / 8] ^= (uint8_t)(1 << bit % 8);
        struct weights weights;
        const enum status status = weights_parse(&weights, file, n, "bits", NULL);
        assert_true(status == OK || status == ERR_INPUT);
        for (size_t i = 0; status == OK && i < weights.count; i++) weights_read(values, &weights.tensors[i]);
        if (status == OK) weights_close(&weights);
        file[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    free(file);
}

static void wrong_headers_are_refused_with_a_reason(void **state)
{
    (void)state;
    check_needs_json();
    static const struct {
        const char *header, *reason;
    } cases[] = {
        {"[]", "expected a JSON object"},
        {"{\"a\":3}", "expected an object with \"dtype\""},
        {"{\"a\":" TENSOR("F4", "[4]", 0, 16) "}", "dtype F4 is not supported"},
        {"{\"a\":" TENSOR("F32", "[5]", 0, 16) "}", "needs more than the 16 bytes"},
        {"{\"a\":" TENSOR("F32", "[3]", 0, 16) "}", "expected 12 bytes"},
        {"{\"a\":" TENSOR("F32", "[-4]", 0, 16) "}", "at least 0"},
        {"{\"a\":" TENSOR("F32", "[4.0]", 0, 16) "}", "at least 0"},
        {"{\"a\":" TENSOR("F32", "4", 0, 16) "}", "\"shape\": expected an array"},
        {"{\"a\":" TENSOR("F32", "[1,1,1,1,1,1,1,1,4]", 0, 16) "}", "9 dimensions"},
        {"{\"a\":" TENSOR("F32", "[4294967296,4294967296,4]", 0, 16) "}", "needs more"},
        {"{\"a\":" TENSOR("F32", "[4]", 16, 0) "}", "within 16 bytes"},
        {"{\"a\":" TENSOR("F32", "[4]", -16, 0) "}", "within 16 bytes"},
        {"{\"a\":" TENSOR("F32", "[4]", 4, 20) "}", "within 16 bytes"},
        {"{\"a\":" TENSOR("F32", "[2]", 8, 16) "}", "gap"},
        {"{\"a\":" TENSOR("F32", "[2]", 0, 8) "}", "expected 16"},
        {"{\"a\":" TENSOR("F32", "[4]", 0, 16) ",\"b\":" TENSOR("F32", "[1]", 0, 4) "}", "overlap"},
        {"{\"a\":" TENSOR("F32", "[2]", 0, 8) ",\"a\":" TENSOR("F32", "[2]", 8, 16) "}", "duplicate"},
        {"{\"a\":" TENSOR("F32", "[4]", 0, 16) ",\"__metadata__\":{\"k\":1}}", "expected a string"},
        {"{\"a\":" TENSOR("F32", "[4]", 0, 16) "} x", "line 1 column"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n;
        uint8_t *file = file_of(cases[i].header, 16, &n);
        struct weights weights;
        struct error err;
        assert_int_equal(safetensors_parse(&weights, file, n, "wrong", &err), ERR_INPUT);
        if (!strstr(err.message, cases[i].reason)) print_error("%s: %s\n", cases[i].header, err.message);
        assert_non_null(strstr(err.message, cases[i].reason));
        free(file);
    }
}

static void written_files_read_back(void **state)
{
    (void)state;
    check_needs_json();
    static const float a[] = {1, -2.5f, 0.1f, -0.0f, 3e38f, 1e-42f}, b[] = {0.1f, 65504, -1};
    const struct safetensors_item items[] = {
        {.name = "z \"quoted\"", .dims = 2, .shape = {2, 3}, .values = a},
        {.name = "b.half", .dims = 1, .shape = {3}, .values = b, .half = true},
        {.name = "a.scalar", .values = a}};
    const struct weight_text metadata[] = {{"architecture", "test"}, {"classes", "one\ntwo"}};
    char path[600], hex[SHA256_HEX], again[SHA256_HEX];
    snprintf(path, sizeof path, "%s/written.safetensors", check_folder());
    struct error err;
    check_ok(safetensors_write(path, items, 3, metadata, 2, &err), &err);
    check_ok(sha256_file(path, hex, &err), &err);
    struct weights weights;
    check_ok(weights_open(&weights, path, &err), &err);
    assert_int_equal((size_t)(weights.tensors[0].data - weights.view.data) % 8, 0);
    assert_string_equal(weights.tensors[0].name, "z \"quoted\"");
    assert_string_equal(weights_metadata(&weights, "classes"), "one\ntwo");
    float values[6];
    check_ok(weights_read_finite(values, &weights, &weights.tensors[0], &err), &err);
    assert_memory_equal(values, a, sizeof a);
    weights_read(values, weights_find(&weights, "b.half"));
    assert_true(values[0] == half_to_float(0x2e66) && values[1] == 65504 && values[2] == -1);
    assert_int_equal(weights_find(&weights, "a.scalar")->count, 1);
    weights_close(&weights);
    check_ok(safetensors_write(path, items, 3, metadata, 2, &err), &err);
    check_ok(sha256_file(path, again, &err), &err);
    assert_string_equal(hex, again);
}

static void values_that_are_no_numbers_are_refused(void **state)
{
    (void)state;
    check_needs_json();
    static const float bad[] = {1, 2, INFINITY}, large[] = {1e6f};
    const struct safetensors_item item = {.name = "layer.weight", .dims = 1, .shape = {3}, .values = bad},
                                  half = {
                                      .name = "h", .dims = 1, .shape = {1}, .values = large, .half = true};
    char path[600];
    snprintf(path, sizeof path, "%s/bad.safetensors", check_folder());
    struct error err;
    check_ok(safetensors_write(path, &item, 1, NULL, 0, &err), &err);
    struct weights weights;
    check_ok(weights_open(&weights, path, &err), &err);
    float values[3];
    assert_int_equal(weights_read_finite(values, &weights, &weights.tensors[0], &err), ERR_INPUT);
    assert_non_null(strstr(err.message, "tensor layer.weight: value 2 is inf"));
    weights_close(&weights);
    assert_int_equal(safetensors_write(path, &half, 1, NULL, 0, &err), ERR_INPUT);
    assert_non_null(strstr(err.message, "does not fit float16"));
}

static void chunked_blocks_are_counted_through(void **state)
{
    (void)state;
    static const float value[1] = {1};
    struct safetensors_item items[3] = {{.name = "blocks.0.0.norm1.bias"},
                                        {.name = "blocks.1.3.norm1.bias"},
                                        {.name = "blocks.2.norm1.bias"}};
    char path[600];
    struct weights weights;
    struct error err;
    for (int i = 0; i < 3; i++) items[i].dims = 1, items[i].shape[0] = 1, items[i].values = value;
    snprintf(path, sizeof path, "%s/chunked.safetensors", check_folder());
    check_ok(safetensors_write(path, items, 3, NULL, 0, &err), &err);
    check_ok(weights_open(&weights, path, &err), &err);
    assert_non_null(weights_find(&weights, "blocks.0.norm1.bias"));
    assert_non_null(weights_find(&weights, "blocks.3.norm1.bias"));
    assert_non_null(weights_find(&weights, "blocks.2.norm1.bias"));
    weights_close(&weights);
}

static void published_weights_open(void **state)
{
    (void)state;
    check_needs_json();
    const char *path = check_shared("weights/yolo11n-coco.safetensors");
    struct error err;
    struct weights weights;
    check_ok(weights_open(&weights, path, &err), &err);
    assert_int_equal(weights.count, 418);
    int64_t total = 0;
    float *values = malloc(4 << 20);
    for (size_t i = 0; i < weights.count; i++) {
        assert_true(weights.tensors[i].count <= 1 << 20);
        check_ok(weights_read_finite(values, &weights, &weights.tensors[i], &err), &err);
        assert_ptr_equal(weights_find(&weights, weights.tensors[i].name), &weights.tensors[i]);
        total += weights.tensors[i].count;
    }
    free(values);
    assert_true(total * 4 < (int64_t)weights.view.size && total * 4 > (int64_t)weights.view.size - 100000);
    weights_close(&weights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_matches_the_reference),
        cmocka_unit_test(half_rounds_to_nearest_even),
        cmocka_unit_test(small_file_reads_in_any_order),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(changed_bits_never_break_the_reader),
        cmocka_unit_test(wrong_headers_are_refused_with_a_reason),
        cmocka_unit_test(written_files_read_back),
        cmocka_unit_test(values_that_are_no_numbers_are_refused),
        cmocka_unit_test(chunked_blocks_are_counted_through),
        cmocka_unit_test(published_weights_open),
    };
    return cmocka_run_group_tests_name("safetensors", tests, NULL, NULL);
}
