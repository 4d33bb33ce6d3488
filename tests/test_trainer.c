/* Fine-tuning: resuming gives the same bits, threads do not matter, masks hold, and it learns. */
#include "check.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/rng.h"
#include "detect/detector.h"
#include "image/encode.h"
#include "nn/load.h"
#include "train/checkpoint.h"
#include "train/recipe.h"
#include "train/scored_set.h"
#include "train/train_log.h"
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PICTURES = 5, SIDE = 64 };

/* Dark pictures with one bright square each, and its label. */
static void write_picture(const char *folder, int i)
{
    struct error err;
    struct image image;
    char path[700], label[100];
    check_ok(image_alloc(&image, SIDE, SIDE, &err), &err);
    const int size = 14 + 4 * i, x0 = 6 * i, y0 = 40 - 8 * i;
    for (int p = 0; p < SIDE * SIDE; p++) {
        const int x = p % SIDE, y = p / SIDE;
        const int inside = x >= x0 && x < x0 + size && y >= y0 && y < y0 + size;
        const int noise = rng_int(7, (uint64_t)(i * SIDE * SIDE + p), 20);
        for (int c = 0; c < 3; c++) image.pixels[3 * p + c] = (uint8_t)((inside ? 200 : 30) + noise);
    }
    snprintf(path, sizeof path, "%s/%d.ppm", folder, i);
    check_ok(image_write(path, &image, 90, &err), &err);
    image_free(&image);
    const int n = snprintf(label, sizeof label, "0 %.6f %.6f %.6f %.6f\n", (x0 + size / 2.0) / SIDE,
                           (y0 + size / 2.0) / SIDE, (double)size / SIDE, (double)size / SIDE);
    snprintf(path, sizeof path, "%s/%d.txt", folder, i);
    check_ok(file_write(path, label, (size_t)n, &err), &err);
}

struct setup {
    struct arena arena;
    struct model model;
    struct pictures pictures;
    const struct kernels *kernels;
    char folder[600];
};

static void prepare(struct setup *s, int threads, const char *run)
{
    struct error err;
    static char paths[PICTURES][2][700];
    struct dataset_item items[PICTURES];
    *s = (struct setup){0};
    snprintf(s->folder, sizeof s->folder, "%s/%s", check_folder(), run);
    check_ok(file_make_folder(s->folder, &err), &err);
    for (int i = 0; i < PICTURES; i++) {
        write_picture(s->folder, i);
        snprintf(paths[i][0], sizeof paths[i][0], "%s/%d.ppm", s->folder, i);
        snprintf(paths[i][1], sizeof paths[i][1], "%s/%d.txt", s->folder, i);
        items[i] = (struct dataset_item){paths[i][0], paths[i][1]};
    }
    check_ok(kernels_get(&s->kernels, NULL, &err), &err);
    struct model source;
    check_ok(model_make(&source, (struct yolo11_config){.scale = YOLO11_PICO, .classes = 3}, &err), &err);
    for (int i = 0; i < source.params.count; i++) {
        const struct param *p = source.params.list + i;
        check_synth(params_values(&source.params, i), p->name, p->shape, p->dims);
    }
    check_ok(model_restart(&s->model, &source, 1, HEAD_TRANSFER, NULL, 0, 0, 0, &err), &err);
    model_free(&source);
    check_ok(pictures_load(&s->pictures, items, PICTURES, 1, NULL, 0, SIDE, threads, NULL, &err), &err);
}

static struct trainer_options options_for(const struct setup *s, int threads, int epochs)
{
    struct trainer_options o = trainer_defaults();
    o.batch = 2;
    o.epochs = epochs;
    o.threads = threads;
    o.augment.size = SIDE;
    o.schedule.nominal_batch = 4;
    o.folder = s->folder;
    return o;
}

static void done(struct setup *s)
{
    pictures_free(&s->pictures);
    model_free(&s->model);
    arena_free(&s->arena);
}

/* Asks to stop once *context units of training are done. */
static bool stop_at(void *context, const char *stage, int64_t finished, int64_t total, const char *note)
{
    (void)total, (void)note;
    return strcmp(stage, "train") || finished < *(int *)context;
}

