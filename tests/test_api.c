/* The public interface: what it returns equals what the library computes, errors are told, nothing leaks
 * through. */
#include "check.h"

#include "retort.h"

#include "base/file.h"
#include "detect/model.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 64, PICTURES = 3 };

/* A small detector with synthetic weights, as a file. */
static const char *model_file(void)
{
    static char path[700];
    struct error err;
    struct model model;
    snprintf(path, sizeof path, "%s/pico.safetensors", check_folder());
    check_ok(model_make(&model, (struct yolo11_config){.scale = YOLO11_PICO, .classes = 3}, &err), &err);
    for (int i = 0; i < model.params.count; i++) {
        const struct param *p = model.params.list + i;
        check_synth(params_values(&model.params, i), p->name, p->shape, p->dims);
    }
    check_ok(model_set_names(&model, "car\nbus\ntruck", &err), &err);
    check_ok(model_save(&model, path, false, NULL, NULL, &err), &err);
    model_free(&model);
    return path;
}

/* A dark picture with a bright square. */
static void draw(uint8_t pixels[SIDE * SIDE * 3], int x0)
{
    for (int i = 0; i < SIDE * SIDE * 3; i++) {
        const int x = i / 3 % SIDE, y = i / 3 / SIDE;
        pixels[i] = x >= x0 && x < x0 + 24 && y >= 20 && y < 44 ? 200 : (uint8_t)(30 + i % 7);
    }
}

/* A folder with images/ and labels/. */
static const char *data_folder(void)
{
    static char folder[600];
    static uint8_t file[15 + SIDE * SIDE * 3];
    struct error err;
    char path[700], line[100];
    snprintf(folder, sizeof folder, "%s/data", check_folder());
    const char *const parts[] = {"", "/images", "/labels"};
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s%s", folder, parts[i]);
        check_ok(file_make_folder(path, &err), &err);
    }
    for (int i = 0; i < PICTURES; i++) {
        const int head = snprintf((char *)file, sizeof file, "P6 %d %d 255\n", SIDE, SIDE);
        draw(file + head, 10 * i);
        snprintf(path, sizeof path, "%s/images/%d.ppm", folder, i);
        check_ok(file_write(path, file, (size_t)head + SIDE * SIDE * 3, &err), &err);
        const int n = snprintf(line, sizeof line, "2 %.6f 0.5 0.375 0.375\n", (10 * i + 12.0) / SIDE);
        snprintf(path, sizeof path, "%s/labels/%d.txt", folder, i);
        check_ok(file_write(path, line, (size_t)n, &err), &err);
    }
    return folder;
}

static void fails(enum retort_status found, enum retort_status expected, const struct retort_error *err,
                  const char *words)
{
    if (found != expected || !strstr(err->message, words)) print_error("%d: %s\n", found, err->message);
    assert_int_equal(found, expected);
    assert_int_equal(err->status, expected);
    assert_non_null(strstr(err->message, words));
}

static struct retort_model *open_model(void)
{
    struct retort_error err;
    struct retort_model *model;
    assert_int_equal(retort_model_open(&model, model_file(), &err), RETORT_OK);
    return model;
}

