/* Teachers: a detector, label files, commands that answer, fail, hang or lie. */
#include "check_image.h"
#include "check_json.h"
#include "check_net.h"

#include "base/child.h"
#include "base/file.h"
#include "image/encode.h"
#include "image/orient.h"
#include "train/teacher_views.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const int vehicles[] = {2, 5};

static struct teacher_options merging(void)
{
    struct teacher_options o = teacher_default_options();
    o.class_list = vehicles, o.class_count = 2, o.timeout = 10;
    return o;
}

static void make_picture(struct image *picture, char path[256])
{
    struct error err;
    check_image_synth(picture, "teacher", 100, 50);
    snprintf(path, 256, "%s/frame.ppm", check_folder());
    check_ok(image_write(path, picture, IMAGE_QUALITY, &err), &err);
}

#define DETECTIONS                                                                                           \
    "\"detections\": ["                                                                                      \
    "{\"class_id\": 5, \"class\": \"bus\", \"confidence\": 0.75, \"box\": [10, 10, 30, 20]},"                \
    "{\"class_id\": 0, \"confidence\": 0.9, \"box\": [0, 0, 50, 50]},"                                       \
    "{\"class_id\": 2, \"confidence\": 0.25, \"box\": [0, 0, 50, 50]},"                                      \
    "{\"class_id\": 2, \"confidence\": 0.5, \"box\": [-50, 20, 50, 70.0]},"                                  \
    "{\"class_id\": 2, \"confidence\": 0.5, \"box\": [120, 20, 150, 30]}]}"

/* Each reply goes out through the shell's printf, so a percent sign must not occur. */
static enum status ask(const char *command, const char *name, struct labels *labels, struct arena *arena,
                       double timeout, struct error *err)
{
    struct teacher_options options = merging();
    struct teacher *teacher;
    struct image picture = {0};
    char path[256];
    make_picture(&picture, path);
    options.timeout = timeout;
    enum status status = teacher_open_command(&teacher, command, &options, err);
    assert_int_equal(status, OK);
    for (int i = 0; status == OK && i < 2; i++)
        status = teacher_label(teacher, name ? name : path, &picture, labels, arena, err);
    if (status == OK) status = teacher_finish(teacher, err);
    teacher_close(teacher);
    image_free(&picture);
    return status;
}

static void expect_labels(const struct labels *labels)
{
    assert_int_equal(labels->count, 2);
    const struct label *const l = labels->rows;
    assert_int_equal(l[0].class_id, 0);
    assert_int_equal(l[1].class_id, 0);
    assert_float_equal(l[0].cx, 0.2f, 1e-6f);
    assert_float_equal(l[0].h, 0.2f, 1e-6f);
    assert_float_equal(l[0].confidence, 0.75f, 0);
    assert_float_equal(l[1].cx, 0.25f, 1e-6f); /* clamped to the picture */
    assert_float_equal(l[1].cy, 0.7f, 1e-6f);
    assert_float_equal(l[1].h, 0.6f, 1e-6f);
}

static void a_command_answers_line_by_line(void **state)
{
    (void)state;
    check_needs_json();
    struct arena arena = {0};
    struct labels labels;
    struct error err;
    const char *const command =
        "while read -r f; do printf '{\"file\": \"'$f'\", \"width\": 100, \"height\": 50, " DETECTIONS
        "\\n'; done";
    check_ok(ask(command, NULL, &labels, &arena, 10, &err), &err);
    expect_labels(&labels);
    /* A frame without a file of its own is handed over as one, which must exist. */
    const char *const streaming = "while read -r f; do test -s \"$f\" || exit 9; printf '{\"width\": 100, "
                                  "\"height\": 50, " DETECTIONS "\\n'; done";
    check_ok(ask(streaming, "stream#7", &labels, &arena, 10, &err), &err);
    expect_labels(&labels);
    arena_free(&arena);
}

static void expect_refused(const char *command, double timeout, const char *part)
{
    struct arena arena = {0};
    struct labels labels;
    struct error err = {0};
    assert_int_equal(ask(command, NULL, &labels, &arena, timeout, &err), ERR_INPUT);
    if (!strstr(err.message, part)) print_error("%s lacks %s\n", err.message, part);
    assert_non_null(strstr(err.message, part));
    arena_free(&arena);
}

