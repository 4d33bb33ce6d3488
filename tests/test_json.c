/* JSON in and out. */
#include "check.h"
#include "check_json.h"

#include "base/file.h"
#include "base/json.h"
#include "base/json_write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum status read_text(struct json **root, const char *text, struct error *err)
{
    return json_read_bytes(root, text, strlen(text), "text", 1000, err);
}

static void documents_answer_questions(void **state)
{
    (void)state;
    check_needs_json();
    struct json *root;
    struct error err;
    check_ok(read_text(&root, "{\"n\":7,\"x\":0.5,\"t\":\"word\",\"b\":true,\"list\":[1,2.5,null],\"o\":{}}",
                       &err),
             &err);
    int64_t n;
    double x;
    const char *text;
    bool b;
    const struct json *list;
    check_ok(json_get_int(&n, root, "n", 0, 7, "text", &err), &err);
    check_ok(json_get_number(&x, root, "n", "text", &err), &err);
    check_ok(json_get_number(&x, root, "x", "text", &err), &err);
    check_ok(json_get_text(&text, root, "t", "text", &err), &err);
    check_ok(json_get_bool(&b, root, "b", "text", &err), &err);
    check_ok(json_get_array(&list, root, "list", "text", &err), &err);
    assert_true(n == 7 && x == 0.5 && b && strcmp(text, "word") == 0);
    assert_true(json_count(list) == 3 && json_number(json_item(list, 1), 0) == 2.5 && !json_item(list, 3));
    assert_true(json_kind(json_item(list, 2)) == JSON_KIND_NULL && json_int(json_item(list, 2), -1) == -1);
    struct json_cursor cursor = {.object = root};
    const char *key, *order = "nxtblo";
    for (const struct json *value; json_next(&cursor, &key, &value); order++)
        assert_int_equal(key[0], *order);
    assert_int_equal(*order, 0);
    assert_int_equal(json_get_int(&n, root, "n", 0, 6, "text", &err), ERR_INPUT);
    assert_string_equal(err.message, "text: \"n\": expected 0 to 6, found 7");
    assert_int_equal(json_get_text(&text, root, "absent", "text", &err), ERR_INPUT);
    assert_string_equal(err.message, "text: \"absent\": expected a string, found nothing");
    assert_int_equal(json_get_bool(&b, list, "x", "text", &err), ERR_INPUT);
    assert_string_equal(err.message, "text: expected an object with \"x\", found an array");
    json_free(root);
}

static void hostile_documents_are_refused(void **state)
{
    (void)state;
    check_needs_json();
    static const char *const wrong[] = {"",
                                        "{",
                                        "{\"a\":1,\"a\":2}",
                                        "[1] 2",
                                        "[1e999]",
                                        "[99999999999999999999]",
                                        "[\"\\u0000\"]",
                                        "[\"\xff\"]",
                                        "nul",
                                        "[1,]",
                                        "\"abc",
                                        "\"\\"};
    struct json *root;
    struct error err;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(read_text(&root, wrong[i], &err), ERR_INPUT);
        assert_non_null(strstr(err.message, "text: line "));
        assert_null(root);
    }
    char deep[300];
    memset(deep, '[', sizeof deep);
    assert_int_equal(json_read_bytes(&root, deep, sizeof deep, "deep", 1000, &err), ERR_INPUT);
    assert_string_equal(err.message, "deep: byte 64: nested deeper than 64");
    assert_int_equal(json_read_bytes(&root, deep, sizeof deep, "long", 200, &err), ERR_INPUT);
    assert_string_equal(err.message, "long: 300 bytes of JSON, at most 200 allowed");
    assert_int_equal(json_read_file(&root, "/nowhere.json", 10, &err), ERR_INPUT);
}

static void put_all(struct json_writer *out)
{
    json_open(out, NULL, '{');
    json_put_text(out, "text", "a\"\\\n\x01\xc3\xa4\xff");
    json_open(out, "numbers", '[');
    json_put_int(out, NULL, INT64_MIN);
    json_put_double(out, NULL, 0.1);
    json_put_double(out, NULL, 1.0 / 3);
    json_put_float(out, NULL, 0.1f);
    json_put_float(out, NULL, 16777216);
    json_put_double(out, NULL, NAN);
    json_close(out);
    json_open(out, "none", '{');
    json_close(out);
    json_put_bool(out, "flag", false);
    json_put_null(out, "null");
    json_close(out);
}

