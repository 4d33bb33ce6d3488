/* The main job on pictures made here: it ends, explains every frame, and gives the same files for any thread
 * count. */
#include "check_distill.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/rng.h"
#include "image/encode.h"
#include "nn/load.h"
#include "train/distill_watch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES = CHECK_DISTILL_FRAMES, BUDGET = CHECK_DISTILL_BUDGET };

static void every_frame_is_explained(void **state)
{
    struct check_distill *const f = *state;
    struct ledger ledger;
    const struct distill_options o = check_distill_options(&f->arena, "run", 2);
    check_ok(distill_run(&f->result, &o, NULL, &f->arena, &f->err), &f->err);
    assert_int_equal(f->result.frame_count, FRAMES);
    assert_int_equal(f->result.candidate_count, FRAMES);
    assert_int_equal(f->result.chosen_count, BUDGET);
    check_ok(ledger_read(&ledger, check_distill_path(&f->arena, "run/selection.jsonl"), &f->arena, &f->err),
             &f->err);
    assert_int_equal(ledger.count, FRAMES);
    int selected = 0;
    for (int i = 0; i < FRAMES; i++) {
        assert_true(isnan(ledger.rows[i].time));
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
    struct check_distill *const f = *state;
    static const char *const files[] = {"selection.jsonl", "weights.safetensors", "train/train.jsonl",
                                        "report.html"};
    const struct distill_options one = check_distill_options(&f->arena, "one", 1),
                                 three = check_distill_options(&f->arena, "three", 3);
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
    struct check_distill *const f = *state;
    struct distill_options o = check_distill_options(&f->arena, "cold", 1);
    o.select.rule = SELECT_TOP_CONFIDENCE;
    o.select.warmup = 720;
    o.select.policy = END_SHORT;
    assert_int_equal(distill_run(&f->result, &o, NULL, &f->arena, &f->err), ERR_INPUT);
    assert_non_null(strstr(f->err.message, "720"));
}

static void a_teacher_that_finds_nothing_is_an_error(void **state)
{
    struct check_distill *const f = *state;
    static const int none[1] = {7};
    struct distill_options o = check_distill_options(&f->arena, "nothing", 1);
    o.teacher.class_list = none;
    o.teacher.class_count = 1;
    assert_int_equal(distill_run(&f->result, &o, NULL, &f->arena, &f->err), ERR_INPUT);
    assert_non_null(strstr(f->err.message, "nothing"));
}

/* However its name is spelt. */
static void a_jpeg_is_stored_as_it_is(void **state)
{
    struct check_distill *const f = *state;
    static const char *const ends[] = {"jpg", "JPEG", "Jpg", "jpeg"};
    const struct known_pictures none = {0};
    struct frame frame = {0};
    uint8_t *bytes;
    size_t size;
    check_ok(image_alloc(&frame.image, 32, 24, &f->err), &f->err);
    for (int i = 0; i < 32 * 24 * 3; i++) frame.image.pixels[i] = (uint8_t)(i * i >> 4);
    if (image_encode(&bytes, &size, &frame.image, IMAGE_JPEG, 40, &f->err) != OK) { /* built without */
        image_free(&frame.image);
        skip();
    }
    const char *const folder = check_distill_path(&f->arena, "stored");
    check_ok(file_make_folder(folder, &f->err), &f->err);
    for (int i = 0; i < 4; i++) {
        struct distill_candidate candidate = {0};
        struct file_view view;
        frame.id = i;
        frame.name = arena_printf(&f->arena, "%s/given.%s", check_folder(), ends[i]);
        check_ok(file_write(frame.name, bytes, size, &f->err), &f->err);
        check_ok(distill_store(&candidate, &frame, folder, &none, &f->arena, &f->err), &f->err);
        check_ok(file_map(&view, candidate.file, &f->err), &f->err);
        assert_int_equal(view.size, size);
        assert_memory_equal(view.data, bytes, size);
        file_unmap(&view);
    }
    free(bytes);
    image_free(&frame.image);
}

/* The last frames of the stream validate; they are uploaded, too, and never candidates. */
static void extra_frames_validate(void **state)
{
    struct check_distill *const f = *state;
    struct ledger ledger;
    struct distill_options o = check_distill_options(&f->arena, "extra", 1);
    o.validation = DISTILL_EXTRA;
    o.extra_frames = 3;
    o.label_original = true;
    check_ok(distill_run(&f->result, &o, NULL, &f->arena, &f->err), &f->err);
    assert_int_equal(f->result.extra_count, 3);
    assert_int_equal(f->result.candidate_count, FRAMES - 3);
    assert_true(f->result.extra_bytes > 0 && f->result.training.best_epoch >= 0);
    check_ok(ledger_read(&ledger, check_distill_path(&f->arena, "extra/selection.jsonl"), &f->arena, &f->err),
             &f->err);
    for (int i = 0; i < FRAMES; i++)
        assert_int_equal(ledger.rows[i].reason == LEDGER_VALIDATION, i >= FRAMES - 3);
    assert_true(file_exists(check_distill_path(&f->arena, "extra/validation/images/000011.jpg")));
    assert_true(file_exists(check_distill_path(&f->arena, "extra/validation/labels/000011.txt")));
    o.folder = check_distill_path(&f->arena, "extra-all");
    o.extra_frames = FRAMES;
    assert_int_equal(distill_run(&f->result, &o, NULL, &f->arena, &f->err), ERR_INPUT);
    assert_non_null(strstr(f->err.message, "--val-frames"));
}

/* A lowered threshold takes what SELECT takes from the stored stream. */
static void a_relaxed_threshold_reads_twice(void **state)
{
    struct check_distill *const f = *state;
    struct selection selection;
    check_distill_break(&f->arena, 8); /* both times */
    struct distill_options o = check_distill_options(&f->arena, "relaxed", 1);
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

/* Another run's folder is refused before anything in it is touched. */
static void resuming_with_other_options_changes_nothing(void **state)
{
    struct check_distill *const f = *state;
    static const char *const files[] = {"selection.jsonl", "weights.safetensors", "report.html", "recipe",
                                        "set/labels/000001.txt"};
    enum { FILES = sizeof files / sizeof *files };
    char before[FILES][SHA256_HEX], after[SHA256_HEX];
    struct distill_options o = check_distill_options(&f->arena, "changed", 1);
    o.filter.rule = FILTER_NONE;
    o.budget = FRAMES;
    check_ok(distill_run(&f->result, &o, NULL, &f->arena, &f->err), &f->err);
    for (int i = 0; i < FILES; i++)
        check_ok(sha256_file(arena_printf(&f->arena, "%s/%s", o.folder, files[i]), before[i], &f->err),
                 &f->err);
    struct distill_options others[] = {o, o, o, o, o};
    others[0].select.rule = SELECT_N_FIRST;
    others[1].trainer.epochs++;
    others[2].teacher_labels = check_distill_path(&f->arena, "frames");
    others[3].teacher.views = 2;
    others[4].plan = PLAN_FAST_0_1;
    for (size_t k = 0; k < sizeof others / sizeof *others; k++) {
        others[k].trainer.resume = true;
        assert_int_equal(distill_run(&f->result, &others[k], NULL, &f->arena, &f->err), ERR_INPUT);
        assert_non_null(strstr(f->err.message, "changed/recipe: belongs to a run with other options"));
        for (int i = 0; i < FILES; i++) {
            check_ok(sha256_file(arena_printf(&f->arena, "%s/%s", o.folder, files[i]), after, &f->err),
                     &f->err);
            assert_string_equal(before[i], after);
        }
    }
}

/* A teacher that answers otherwise is not asked again, but for what is missing or of another picture. */
static void labels_of_the_teacher_are_kept(void **state)
{
    struct check_distill *const f = *state;
    if (!HAVE_JANSSON) skip();
    struct distill_options o = check_distill_options(&f->arena, "kept", 1);
    const char *const asked = check_distill_path(&f->arena, "asked"), *const manifest = check_distill_path(
                                                                          &f->arena, "kept/manifest.json");
    o.teacher_labels = NULL;
    o.teacher_command = arena_printf(
        &f->arena,
        "while read -r p; do echo >>'%s'; n=$(wc -l <'%s'); echo '{\"width\":64,\"height\":64,\"detections\":"
        "[{\"class_id\":1,\"confidence\":0.'$((50 + n))',\"box\":[8,8,'$((20 + n))',40]}]}'; done",
        asked, asked);
    o.filter.rule = FILTER_NONE;
    o.budget = FRAMES;
    check_ok(distill_run(&f->result, &o, NULL, &f->arena, &f->err), &f->err);
    char first[SHA256_HEX];
    memcpy(first, f->result.weights_hash, sizeof first);
    struct file_view view;
    check_ok(file_write(manifest, "{}", 2, &f->err), &f->err);
    o.trainer.resume = true;
    check_ok(distill_run(&f->result, &o, NULL, &f->arena, &f->err), &f->err);
    assert_string_equal(f->result.weights_hash, first);
    assert_int_equal(f->result.candidates[0].labels, 1);
    assert_false(file_exists(manifest)); /* of the earlier end */
    check_ok(file_map(&view, asked, &f->err), &f->err);
    assert_int_equal(view.size, FRAMES);
    file_unmap(&view);
    /* Another stream under the same name: nothing of the old labels is believed. */
    check_distill_break(&f->arena, 3);
    assert_int_equal(distill_run(&f->result, &o, NULL, &f->arena, &f->err), ERR_INPUT);
    assert_non_null(strstr(f->err.message, "checkpoint.safetensors"));
    check_ok(file_map(&view, asked, &f->err), &f->err);
    assert_int_equal(view.size, 2 * FRAMES - 1);
    file_unmap(&view);
}

/* What a teacher is to see of a stream without files is asked for at its first frame. */
static void an_original_must_be_a_file(void **state)
{
    struct check_distill *const f = *state;
    static const char video[] = "YUV4MPEG2 W2 H2 Cmono\nFRAME\nabcdFRAME\nbroken";
    struct distill_options o = check_distill_options(&f->arena, "original", 1);
    o.frames = check_distill_path(&f->arena, "short.y4m");
    o.label_original = true;
    o.teacher_labels = NULL;
    o.teacher_weights = o.student;
    check_ok(file_write(o.frames, video, sizeof video - 1, &f->err), &f->err);
    assert_int_equal(distill_run(&f->result, &o, NULL, &f->arena, &f->err), ERR_USAGE);
    assert_non_null(strstr(f->err.message, "is no file"));
    assert_false(file_exists(o.folder));
}

/* What is hashed and scored is what is delivered. */
static void half_precision_is_what_is_hashed(void **state)
{
    struct check_distill *const f = *state;
    struct distill_options o = check_distill_options(&f->arena, "half", 1);
    struct model delivered;
    char hash[SHA256_HEX];
    o.half = true;
    check_ok(distill_run(&f->result, &o, NULL, &f->arena, &f->err), &f->err);
    check_ok(model_open(&delivered, f->result.weights_file, &f->err), &f->err);
    params_hash(&delivered.params, hash);
    assert_string_equal(f->result.weights_hash, hash);
    model_free(&delivered);
    check_ok(model_open(&delivered, o.student, &f->err), &f->err);
    params_hash(&delivered.params, hash);
    assert_string_equal(f->result.student_hash, hash);
    model_free(&delivered);
}

/* Frames of a stream with a rate have a time, pictures none. */
static void times_are_in_the_ledger(void **state)
{
    struct check_distill *const f = *state;
    enum { LONG = 5, PIXELS = 64 * 64 };
    static char video[LONG * (6 + PIXELS) + 100];
    size_t n = (size_t)snprintf(video, sizeof video, "YUV4MPEG2 W64 H64 F30000:1001 Cmono\n");
    for (int i = 0; i < LONG; i++, n += PIXELS) {
        memcpy(video + n, "FRAME\n", 6);
        n += 6;
        memset(video + n, 40 * i, PIXELS);
    }
    struct distill_options o = check_distill_options(&f->arena, "timed", 1);
    o.frames = check_distill_path(&f->arena, "day.y4m");
    check_ok(file_write(o.frames, video, n, &f->err), &f->err);
    assert_int_equal(distill_run(&f->result, &o, NULL, &f->arena, &f->err),
                     ERR_INPUT); /* nothing is labelled */
    struct ledger ledger;
    check_ok(ledger_read(&ledger, check_distill_path(&f->arena, "timed/selection.jsonl"), &f->arena, &f->err),
             &f->err);
    assert_int_equal(ledger.count, LONG);
    for (int i = 0; i < LONG; i++) assert_true(ledger.rows[i].time == i * 1001 / 30000.0);
}

/* So does a chance that was raised: the same draws again, one for each frame that could be read. */
static void a_raised_chance_keeps_its_draws(void **state)
{
    struct check_distill *const f = *state;
    check_distill_break(&f->arena, 2);
    struct distill_options o = check_distill_options(&f->arena, "chance", 1);
    o.select.rule = SELECT_UNIFORM;
    o.select.policy = END_RELAX;
    check_ok(distill_run(&f->result, &o, NULL, &f->arena, &f->err), &f->err);
    assert_true(f->result.relaxed);
    const uint64_t key = rng_key(o.trainer.seed, "uniform_select");
    double rate = o.select.rate;
    int taken[FRAMES], count = 0;
    for (int step = 0; count < o.budget * o.gamma; step++) {
        rate = o.select.rate + 0.05 * step;
        count = 0;
        for (int i = 0; i < FRAMES - 1 && count < o.budget * o.gamma; i++)
            if (rng_real(key, (uint64_t)i) >= 1 - rate) taken[count++] = i < 2 ? i : i + 1;
    }
    assert_true(rate > o.select.rate && f->result.rate == rate);
    assert_int_equal(f->result.candidate_count, count);
    for (int i = 0; i < count; i++) {
        assert_int_equal(f->result.candidates[i].frame, taken[i]);
        assert_true(file_exists(f->result.candidates[i].file));
    }
    for (int i = 0; i < FRAMES; i++) { /* what comes behind the last one was not needed */
        const bool unneeded = f->result.frames[i].reason == LEDGER_WINDOW_CLOSED;
        assert_int_equal(unneeded, i > taken[count - 1] && i != 2);
    }
    o.folder = check_distill_path(&f->arena, "chance-all");
    o.budget = FRAMES;
    assert_int_equal(distill_run(&f->result, &o, NULL, &f->arena, &f->err), ERR_INPUT);
    assert_non_null(strstr(f->err.message, "expected at least 24 frames, found 11"));
}

/* SELECT's confidences and FILTER's rules are those of the commands select and filter. */
static void steps_take_their_options(void **state)
{
    struct check_distill *const f = *state;
    struct distill_options o = check_distill_options(&f->arena, "sums", 1);
    o.filter.aggregation = AGGREGATE_SUM;
    o.filter.max_cosine = -1; /* any second frame is more similar */
    check_ok(distill_run(&f->result, &o, NULL, &f->arena, &f->err), &f->err);
    assert_int_equal(f->result.chosen_count, 1);
    assert_true(f->result.short_of_budget);
    int boxes = 0, merged = 0;
    for (int i = 0; i < FRAMES; i++) {
        const struct distill_candidate *const c = f->result.candidates + i;
        double sum = 0;
        for (int k = 0; k < c->box_count; k++) sum += c->boxes[k].confidence;
        assert_true(f->result.frames[i].confidence == (c->box_count ? sum : CONFIDENCE_NONE));
        boxes += c->box_count;
    }
    o.merge_before = true;
    o.folder = check_distill_path(&f->arena, "merged");
    check_ok(distill_run(&f->result, &o, NULL, &f->arena, &f->err), &f->err);
    for (int i = 0; i < FRAMES; i++) merged += f->result.candidates[i].box_count;
    assert_true(0 < merged && merged < boxes);
}

static void no_rise_is_not_delivered(void **state)
{
    struct check_distill *const f = *state;
    struct distill_options o = check_distill_options(&f->arena, "worse", 1);
    o.validation = DISTILL_EXTRA;
    o.extra_frames = 3;
    o.ship_better = true;
    o.teacher_labels = check_distill_path(&f->arena, "specks"); /* too small for anything to be found */
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
    assert_false(file_exists(check_distill_path(&f->arena, "worse/weights.safetensors")));
    assert_true(file_exists(check_distill_path(&f->arena, "worse/report.html")));
    /* Validation frames without an object cannot tell, either. */
    for (int i = FRAMES - 3; i < FRAMES; i++)
        check_ok(file_write(arena_printf(&f->arena, "%s/%02d.txt", o.teacher_labels, i), "", 0, &f->err),
                 &f->err);
    o.folder = check_distill_path(&f->arena, "unknown");
    check_ok(distill_run(&f->result, &o, NULL, &f->arena, &f->err), &f->err);
    assert_non_null(strstr(f->result.withheld, "nobody knows"));
    /* Without any, the last weights are taken. */
    o.folder = check_distill_path(&f->arena, "unjudged");
    o.validation = DISTILL_NO_VALIDATION;
    check_ok(distill_run(&f->result, &o, NULL, &f->arena, &f->err), &f->err);
    assert_null(f->result.withheld);
    assert_true(file_exists(check_distill_path(&f->arena, "unjudged/weights.safetensors")));
}

/* As detect does: a broken picture among thousands does not end the run. */
static void broken_frames_are_passed_over(void **state)
{
    struct check_distill *const f = *state;
    struct ledger ledger;
    check_distill_break(&f->arena, 5);
    check_distill_break(&f->arena, 9);
    const struct distill_options o = check_distill_options(&f->arena, "broken", 1);
    check_ok(distill_run(&f->result, &o, NULL, &f->arena, &f->err), &f->err);
    assert_int_equal(f->result.frame_count, FRAMES);
    assert_int_equal(f->result.unreadable, 2);
    assert_non_null(strstr(f->result.first_broken, "05.ppm"));
    assert_int_equal(f->result.candidate_count, FRAMES - 2);
    check_ok(
        ledger_read(&ledger, check_distill_path(&f->arena, "broken/selection.jsonl"), &f->arena, &f->err),
        &f->err);
    assert_int_equal(ledger.count, FRAMES);
    for (int i = 0; i < FRAMES; i++) {
        assert_int_equal(ledger.rows[i].frame, i);
        assert_int_equal(ledger.rows[i].reason == LEDGER_UNREADABLE, i == 5 || i == 9);
    }
}

/* confidence_source = teacher, as the published code has it. */
static void filters_go_by_the_teachers_confidence(void **state)
{
    struct check_distill *const f = *state;
    struct distill_options o = check_distill_options(&f->arena, "unsure", 1);
    o.filter.rule = FILTER_TOP_CONFIDENCE;
    o.teacher_confidence = true;
    assert_int_equal(distill_run(&f->result, &o, NULL, &f->arena, &f->err), ERR_INPUT);
    assert_non_null(strstr(f->err.message, "confidence"));
    o.teacher_labels = check_distill_path(&f->arena, "sure");
    check_ok(file_make_folder(o.teacher_labels, &f->err), &f->err);
    for (int i = 0; i < FRAMES; i++) { /* every frame another one, and a less sure object */
        const char *label = arena_printf(&f->arena, "1 0.5 0.5 0.4 0.3 %.4f\n2 0.3 0.3 0.2 0.2 0.01\n",
                                         (i * 5 % FRAMES + 1) / 13.0);
        check_ok(file_write(arena_printf(&f->arena, "%s/%02d.txt", o.teacher_labels, i), label, strlen(label),
                            &f->err),
                 &f->err);
    }
    for (int least = 0; least < 2; least++) {
        o.folder = check_distill_path(&f->arena, least ? "least" : "most");
        o.filter.rule = least ? FILTER_LEAST_CONFIDENCE : FILTER_TOP_CONFIDENCE;
        check_ok(distill_run(&f->result, &o, NULL, &f->arena, &f->err), &f->err);
        for (int i = 0; i < BUDGET; i++) {
            const int frame = f->result.candidates[f->result.chosen[i]].frame;
            assert_true(least ? frame * 5 % FRAMES < BUDGET : frame * 5 % FRAMES >= FRAMES - BUDGET);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK_DISTILL_TEST(every_frame_is_explained),
        CHECK_DISTILL_TEST(threads_do_not_matter),
        CHECK_DISTILL_TEST(a_warm_up_that_never_ends_is_an_error),
        CHECK_DISTILL_TEST(a_jpeg_is_stored_as_it_is),
        CHECK_DISTILL_TEST(extra_frames_validate),
        CHECK_DISTILL_TEST(a_relaxed_threshold_reads_twice),
        CHECK_DISTILL_TEST(resuming_with_other_options_changes_nothing),
        CHECK_DISTILL_TEST(labels_of_the_teacher_are_kept),
        CHECK_DISTILL_TEST(an_original_must_be_a_file),
        CHECK_DISTILL_TEST(half_precision_is_what_is_hashed),
        CHECK_DISTILL_TEST(times_are_in_the_ledger),
        CHECK_DISTILL_TEST(a_raised_chance_keeps_its_draws),
        CHECK_DISTILL_TEST(steps_take_their_options),
        CHECK_DISTILL_TEST(no_rise_is_not_delivered),
        CHECK_DISTILL_TEST(broken_frames_are_passed_over),
        CHECK_DISTILL_TEST(filters_go_by_the_teachers_confidence),
        CHECK_DISTILL_TEST(a_teacher_that_finds_nothing_is_an_error),
    };
    return cmocka_run_group_tests_name("distill", tests, NULL, NULL);
}