/* Hash of the weights after four epochs; with stop_after the first call ends early, as after a kill, and a
 * second one goes on from its checkpoint. */
static void hash_after(char hex[SHA256_HEX], int threads, const char *run, int stop_after)
{
    struct setup s;
    struct error err;
    struct trainer_result result;
    struct model start;
    prepare(&s, threads, run);
    struct trainer_options o = options_for(&s, threads, 4);
    if (stop_after) {
        const struct progress stop = {stop_at, &stop_after};
        check_ok(model_copy(&start, &s.model, &err), &err);
        assert_int_equal(trainer_run(&result, &s.model, &s.pictures, s.kernels, &o, &stop, &s.arena, &err),
                         ERR_INTERRUPTED);
        memcpy(s.model.params.values, start.params.values, start.params.total * sizeof(float));
        model_free(&start);
        o.resume = true;
    }
    check_ok(trainer_run(&result, &s.model, &s.pictures, s.kernels, &o, NULL, &s.arena, &err), &err);
    assert_int_equal(result.iterations, 12);
    if (HAVE_JANSSON || !stop_after) {
        assert_int_equal(result.count, 4);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(result.epochs[i].epoch, i);
            assert_true(result.epochs[i].loss.box > 0 && isfinite(result.epochs[i].rate));
        }
    }
    params_hash(&s.model.params, hex);
    done(&s);
}

static void resuming_gives_the_same_bits(void **state)
{
    (void)state;
    char whole[SHA256_HEX], resumed[SHA256_HEX];
    hash_after(whole, 2, "whole", 0);
    hash_after(resumed, 2, "resumed", 8); /* in the third epoch of three mini-batches */
    assert_string_equal(whole, resumed);
}

static void a_log_is_cut_and_read(void **state)
{
    (void)state;
    static const char log[] = "{\"epoch\":0,\"box\":1.5,\"score\":0.25,\"steps\":7}\n"
                              "{\"epoch\":1,\"score\":null}\n{\"epoch\":2}\n{\"ep";
    char path[600];
    struct trainer_epoch epochs[4];
    struct file_view view;
    struct error err;
    int count = -1;
    snprintf(path, sizeof path, "%s/log.jsonl", check_folder());
    check_ok(train_log_resume(epochs, &count, path, 4, &err), &err); /* no file */
    assert_int_equal(count, 0);
    check_ok(file_write(path, log, strlen(log), &err), &err);
    if (HAVE_JANSSON) {
        assert_int_equal(train_log_resume(epochs, &count, path, 4, &err), ERR_INPUT);
        assert_non_null(strstr(err.message, "log.jsonl:4"));
    }
    check_ok(train_log_resume(epochs, &count, path, 2, &err), &err);
    check_ok(file_map(&view, path, &err), &err);
    assert_int_equal(view.size, strstr(log, "{\"epoch\":2") - log);
    file_unmap(&view);
    if (!HAVE_JANSSON) return;
    assert_int_equal(count, 2);
    assert_true(epochs[0].loss.box == 1.5 && epochs[0].score == 0.25 && epochs[0].steps == 7);
    assert_true(epochs[1].epoch == 1 && isnan(epochs[1].score) && isnan(epochs[1].loss.box));
}

static void threads_do_not_matter(void **state)
{
    (void)state;
    char one[SHA256_HEX], three[SHA256_HEX];
    hash_after(one, 1, "one", 0);
    hash_after(three, 3, "three", 0);
    assert_string_equal(one, three);
}

static void a_checkpoint_of_another_run_is_refused(void **state)
{
    (void)state;
    struct setup s;
    struct error err;
    struct trainer_result result;
    prepare(&s, 1, "other");
    struct trainer_options o = options_for(&s, 1, 1);
    struct model start;
    check_ok(model_copy(&start, &s.model, &err), &err);
    check_ok(trainer_run(&result, &s.model, &s.pictures, s.kernels, &o, NULL, &s.arena, &err), &err);
    memcpy(s.model.params.values, start.params.values, start.params.total * sizeof(float));
    o.seed = 1;
    o.resume = true;
    assert_int_equal(trainer_run(&result, &s.model, &s.pictures, s.kernels, &o, NULL, &s.arena, &err),
                     ERR_INPUT);
    assert_non_null(strstr(err.message, "checkpoint.safetensors"));
    model_free(&start);
    done(&s);
}

