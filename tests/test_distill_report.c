/* The report of a distillation, from made-up results and pictures. */
#include "check_image.h"
#include "check_net.h"

#include "base/file.h"
#include "detect/detector.h"
#include "detect/labels.h"
#include "image/decode.h"
#include "image/encode.h"
#include "train/distill.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES = 60, CANDIDATES = 20, CHOSEN = 8, EPOCHS = 5, MANY = 130, LABEL_CLASS = 7 };

struct fixture {
    struct model before, after;
    const struct kernels *kernels;
    struct distill_frame frames[FRAMES];
    struct distill_candidate candidates[MANY];
    int chosen[MANY];
    char names[FRAMES][64], files[CANDIDATES][600], report[600], test[600];
    struct trainer_epoch epochs[EPOCHS];
};

static const int vehicles[] = {0, 2};

static void write_picture(const char *path, const char *name, int width, int height)
{
    struct image image = {0};
    struct error err;
    check_image_synth(&image, name, width, height);
    check_ok(image_write(path, &image, IMAGE_QUALITY, &err), &err);
    image_free(&image);
}

/* Frames 5, 7, 9, ... are candidates; every second one of the first is chosen, in falling order of rank. */
static void make_stream(struct fixture *f)
{
    for (int i = 0; i < FRAMES; i++) {
        snprintf(f->names[i], sizeof f->names[i], "/somewhere/else/<%04d>.jpg", i);
        f->frames[i] = (struct distill_frame){f->names[i], NAN, i % 10 ? i / 60.0 : CONFIDENCE_NONE,
                                              i < 5    ? LEDGER_WARM_UP
                                              : i % 10 ? LEDGER_BELOW_THRESHOLD
                                                       : LEDGER_NO_VEHICLE,
                                              -1};
    }
    for (int i = 0; i < CANDIDATES; i++) {
        struct distill_frame *const frame = &f->frames[5 + 2 * i];
        const bool kept = i % 2 == 0 && i / 2 < CHOSEN;
        frame->candidate = i;
        frame->reason = kept ? LEDGER_SELECTED : LEDGER_FILTERED_OUT;
        snprintf(f->files[i], sizeof f->files[i], "%s/%06d.jpg", check_folder(), i);
        write_picture(f->files[i], f->names[i], i ? 400 : 600, 120);
        f->candidates[i] = (struct distill_candidate){5 + 2 * i, f->files[i], 1000, -1, NAN, 0, NULL, 0};
        if (!kept) continue;
        f->chosen[i / 2] = i;
        f->candidates[i].rank = CHOSEN - 1 - i / 2;
        f->candidates[i].score = 0.125 * i;
        f->candidates[i].labels = i / 2;
    }
}

static void make_test_frames(struct fixture *f)
{
    char path[700];
    struct error err;
    snprintf(f->test, sizeof f->test, "%s/test", check_folder());
    snprintf(path, sizeof path, "%s/images", f->test);
    check_ok(file_make_folder(path, &err), &err);
    snprintf(path, sizeof path, "%s/labels", f->test);
    check_ok(file_make_folder(path, &err), &err);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/images/held%d.jpg", f->test, i);
        write_picture(path, "held", 64, 96);
    }
}

/* The label of the first test frame is what the student after finds with most confidence. Returns how many boxes
 * it finds there. */
static int label_first_frame(const struct fixture *f)
{
    struct nms_options nms = nms_predict_options();
    struct detector detector;
    struct detection found[NMS_MAX_DETECTIONS];
    struct image image = {0};
    struct error err;
    char path[700];
    int count;
    nms.confidence = evaluate_default_options().confidence; /* the least that is scored */
    snprintf(path, sizeof path, "%s/images/held0.jpg", f->test);
    check_ok(image_read(&image, path, &err), &err);
    detector_begin(&detector, &f->after, f->kernels, 1, &nms);
    check_ok(detector_predict(&detector, &image, 64, false, found, &count, &err), &err);
    detector_end(&detector);
    assert_true(count > 1);
    struct label label = label_of_detection(&found[0], (float)image.width, (float)image.height);
    label.class_id = LABEL_CLASS;
    snprintf(path, sizeof path, "%s/labels/held0.txt", f->test);
    check_ok(labels_write(path, &label, 1, &err), &err);
    image_free(&image);
    return count;
}