#define REPLY(text) "while read -r f; do echo '" text "'; done"

static void bad_commands_are_named(void **state)
{
    (void)state;
    check_needs_json();
    expect_refused("exit 3", 10, "ended with exit status 3");
    expect_refused("exit 0", 10, "ended without an answer");
    expect_refused("kill -9 $$", 10, "ended by signal 9");
    expect_refused("./no-such-teacher 2>/dev/null", 10, "exit status 127");
    expect_refused("sleep 60", 0.2, "no answer in time");
    expect_refused(REPLY("{\"width\": 100, \"height\": 50, \"detections\": []}") "; exit 5", 10,
                   "exit status 5");
    expect_refused(REPLY("{\"width\": 100, \"height\": 50, \"detections\": []}") "; sleep 60", 0.3,
                   "did not end after its input");
    expect_refused("read -r f; tr '\\n' x </dev/zero", 10, "too long a line");
    expect_refused(REPLY("hello"), 10, "line 1");
    expect_refused(REPLY("[]"), 10, "width");
    expect_refused(REPLY("{\"file\": \"other\", \"width\": 100, \"height\": 50, \"detections\": []}"), 10,
                   "found other");
    expect_refused(REPLY("{\"width\": 50, \"height\": 100, \"detections\": []}"), 10,
                   "expected 100 x 50 pixels, found 50 x 100");
    expect_refused(REPLY("{\"width\": 100, \"height\": 50}"), 10, "detections");
    expect_refused(REPLY("{\"width\": 100, \"height\": 50, \"detections\": [{\"class_id\": -1}]}"), 10,
                   "class_id");
    expect_refused(
        REPLY("{\"width\": 100, \"height\": 50, \"detections\": [{\"class_id\": 2, \"confidence\": "
              "7, \"box\": [1, 1, 2, 2]}]}"),
        10, "found 7");
    expect_refused(
        REPLY("{\"width\": 100, \"height\": 50, \"detections\": [{\"class_id\": 2, \"confidence\": "
              "1, \"box\": [1, 1, 2]}]}"),
        10, "expected 4 numbers, found 3");
    expect_refused(
        REPLY("{\"width\": 100, \"height\": 50, \"detections\": [{\"class_id\": 2, \"confidence\": "
              "1, \"box\": [1, 1, 2, \"x\"]}]}"),
        10, "something else");
}

static void questions_are_one_line(void **state)
{
    (void)state;
    struct child child;
    struct error err;
    const char *answer;
    size_t size;
    char text[CHILD_MAX_QUESTION + 1];
    memset(text, 'x', sizeof text);
    text[CHILD_MAX_QUESTION] = 0;
    check_ok(child_start(&child, "cat", &err), &err);
    assert_int_equal(child_ask(&child, "a\nb", 10, &answer, &size, &err), ERR_INPUT);
    assert_int_equal(child_ask(&child, text, 10, &answer, &size, &err), ERR_INPUT);
    text[CHILD_MAX_QUESTION - 1] = 0;
    check_ok(child_ask(&child, text, 10, &answer, &size, &err), &err);
    assert_int_equal(size, CHILD_MAX_QUESTION - 1);
    assert_string_equal(answer, text);
    check_ok(child_stop(&child, 10, &err), &err);
    child_end(&child);
}

/* A second answer to one question would answer the next one. */
static void answers_are_one_line(void **state)
{
    (void)state;
    struct child child;
    struct error err;
    const char *answer;
    size_t size;
    const char *const twice = "while read -r f; do printf 'a\\nb\\n'; done",
                      *const late = "read -r f; echo a; cat; echo b";
    for (int stop = 0; stop < 3; stop++) {
        check_ok(child_start(&child, stop < 2 ? twice : late, &err), &err);
        check_ok(child_ask(&child, "x", 10, &answer, &size, &err), &err);
        assert_string_equal(answer, "a");
        assert_int_equal(stop ? child_stop(&child, 10, &err) : child_ask(&child, "y", 10, &answer, &size, &err),
                         ERR_INPUT);
        assert_non_null(strstr(err.message, "more than it was asked"));
        child_end(&child);
    }
}

