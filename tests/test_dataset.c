/* Data sets: folders, data.yaml, statistics. */
#include "check.h"

#include "base/file.h"
#include "detect/data_yaml.h"
#include "detect/dataset.h"

#include <stdio.h>
#include <string.h>

static struct arena arena;

static const char *put(const char *name, const char *text)
{
    const char *const path = arena_printf(&arena, "%s/%s", check_folder(), name);
    char *const folder = arena_strdup(&arena, path);
    assert_true(path && folder);
    *strrchr(folder, '/') = 0;
    struct error err;
    check_ok(file_make_folder(folder, &err), &err);
    check_ok(file_write(path, text, strlen(text), &err), &err);
    return path;
}

static const char *base_name(const char *path) { return strrchr(path, '/') + 1; }

static void put_pictures(void)
{
    static const char *const names[] = {"b.jpg", "a.PNG", "c.10.ppm", ".hidden.jpg", "notes.txt"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        put(arena_printf(&arena, "set/images/%s", names[i]), "");
    put("set/labels/a.txt", "1 .5 .5 .1 .1\n1 .6 .5 .1 .1\n");
    put("set/labels/c.10.txt", "0 .5 .5 .1 .1\n");
}

static void check_set(struct dataset *set)
{
    assert_int_equal(set->count, 3);
    assert_string_equal(base_name(set->items[0].image), "a.PNG");
    assert_string_equal(base_name(set->items[0].labels), "a.txt");
    assert_string_equal(base_name(set->items[2].labels), "c.10.txt");
    dataset_close(set);
}

static void folders_and_yaml_list_the_same(void **state)
{
    (void)state;
    put_pictures();
    struct dataset set;
    struct error err;
    check_ok(dataset_open(&set, arena_printf(&arena, "%s/set", check_folder()), DATASET_TRAIN, &err), &err);
    assert_true(set.classes == 0 && !set.names);
    check_set(&set);
    const char *const yaml = put("data.yaml", "path: set\ntrain: images\nval: pictures\nnames: [car, bus]\n");
    check_ok(dataset_open(&set, yaml, DATASET_TRAIN, &err), &err);
    assert_int_equal(set.classes, 2);
    assert_string_equal(set.names[1], "bus");
    check_set(&set);
    assert_int_equal(dataset_open(&set, yaml, DATASET_VAL, &err), ERR_INPUT);
    assert_non_null(strstr(err.message, "images"));
}

static void wrong_sets_are_refused(void **state)
{
    (void)state;
    struct dataset set;
    struct error err;
    assert_int_equal(dataset_open(&set, "/nonexistent", DATASET_TRAIN, &err), ERR_INPUT);
    assert_non_null(strstr(err.message, "/nonexistent/images"));
    put("empty/images/readme.txt", "");
    assert_int_equal(
        dataset_open(&set, arena_printf(&arena, "%s/empty", check_folder()), DATASET_TRAIN, &err), ERR_INPUT);
    assert_non_null(strstr(err.message, "found none"));
}

static void parse(struct data_yaml *yaml, const char *text)
{
    struct error err;
    check_ok(data_yaml_parse(yaml, &arena, text, strlen(text), "d.yaml", &err), &err);
}

static void names_come_in_four_forms(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "names: [car, 'big, bus', \"it's\"]\n", "names: {0: car, 1: 'big, bus', 2: it's}\n",
        "names:\n  - car # red\n  - \"big, bus\"\n  - it's\ntrain: images/x\n",
        "nc: 3\r\nnames:\r\n  0: car\r\n  1: 'big, bus'\r\n\r\n  2: it's\r\nroboflow:\r\n  9: x\r\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct data_yaml yaml;
        parse(&yaml, texts[i]);
        assert_int_equal(yaml.classes, 3);
        assert_string_equal(yaml.names[0], "car");
        assert_string_equal(yaml.names[1], "big, bus");
        assert_string_equal(yaml.names[2], "it's");
    }
}

static void wrong_yaml_is_refused_by_line(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\nnames: [a, b\n", "\nnames:{0: a, 2: b}\n",   "\nnc: many\n", "\ntrain: [a, b]\n",
        "\nnames: car\n",   "names: [a]\nnames: [b]\n", "\njust text\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct data_yaml yaml;
        struct error err;
        assert_int_equal(data_yaml_parse(&yaml, &arena, texts[i], strlen(texts[i]), "d.yaml", &err),
                         ERR_INPUT);
        assert_true(!strncmp(err.message, "d.yaml:2: ", 10));
        if (i == 2) assert_non_null(strstr(err.message, "a number up to 10000, found \"many\""));
    }
    struct data_yaml yaml;
    static const char differs[] = "nc: 2\nnames: [a]\n";
    assert_int_equal(data_yaml_parse(&yaml, &arena, differs, strlen(differs), "d.yaml", NULL), ERR_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_and_yaml_list_the_same),
        cmocka_unit_test(wrong_sets_are_refused),
        cmocka_unit_test(names_come_in_four_forms),
        cmocka_unit_test(wrong_yaml_is_refused_by_line),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
