/* Whole commands on a detector whose answers are known: its weights are zero, so that its biases say the same
 * of every picture, and figures can be computed by hand. $RETORT is the program, as tests/run.sh sets it. */
#include "check.h"
#include "check_json.h"

#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "detect/model.h"
#include "image/encode.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { SIDE = 32, FRAMES = 12, CLASSES = 8, CAR = 2, TRUCK = 7 };
#define VEHICLES "--vehicle-classes 2,7 "

/* ---- Running ---- */

static const char *at(const char *name)
{
    static char ring[8][600];
    static unsigned next;
    char *path = ring[next++ % 8];
    snprintf(path, sizeof ring[0], "%s/%s", check_folder(), name);
    return path;
}

/* Before anything is allocated, which a skipped test would leave behind. */
static void needs_program(void)
{
    if (getenv("RETORT")) return;
    printf("skip: RETORT does not name the program\n");
    skip();
}

/* The exit status of `$RETORT arguments` in the tests' folder; what it prints goes to "output". */
static int retort(const char *arguments)
{
    char line[2000];
    snprintf(line, sizeof line,
             "r=$(realpath \"$RETORT\") && cd '%s' && \"$r\" %s >output 2>messages </dev/null || "
             "{ s=$?; cat messages >&2; exit $s; }",
             check_folder(), arguments);
    const int status = system(line);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static struct json *answer(const char *arguments)
{
    struct json *root;
    struct error err;
    assert_int_equal(retort(arguments), 0);
    check_ok(json_read_file(&root, at("output"), 1 << 20, &err), &err);
    return root;
}

/* ---- Material ---- */

static float *values_of(const struct model *model, const char *format, int level)
{
    char name[48];
    snprintf(name, sizeof name, format, level);
    const int index = params_find(&model->params, name);
    assert_true(index >= 0);
    return params_values(&model->params, index);
}

/* Boxes of every cell reach `distance` cells to all sides, whole or half; of the classes only one is there.
 */
static void set_level(struct model *model, int level, double distance, int class_id, float logit)
{
    float *boxes = values_of(model, "model.23.cv2.%d.2.bias", level);
    float *scores = values_of(model, "model.23.cv3.%d.2.bias", level);
    for (int side = 0; side < HEAD_SIDES; side++) {
        boxes[side * HEAD_BINS + (int)floor(distance)] = 60;
        boxes[side * HEAD_BINS + (int)ceil(distance)] = 60;
    }
    scores[class_id] = logit;
}

/* On a picture of one cell of level 2: a car of 2 * distance * 32 pixels around its centre, confidence 0.88,
 * and from each of level 1's four cells a truck of the same size, 0.73. */
static void write_detector(const char *name, double distance)
{
    struct error err;
    struct model model;
    check_ok(model_make(&model, (struct yolo11_config){.scale = YOLO11_PICO, .classes = CLASSES}, &err),
             &err);
    for (int level = 0; level < HEAD_LEVELS; level++)
        for (int c = 0; c < CLASSES; c++) values_of(&model, "model.23.cv3.%d.2.bias", level)[c] = -30;
    set_level(&model, 2, distance, CAR, 2);
    set_level(&model, 1, 2 * distance, TRUCK, 1);
    check_ok(model_save(&model, at(name), false, NULL, NULL, &err), &err);
    model_free(&model);
}

static void write_student(struct model *model)
{
    struct error err;
    const struct yolo11_config config = {.scale = YOLO11_PICO, .classes = CLASSES};
    check_ok(model_fresh(model, config, 3, &err), &err);
    check_ok(model_save(model, at("student.safetensors"), false, NULL, NULL, &err), &err);
}

static void write_frames(const char *folder, int count)
{
    struct error err;
    struct image image;
    char path[700];
    check_ok(file_make_folder(at(folder), &err), &err);
    check_ok(image_alloc(&image, SIDE, SIDE, &err), &err);
    for (int i = 0; i < count; i++) {
        for (size_t k = 0; k < image_bytes(&image); k++)
            image.pixels[k] = (uint8_t)rng_int(rng_key((uint64_t)i, "pixels"), k, 256);
        snprintf(path, sizeof path, "%s/%02d.ppm", at(folder), i);
        check_ok(image_write(path, &image, 90, &err), &err);
    }
    image_free(&image);
}

static void write_text(const char *name, const char *text)
{
    struct error err;
    check_ok(file_write(at(name), text, strlen(text), &err), &err);
}

static void expect_text(const char *name, const char *expected)
{
    struct error err;
    struct file_view map;
    check_ok(file_map(&map, at(name), &err), &err);
    if (map.size != strlen(expected) || memcmp(map.data, expected, map.size))
        print_error("%s: found \"%.*s\"\n", name, (int)map.size, (const char *)map.data);
    assert_int_equal(map.size, strlen(expected));
    assert_memory_equal(map.data, expected, map.size);
    file_unmap(&map);
}

/* ---- eval --metric ---- */

static void expect_scores(const char *arguments, double map50, double map50_95, double fitness)
{
    struct json *root = answer(arguments);
    const double found[] = {json_number(json_member(root, "map50"), NAN),
                            json_number(json_member(root, "map50_95"), NAN),
                            json_number(json_member(root, "fitness"), NAN)};
    const double expected[] = {map50, map50_95, fitness};
    for (int i = 0; i < 3; i++) assert_true(fabs(found[i] - expected[i]) <= 1e-12);
    json_free(root);
}

/* The one car fills the picture. Of two labels one covers 0.78 of it, a hit at six of the ten thresholds, the
 * other is a speck in a corner: recall ends at 1/2 with precision 1. By the present rule precision is 0
 * beyond, and the area is 0.495; by that of 2024 it falls to 0 at recall 1, and the area is 3/4. */
static void a_metric_of_2024_is_scored(void **state)
{
    (void)state;
    needs_program();
    check_needs_json();
    write_detector("half.safetensors", 0.5);
    write_frames("set/images", 1);
    struct error err;
    check_ok(file_make_folder(at("set/labels"), &err), &err);
    write_text("set/labels/00.txt", "2 0.39 0.5 0.78 1\n2 0.98 0.98 0.04 0.04\n");
#define EVAL "eval -q --json -m half.safetensors -d set --size 32 "
    expect_scores(EVAL, 0.495, 0.297, 0.297);
    expect_scores(EVAL "--metric present", 0.495, 0.297, 0.297);
    expect_scores(EVAL "--metric 2024", 0.75, 0.45, 0.1 * 0.75 + 0.9 * 0.45);
    assert_int_equal(retort(EVAL "--metric 2023"), ERR_USAGE);
}

/* ---- label --merge-first ---- */

/* The car and the trucks overlap by 0.78, and so do trucks side by side; of four in a square two stay, which
 * share a corner only (0.62). As two classes car and trucks stay, and become labels of one class; merged
 * first only the most confident is left. Boxes are cut to the picture. */
#define CAR_LABEL "0 0.5 0.5 1 1 0.880797029\n"
#define TRUCK_LABEL "0 0.5 0.5 1 1 0.731058598\n"
static void classes_are_merged_before_or_after_suppression(void **state)
{
    (void)state;
    needs_program();
    write_detector("double.safetensors", 2);
    write_frames("one", 1);
#define LABEL "label -q -T double.safetensors -f one --size 32 --classes 2,7 --confidences "
    assert_int_equal(retort(LABEL "-o after"), 0);
    expect_text("after/00.txt", CAR_LABEL TRUCK_LABEL TRUCK_LABEL);
    assert_int_equal(retort(LABEL "-o before --merge-first"), 0);
    expect_text("before/00.txt", CAR_LABEL);
}

/* ---- label --views ---- */

/* All three boxes are found in each view; the six of two views on one place become one label whose confidence is their
 * mean, and so do the twelve of four. A threshold above it leaves nothing. */
#define FUSED_LABEL "0 0.5 0.5 1 1 0.780971408\n"
static void views_are_fused_to_one_label(void **state)
{
    (void)state;
    needs_program();
    write_detector("double.safetensors", 2);
    write_frames("one", 1);
    assert_int_equal(retort(LABEL "-o once --views 1"), 0);
    expect_text("once/00.txt", CAR_LABEL TRUCK_LABEL TRUCK_LABEL);
    assert_int_equal(retort(LABEL "-o twice --views 2"), 0);
    expect_text("twice/00.txt", FUSED_LABEL);
    assert_int_equal(retort(LABEL "-o often --views 4"), 0);
    expect_text("often/00.txt", FUSED_LABEL);
    assert_int_equal(retort(LABEL "-o none --views 2 --confidence 0.79"), 0);
    expect_text("none/00.txt", "");
    assert_int_equal(retort(LABEL "-o refused --views 3"), ERR_USAGE);
}

/* ---- distill ---- */

#define DISTILL                                                                                              \
    "distill -q -m student.safetensors -f frames --select all --size 32 --epochs 1 --batch 4 " VEHICLES
#define BY_TEACHER "--teacher double.safetensors --teacher-size 32 "

/* The usual validation, and weights whatever their score. */
static void a_teacher_with_weights_teaches(void **state)
{
    (void)state;
    needs_program();
    check_needs_json();
    struct error err;
    struct model student, result;
    write_student(&student);
    write_detector("double.safetensors", 2);
    write_frames("frames", FRAMES);
    struct json *root = answer(DISTILL BY_TEACHER "--budget 8 --ship always --json -o taught");
    assert_int_equal(json_int(json_member(root, "frames"), -1), FRAMES);
    assert_int_equal(json_int(json_member(root, "selected"), -1), 8);
    assert_int_equal(json_int(json_member(root, "validation"), -1), 4);
    assert_true(json_int(json_member(root, "steps"), -1) > 0);
    json_free(root);
    check_ok(model_open(&result, at("taught/weights.safetensors"), &err), &err);
    assert_int_equal(result.config.classes, 1);
    const float *before = values_of(&student, "model.%d.conv.weight", 0);
    const float *after = values_of(&result, "model.%d.conv.weight", 0);
    assert_true(memcmp(before, after, 8 * 3 * 9 * sizeof *before) != 0); /* it learned */
    int labelled = 0;
    for (int i = 0; i < FRAMES; i++) {
        char name[64];
        snprintf(name, sizeof name, "taught/set/labels/%06d.txt", i);
        if (!file_exists(at(name))) continue;
        expect_text(name, CAR_LABEL TRUCK_LABEL TRUCK_LABEL);
        labelled++;
    }
    assert_int_equal(labelled, 8);
    assert_int_equal(retort(DISTILL BY_TEACHER "--budget 12 --val none --teacher-views 2 -o viewed"), 0);
    expect_text("viewed/set/labels/000000.txt", FUSED_LABEL);
    assert_int_equal(retort(DISTILL BY_TEACHER "--budget 12 --val none -o viewed --resume"), ERR_INPUT);
    assert_int_equal(retort(DISTILL BY_TEACHER "--teacher-views 3 -o refused"), ERR_USAGE);
    assert_true(file_exists(at("taught/report.html")));
    model_free(&result);
    model_free(&student);
}

/* With a mask of a single coordinate, the first, the class layer stays as it started: its row is the mean of
 * the vehicles' rows, summed in double in the order of the list; transfer starts it afresh. */
static void a_kept_head_starts_from_the_vehicles(void **state)
{
    (void)state;
    needs_program();
    struct error err;
    struct model student, kept, fresh;
    write_student(&student);
    write_detector("double.safetensors", 2);
    write_frames("frames", FRAMES);
#define MASKED "--budget 8 --val none --mask first --fraction 1e-6 "
    assert_int_equal(retort(DISTILL BY_TEACHER MASKED "--head keep -o kept"), 0);
    assert_int_equal(retort(DISTILL BY_TEACHER MASKED "--head transfer -o fresh"), 0);
    check_ok(model_open(&kept, at("kept/weights.safetensors"), &err), &err);
    check_ok(model_open(&fresh, at("fresh/weights.safetensors"), &err), &err);
    for (int level = 0; level < HEAD_LEVELS; level++) {
        static const char *const names[] = {"model.23.cv3.%d.2.weight", "model.23.cv3.%d.2.bias"};
        for (int k = 0; k < 2; k++) {
            const size_t row = k ? 1 : (size_t)kept.config.class_width;
            const float *source = values_of(&student, names[k], level);
            const float *found = values_of(&kept, names[k], level);
            for (size_t i = 0; i < row; i++) {
                const double sum = (double)source[CAR * row + i] + (double)source[TRUCK * row + i];
                assert_true(found[i] == (float)(sum / 2));
            }
            assert_true(memcmp(found, values_of(&fresh, names[k], level), row * sizeof *found) != 0);
        }
    }
    model_free(&fresh);
    model_free(&kept);
    model_free(&student);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_metric_of_2024_is_scored),
        cmocka_unit_test(classes_are_merged_before_or_after_suppression),
        cmocka_unit_test(views_are_fused_to_one_label),
        cmocka_unit_test(a_teacher_with_weights_teaches),
        cmocka_unit_test(a_kept_head_starts_from_the_vehicles),
    };
    return cmocka_run_group_tests_name("commands", tests, NULL, NULL);
}