static void label_files_are_a_teacher(void **state)
{
    (void)state;
    static const char text[] = "5 0.2 0.3 0.2 0.2\n0 0.5 0.5 0.1 0.1\n";
    const struct teacher_options options = merging();
    struct teacher *teacher;
    struct arena arena = {0};
    struct labels labels;
    struct image picture = {0};
    struct error err;
    char path[256];
    snprintf(path, sizeof path, "%s/cam.1.txt", check_folder());
    check_ok(file_write(path, text, sizeof text - 1, &err), &err);
    check_ok(teacher_open_folder(&teacher, check_folder(), &options, &err), &err);
    check_ok(teacher_label(teacher, "elsewhere/cam.1.jpg", &picture, &labels, &arena, &err), &err);
    assert_int_equal(labels.count, 1);
    assert_int_equal(labels.rows[0].class_id, 0);
    assert_float_equal(labels.rows[0].cx, 0.2f, 0);
    check_ok(teacher_label(teacher, "nothing.jpg", &picture, &labels, &arena, &err), &err);
    assert_int_equal(labels.count, 0);
    check_ok(teacher_finish(teacher, &err), &err);
    teacher_close(teacher);
    assert_int_equal(teacher_open_folder(&teacher, "nowhere", &options, &err), ERR_INPUT);
    assert_null(teacher);
    arena_free(&arena);
}

static void make_detector(struct model *model, char weights[256])
{
    struct error err;
    snprintf(weights, 256, "%s/weights.safetensors", check_folder());
    check_ok(model_make(model, (struct yolo11_config){.scale = YOLO11_PICO, .classes = 6}, &err), &err);
    check_synth_params(&model->params);
    check_ok(model_save(model, weights, false, NULL, NULL, &err), &err);
}

static void a_detector_labels_as_it_predicts(void **state)
{
    (void)state;
    check_needs_json();
    struct teacher_options options = merging();
    const struct kernels *kernels;
    struct model model;
    struct error err;
    struct image picture = {0};
    struct arena arena = {0};
    struct labels labels;
    struct teacher *teacher;
    char frame[256], weights[256];
    make_picture(&picture, frame);
    check_ok(kernels_get(&kernels, NULL, &err), &err);
    make_detector(&model, weights);

    options.size = 64;
    check_ok(teacher_open_model(&teacher, weights, kernels, 1, &options, &err), &err);
    check_ok(teacher_label(teacher, frame, &picture, &labels, &arena, &err), &err);
    struct detector detector;
    struct detection found[NMS_MAX_DETECTIONS];
    const struct nms_options nms = nms_predict_options();
    int count;
    size_t kept = 0;
    detector_begin(&detector, &model, kernels, 1, &nms);
    check_ok(detector_predict(&detector, &picture, 64, true, found, &count, &err), &err);
    for (int i = 0; i < count; i++) {
        if (found[i].class_id != 2 && found[i].class_id != 5) continue;
        assert_true(kept < labels.count);
        assert_float_equal(labels.rows[kept].confidence, found[i].confidence, 0);
        assert_int_equal(labels.rows[kept++].class_id, 0);
    }
    assert_int_equal(kept, labels.count);
    assert_true(kept > 0);
    teacher_close(teacher);

    static const int beyond[] = {6};
    options.class_list = beyond, options.class_count = 1;
    assert_int_equal(teacher_open_model(&teacher, weights, kernels, 1, &options, &err), ERR_USAGE);
    assert_int_equal(teacher_open_model(&teacher, "nowhere", kernels, 1, &options, &err), ERR_INPUT);
    detector_end(&detector);
    model_free(&model);
    image_free(&picture);
    arena_free(&arena);
}

static struct labels label_views(const char *weights, const struct image *picture, int views,
                                 struct arena *arena)
{
    const struct kernels *kernels;
    struct teacher *teacher;
    struct labels labels;
    struct error err;
    struct teacher_options options = merging();
    options.size = 64;
    options.views = views;
    check_ok(kernels_get(&kernels, NULL, &err), &err);
    check_ok(teacher_open_model(&teacher, weights, kernels, 1, &options, &err), &err);
    for (int twice = 0; twice < 2; twice++) /* the second frame reuses what the first left */
        check_ok(teacher_label(teacher, "frame", picture, &labels, arena, &err), &err);
    teacher_close(teacher);
    return labels;
}

