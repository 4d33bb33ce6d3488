#include "train/distill.h"

#include "base/file.h"
#include "detect/labels.h"
#include "nn/load.h"
#include "train/distill_folder.h"
#include "train/distill_label.h"
#include "train/distill_score.h"
#include "train/distill_watch.h"
#include "train/scored_set.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_HOLDOUT = 4, LEAST_FRAMES_FOR_HOLDOUT = 8 };

struct distill {
    struct distill_result *result;
    const struct distill_options *options;
    const struct progress *progress;
    struct arena *arena;
    struct model before, student; /* the deployed student; the one that learns */
    struct dataset test;
    struct known_pictures known; /* its pictures */
    struct scored_set validation, guard;
    struct pictures pictures;
    struct dataset_item *chosen; /* [chosen_count] pictures and labels of the set */
    struct dataset_item *extra;  /* [extra_count] the same of the extra validation frames */
    struct dataset_item *training, *held;
    size_t training_count, held_count;
    char recipe[SHA256_HEX];
};

static const char *path_in(struct distill *d, const char *format, const char *name)
{
    char *inside = arena_printf(d->arena, format, name);
    return inside ? arena_printf(d->arena, "%s/%s", d->options->folder, inside) : NULL;
}

/* ---- Upload: the chosen frames become a data set ---- */

/* Moves the stored picture into images/ of the set, and says where its labels are. */
static enum status move_picture(struct distill *d, struct dataset_item *item, const char *set,
                                struct distill_candidate *c, struct error *err)
{
    const char *const name = strrchr(c->file, '/') + 1;
    const int stem = (int)strcspn(name, ".");
    const char *const folder = d->options->folder;
    item->image = arena_printf(d->arena, "%s/%s/images/%.*s.jpg", folder, set, stem, name);
    item->labels = arena_printf(d->arena, "%s/%s/labels/%.*s.txt", folder, set, stem, name);
    if (!item->image || !item->labels) return fail_memory(err, "a path", strlen(name));
    if (rename(c->file, item->image)) return fail_errno(err, "move", c->file);
    c->file = item->image;
    return OK;
}

/* A data set of `count` pictures; which: numbers in the list, or NULL for all. */
static enum status make_set(struct distill *d, struct dataset_item **items, const char *set,
                            struct distill_candidate *list, const int *which, int count, struct error *err)
{
    const char *const images = path_in(d, "%s/images", set), *const labels = path_in(d, "%s/labels", set);
    *items = arena_alloc(d->arena, (size_t)count, sizeof **items);
    if (!images || !labels || !*items) return fail_memory(err, "a data set", (size_t)count * sizeof **items);
    TRY(file_make_folder(images, err));
    TRY(file_make_folder(labels, err));
    for (int i = 0; i < count; i++) TRY(move_picture(d, *items + i, set, list + (which ? which[i] : i), err));
    return OK;
}

static enum status add_picture(struct sha256 *hash, const char *file, struct error *err)
{
    char hex[SHA256_HEX];
    TRY(sha256_file(file, hex, err));
    const char *const name = strrchr(file, '/'); /* folders may move */
    sha256_add(hash, name, strlen(name) + 1);
    sha256_add(hash, hex, sizeof hex);
    return OK;
}

static enum status make_sets(struct distill *d, struct error *err)
{
    struct distill_result *r = d->result;
    struct sha256 hash;
    char pictures[SHA256_HEX];
    sha256_init(&hash);
    for (int i = 0; i < r->chosen_count; i++) TRY(add_picture(&hash, r->candidates[r->chosen[i]].file, err));
    for (int i = 0; i < r->extra_count; i++) TRY(add_picture(&hash, r->extra[i].file, err));
    sha256_hex(&hash, pictures);
    TRY(distill_open_sets(d->options->folder, d->recipe, pictures, d->arena, err));
    TRY(make_set(d, &d->chosen, "set", r->candidates, r->chosen, r->chosen_count, err));
    return r->extra_count ? make_set(d, &d->extra, "validation", r->extra, NULL, r->extra_count, err) : OK;
}

/* ---- Training ---- */

