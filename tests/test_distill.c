/* The main job on pictures made here: it ends, explains every frame, and gives the same files for any thread
 * count. */
#include "check.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/rng.h"
#include "image/encode.h"
#include "train/distill.h"

#include <stdio.h>
#include <string.h>

enum { FRAMES = 12, SIDE = 64, BUDGET = 4 };

static char *at(struct arena *arena, const char *name)
{
    return arena_printf(arena, "%s/%s", check_folder(), name);
}

static void make_frames(struct arena *arena)
{
    struct error err;
    check_ok(file_make_folder(at(arena, "frames"), &err), &err);
    check_ok(file_make_folder(at(arena, "labels"), &err), &err);
    for (int i = 0; i < FRAMES; i++) {
        struct image image;
        check_ok(image_alloc(&image, SIDE, SIDE, &err), &err);
        for (int p = 0; p < SIDE * SIDE * 3; p++)
            image.pixels[p] =
                (uint8_t)rng_int(rng_key(3, "pixels"), (uint64_t)(i / 3 * SIDE * SIDE * 3 + p), 200 + i);
        check_ok(image_write(arena_printf(arena, "%s/frames/%02d.ppm", check_folder(), i), &image, 90, &err),
                 &err);
        image_free(&image);
        const char label[] = "1 0.5 0.5 0.4 0.3\n3 0.2 0.2 0.1 0.1\n";
        check_ok(file_write(arena_printf(arena, "%s/labels/%02d.txt", check_folder(), i), label,
                            sizeof label - 1, &err),
                 &err);
    }
}

static void break_frame(struct arena *arena, int i)
{
    struct error err;
    const char text[] = "P6\n64 64\n255\nand nothing";
    check_ok(
        file_write(arena_printf(arena, "%s/frames/%02d.ppm", check_folder(), i), text, sizeof text - 1, &err),
        &err);
}

static const char *make_student(struct arena *arena)
{
    struct error err;
    struct model model;
    const char *path = at(arena, "student.safetensors");
    check_ok(model_make(&model, (struct yolo11_config){.scale = YOLO11_PICO, .classes = 4}, &err), &err);
    for (int i = 0; i < model.params.count; i++) {
        const struct param *p = model.params.list + i;
        check_synth(params_values(&model.params, i), p->name, p->shape, p->dims);
    }
    check_ok(model_save(&model, path, false, NULL, NULL, &err), &err);
    model_free(&model);
    return path;
}

static struct distill_options options_for(struct arena *arena, const char *folder, int threads)
{
    static const int classes[2] = {1, 2};
    struct error err;
    struct distill_options o = {.student = make_student(arena),
                                .frames = at(arena, "frames"),
                                .folder = at(arena, folder),
                                .teacher_labels = at(arena, "labels"),
                                .teacher = teacher_default_options(),
                                .budget = BUDGET,
                                .gamma = 2,
                                .select = select_defaults(),
                                .filter = filter_defaults(),
                                .vehicles = classes,
                                .vehicle_count = 2,
                                .size = SIDE,
                                .trainer = trainer_defaults(),
                                .validation = DISTILL_NO_VALIDATION,
                                .scoring = evaluate_default_options(),
                                .threads = threads};
    o.teacher.class_list = classes;
    o.teacher.class_count = 2;
    o.select.rule = SELECT_ALL;
    o.trainer.threads = threads;
    o.trainer.epochs = 2;
    o.trainer.batch = 2;
    o.trainer.augment.size = SIDE;
    check_ok(kernels_get(&o.kernels, NULL, &err), &err);
    return o;
}

struct fixture {
    struct error err;
    struct arena arena;
    struct distill_result result;
};

/* Every test has its frames anew: some break one. */
static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    make_frames(&f.arena);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *const f = *state;
    arena_free(&f->arena);
    return 0;
}