/* One detector for all sizes, and everything else by hand. */
static int fuse_by_hand(struct detection *fused, const struct model *model, const struct image *picture,
                        const struct image *mirrored, int views)
{
    static const int merged[6] = {-1, -1, 0, -1, -1, 0};
    static struct fuse fuse;
    const struct kernels *kernels;
    struct detection found[NMS_MAX_DETECTIONS];
    struct detector detector;
    struct error err;
    struct nms_options nms = nms_predict_options();
    nms.confidence /= (float)views;
    nms.class_map = merged;
    check_ok(kernels_get(&kernels, NULL, &err), &err);
    detector_begin(&detector, model, kernels, 1, &nms);
    fuse_begin(&fuse);
    for (int view = 0; view < views; view++) {
        int count;
        check_ok(detector_predict(&detector, view % 2 ? mirrored : picture, view < 2 ? 64 : 96, true, found,
                                  &count, &err),
                 &err);
        for (int i = 0; view % 2 && i < count; i++) {
            const float x1 = found[i].box.x1;
            found[i].box.x1 = (float)picture->width - found[i].box.x2;
            found[i].box.x2 = (float)picture->width - x1;
        }
        fuse_offer(&fuse, found, count);
    }
    detector_end(&detector);
    return fuse_run(&fuse, 0.25f, fused);
}

/* Of a mirrored picture the same views are looked at in another order. What comes back from a mirror has been
 * subtracted from the width twice, each time rounded by half a unit in the last place of 100 pixels, 4e-6, at most: a
 * tenth of the tolerance. */
static void views_of_a_frame_are_fused(void **state)
{
    (void)state;
    check_needs_json();
    struct model model;
    struct error err;
    struct image picture = {0}, mirrored = {0};
    struct arena arena = {0};
    struct detection fused[NMS_MAX_DETECTIONS];
    char frame[256], weights[256];
    make_picture(&picture, frame);
    make_detector(&model, weights);
    check_ok(image_copy(&mirrored, &picture, &err), &err);
    orient_mirror(&mirrored);
    for (int views = 2; views <= 4; views += 2) {
        const struct labels labels = label_views(weights, &picture, views, &arena);
        const int count = fuse_by_hand(fused, &model, &picture, &mirrored, views);
        assert_true(count > 0);
        assert_int_equal(labels.count, count);
        for (int i = 0; i < count; i++) {
            const struct label expected = label_of_detection(&fused[i], 100, 50);
            assert_memory_equal(&labels.rows[i], &expected, offsetof(struct label, points));
        }
        const struct labels other = label_views(weights, &mirrored, views, &arena);
        assert_int_equal(other.count, count);
        for (int i = 0; i < count; i++) {
            const struct label *const a = labels.rows + i, *const b = other.rows + i;
            assert_float_equal(a->confidence, b->confidence, 0);
            assert_float_equal(a->cx, 1 - b->cx, 1e-6f);
            assert_float_equal(a->cy, b->cy, 1e-6f);
            assert_float_equal(a->w, b->w, 1e-6f);
            assert_float_equal(a->h, b->h, 1e-6f);
        }
    }
    model_free(&model);
    image_free(&mirrored);
    image_free(&picture);
    arena_free(&arena);
}

static void larger_views_have_five_quarters_of_the_size(void **state)
{
    (void)state;
    assert_int_equal(teacher_views_larger(512), 640);
    assert_int_equal(teacher_views_larger(640), 800);
    assert_int_equal(teacher_views_larger(64), 96); /* 80 is in the middle */
    assert_int_equal(teacher_views_larger(96), 128);
    assert_int_equal(teacher_views_larger(416), 512);
    assert_int_equal(teacher_views_larger(32), 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_answers_line_by_line),   cmocka_unit_test(bad_commands_are_named),
        cmocka_unit_test(questions_are_one_line),           cmocka_unit_test(answers_are_one_line),
        cmocka_unit_test(label_files_are_a_teacher),        cmocka_unit_test(a_detector_labels_as_it_predicts),
        cmocka_unit_test(views_of_a_frame_are_fused),
        cmocka_unit_test(larger_views_have_five_quarters_of_the_size),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