/* The scores of a list, one a call. */
struct scores {
    const double *list;
    int calls;
};

static enum status listed_score(void *context, const struct model *average, double *score, struct error *err)
{
    (void)average, (void)err;
    struct scores *scores = context;
    *score = scores->list[scores->calls++];
    return OK;
}

/* Epochs that a run of at most eight has, of this list of scores; interrupted in epoch `stop` and resumed. */
static int epochs_of(const char *run, const double *list, int stop, int *best_epoch, size_t *moved)
{
    struct setup s;
    struct error err;
    struct trainer_result result;
    struct scores scores = {list, 0};
    struct model start;
    prepare(&s, 1, run);
    check_ok(model_copy(&start, &s.model, &err), &err);
    struct trainer_options o = options_for(&s, 1, 8);
    o.patience = 2;
    o.validation = (struct trainer_validation){listed_score, &scores, NULL};
    if (stop) {
        int units = 3 * stop + 1;
        const struct progress progress = {stop_at, &units};
        const enum status status =
            trainer_run(&result, &s.model, &s.pictures, s.kernels, &o, &progress, &s.arena, &err);
        assert_true(status == OK || status == ERR_INTERRUPTED);
        memcpy(s.model.params.values, start.params.values, start.params.total * sizeof(float));
        o.resume = true;
    }
    check_ok(trainer_run(&result, &s.model, &s.pictures, s.kernels, &o, NULL, &s.arena, &err), &err);
    if (HAVE_JANSSON || !stop) assert_int_equal(result.count, scores.calls);
    *best_epoch = result.best_epoch;
    *moved = result.moved;
    model_free(&start);
    done(&s);
    return scores.calls;
}

static void patience_survives_resuming(void **state)
{
    (void)state;
    const double equal[8] = {0.5, 0.5, 0.5, 0.9, 0.9, 0.9, 0.9, 0.9}, zero[8] = {0};
    int best, resumed_best;
    size_t moved, resumed_moved;
    assert_int_equal(epochs_of("patience", equal, 0, &best, &moved), 3); /* equal is no rise */
    assert_int_equal(best, 2);                                           /* but the later one is kept */
    assert_int_equal(epochs_of("patience-resumed", equal, 2, &resumed_best, &resumed_moved), 3);
    assert_int_equal(resumed_best, best);
    assert_int_equal(resumed_moved, moved);
    assert_int_equal(epochs_of("patience-finished", equal, 7, &resumed_best, &resumed_moved), 3);
    assert_int_equal(resumed_best, best);
    assert_int_equal(epochs_of("patience-zero", zero, 0, &best, &moved),
                     8); /* nothing yet to lose patience with */
}

/* Four epochs scored from lists; the epoch that is the result, or the status. A NULL list: no validation. */
static enum status guarded(const char *run, const double *list, const double *guard, double loss, int *best,
                           int *refused)
{
    struct setup s;
    struct error err;
    struct trainer_result result;
    struct scores scores = {list, 0}, guards = {guard, 0};
    prepare(&s, 1, run);
    struct trainer_options o = options_for(&s, 1, 4);
    if (list) o.validation = (struct trainer_validation){listed_score, &scores, NULL};
    o.guard = (struct trainer_guard){{listed_score, &guards, NULL}, 0.5, loss};
    const enum status status =
        trainer_run(&result, &s.model, &s.pictures, s.kernels, &o, NULL, &s.arena, &err);
    if (status == OK) {
        *best = result.best_epoch;
        *refused = result.refused;
        const int kept = *best < 0 ? 3 : *best;
        assert_true(trainer_guard_after(&result) == guard[kept] && result.epochs[kept].guard == guard[kept]);
        assert_int_equal(isnan(result.best_score), list == NULL);
    } else {
        assert_non_null(strstr(err.message, "guard set"));
    }
    done(&s);
    return status;
}