static void every_frame_is_explained(void **state)
{
    struct fixture *const f = *state;
    struct ledger ledger;
    const struct distill_options o = options_for(&f->arena, "run", 2);
    check_ok(distill_run(&f->result, &o, NULL, &f->arena, &f->err), &f->err);
    assert_int_equal(f->result.frame_count, FRAMES);
    assert_int_equal(f->result.candidate_count, FRAMES);
    assert_int_equal(f->result.chosen_count, BUDGET);
    check_ok(ledger_read(&ledger, at(&f->arena, "run/selection.jsonl"), &f->arena, &f->err), &f->err);
    assert_int_equal(ledger.count, FRAMES);
    int selected = 0;
    for (int i = 0; i < FRAMES; i++) {
        selected += ledger.rows[i].reason == LEDGER_SELECTED;
        assert_true(ledger.rows[i].reason == LEDGER_SELECTED || ledger.rows[i].reason == LEDGER_FILTERED_OUT);
    }
    assert_int_equal(selected, BUDGET);
    for (int i = 0; i < BUDGET; i++) {
        assert_int_equal(f->result.candidates[f->result.chosen[i]].labels, 1); /* class 3 is no vehicle */
        assert_true(file_exists(f->result.candidates[f->result.chosen[i]].file));
    }
    struct model student;
    check_ok(model_open(&student, f->result.weights_file, &f->err), &f->err);
    assert_int_equal(student.config.classes, 1);
    assert_string_equal(student.names[0], "vehicle");
    model_free(&student);
}

static void threads_do_not_matter(void **state)
{
    struct fixture *const f = *state;
    static const char *const files[] = {"selection.jsonl", "weights.safetensors", "train/train.jsonl",
                                        "report.html"};
    const struct distill_options one = options_for(&f->arena, "one", 1),
                                 three = options_for(&f->arena, "three", 3);
    check_ok(distill_run(&f->result, &one, NULL, &f->arena, &f->err), &f->err);
    check_ok(distill_run(&f->result, &three, NULL, &f->arena, &f->err), &f->err);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char a[SHA256_HEX], b[SHA256_HEX];
        check_ok(sha256_file(arena_printf(&f->arena, "%s/%s", one.folder, files[i]), a, &f->err), &f->err);
        check_ok(sha256_file(arena_printf(&f->arena, "%s/%s", three.folder, files[i]), b, &f->err), &f->err);
        assert_string_equal(a, b);
    }
}

static void a_warm_up_that_never_ends_is_an_error(void **state)
{
    struct fixture *const f = *state;
    struct distill_options o = options_for(&f->arena, "cold", 1);
    o.select.rule = SELECT_TOP_CONFIDENCE;
    o.select.warmup = 720;
    o.select.policy = END_SHORT;
    assert_int_equal(distill_run(&f->result, &o, NULL, &f->arena, &f->err), ERR_INPUT);
    assert_non_null(strstr(f->err.message, "720"));
}

static void a_teacher_that_finds_nothing_is_an_error(void **state)
{
    struct fixture *const f = *state;
    static const int none[1] = {7};
    struct distill_options o = options_for(&f->arena, "nothing", 1);
    o.teacher.class_list = none;
    o.teacher.class_count = 1;
    assert_int_equal(distill_run(&f->result, &o, NULL, &f->arena, &f->err), ERR_INPUT);
    assert_non_null(strstr(f->err.message, "nothing"));
}