/* Holds frames out at even distances [D-SBAD], or takes the user's, or none. */
static enum status split(struct distill *d, struct error *err)
{
    const int n = d->result->chosen_count;
    int held = 0;
    if (d->options->validation == DISTILL_HOLDOUT && n >= LEAST_FRAMES_FOR_HOLDOUT) {
        held = (int)rint(0.1 * n);
        if (held < LEAST_HOLDOUT) held = LEAST_HOLDOUT;
    }
    d->training = arena_alloc(d->arena, (size_t)n, sizeof *d->training);
    d->held = arena_alloc(d->arena, (size_t)n, sizeof *d->held);
    struct selection positions = {0};
    if (!d->training || !d->held) return fail_memory(err, "the split", (size_t)n * sizeof *d->held);
    if (held) {
        struct select_options interval = select_defaults();
        const struct select_bank bank = {.frames = n};
        interval.rule = SELECT_INTERVAL;
        interval.wanted = held;
        TRY(select_run(&positions, &interval, &bank, d->arena, err));
    }
    for (int i = 0, next = 0; i < n; i++) {
        if (next < positions.count && positions.frames[next] == i) {
            d->held[d->held_count++] = d->chosen[i];
            next++;
        } else {
            d->training[d->training_count++] = d->chosen[i];
        }
    }
    d->result->validation_frames = held;
    if (d->options->validation == DISTILL_EXTRA) {
        d->held = d->extra;
        d->held_count = (size_t)d->result->extra_count;
    }
    return OK;
}

/* Frames held out and extra ones carry the teacher's labels, already of the one class; a folder of the user's
 * has its own.
 */
static enum status open_sets(struct distill *d, struct trainer_options *trainer, struct error *err)
{
    const struct distill_options *o = d->options;
    struct evaluate_options scoring = o->scoring;
    scoring.rectangular = true;
    scoring.ignore_above = -1;
    if (o->guard) {
        TRY(scored_set_open(&d->guard, o->guard, &scoring, o->kernels, o->threads, err));
        TRY(scored_set_score(&d->guard, &d->before, &d->result->guard_before, d->progress, err));
        trainer->guard.set = scored_set_validation(&d->guard);
        trainer->guard.start = d->result->guard_before;
    }
    if (o->validation == DISTILL_FOLDER) {
        TRY(scored_set_open(&d->validation, o->validation_folder, &scoring, o->kernels, o->threads, err));
    } else if (d->held_count) {
        scoring.label_list = NULL;
        scoring.label_count = 0;
        TRY(scored_set_make(&d->validation, d->held, d->held_count, &scoring, o->kernels, o->threads, err));
    } else {
        return OK;
    }
    trainer->validation = scored_set_validation(&d->validation);
    if (!o->ship_better) return OK;
    return scored_set_score(&d->validation, &d->before, &d->result->validation_before, d->progress, err);
}

static enum status start_student(struct model *student, const struct distill *d, struct error *err)
{
    const struct distill_options *o = d->options;
    return model_restart(student, &d->before, 1, o->head, o->vehicles,
                         o->head == HEAD_KEEP && d->before.config.classes > 1 ? o->vehicle_count : 0,
                         o->freeze, o->trainer.seed, err);
}

/* Refuses at once what training would refuse after the stream. */
static enum status check_memory(const struct distill *d, struct error *err)
{
    const struct distill_options *o = d->options;
    struct model student;
    if (!o->trainer.memory_limit) return OK;
    TRY(start_student(&student, d, err));
    const enum status status = trainer_check_memory(&student, o->budget, o->kernels, &o->trainer, err);
    model_free(&student);
    return status;
}

static enum status train(struct distill *d, struct error *err)
{
    const struct distill_options *o = d->options;
    TRY(start_student(&d->student, d, err));
    TRY(model_set_names(&d->student, "vehicle", err));
    TRY(split(d, err));
    TRY(pictures_load(&d->pictures, d->training, d->training_count, 1, NULL, 0, o->size, o->threads,
                      d->progress, err));
    struct trainer_options trainer = o->trainer;
    trainer.folder = path_in(d, "%s", "train");
    if (!trainer.folder) return fail_memory(err, "a path", 1);
    TRY(open_sets(d, &trainer, err));
    return trainer_run(&d->result->training, &d->student, &d->pictures, o->kernels, &trainer, d->progress,
                       d->arena, err);
}

/* Says in withheld why the weights are not better; without validation nobody knows, and they are taken. */
static enum status judge(struct distill *d, struct error *err)
{
    struct distill_result *const r = d->result;
    if (!d->options->ship_better || !d->validation.count) return OK;
    r->validation_after = r->training.best_score;
    if (d->options->half) /* other weights than those that were trained */
        TRY(scored_set_score(&d->validation, &d->student, &r->validation_after, d->progress, err));
    const double before = trainer_rounded(r->validation_before), after = trainer_rounded(r->validation_after);
    if (after > before) return OK;
    r->withheld =
        !d->validation.labels
            ? "the validation frames have no object, so nobody knows whether the student got better"
            : arena_printf(
                  d->arena,
                  "the student is not better on the validation frames: mAP50-95 %.4f before, %.4f after",
                  before, after);
    return r->withheld ? OK : fail_memory(err, "a message", 1);
}