static void a_guard_refuses_what_forgets(void **state)
{
    (void)state;
    const double list[4] = {0.3, 0.9, 0.5, 0.4}, guard[4] = {0.45, 0.4, 0.45, 0.1},
                 gone[4] = {0, 0.1, 0.2, 0};
    int best, refused;
    assert_int_equal(guarded("guard-watch", list, guard, -1, &best, &refused), OK);
    assert_true(best == 1 && refused == 0);
    assert_int_equal(guarded("guard-limit", list, guard, 0.05, &best, &refused),
                     OK); /* 0.45 is no more than it */
    assert_true(best == 2 && refused == 2);
    assert_int_equal(guarded("guard-last", NULL, guard, 0.05, &best, &refused), OK);
    assert_true(best == 2 && refused == 2);
    assert_int_equal(guarded("guard-only", NULL, guard, -1, &best, &refused), OK);
    assert_true(best == -1 && refused == 0);
    assert_int_equal(guarded("guard-gone", list, gone, 0.25, &best, &refused), ERR_CHECK);
}

static void scored_sets_belong_to_the_recipe(void **state)
{
    (void)state;
    static const double list[8] = {0.5, 0.6, 0.5, 0.6, 0.5, 0.6, 0.5, 0.6};
    struct setup s;
    struct error err;
    char hex[5][SHA256_HEX];
    struct scores scores = {list, 0};
    prepare(&s, 1, "sets");
    struct trainer_options o = options_for(&s, 1, 1);
    recipe_hash(hex[0], &o, &s.pictures, &s.model);
    o.validation = (struct trainer_validation){listed_score, &scores, "a"};
    recipe_hash(hex[1], &o, &s.pictures, &s.model);
    o.validation.recipe = "b";
    recipe_hash(hex[2], &o, &s.pictures, &s.model);
    o.guard.set = o.validation;
    recipe_hash(hex[3], &o, &s.pictures, &s.model);
    o.guard.loss = 0.5;
    recipe_hash(hex[4], &o, &s.pictures, &s.model);
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < i; k++) assert_string_not_equal(hex[i], hex[k]);

    struct scored_set set;
    static char path[700], label[700];
    struct evaluate_options scoring = evaluate_default_options();
    snprintf(path, sizeof path, "%s/0.ppm", s.folder);
    snprintf(label, sizeof label, "%s/0.txt", s.folder);
    const struct dataset_item item = {path, label};
    check_ok(scored_set_make(&set, &item, 1, &scoring, s.kernels, 1, &err), &err);
    assert_int_equal(set.labels, 1);
    snprintf(hex[0], sizeof hex[0], "%s", set.recipe);
    check_ok(file_write(label, "", 0, &err), &err); /* another label file: another recipe */
    check_ok(scored_set_make(&set, &item, 1, &scoring, s.kernels, 1, &err), &err);
    assert_int_equal(set.labels, 0);
    assert_string_not_equal(hex[0], set.recipe);
    assert_int_equal(scored_set_open(&set, s.folder, &scoring, s.kernels, 1, &err), ERR_INPUT);

    /* A run of version 0.1 goes on by fast-0.1: this is its recipe of the set. */
    scoring.plan = PLAN_FAST_0_1;
    check_ok(scored_set_make(&set, &item, 1, &scoring, s.kernels, 1, &err), &err);
    assert_string_equal(set.recipe, "9c82561ff79f7d3d3d6351b759e39ca75f884f41acf46f9cbd0ea327870abc18");
    scored_set_close(&set);
    done(&s);
}