static void detects_with_any_number_of_threads(void **state)
{
    (void)state;
    static uint8_t pixels[SIDE * SIDE * 3];
    draw(pixels, 20);
    const struct retort_picture picture = {SIDE, SIDE, pixels};
    struct retort_model *model = open_model();
    assert_int_equal(retort_model_classes(model), 3);
    assert_string_equal(retort_model_class_name(model, 1), "bus");
    struct retort_detector_options options = retort_detector_defaults();
    options.size = SIDE;
    options.confidence = 0.001;
    options.max_detections = 10;
    const struct retort_detection *found[2];
    struct retort_detector *detector[2];
    struct retort_error err;
    int count[2];
    for (int i = 0; i < 2; i++) {
        options.threads = 1 + 2 * i;
        assert_int_equal(retort_detector_open(&detector[i], model, &options, &err), RETORT_OK);
        assert_int_equal(retort_detect(detector[i], &picture, &found[i], &count[i], &err), RETORT_OK);
    }
    assert_in_range(count[0], 1, 10);
    assert_int_equal(count[0], count[1]);
    assert_memory_equal(found[0], found[1], (size_t)count[0] * sizeof **found);
    for (int i = 0; i < count[0]; i++) {
        const struct retort_detection *d = found[0] + i;
        assert_true(d->x1 >= 0 && d->x1 <= d->x2 && d->x2 <= SIDE && d->y1 >= 0 && d->y1 <= d->y2 &&
                    d->y2 <= SIDE);
        assert_true(!i || d->confidence <= d[-1].confidence);
    }
    retort_detector_close(detector[0]);
    retort_detector_close(detector[1]);
    retort_model_close(model);
}

static void selects_above_the_threshold(void **state)
{
    (void)state;
    struct retort_selector_options options = retort_selector_defaults();
    options.warmup = 10;
    options.count = 2;
    options.window = 100;
    struct retort_selector *selector;
    struct retort_error err;
    assert_int_equal(retort_selector_open(&selector, &options, &err), RETORT_OK);
    struct retort_detection frame[2] = {{.confidence = 0.1f}};
    assert_int_equal(retort_select(selector, frame, 0), RETORT_EMPTY);
    for (int i = 0; i < 10; i++) {
        frame[1].confidence = 0.05f * (float)(i + 1); /* 0.1, 0.1, 0.15, ... 0.5: the largest box counts */
        assert_int_equal(retort_select(selector, frame, 2), RETORT_WARMING);
    }
    frame[1].confidence = 0.4f;
    assert_int_equal(retort_select(selector, frame, 2), RETORT_REFUSED);
    frame[1].confidence = 0.6f;
    assert_int_equal(retort_select(selector, frame, 2), RETORT_SELECTED);
    assert_int_equal(retort_select(selector, frame, 2), RETORT_SELECTED);
    assert_int_equal(retort_select(selector, frame, 2), RETORT_CLOSED);
    retort_selector_next_window(selector, 0);
    assert_int_equal(retort_select(selector, frame, 2), RETORT_SELECTED);
    retort_selector_next_window(selector, 1);
    assert_int_equal(retort_select(selector, frame, 2), RETORT_WARMING);
    retort_selector_close(selector);
}

/* A program that starts again at any frame of its warm-up or window decides as if it had not stopped. */
static void selectors_go_on_where_they_were_saved(void **state)
{
    (void)state;
    enum { FRAMES = 60 };
    struct retort_selector_options options = retort_selector_defaults();
    options.warmup = 10;
    options.count = 3;
    options.window = 30;
    options.alpha = 0.3;
    struct retort_error err;
    char path[700];
    snprintf(path, sizeof path, "%s/state", check_folder());
    for (int stop = 0; stop < FRAMES; stop += 7) {
        struct retort_selector *whole, *first, *second;
        assert_int_equal(retort_selector_open(&whole, &options, &err), RETORT_OK);
        assert_int_equal(retort_selector_open(&first, &options, &err), RETORT_OK);
        assert_int_equal(retort_selector_open(&second, &options, &err), RETORT_OK);
        for (int i = 0; i < FRAMES; i++) {
            const struct retort_detection frame = {.confidence = 0.01f + 0.9f * (float)(i * 37 % FRAMES) / FRAMES};
            if (i == stop) {
                assert_int_equal(retort_selector_save(first, path, &err), RETORT_OK);
                assert_int_equal(retort_selector_load(second, path, &err), RETORT_OK);
            }
            struct retort_selector *const other = i < stop ? first : second;
            const enum retort_verdict verdict = retort_select(whole, &frame, i % 9 != 0);
            assert_int_equal(retort_select(other, &frame, i % 9 != 0), verdict);
            if (verdict != RETORT_CLOSED) continue;
            retort_selector_next_window(whole, 0);
            retort_selector_next_window(other, 0);
        }
        retort_selector_close(whole);
        retort_selector_close(first);
        retort_selector_close(second);
    }
    struct retort_selector *other;
    options.count = 4;
    assert_int_equal(retort_selector_open(&other, &options, &err), RETORT_OK);
    fails(retort_selector_load(other, path, &err), RETORT_INPUT, &err, "other options");
    assert_non_null(strstr(err.message, path));
    fails(retort_selector_load(other, "no/such/file", &err), RETORT_INPUT, &err, "no/such/file");
    assert_int_equal(retort_select(other, NULL, 0), RETORT_EMPTY);
    retort_selector_close(other);
}