/* The last frames of the stream validate; they are uploaded, too, and never candidates. */
static void extra_frames_validate(void **state)
{
    struct fixture *const f = *state;
    struct ledger ledger;
    struct distill_options o = options_for(&f->arena, "extra", 1);
    o.validation = DISTILL_EXTRA;
    o.extra_frames = 3;
    o.label_original = true;
    check_ok(distill_run(&f->result, &o, NULL, &f->arena, &f->err), &f->err);
    assert_int_equal(f->result.extra_count, 3);
    assert_int_equal(f->result.candidate_count, FRAMES - 3);
    assert_true(f->result.extra_bytes > 0 && f->result.training.best_epoch >= 0);
    check_ok(ledger_read(&ledger, at(&f->arena, "extra/selection.jsonl"), &f->arena, &f->err), &f->err);
    for (int i = 0; i < FRAMES; i++)
        assert_int_equal(ledger.rows[i].reason == LEDGER_VALIDATION, i >= FRAMES - 3);
    assert_true(file_exists(at(&f->arena, "extra/validation/images/000011.jpg")));
    assert_true(file_exists(at(&f->arena, "extra/validation/labels/000011.txt")));
    o.folder = at(&f->arena, "extra-all");
    o.extra_frames = FRAMES;
    assert_int_equal(distill_run(&f->result, &o, NULL, &f->arena, &f->err), ERR_INPUT);
    assert_non_null(strstr(f->err.message, "--val-frames"));
}

/* A lowered threshold takes what SELECT takes from the stored stream. */
static void a_relaxed_threshold_reads_twice(void **state)
{
    struct fixture *const f = *state;
    struct selection selection;
    break_frame(&f->arena, 8); /* both times */
    struct distill_options o = options_for(&f->arena, "relaxed", 1);
    o.select.rule = SELECT_TOP_CONFIDENCE;
    o.select.warmup = 6;
    o.select.policy = END_RELAX;
    o.budget = 2;
    o.gamma = 1;
    check_ok(distill_run(&f->result, &o, NULL, &f->arena, &f->err), &f->err);
    double confidence[FRAMES];
    for (int i = 0; i < FRAMES; i++) confidence[i] = f->result.frames[i].confidence;
    struct select_options stored = o.select;
    stored.wanted = 2;
    const struct select_bank bank = {.frames = FRAMES, .confidence = confidence};
    check_ok(select_run(&selection, &stored, &bank, &f->arena, &f->err), &f->err);
    assert_true(selection.relaxed && f->result.relaxed && f->result.tau == selection.tau);
    assert_int_equal(f->result.candidate_count, selection.count);
    for (int i = 0; i < selection.count; i++) {
        assert_int_equal(f->result.candidates[i].frame, selection.frames[i]);
        assert_int_equal(f->result.frames[selection.frames[i]].candidate, i);
        assert_true(file_exists(f->result.candidates[i].file));
    }
}

static void no_rise_is_not_delivered(void **state)
{
    struct fixture *const f = *state;
    struct distill_options o = options_for(&f->arena, "worse", 1);
    o.validation = DISTILL_EXTRA;
    o.extra_frames = 3;
    o.ship_better = true;
    o.teacher_labels = at(&f->arena, "specks"); /* too small for anything to be found */
    check_ok(file_make_folder(o.teacher_labels, &f->err), &f->err);
    for (int i = 0; i < FRAMES; i++) {
        const char label[] = "1 0.03 0.97 0.01 0.01\n";
        check_ok(file_write(arena_printf(&f->arena, "%s/%02d.txt", o.teacher_labels, i), label,
                            sizeof label - 1, &f->err),
                 &f->err);
    }
    check_ok(distill_run(&f->result, &o, NULL, &f->arena, &f->err), &f->err);
    assert_non_null(f->result.withheld);
    assert_non_null(strstr(f->result.withheld, "not better"));
    assert_null(f->result.weights_file);
    assert_false(file_exists(at(&f->arena, "worse/weights.safetensors")));
    assert_true(file_exists(at(&f->arena, "worse/report.html")));
    /* Validation frames without an object cannot tell, either. */
    for (int i = FRAMES - 3; i < FRAMES; i++)
        check_ok(file_write(arena_printf(&f->arena, "%s/%02d.txt", o.teacher_labels, i), "", 0, &f->err),
                 &f->err);
    o.folder = at(&f->arena, "unknown");
    check_ok(distill_run(&f->result, &o, NULL, &f->arena, &f->err), &f->err);
    assert_non_null(strstr(f->result.withheld, "nobody knows"));
    /* Without any, the last weights are taken. */
    o.folder = at(&f->arena, "unjudged");
    o.validation = DISTILL_NO_VALIDATION;
    check_ok(distill_run(&f->result, &o, NULL, &f->arena, &f->err), &f->err);
    assert_null(f->result.withheld);
    assert_true(file_exists(at(&f->arena, "unjudged/weights.safetensors")));
}