/* A checkpoint whose next epoch is negative would write outside the list of epochs. */
static void a_damaged_count_is_refused(void **state)
{
    (void)state;
    struct setup s;
    struct error err;
    struct learner learner;
    struct checkpoint written = {.epoch = -1, .best_epoch = -1, .recipe = "r"}, read = {.recipe = "r"};
    char path[700];
    prepare(&s, 1, "damaged");
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", s.folder);
    const struct learner_options options = {
        .batch = 1, .size = SIDE, .threads = 1, .max_targets = 1, .optimizer = OPTIMIZER_SGD};
    check_ok(learner_make(&learner, &s.model, s.kernels, &options, &err), &err);
    check_ok(checkpoint_write(path, &learner, &written, &err), &err);
    assert_int_equal(checkpoint_read(path, &learner, &read, &err), ERR_INPUT);
    assert_non_null(strstr(err.message, "\"epoch\""));
    learner_free(&learner);
    done(&s);
}

/* Its format is checked before anything is believed; and the log has a line for each of its epochs. */
static void what_belongs_to_a_checkpoint_is_checked(void **state)
{
    (void)state;
    struct setup s;
    struct error err;
    struct trainer_result result;
    struct model start;
    prepare(&s, 1, "belongs");
    struct trainer_options o = options_for(&s, 1, 2);
    check_ok(model_copy(&start, &s.model, &err), &err);
    check_ok(trainer_run(&result, &s.model, &s.pictures, s.kernels, &o, NULL, &s.arena, &err), &err);
    memcpy(s.model.params.values, start.params.values, start.params.total * sizeof(float));
    model_free(&start);
    o.resume = true;
    const char *const path = arena_printf(&s.arena, "%s/checkpoint.safetensors", s.folder),
                      *const log = arena_printf(&s.arena, "%s/train.jsonl", s.folder);
    check_ok(train_log_cut(log, 1, &err), &err);
    if (HAVE_JANSSON) {
        assert_int_equal(trainer_run(&result, &s.model, &s.pictures, s.kernels, &o, NULL, &s.arena, &err),
                         ERR_INPUT);
        assert_non_null(strstr(err.message, "train.jsonl: expected a line for each of the checkpoint's 2"));
    }
    struct file_view view;
    check_ok(file_map(&view, path, &err), &err);
    char *const bytes = arena_alloc(&s.arena, view.size, 1), *at = bytes;
    memcpy(bytes, view.data, view.size);
    while (strncmp(at, "retort-checkpoint-1", 19)) at++;
    at[18] = '2';
    check_ok(file_write(path, bytes, view.size, &err), &err);
    file_unmap(&view);
    assert_int_equal(trainer_run(&result, &s.model, &s.pictures, s.kernels, &o, NULL, &s.arena, &err),
                     ERR_INPUT);
    assert_non_null(strstr(err.message, "expected retort-checkpoint-1, found retort-checkpoint-2"));
    done(&s);
}

/* The epoch is looked up, wherever it stands. */
static void the_guards_score_is_that_of_the_best_epoch(void **state)
{
    (void)state;
    struct trainer_epoch epochs[2] = {{.epoch = 3, .guard = 0.25}, {.epoch = 4, .guard = 0.5}};
    struct trainer_result result = {.epochs = epochs, .count = 2, .best_epoch = 3};
    assert_true(trainer_guard_after(&result) == 0.25);
    result.best_epoch = -1;
    assert_true(trainer_guard_after(&result) == 0.5);
    result.best_epoch = 1;
    assert_true(isnan(trainer_guard_after(&result)));
}

static void what_is_not_finite_is_placed(void **state)
{
    (void)state;
    struct setup s;
    struct error err;
    struct trainer_result result;
    prepare(&s, 1, "infinite");
    struct trainer_options o = options_for(&s, 1, 1);
    o.folder = NULL;
    for (int i = 0; i < s.model.params.count; i++)
        if (strstr(s.model.params.list[i].name, "cv3.0.2.bias"))
            *params_values(&s.model.params, i) = INFINITY;
    assert_int_equal(trainer_run(&result, &s.model, &s.pictures, s.kernels, &o, NULL, &s.arena, &err),
                     ERR_CHECK);
    assert_non_null(strstr(err.message, "epoch 1, mini-batch 1: loss: image 0 of the batch, stride 8"));
    done(&s);
}