static void embeds_and_filters(void **state)
{
    (void)state;
    static uint8_t pixels[SIDE * SIDE * 3];
    struct retort_error err;
    struct retort_embedder *embedder;
    assert_int_equal(retort_embedder_open(&embedder, model_file(), NULL, &err), RETORT_OK);
    const int size = retort_embedder_size(embedder);
    float *embeddings = malloc((size_t)size * 4 * sizeof *embeddings);
    assert_non_null(embeddings);
    for (int i = 0; i < 4; i++) { /* the first two pictures are the same */
        draw(pixels, i < 2 ? 0 : 15 * i);
        const struct retort_picture picture = {SIDE, SIDE, pixels};
        assert_int_equal(retort_embed(embedder, &picture, embeddings + i * size, &err), RETORT_OK);
    }
    assert_memory_equal(embeddings, embeddings + size, (size_t)size * sizeof *embeddings);
    int rows[4], kept;
    assert_int_equal(retort_filter(embeddings, 4, size, 3, rows, &kept, &err), RETORT_OK);
    assert_int_equal(kept, 3);
    assert_true(rows[0] == 0 && rows[1] == 2 && rows[2] == 3);
    assert_int_equal(retort_filter(embeddings, 2, size, 3, rows, &kept, &err), RETORT_OK);
    assert_int_equal(kept, 2);
    fails(retort_filter(embeddings, 4, size, 0, rows, &kept, &err), RETORT_USAGE, &err, "budget");
    free(embeddings);
    retort_embedder_close(embedder);
}

static void embedders_follow_the_plan(void **state)
{
    (void)state;
    static uint8_t pixels[SIDE * SIDE * 3];
    const struct retort_picture picture = {SIDE, SIDE, pixels};
    struct retort_error err;
    struct retort_embedder *embedder;
    struct retort_embedder_options options = retort_embedder_defaults();
    float *by_plan[3];
    size_t size = 0;
    draw(pixels, 15);
    for (int plan = RETORT_FAST; plan <= RETORT_FAST_0_1; plan++) {
        options.plan = (enum retort_plan)plan;
        options.threads = 1 + plan;
        assert_int_equal(retort_embedder_open(&embedder, model_file(), &options, &err), RETORT_OK);
        size = (size_t)retort_embedder_size(embedder);
        by_plan[plan] = malloc(size * sizeof(float));
        assert_non_null(by_plan[plan]);
        assert_int_equal(retort_embed(embedder, &picture, by_plan[plan], &err), RETORT_OK);
        retort_embedder_close(embedder);
    }
    /* The same vector, rounded otherwise: both fast plans take Winograd's form where exact has one chain. */
    for (int plan = 0; plan < 3; plan++) {
        if (plan == RETORT_EXACT) continue;
        assert_memory_not_equal(by_plan[plan], by_plan[RETORT_EXACT], size * sizeof(float));
        assert_true(check_relative_l2(by_plan[plan], by_plan[RETORT_EXACT], size) < 1e-4);
    }
    for (int plan = 0; plan < 3; plan++) free(by_plan[plan]);
    options.plan = (enum retort_plan)3;
    fails(retort_embedder_open(&embedder, model_file(), &options, &err), RETORT_USAGE, &err, "plan");
    assert_null(embedder);
}

