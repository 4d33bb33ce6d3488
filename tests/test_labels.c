/* Label files: what is read, what is refused and how the message reads. */
#include "check.h"

#include "base/file.h"
#include "detect/class_names.h"
#include "detect/labels.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct arena arena;

static enum status parse(struct labels *labels, const char *text, int classes, struct error *err)
{
    return labels_parse(labels, &arena, text, strlen(text), "a.txt", classes, err);
}

static void boxes_keep_their_order(void **state)
{
    (void)state;
    struct labels l;
    struct error err;
    check_ok(parse(&l, "3 0.5 0.25 0.125 1\r\n\n  1\t1.01 -0.01 0 .5 0.75 \n0 1e-1 .2 .3 .4", 4, &err), &err);
    assert_int_equal(l.count, 3);
    assert_true(l.rows[0].class_id == 3 && l.rows[0].cx == 0.5f && l.rows[0].h == 1 &&
                l.rows[0].confidence < 0);
    assert_true(l.rows[1].class_id == 1 && l.rows[1].cx == 1.01f && l.rows[1].confidence == 0.75f);
    assert_true(l.rows[2].cx == 0.1f);
    check_ok(parse(&l, "", 4, &err), &err);
    assert_int_equal(l.count, 0);
}

static void duplicates_go_and_leave_rows_sorted(void **state)
{
    (void)state;
    struct labels l;
    struct error err;
    check_ok(parse(&l, "2 .5 .5 .1 .1\n1 .6 .5 .1 .1\n1 .5 .5 .1 .1\n2 .5 .5 .1 .1\n", 0, &err), &err);
    assert_int_equal(l.count, 3);
    assert_true(l.rows[0].class_id == 1 && l.rows[0].cx == 0.5f);
    assert_true(l.rows[1].class_id == 1 && l.rows[1].cx == 0.6f);
    assert_int_equal(l.rows[2].class_id, 2);
}

static void polygons_become_boxes(void **state)
{
    (void)state;
    struct labels l;
    struct error err;
    check_ok(parse(&l, "0 .25 .5 .75 .5 .5 1\n", 1, &err), &err);
    assert_true(l.rows[0].cx == 0.5f && l.rows[0].cy == 0.75f && l.rows[0].w == 0.5f && l.rows[0].h == 0.5f);
    static const float corners[] = {.25f, .5f, .75f, .5f, .5f, 1};
    assert_int_equal(l.rows[0].point_count, 3);
    assert_memory_equal(l.rows[0].points, corners, sizeof corners);
    check_ok(parse(&l, " 0  0 0 .5  .25\t.125 0.5  1 1 \r\n0 .5 .5 .1 .1", 1, &err), &err);
    assert_int_equal(l.rows[0].point_count, 4);
    assert_true(l.rows[0].points[7] == 1 && l.rows[0].w == 1);
    assert_true(!l.rows[1].points && !l.rows[1].point_count);
}

/* What is written is read again, corner by corner; hashes see the corners, not only the box around them. */
static void polygons_are_kept(void **state)
{
    (void)state;
    struct labels a, b, other;
    struct error err;
    char path[600];
    snprintf(path, sizeof path, "%s/polygons.txt", check_folder());
    check_ok(parse(&a, "0 .25 .5 .75 .5 .5 .9\n0 .5 .5 .1 .1\n", 1, &err), &err);
    check_ok(labels_write(path, a.rows, a.count, &err), &err);
    check_ok(labels_read(&b, &arena, path, 1, &err), &err);
    check_ok(parse(&other, "0 .25 .5 .75 .5 .6 .9\n0 .5 .5 .1 .1\n", 1, &err), &err);
    const struct labels *const all[] = {&a, &b, &other};
    char hex[3][SHA256_HEX];
    for (int i = 0; i < 3; i++) {
        struct sha256 hash;
        sha256_init(&hash);
        labels_hash(&hash, all[i], false);
        sha256_hex(&hash, hex[i]);
    }
    assert_string_equal(hex[0], hex[1]);
    assert_string_not_equal(hex[0], hex[2]);
}