static void frozen_layers_belong_to_the_recipe(void **state)
{
    (void)state;
    struct setup s;
    struct error err;
    struct trainer_result result;
    struct model frozen;
    prepare(&s, 1, "frozen");
    check_ok(model_restart(&frozen, &s.model, 1, HEAD_TRANSFER, NULL, 0, 5, 0, &err), &err);
    struct trainer_options o = options_for(&s, 1, 1);
    check_ok(trainer_run(&result, &s.model, &s.pictures, s.kernels, &o, NULL, &s.arena, &err), &err);
    o.resume = true;
    assert_int_equal(trainer_run(&result, &frozen, &s.pictures, s.kernels, &o, NULL, &s.arena, &err),
                     ERR_INPUT);
    model_free(&frozen);
    done(&s);
}

/* Hashed where versions change what fast computes; 0 is what version 0.1 hashed of its own fast, 1 of exact. */
static void plans_belong_to_the_recipe(void **state)
{
    (void)state;
    struct setup s;
    char hex[3][SHA256_HEX];
    prepare(&s, 1, "plans");
    struct trainer_options o = options_for(&s, 1, 1);
    for (int plan = PLAN_FAST; plan <= PLAN_FAST_0_1; plan++) {
        o.plan = (enum net_plan)plan;
        recipe_hash(hex[plan], &o, &s.pictures, &s.model);
        for (int i = 0; i < plan; i++) assert_string_not_equal(hex[i], hex[plan]);
    }
    assert_int_equal(net_plan_number(PLAN_FAST_0_1), 0);
    assert_int_equal(net_plan_number(PLAN_EXACT), 1);
    done(&s);
}

static void folded_weights_are_refused(void **state)
{
    (void)state;
    struct error err;
    struct model folded, student;
    const struct yolo11_config config = {.scale = YOLO11_PICO, .classes = 1, .folded = true};
    check_ok(model_make(&folded, config, &err), &err);
    assert_int_equal(model_check_trainable(&folded, "a.safetensors", &err), ERR_INPUT);
    assert_non_null(strstr(err.message, "a.safetensors: batch norms are folded"));
    assert_int_equal(model_restart(&student, &folded, 1, HEAD_TRANSFER, NULL, 0, 0, 0, &err), ERR_INPUT);
    model_free(&student); /* nothing, after an error */
    model_free(&folded);
}

struct masked {
    size_t all, fresh, allowed, changed, changed_fresh; /* coordinates */
};

static struct masked train_masked(enum mask_rule rule, double fraction, enum optimizer optimizer)
{
    struct setup s;
    struct error err;
    struct trainer_result result;
    struct model start;
    prepare(&s, 2, "mask");
    check_ok(model_copy(&start, &s.model, &err), &err);
    struct trainer_options o = options_for(&s, 2, 3);
    o.folder = NULL;
    o.schedule.optimizer = optimizer;
    o.mask = rule;
    o.fraction = fraction;
    o.mask_warmup = 3;
    check_ok(trainer_run(&result, &s.model, &s.pictures, s.kernels, &o, NULL, &s.arena, &err), &err);
    struct masked masked = {.all = start.params.trainable, .allowed = result.moved};
    for (int t = 0; t < s.model.params.count; t++) {
        const struct param *p = s.model.params.list + t;
        if (p->kind != PARAM_TRAINABLE) continue;
        size_t changed = 0;
        for (size_t i = p->offset; i < p->offset + p->size; i++)
            changed += memcmp(start.params.values + i, s.model.params.values + i, sizeof(float)) != 0;
        masked.changed += changed;
        if (p->fresh) masked.fresh += p->size, masked.changed_fresh += changed;
    }
    model_free(&start);
    done(&s);
    return masked;
}