/* As detect does: a broken picture among thousands does not end the run. */
static void broken_frames_are_passed_over(void **state)
{
    struct fixture *const f = *state;
    struct ledger ledger;
    break_frame(&f->arena, 5);
    break_frame(&f->arena, 9);
    const struct distill_options o = options_for(&f->arena, "broken", 1);
    check_ok(distill_run(&f->result, &o, NULL, &f->arena, &f->err), &f->err);
    assert_int_equal(f->result.frame_count, FRAMES);
    assert_int_equal(f->result.unreadable, 2);
    assert_non_null(strstr(f->result.first_broken, "05.ppm"));
    assert_int_equal(f->result.candidate_count, FRAMES - 2);
    check_ok(ledger_read(&ledger, at(&f->arena, "broken/selection.jsonl"), &f->arena, &f->err), &f->err);
    assert_int_equal(ledger.count, FRAMES);
    for (int i = 0; i < FRAMES; i++) {
        assert_int_equal(ledger.rows[i].frame, i);
        assert_int_equal(ledger.rows[i].reason == LEDGER_UNREADABLE, i == 5 || i == 9);
    }
}

/* confidence_source = teacher, as the published code has it. */
static void filters_go_by_the_teachers_confidence(void **state)
{
    struct fixture *const f = *state;
    struct distill_options o = options_for(&f->arena, "unsure", 1);
    o.filter.rule = FILTER_TOP_CONFIDENCE;
    o.teacher_confidence = true;
    assert_int_equal(distill_run(&f->result, &o, NULL, &f->arena, &f->err), ERR_INPUT);
    assert_non_null(strstr(f->err.message, "confidence"));
    o.teacher_labels = at(&f->arena, "sure");
    check_ok(file_make_folder(o.teacher_labels, &f->err), &f->err);
    for (int i = 0; i < FRAMES; i++) { /* every frame another one, and a less sure object */
        const char *label = arena_printf(&f->arena, "1 0.5 0.5 0.4 0.3 %.4f\n2 0.3 0.3 0.2 0.2 0.01\n",
                                         (i * 5 % FRAMES + 1) / 13.0);
        check_ok(file_write(arena_printf(&f->arena, "%s/%02d.txt", o.teacher_labels, i), label, strlen(label),
                            &f->err),
                 &f->err);
    }
    for (int least = 0; least < 2; least++) {
        o.folder = at(&f->arena, least ? "least" : "most");
        o.filter.rule = least ? FILTER_LEAST_CONFIDENCE : FILTER_TOP_CONFIDENCE;
        check_ok(distill_run(&f->result, &o, NULL, &f->arena, &f->err), &f->err);
        for (int i = 0; i < BUDGET; i++) {
            const int frame = f->result.candidates[f->result.chosen[i]].frame;
            assert_true(least ? frame * 5 % FRAMES < BUDGET : frame * 5 % FRAMES >= FRAMES - BUDGET);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_frame_is_explained),
        TEST(threads_do_not_matter),
        TEST(a_warm_up_that_never_ends_is_an_error),
        TEST(extra_frames_validate),
        TEST(a_relaxed_threshold_reads_twice),
        TEST(no_rise_is_not_delivered),
        TEST(broken_frames_are_passed_over),
        TEST(filters_go_by_the_teachers_confidence),
        TEST(a_teacher_that_finds_nothing_is_an_error),
    };
    return cmocka_run_group_tests_name("distill", tests, NULL, NULL);
}