/* A hash is of what is learned: a teacher that is as sure in other digits teaches the same, but for soft labels. */
static void confidences_are_hashed_when_they_count(void **state)
{
    (void)state;
    static const char *const rows[] = {"0 .5 .5 .1 .1 .25\n", "0 .5 .5 .1 .1\n", "0 .5 .5 .1 .2 .25\n"};
    char hex[2][3][SHA256_HEX];
    for (int i = 0; i < 6; i++) {
        struct labels l;
        struct error err;
        struct sha256 hash;
        check_ok(parse(&l, rows[i % 3], 1, &err), &err);
        sha256_init(&hash);
        labels_hash(&hash, &l, i >= 3);
        sha256_hex(&hash, hex[i / 3][i % 3]);
    }
    assert_string_equal(hex[0][0], hex[0][1]);
    assert_string_not_equal(hex[0][0], hex[0][2]);
    assert_string_not_equal(hex[1][0], hex[1][1]);
    assert_string_not_equal(hex[1][0], hex[1][2]);
}

static void wrong_files_are_refused_by_line(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "0 .5 .5 .1",
        "0 .5 .5 .1 1.02",
        "0 .5 .5 -.001 .1",
        "0 -.02 .5 .1 .1",
        "4 .5 .5 .1 .1",
        "-1 .5 .5 .1 .1",
        "0.5 .5 .5 .1 .1",
        "0 .5 .5 .1 .1 1.5",
        "0 .5 .5 .1 .1 -0.5",
        "0 nan .5 .1 .1",
        "0 0x1p-1 .5 .1 .1",
        "0 inf .5 .1 .1",
        "car .5 .5 .1 .1",
        "0 .5 .5 .1 .1e",
        "0 .5 .5 .1 .1 .2 .3 .4",
        "0 .5,.5 .1 .1",
        "99999999999 .5 .5 .1 .1",
        "0 . .5 .1 .1",
        "0 0.500000000000000000000000000000000000000000000000000000000000000000000000 .5 .1 .1",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[256];
        snprintf(text, sizeof text, "0 .5 .5 .1 .1\n%s\n", rows[i]);
        struct labels l;
        struct error err;
        assert_int_equal(parse(&l, text, 4, &err), ERR_INPUT);
        assert_true(!strncmp(err.message, "a.txt:2: expected ", 18));
    }
    struct labels l;
    struct error err;
    assert_int_equal(parse(&l, "7 .5 .5 .1 .1\n", 4, &err), ERR_INPUT);
    assert_non_null(strstr(err.message, "a class number from 0 to 3, found 7"));
    assert_int_equal(parse(&l, "0 .5 .5 .1 1.02\n", 4, &err), ERR_INPUT);
    assert_non_null(strstr(err.message, "found 1.02"));
    assert_int_equal(parse(&l, "ca\x1br .5 .5 .1 .1\n", 4, &err), ERR_INPUT);
    assert_non_null(strstr(err.message, "found ca?r"));
}

static void files_are_written_and_read_alike(void **state)
{
    (void)state;
    char path[600];
    snprintf(path, sizeof path, "%s/labels.txt", check_folder());
    const struct detection d = {{10, 20, 43, 71}, 0.3f, 2, 0};
    const struct label rows[2] = {label_of_detection(&d, 640, 357),
                                  {0, 1.f / 3, 0.7f, 0.1f, 0.2f, -1, NULL, 0}};
    struct labels l;
    struct error err;
    check_ok(labels_write(path, rows, 2, &err), &err);
    check_ok(labels_read(&l, &arena, path, 3, &err), &err);
    assert_int_equal(l.count, 2);
    for (int i = 0; i < 2; i++)
        assert_true(l.rows[i].class_id == rows[i].class_id && l.rows[i].cx == rows[i].cx &&
                    l.rows[i].cy == rows[i].cy && l.rows[i].w == rows[i].w && l.rows[i].h == rows[i].h &&
                    l.rows[i].confidence == rows[i].confidence);
    const struct box b = label_box(&l.rows[0], 640, 357);
    assert_true(fabs(b.x1 - 10) < 1e-4 && fabs(b.y2 - 71) < 1e-4);
    check_ok(labels_read(&l, &arena, "/nonexistent/labels.txt", 3, &err), &err); /* a background picture */
    assert_int_equal(l.count, 0);
    check_ok(labels_read(&l, &arena, arena_printf(&arena, "%s/x.txt", path), 3, &err), &err);
    assert_int_equal(l.count, 0);
}