static int start(void **state)
{
    static struct fixture f;
    struct error err;
    check_ok(kernels_get(&f.kernels, NULL, &err), &err);
    check_ok(model_make(&f.before, (struct yolo11_config){.scale = YOLO11_PICO, .classes = 3}, &err), &err);
    check_ok(model_make(&f.after, (struct yolo11_config){.scale = YOLO11_PICO, .classes = 1}, &err), &err);
    check_synth_params(&f.before.params);
    check_synth_params(&f.after.params);
    if (HAVE_JPEG) {
        make_stream(&f);
        make_test_frames(&f);
    }
    for (int i = 0; i < EPOCHS; i++)
        f.epochs[i] = (struct trainer_epoch){
            i,  {.box = 3.0 / (i + 1), .classes = 2.0 / (i + 1), .distribution = 1}, 0, 0, 2 * i, 0.1 * i,
            NAN};
    snprintf(f.report, sizeof f.report, "%s/report.html", check_folder());
    *state = &f;
    return 0;
}

static int end(void **state)
{
    struct fixture *const f = *state;
    model_free(&f->before);
    model_free(&f->after);
    return 0;
}

static struct distill_options options_of(const struct fixture *f)
{
    struct distill_options o = {.student = "/models/yolo11pico.safetensors",
                                .frames = "/cameras/north & south/images/",
                                .folder = check_folder(),
                                .teacher_labels = "/somewhere/people/",
                                .budget = CHOSEN,
                                .gamma = 3,
                                .select = select_defaults(),
                                .filter = filter_defaults(),
                                .vehicles = vehicles,
                                .vehicle_count = 2,
                                .size = 64,
                                .trainer = trainer_defaults(),
                                .scoring = evaluate_default_options(),
                                .kernels = f->kernels,
                                .threads = 1};
    o.trainer.epochs = EPOCHS;
    o.trainer.batch = 4;
    return o;
}

static struct distill_result result_of(struct fixture *f)
{
    struct distill_result r = {.frames = f->frames,
                               .frame_count = FRAMES,
                               .candidates = f->candidates,
                               .candidate_count = CANDIDATES,
                               .chosen_count = CHOSEN,
                               .chosen = f->chosen,
                               .tau = 0.6251,
                               .warmup_end = 5,
                               .uploaded_bytes = 8000,
                               .candidate_bytes = 1234567,
                               .validation_frames = 4,
                               .training = {f->epochs, EPOCHS, 4, 0.4, .iterations = 10, .steps = 10},
                               .guard_before = NAN,
                               .before = {true, .map50 = 0.3, .map50_95 = 0.2, .images = 3, .labels = 17},
                               .after = {true, .map50 = 0.5, .map50_95 = 0.45, .images = 3, .labels = 17}};
    memset(r.weights_hash, 'a', 64);
    return r;
}

/* The page, to be freed. */
static char *page_of(const struct fixture *f, const struct distill_options *o, const struct distill_result *r)
{
    struct error err;
    size_t size;
    struct dataset test = {0};
    if (o->test) check_ok(dataset_open(&test, o->test, DATASET_VAL, &err), &err);
    check_ok(distill_report(f->report, o, r, &test, &f->before, &f->after, &err), &err);
    dataset_close(&test);
    char *page = (char *)check_bytes(f->report, &size);
    page[size] = 0;
    return page;
}

static int occurrences(const char *text, const char *word)
{
    int n = 0;
    for (; (text = strstr(text, word)); text += strlen(word)) n++;
    return n;
}

static void expect(const char *page, const char *words)
{
    if (!strstr(page, words)) print_error("expected in the page: %s\n", words);
    assert_non_null(strstr(page, words));
}

static struct fixture *fixture_of(void **state)
{
    if (HAVE_JPEG) return *state;
    print_message("skip: built without JPEG\n");
    skip();
    return NULL;
}

static void tells_what_was_forgotten(void **state)
{
    struct fixture *const f = fixture_of(state);
    struct distill_options o = options_of(f);
    struct distill_result r = result_of(f);
    for (int i = 0; i < EPOCHS; i++) f->epochs[i].guard = 0.5 - 0.01 * i;
    o.guard = "/cameras/last year/";
    o.trainer.guard.loss = 0.05;
    r.guard_before = 0.5;
    r.training.refused = 1;
    char *const page = page_of(f, &o, &r);
    expect(page, "Epochs refused because they lost too much: 1 of 5.");
    expect(page, "<td class=\"r\">0.5000</td><td class=\"r\">0.4600</td><td class=\"r\">-0.0400</td>");
    expect(page, "Score on the validation frames and on the guard set. The weights of epoch 5 are kept.");
    expect(page, "<td>guard set</td><td>last year</td>");
    free(page);
    for (int i = 0; i < EPOCHS; i++) f->epochs[i].guard = NAN;
}