static int stop(void *context, const char *stage, int64_t done, int64_t total)
{
    (void)done, (void)total;
    return strcmp(stage, context) != 0;
}

static void adapts_to_a_folder(void **state)
{
    (void)state;
    struct retort_error err;
    struct retort_model *model = open_model(), *adapted, *again;
    const int truck = 2;
    struct retort_adapt_options options = retort_adapt_defaults();
    options.label_classes = &truck;
    options.label_class_count = 1;
    options.epochs = 2;
    options.batch = 2;
    options.size = SIDE;
    options.threads = 1;
    assert_int_equal(retort_adapt(&adapted, model, data_folder(), &options, &err), RETORT_OK);
    options.threads = 3;
    assert_int_equal(retort_adapt(&again, model, data_folder(), &options, &err), RETORT_OK);
    assert_int_equal(retort_model_classes(adapted), 1);
    char path[2][700];
    struct retort_model *const models[] = {adapted, again};
    struct file_view file[2];
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof path[i], "%s/adapted%d.safetensors", check_folder(), i);
        assert_int_equal(retort_model_save(models[i], path[i], 0, &err), RETORT_OK);
        check_ok(file_map(&file[i], path[i], NULL), NULL);
        retort_model_close(models[i]);
    }
    assert_int_equal(file[0].size, file[1].size);
    assert_memory_equal(file[0].data, file[1].data, file[0].size);
    for (int i = 0; i < 2; i++) file_unmap(&file[i]);

    const char yaml[] = "train: images\nnames: [van, Bus, truck]\n"; /* the model has car, bus, truck */
    options.label_classes = NULL;
    options.label_class_count = 0;
    snprintf(path[0], sizeof path[0], "%s/data.yaml", data_folder());
    check_ok(file_write(path[0], yaml, sizeof yaml - 1, NULL), NULL);
    assert_int_equal(retort_adapt(&adapted, model, path[0], &options, &err), RETORT_OK);
    assert_int_equal(retort_model_classes(adapted), 3);
    assert_string_equal(retort_model_class_name(adapted, 0), "van");
    assert_string_equal(retort_model_class_name(adapted, 1), "Bus");
    retort_model_close(adapted);

    options.progress = stop;
    options.context = "train";
    fails(retort_adapt(&adapted, model, data_folder(), &options, &err), RETORT_INTERRUPTED, &err,
          "interrupted");
    assert_null(adapted);
    options.size = 100;
    fails(retort_adapt(&adapted, model, data_folder(), &options, &err), RETORT_USAGE, &err, "multiple of 32");
    fails(retort_adapt(&adapted, model, "no/such/folder", NULL, &err), RETORT_INPUT, &err, "no/such/folder");
    retort_model_close(model);
}

/* Sets a locale with a decimal comma: an installed one, else one that localedef builds; skips without either.
 */
