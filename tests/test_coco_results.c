/* COCO's results format, read back. */
#include "check.h"

#include "base/file.h"
#include "base/json.h"
#include "detect/class_names.h"
#include "detect/coco_results.h"

#include <stdio.h>
#include <string.h>

static const struct detection found[2] = {{.box = {1.5f, 2, 11.5f, 22}, .confidence = 0.75f, .class_id = 0},
                                          {.box = {0, 0, 3, 4}, .confidence = 0.1f, .class_id = 79}};

static struct json *read_back(const char *path)
{
    struct error err;
    struct json *root;
    check_ok(json_read_file(&root, path, 1 << 20, &err), &err);
    return root;
}

static void results_read_back(void **state)
{
    (void)state;
    static const double box[4] = {1.5, 2, 10, 20};
    static const char *const pictures[4] = {"a/000000000139.jpg", "cam.y4m#12", "b/street.7.jpg", "#x.png"};
    const char *names[CLASS_NAMES_COCO];
    char path[600];
    struct coco_results results;
    struct error err;
    for (int c = 0; c < CLASS_NAMES_COCO; c++) names[c] = class_names_coco(c);
    snprintf(path, sizeof path, "%s/results.json", check_folder());
    check_ok(coco_results_begin(&results, path, names, CLASS_NAMES_COCO, &err), &err);
    for (int i = 0; i < 4; i++) coco_results_add(&results, pictures[i], found, 2);
    assert_false(file_exists(path)); /* nothing before the end */
    check_ok(coco_results_end(&results, &err), &err);
    coco_results_discard(&results); /* fine behind the end */
    assert_true(file_exists(path));
    if (!HAVE_JANSSON) return;
    struct json *root = read_back(path);
    assert_int_equal(json_count(root), 8);
    assert_int_equal(json_int(json_member(json_item(root, 0), "image_id"), -1), 139);
    assert_int_equal(json_int(json_member(json_item(root, 2), "image_id"), -1), 12);
    assert_string_equal(json_text(json_member(json_item(root, 4), "image_id")), "street.7");
    assert_string_equal(json_text(json_member(json_item(root, 6), "image_id")), "#x");
    assert_int_equal(json_int(json_member(json_item(root, 0), "category_id"), -1), 1);
    assert_int_equal(json_int(json_member(json_item(root, 1), "category_id"), -1), 90);
    assert_true(json_number(json_member(json_item(root, 0), "score"), -1) == 0.75);
    for (size_t k = 0; k < 4; k++)
        assert_true(json_number(json_item(json_member(json_item(root, 0), "bbox"), k), -1) == box[k]);
    json_free(root);
}

static void other_classes_count_from_one(void **state)
{
    (void)state;
    static const char *const names[2] = {"cat", "dog"};
    char path[600];
    struct coco_results results;
    struct error err;
    snprintf(path, sizeof path, "%s/other.json", check_folder());
    check_ok(coco_results_begin(&results, path, names, 2, &err), &err);
    coco_results_add(&results, "1.png", found, 1);
    check_ok(coco_results_end(&results, &err), &err);
    if (HAVE_JANSSON) {
        struct json *root = read_back(path);
        assert_int_equal(json_int(json_member(json_item(root, 0), "category_id"), -1), 1);
        json_free(root);
    }
    check_ok(coco_results_begin(&results, path, NULL, 1, &err), &err); /* given up: the old file stays */
    coco_results_discard(&results);
    assert_true(file_exists(path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_read_back),
        cmocka_unit_test(other_classes_count_from_one),
    };
    return cmocka_run_group_tests_name("coco results", tests, NULL, NULL);
}