static void tells_what_happened(void **state)
{
    struct fixture *const f = fixture_of(state);
    const struct distill_options o = options_of(f);
    const struct distill_result r = result_of(f);
    char *const page = page_of(f, &o, &r);
    expect(page, "yolo11pico.safetensors for north &amp; south/images<");
    expect(page, "0.200 before, gain +0.250");
    expect(page, "of 20 candidates in 60 frames");
    expect(page, "<dd>8.0 kB</dd><dd class=\"note\">1.2 MB for all candidates</dd>");
    expect(page, "On 3 test frames with 17 labels");
    expect(page, r.weights_hash);
    expect(page, ">threshold 0.625<");
    expect(page, "<td>warm-up</td><td class=\"r\">5</td><td class=\"r\">8.3 %</td>");
    expect(page, "<td>filtered out</td><td class=\"r\">12</td>");
    assert_null(strstr(page, "window closed")); /* no frame has this reason */
    expect(page, "The weights of epoch 5 are kept.");
    expect(page, "<td>batch</td><td>4</td>");
    expect(page, "<td>label files in people</td>");
    assert_int_equal(occurrences(page, "class=\"rug\""), 2 * CHOSEN); /* wide and narrow */
    free(page);
}

static void shows_the_chosen_frames_in_order_of_picks(void **state)
{
    struct fixture *const f = fixture_of(state);
    const struct distill_options o = options_of(f);
    const struct distill_result r = result_of(f);
    char *const page = page_of(f, &o, &r);
    const char *const first =
        strstr(page, "&lt;0033&gt;.jpg, confidence 0.550, pick 1<span>the most typical candidate; 7 labels");
    const char *const second = strstr(page, "pick 2<span>similarity to earlier picks 1.500; 6 labels");
    assert_non_null(first);
    assert_true(second > first);
    expect(page, "pick 7<span>similarity to earlier picks 0.250; 1 label</span>");
    /* thumbnails, and pairs of six of the eight, since no test frames were given */
    assert_int_equal(occurrences(page, "data:image/jpeg"), CHOSEN + 12);
    expect(page, "learned from these very frames");
    free(page);
}

static void compares_on_test_frames(void **state)
{
    struct fixture *const f = fixture_of(state);
    struct distill_options o = options_of(f);
    const int label_classes[] = {LABEL_CLASS}, count = label_first_frame(f);
    struct distill_result r = result_of(f);
    char words[100];
    o.test = f->test;
    o.scoring.label_list = label_classes;
    o.scoring.label_count = 1;
    r.before.confidence = 0.9995;
    r.before.recall = 0.625, r.before.precision = 0.75;
    r.after.confidence = 0;
    r.after.recall = 0.875, r.after.precision = 0.8125;
    char *page = page_of(f, &o, &r);
    assert_int_equal(occurrences(page, "data:image/jpeg"), CHOSEN + 6);
    expect(page,
           "<td>before</td><td class=\"r\">1.000</td><td class=\"r\">62 %</td><td class=\"r\">25 %</td>");
    expect(page,
           "<td>after</td><td class=\"r\">0.000</td><td class=\"r\">88 %</td><td class=\"r\">19 %</td>");
    expect(page, "dashed #ffdd00\"></i>missed");
    expect(page, "held0.jpg, before: 0 of 1 found, 0 false");
    snprintf(words, sizeof words, "held0.jpg, after: 1 of 1 found, %d false", count - 1);
    expect(page, words);
    expect(page, "held2.jpg, after: 0 of 0 found");
    assert_null(strstr(page, "learned from these very frames"));
    free(page);
    o.scoring.ignore_above = 1e6F; /* nothing lies below this line */
    page = page_of(f, &o, &r);
    expect(page, "held0.jpg, after: 0 of 0 found, 0 false");
    expect(page, "<td>1e+06 px</td>");
    free(page);
    r.before.recall = 0;
    page = page_of(f, &o, &r);
    expect(page, "<td>before</td><td class=\"r\"></td><td class=\"r\">none</td><td class=\"r\"></td>");
    free(page);
    r.before.defined = false; /* nobody scored: as if the frames had no labels */
    page = page_of(f, &o, &r);
    expect(page, "held0.jpg, before: 0 boxes");
    expect(page, "Test frames at even distances, not picked by hand, with all boxes above confidence 0.25.");
    free(page);
}