static void a_mask_keeps_the_other_weights(void **state)
{
    (void)state;
    const struct {
        enum mask_rule rule;
        enum optimizer optimizer;
    } cases[] = {
        {MASK_PREVIOUS_U, OPTIMIZER_AUTO}, {MASK_PROBE, OPTIMIZER_AUTO}, {MASK_PROBE, OPTIMIZER_SGD}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct masked m = train_masked(cases[i].rule, 0.05, cases[i].optimizer);
        assert_int_equal(m.allowed, mask_count(0.05, m.all));
        assert_true(m.changed > 0 && m.changed <= m.allowed);
    }
}

/* A share that fresh tensors use up leaves nothing to others, whatever their scores. */
static void fresh_tensors_are_in_every_ranked_mask(void **state)
{
    (void)state;
    const struct masked m = train_masked(MASK_PREVIOUS_U, 0.0001, OPTIMIZER_AUTO);
    assert_true(m.allowed > 0 && m.allowed < m.fresh);
    assert_true(m.changed > 0);
    assert_int_equal(m.changed, m.changed_fresh);
}

/* Above the quantile there may be fewer coordinates than asked for, where many moved equally far. */
static void a_strict_probe_may_let_fewer_move(void **state)
{
    (void)state;
    const struct masked m = train_masked(MASK_PROBE_STRICT, 0.05, OPTIMIZER_AUTO);
    printf("%zu of %zu coordinates may move, %zu asked for\n", m.allowed, m.all, mask_count(0.05, m.all));
    assert_true(m.allowed > 0 && m.allowed <= mask_count(0.05, m.all));
    assert_true(m.changed > 0 && m.changed <= m.allowed);
}

/* After enough steps on five pictures the student finds their squares. */
static void it_learns(void **state)
{
    (void)state;
    struct setup s;
    struct error err;
    struct trainer_result result;
    prepare(&s, 2, "learns");
    struct trainer_options o = options_for(&s, 2, 80);
    o.augment = (struct augment_options){.size = SIDE}; /* the same pictures every time */
    o.schedule.nominal_batch = 2;
    o.checkpoint_every = 0;
    check_ok(trainer_run(&result, &s.model, &s.pictures, s.kernels, &o, NULL, &s.arena, &err), &err);

    struct detector detector;
    struct nms_options options = nms_predict_options();
    options.confidence = 0.001f;
    detector_begin(&detector, &s.model, s.kernels, 2, &options);
    double worst = 1;
    for (int i = 0; i < PICTURES; i++) {
        struct detection found[NMS_MAX_DETECTIONS];
        int count;
        check_ok(detector_predict(&detector, &s.pictures.list[i].image, SIDE, false, found, &count, &err),
                 &err);
        const double iou =
            count ? box_iou(found[0].box, label_box(s.pictures.list[i].labels.rows, SIDE, SIDE)) : 0;
        if (iou < worst) worst = iou;
    }
    printf("%lld steps; the worst of the best boxes overlaps its square by %.2f\n", (long long)result.steps,
           worst);
    assert_true(worst > 0.5);
    detector_end(&detector);
    done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resuming_gives_the_same_bits),
        cmocka_unit_test(a_log_is_cut_and_read),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(a_checkpoint_of_another_run_is_refused),
        cmocka_unit_test(patience_survives_resuming),
        cmocka_unit_test(a_damaged_count_is_refused),
        cmocka_unit_test(what_belongs_to_a_checkpoint_is_checked),
        cmocka_unit_test(the_guards_score_is_that_of_the_best_epoch),
        cmocka_unit_test(what_is_not_finite_is_placed),
        cmocka_unit_test(frozen_layers_belong_to_the_recipe),
        cmocka_unit_test(plans_belong_to_the_recipe),
        cmocka_unit_test(scored_sets_belong_to_the_recipe),
        cmocka_unit_test(a_guard_refuses_what_forgets),
        cmocka_unit_test(folded_weights_are_refused),
        cmocka_unit_test(a_mask_keeps_the_other_weights),
        cmocka_unit_test(fresh_tensors_are_in_every_ranked_mask),
        cmocka_unit_test(a_strict_probe_may_let_fewer_move),
        cmocka_unit_test(it_learns),
    };
    return cmocka_run_group_tests_name("trainer", tests, NULL, NULL);
}