static enum status write_weights(struct distill *d, struct error *err)
{
    d->result->weights_file = path_in(d, "%s", "weights.safetensors");
    if (!d->result->weights_file) return fail_memory(err, "a path", 1);
    return model_save(&d->student, d->result->weights_file, d->options->half, NULL, NULL, err);
}

static enum status score_test(struct distill *d, struct error *err)
{
    const struct distill_options *o = d->options;
    if (!o->test) return OK;
    TRY(distill_score(&d->result->after, o, &d->test, &d->student, o->scoring.size, false, d->progress,
                      d->arena, err));
    return distill_score_baselines(d->result, o, &d->test, &d->before, d->progress, d->arena, err);
}

static enum status deliver(struct distill *d, struct error *err)
{
    const struct distill_options *o = d->options;
    struct distill_result *const r = d->result;
    TRY(distill_forget_end(o->folder, d->arena, err)); /* only now that the run has gone on */
    if (o->half) params_round_half(&d->student.params);
    TRY(judge(d, err));
    TRY(score_test(d, err));
    params_hash(&d->student.params, r->weights_hash);
    if (!r->withheld) TRY(write_weights(d, err));
    const char *report = path_in(d, "%s", "report.html");
    if (!report) return fail_memory(err, "a path", 1);
    return distill_report(report, o, r, &d->test, &d->before, &d->student, err);
}

/* Frames that score the result have no part in making it. */
static enum status know_test_frames(struct distill *d, struct error *err)
{
    const struct distill_options *o = d->options;
    TRY(known_pictures_read(&d->known, d->test.items, d->test.count, d->progress, d->arena, err));
    if (o->validation == DISTILL_FOLDER)
        TRY(known_pictures_refuse(&d->known, o->validation_folder, d->progress, err));
    return o->guard ? known_pictures_refuse(&d->known, o->guard, d->progress, err) : OK;
}

static enum status run(struct distill *d, struct error *err)
{
    const struct distill_options *o = d->options;
    TRY(model_open(&d->before, o->student, err));
    TRY(model_check_trainable(&d->before, o->student, err));
    params_hash(&d->before.params, d->result->student_hash);
    TRY(check_memory(d, err));
    TRY(distill_recipe(d->recipe, o, &d->before, err));
    TRY(distill_check_folder(o->folder, o->trainer.resume, d->recipe, d->arena, err));
    if (o->test) {
        TRY(dataset_open(&d->test, o->test, DATASET_VAL, err));
        TRY(know_test_frames(d, err));
        TRY(distill_score(&d->result->before, o, &d->test, &d->before, o->scoring.size, false, d->progress,
                          d->arena, err));
    }
    TRY(distill_open_folder(o->folder, d->recipe, d->arena, err));
    TRY(distill_watch(d->result, o, &d->before, &d->known, d->progress, d->arena, err));
    TRY(distill_filter(d->result, o, d->progress, d->arena, err));
    const char *ledger = path_in(d, "%s", "selection.jsonl");
    if (!ledger) return fail_memory(err, "a path", 1);
    TRY(distill_ledger(ledger, o, d->result, err));
    TRY(make_sets(d, err));
    TRY(distill_label(d->result, o, d->chosen, d->extra, d->progress, d->arena, err));
    TRY(train(d, err));
    return deliver(d, err);
}

enum status distill_run(struct distill_result *result, const struct distill_options *options,
                        const struct progress *progress, struct arena *arena, struct error *err)
{
    *result = (struct distill_result){
        .tau = NAN, .guard_before = NAN, .validation_before = NAN, .validation_after = NAN};
    struct distill_options own = *options;
    own.teacher.merge_before = own.merge_before;
    own.teacher.plan = own.trainer.plan = own.scoring.plan = own.plan;
    own.teacher.memory_limit = own.scoring.memory_limit = own.trainer.memory_limit;
    struct distill d = {.result = result, .options = &own, .progress = progress, .arena = arena};
    const enum status status = run(&d, err);
    pictures_free(&d.pictures);
    dataset_close(&d.test);
    scored_set_close(&d.validation);
    scored_set_close(&d.guard);
    model_free(&d.student);
    model_free(&d.before);
    return status;
}