/* Only a file that is not there means a picture without objects. */
static void files_that_cannot_be_opened_are_refused(void **state)
{
    (void)state;
    struct labels l;
    struct error err;
    char name[600];
    const char *const loop = arena_printf(&arena, "%s/loop.txt", check_folder());
    assert_int_equal(symlink("loop.txt", loop), 0);
    assert_int_equal(labels_read(&l, &arena, loop, 3, &err), ERR_INPUT);
    assert_non_null(strstr(err.message, "loop.txt"));
    memset(name, 'x', sizeof name);
    snprintf(name + 400, 5, ".txt");
    assert_int_equal(labels_read(&l, &arena, name, 3, &err), ERR_INPUT);
    const char *const closed = arena_printf(&arena, "%s/closed", check_folder());
    check_ok(file_make_folder(closed, &err), &err);
    chmod(closed, 0);
    if (access(closed, X_OK)) /* not as root */
        assert_int_equal(labels_read(&l, &arena, arena_printf(&arena, "%s/a.txt", closed), 3, &err),
                         ERR_INPUT);
    chmod(closed, 0700);
}

static void classes_are_merged(void **state)
{
    (void)state;
    int *map;
    const int vehicles[] = {0, 1, 2, 4}, wrong[] = {5};
    struct labels l;
    struct error err;
    check_ok(labels_make_map(&map, &arena, 5, vehicles, 4, true, "list", &err), &err);
    check_ok(parse(&l, "3 .5 .5 .1 .1\n4 .6 .5 .1 .1\n0 .5 .5 .1 .1\n7 .5 .5 .1 .1\n", 0, &err), &err);
    labels_map(&l, map, 5);
    assert_int_equal(l.count, 2);
    assert_true(l.rows[0].class_id == 0 && l.rows[0].cx == 0.6f && l.rows[1].class_id == 0);
    check_ok(labels_make_map(&map, &arena, 5, vehicles, 4, false, "list", &err), &err);
    for (int i = 0; i < 5; i++) assert_int_equal(map[i], i == 3 ? -1 : i);
    assert_int_equal(labels_make_map(&map, &arena, 5, wrong, 1, true, "--some-classes", &err), ERR_USAGE);
    assert_string_equal(err.message, "--some-classes: expected numbers from 0 to 4, found 5");
}

static void coco_names(void **state)
{
    (void)state;
    assert_string_equal(class_names_coco(2), "car");
    assert_string_equal(class_names_coco(7), "truck");
    assert_string_equal(class_names_coco(79), "toothbrush");
    assert_int_equal(class_names_coco_category(79), 90);
    assert_null(class_names_coco(80));
    for (int i = 1; i < CLASS_NAMES_COCO; i++)
        assert_true(class_names_coco_category(i) > class_names_coco_category(i - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boxes_keep_their_order),
        cmocka_unit_test(duplicates_go_and_leave_rows_sorted),
        cmocka_unit_test(polygons_become_boxes),
        cmocka_unit_test(polygons_are_kept),
        cmocka_unit_test(confidences_are_hashed_when_they_count),
        cmocka_unit_test(wrong_files_are_refused_by_line),
        cmocka_unit_test(files_are_written_and_read_alike),
        cmocka_unit_test(files_that_cannot_be_opened_are_refused),
        cmocka_unit_test(classes_are_merged),
        cmocka_unit_test(coco_names),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