static void shows_who_was_scored(void **state)
{
    struct fixture *const f = fixture_of(state);
    const struct distill_options o = options_of(f);
    struct distill_result r = result_of(f);
    char *page = page_of(f, &o, &r);
    expect(
        page,
        "<td>student before</td><td class=\"r\">0.3000</td><td class=\"r\">0.2000</td><td class=\"r\"></td>");
    expect(page, "<td>student after</td>");
    assert_null(strstr(page, "<td>teacher</td><td class=\"r\">"));
    assert_null(strstr(page, "as coded"));
    free(page);
    r.teacher = (struct metric_result){true, .map50 = 0.75, .map50_95 = 0.5};
    r.before_as_coded = (struct metric_result){true, .map50 = 0.25, .map50_95 = 0.125};
    r.teacher_as_coded = (struct metric_result){true, .map50 = 0.5, .map50_95 = 0.25};
    page = page_of(f, &o, &r);
    expect(
        page,
        "<td>teacher</td><td class=\"r\">0.7500</td><td class=\"r\">0.5000</td><td class=\"r\">+0.3000</td>");
    expect(page, "<td>student before, as coded</td><td class=\"r\">0.2500</td><td class=\"r\">0.1250</td><td "
                 "class=\"r\">-0.0750</td>");
    expect(page, "<td>teacher, as coded</td><td class=\"r\">0.5000</td><td class=\"r\">0.2500</td><td "
                 "class=\"r\">+0.0500</td>");
    expect(page, "boxes above confidence 0.4 only and of any class");
    free(page);
}

static void says_what_is_missing(void **state)
{
    struct fixture *const f = fixture_of(state);
    struct distill_options o = options_of(f);
    struct distill_result r = result_of(f);
    o.budget = 10;
    o.select.rule = SELECT_ALL;
    o.filter.rule = FILTER_RANDOM;
    r.after.defined = r.before.defined = false;
    r.short_of_budget = true;
    r.tau = NAN;
    r.warmup_end = r.validation_frames = r.training.count = 0;
    char *const page = page_of(f, &o, &r);
    expect(page, "<dd>not scored</dd>");
    expect(page, "The budget of 10 frames was not reached: the stream gave 8.");
    expect(page, "drawn at random; 0 labels");
    expect(page, "<td>every frame</td>");
    assert_null(strstr(page, "threshold\" d="));
    assert_null(strstr(page, "<h2>Training"));
    assert_null(strstr(page, "<h2>Score"));
    free(page);
}

static void gives_the_same_bytes_again(void **state)
{
    struct fixture *const f = fixture_of(state);
    struct distill_options o = options_of(f);
    const struct distill_result r = result_of(f);
    char *const page = page_of(f, &o, &r);
    o.threads = o.trainer.threads = 3;
    o.folder = o.trainer.folder = "/another/place";
    char *const again = page_of(f, &o, &r);
    assert_string_equal(page, again);
    assert_null(strstr(page, check_folder()));
    assert_null(strstr(page, "somewhere"));
    free(page);
    free(again);
}

static void stays_small_with_many_frames(void **state)
{
    struct fixture *const f = fixture_of(state);
    const struct distill_options o = options_of(f);
    struct distill_result r = result_of(f);
    struct distill_candidate candidates[MANY];
    int chosen[MANY];
    for (int i = 0; i < MANY; i++) {
        candidates[i] = f->candidates[0];
        candidates[i].rank = chosen[i] = i;
    }
    r.candidates = candidates;
    r.chosen = chosen;
    r.candidate_count = r.chosen_count = MANY;
    char *const page = page_of(f, &o, &r);
    expect(page, "The first 120 chosen frames");
    expect(page, "pick 120<span>every candidate is kept");
    assert_null(strstr(page, "pick 121<"));
    free(page);
}

static void leaves_no_file_after_an_error(void **state)
{
    struct fixture *const f = fixture_of(state);
    const struct distill_options o = options_of(f);
    struct distill_result r = result_of(f);
    struct distill_candidate candidates[CANDIDATES];
    struct error err;
    char path[700];
    memcpy(candidates, f->candidates, sizeof candidates);
    candidates[0].file = "/nowhere/000000.jpg";
    r.candidates = candidates;
    snprintf(path, sizeof path, "%s/other.html", check_folder());
    const struct dataset none = {0};
    assert_int_equal(distill_report(path, &o, &r, &none, &f->before, &f->after, &err), ERR_INPUT);
    assert_non_null(strstr(err.message, "/nowhere/000000.jpg"));
    assert_false(file_exists(path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_happened),
        cmocka_unit_test(tells_what_was_forgotten),
        cmocka_unit_test(shows_the_chosen_frames_in_order_of_picks),
        cmocka_unit_test(compares_on_test_frames),
        cmocka_unit_test(shows_who_was_scored),
        cmocka_unit_test(says_what_is_missing),
        cmocka_unit_test(gives_the_same_bytes_again),
        cmocka_unit_test(stays_small_with_many_frames),
        cmocka_unit_test(leaves_no_file_after_an_error),
    };
    return cmocka_run_group_tests(tests, start, end);
}