static void writing_is_exact(void **state)
{
    (void)state;
    check_needs_json();
    struct json_buffer json;
    struct error err;
    check_ok(json_buffer_begin(&json, false, &err), &err);
    put_all(&json.out);
    check_ok(json_buffer_end(&json, &err), &err);
    assert_int_equal(json.size, strlen(json.text));
    assert_string_equal(
        json.text,
        "{\"text\":\"a\\\"\\\\\\n\\u0001\xc3\xa4\xef\xbf\xbd\",\"numbers\":[-9223372036854775808,0.1,"
        "0.3333333333333333,0.1,16777216,null],\"none\":{},\"flag\":false,\"null\":null}\n");
    struct json *root;
    check_ok(read_text(&root, json.text, &err), &err);
    json_free(root);
    free(json.text);
}

static void pretty_lines_can_be_flat(void **state)
{
    (void)state;
    struct json_buffer json;
    struct error err;
    check_ok(json_buffer_begin(&json, true, &err), &err);
    json_open(&json.out, NULL, '{');
    json_open(&json.out, "a", '[');
    json_put_int(&json.out, NULL, 1);
    json_open_flat(&json.out, NULL, '{');
    json_put_int(&json.out, "b", 2);
    json_open_flat(&json.out, "c", '[');
    json_put_int(&json.out, NULL, 3);
    json_put_int(&json.out, NULL, 4);
    json_close(&json.out);
    json_put_int(&json.out, "d", 5);
    json_close(&json.out);
    json_close(&json.out);
    json_open_flat(&json.out, "e", '[');
    json_close(&json.out);
    json_close(&json.out);
    check_ok(json_buffer_end(&json, &err), &err);
    assert_string_equal(json.text, "{\n  \"a\": [\n    1,\n    {\"b\": 2, \"c\": [3, 4], \"d\": 5}\n  ],\n"
                                   "  \"e\": []\n}\n");
    free(json.text);
}

static void reals_read_back(void **state)
{
    (void)state;
    static const double values[] = {0,         -0.0,   0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308,
                                    123456789, -2.5e-7};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct json_buffer json;
        struct error err;
        check_ok(json_buffer_begin(&json, false, &err), &err);
        json_put_double(&json.out, NULL, values[i]);
        check_ok(json_buffer_end(&json, &err), &err);
        const double back = strtod(json.text, NULL);
        assert_memory_equal(&back, &values[i], sizeof back);
        free(json.text);
    }
}

static void logs_grow_by_whole_lines(void **state)
{
    (void)state;
    char path[600];
    snprintf(path, sizeof path, "%s/log.jsonl", check_folder());
    struct error err;
    for (int run = 0; run < 2; run++) {
        struct json_log log;
        check_ok(json_log_open(&log, path, &err), &err);
        check_ok(json_log_begin(&log, &err), &err);
        json_put_int(&log.line.out, "run", run);
        check_ok(json_log_end(&log, &err), &err);
        check_ok(json_log_close(&log, &err), &err);
    }
    struct file_view view;
    check_ok(file_map(&view, path, &err), &err);
    static const char expected[] = "{\"run\":0}\n{\"run\":1}\n";
    assert_int_equal(view.size, sizeof expected - 1);
    assert_memory_equal(view.data, expected, view.size);
    file_unmap(&view);
    struct json_log log;
    assert_int_equal(json_log_open(&log, "/nowhere/log", &err), ERR_INPUT);
    check_ok(json_log_open(&log, "/dev/full", &err), &err);
    check_ok(json_log_begin(&log, &err), &err);
    assert_int_equal(json_log_end(&log, &err), ERR_SYSTEM);
    (void)json_log_close(&log, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_answer_questions),
        cmocka_unit_test(hostile_documents_are_refused),
        cmocka_unit_test(writing_is_exact),
        cmocka_unit_test(pretty_lines_can_be_flat),
        cmocka_unit_test(reals_read_back),
        cmocka_unit_test(logs_grow_by_whole_lines),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