static void use_comma(void)
{
    static const char *const known[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (setlocale(LC_ALL, known[i])) return;
    char command[1600];
    snprintf(command, sizeof command,
             "cd '%s' && printf 'LC_NUMERIC\\ndecimal_point \"<U002C>\"\\nthousands_sep \"\"\\n"
             "grouping -1\\nEND LC_NUMERIC\\n' >comma.src && "
             "localedef -c --no-archive -i ./comma.src -f UTF-8 ./comma 2>/dev/null >&2",
             check_folder());
    const int ended = system(command); /* 1: with warnings about the other categories */
    setenv("LOCPATH", check_folder(), 1);
    if (ended == -1 || !setlocale(LC_NUMERIC, "comma")) {
        printf("skip: no locale with a decimal comma, and localedef makes none\n");
        skip();
    }
}

static void numbers_keep_their_points_in_any_locale(void **state)
{
    (void)state;
    use_comma(); /* or skip, before anything is allocated */
    setlocale(LC_ALL, "C");
    struct retort_error err;
    struct retort_model *model = open_model(), *adapted;
    struct retort_adapt_options options = retort_adapt_defaults();
    struct file_view file[2];
    options.epochs = 1;
    options.batch = 2;
    options.size = SIDE;
    options.threads = 3;
    const char *data = data_folder();
    for (int comma = 0; comma < 2; comma++) {
        char path[700], text[8];
        if (comma) use_comma();
        const enum retort_status status = retort_adapt(&adapted, model, data, &options, &err);
        if (status) print_error("%s\n", err.message);
        assert_int_equal(status, RETORT_OK);
        snprintf(path, sizeof path, "%s/locale%d.safetensors", check_folder(), comma);
        assert_int_equal(retort_model_save(adapted, path, 0, &err), RETORT_OK);
        retort_model_close(adapted);
        snprintf(text, sizeof text, "%.1f", 0.5); /* the host's own numbers are as before */
        assert_string_equal(text, comma ? "0,5" : "0.5");
        check_ok(file_map(&file[comma], path, NULL), NULL);
    }
    struct retort_detector_options wrong = retort_detector_defaults();
    struct retort_detector *detector;
    wrong.overlap = 1.5;
    fails(retort_detector_open(&detector, model, &wrong, &err), RETORT_USAGE, &err, "1.5");
    setlocale(LC_ALL, "C");
    assert_int_equal(file[0].size, file[1].size);
    assert_memory_equal(file[0].data, file[1].data, file[0].size);
    for (int i = 0; i < 2; i++) file_unmap(&file[i]);
    retort_model_close(model);
}

static void errors_are_told(void **state)
{
    (void)state;
    struct retort_error err;
    struct retort_model *model, *opened = open_model();
    struct retort_detector *detector;
    struct retort_picture picture;
    fails(retort_model_open(&model, "no/such/file", &err), RETORT_INPUT, &err, "no/such/file");
    assert_null(model);
    assert_int_equal(retort_model_open(&model, "no/such/file", NULL), RETORT_INPUT);
    fails(retort_picture_read(&picture, model_file(), &err), RETORT_INPUT, &err, "pico.safetensors");
    struct retort_detector_options options = retort_detector_defaults();
    options.confidence = 1;
    fails(retort_detector_open(&detector, opened, &options, &err), RETORT_USAGE, &err, "confidence");
    assert_null(detector);
    options = retort_detector_defaults();
    options.threads = -1;
    fails(retort_detector_open(&detector, opened, &options, &err), RETORT_USAGE, &err, "threads");
    options = retort_detector_defaults();
    assert_int_equal(options.plan, RETORT_FAST);
    options.plan = (enum retort_plan)3;
    fails(retort_detector_open(&detector, opened, &options, &err), RETORT_USAGE, &err, "plan");
    assert_int_equal(retort_detector_open(&detector, opened, NULL, &err), RETORT_OK);
    const uint8_t pixel[3] = {0};
    picture = (struct retort_picture){-1, 1, pixel};
    const struct retort_detection *found;
    int count;
    fails(retort_detect(detector, &picture, &found, &count, &err), RETORT_INPUT, &err, "picture");
    retort_detector_close(detector);
    retort_detector_close(NULL);
    retort_model_close(opened);
    retort_model_close(NULL);
    retort_selector_close(NULL);
    retort_embedder_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(detects_with_any_number_of_threads),
        cmocka_unit_test(selects_above_the_threshold),
        cmocka_unit_test(selectors_go_on_where_they_were_saved),
        cmocka_unit_test(embeds_and_filters),
        cmocka_unit_test(embedders_follow_the_plan),
        cmocka_unit_test(adapts_to_a_folder),
        cmocka_unit_test(numbers_keep_their_points_in_any_locale),
        cmocka_unit_test(errors_are_told),
    };
    return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}
