#include "train/trainer_inner.h"

#include "base/rng.h"
#include "train/recipe.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct trainer_options trainer_defaults(void)
{
    return (struct trainer_options){.schedule = SCHEDULE_DEFAULTS,
                                    .batch = 16,
                                    .epochs = 100,
                                    .threads = 1,
                                    .patience = 100,
                                    .clip = 10,
                                    .augment = AUGMENT_DEFAULTS,
                                    .mask = MASK_FULL,
                                    .fraction = 1,
                                    .checkpoint_every = 1};
}

/* ---- Mini-batches ---- */

static struct augment_options augmentation(const struct trainer *t, int epoch)
{
    struct augment_options a = t->options->augment;
    if (epoch >= t->schedule.plain_from) a.mosaic = 0;
    return a;
}

void trainer_shuffle(struct trainer *t, int epoch)
{
    const int n = t->pictures->count;
    struct rng rng = {rng_step(rng_key(t->options->seed, "minibatch"), (uint64_t)epoch), 0};
    rng_choose(&rng, n, n, t->order, t->shuffled);
}

enum status trainer_gradient(struct trainer *t, int epoch, int i, struct loss_items *items, struct error *err)
{
    const int n = t->pictures->count, batch = t->options->batch < n ? t->options->batch : n,
              first = i * batch;
    const int images = n - first < batch ? n - first : batch;
    const struct augment_options augment = augmentation(t, epoch);
    float *input;
    int count;
    TRY(learner_input(&t->learner, images, &input, err));
    TRY(pictures_batch(t->pictures, t->order + first, images, first, epoch, t->options->seed, &augment, input,
                       t->targets, &count, err));
    return learner_gradient(&t->learner, images, t->targets, count, items, err);
}

static struct optim_rates rates_of(const struct trainer *t, const struct schedule_step *step)
{
    struct optim_rates rates = {.weight_decay = t->schedule.weight_decay};
    rates.rate[OPTIM_WEIGHT] = rates.rate[OPTIM_NORM] = step->rate;
    rates.rate[OPTIM_BIAS] = step->bias_rate;
    return rates;
}

static void add_items(struct loss_items *sum, const struct loss_items *items)
{
    sum->box += items->box;
    sum->classes += items->classes;
    sum->distribution += items->distribution;
    sum->total += items->total;
    sum->foreground += items->foreground;
}

static bool show(struct trainer *t, int epoch, int i, const struct loss_items *items)
{
    char note[160], scores[60] = "";
    const struct trainer_epoch *before = t->result->count ? t->now - 1 : NULL;
    int n = 0;
    if (before && isfinite(before->score)) n = snprintf(scores, sizeof scores, "  mAP %.3f", before->score);
    if (before && isfinite(before->guard))
        snprintf(scores + n, sizeof scores - (size_t)n, "  guard %.3f", before->guard);
    snprintf(note, sizeof note, "epoch %d/%d%s  box %.3f  cls %.3f  dfl %.3f", epoch + 1, t->schedule.epochs,
             scores, items->box, items->classes, items->distribution);
    const int64_t batches = t->schedule.batches;
    return progress_report(t->progress, "train", epoch * batches + i + 1, t->schedule.epochs * batches, note);
}

static enum status run_batch(struct trainer *t, int epoch, int i, struct loss_items *items, struct error *err)
{
    const struct schedule_step step = schedule_next(&t->schedule, &t->state.schedule, epoch, i);
    TRY(trainer_gradient(t, epoch, i, items, err));
    if (step.due) {
        const struct optim_rates rates = rates_of(t, &step);
        TRY(learner_step(&t->learner, &rates, step.momentum, &t->now->norm, err));
    }
    t->now->rate = step.rate;
    return OK;
}

static enum status run_epoch(struct trainer *t, int epoch, struct error *err)
{
    const int batches = t->schedule.batches;
    *t->now = (struct trainer_epoch){.epoch = epoch, .norm = NAN, .score = NAN, .guard = NAN};
    trainer_shuffle(t, epoch);
    for (int i = 0; i < batches; i++) {
        struct loss_items items;
        struct error where;
        const enum status status = run_batch(t, epoch, i, &items, &where);
        if (status == ERR_CHECK)
            return fail(err, status, "epoch %d, mini-batch %d: %s", epoch + 1, i + 1, where.message);
        if (status != OK) return fail(err, status, "%s", where.message);
        add_items(&t->now->loss, &items);
        t->result->iterations++;
        if (!show(t, epoch, i, &items))
            return fail(err, ERR_INTERRUPTED, "interrupted in epoch %d of %d%s", epoch + 1,
                        t->schedule.epochs,
                        t->options->folder && t->options->checkpoint_every
                            ? "; --resume goes on from the last checkpoint"
                            : "");
    }
    t->now->loss.box /= batches;
    t->now->loss.classes /= batches;
    t->now->loss.distribution /= batches;
    t->now->loss.total /= batches;
    t->now->steps = t->state.schedule.steps;
    return OK;
}

/* ---- Validation ---- */

double trainer_rounded(double score) { return rint(score * 1e5) / 1e5; }

/* True when the guard set's score fell by more than the limit. */
static bool refused(const struct trainer *t, double guard)
{
    const struct trainer_guard *g = &t->options->guard;
    return g->set.score && g->loss >= 0 && !(trainer_rounded(guard + g->loss) >= trainer_rounded(g->start));
}

static enum status keep_best(struct trainer *t, int epoch, double score, struct error *err)
{
    t->state.best_score = score;
    t->state.best_epoch = epoch;
    memcpy(t->best.params.values, t->learner.average.params.values, t->best.params.total * sizeof(float));
    if (!t->options->folder) return OK;
    const char *path = trainer_path(t, "best.safetensors");
    return path ? model_save(&t->best, path, false, NULL, NULL, err) : fail_memory(err, "a path", 1);
}

/* A later equal epoch replaces an earlier one. Without validation the last epoch that the guard lets pass is the
 * best one. */
static enum status validate(struct trainer *t, int epoch, struct error *err)
{
    const struct trainer_validation *v = &t->options->validation;
    const struct trainer_guard *g = &t->options->guard;
    if (g->set.score) TRY(g->set.score(g->set.context, &t->learner.average, &t->now->guard, err));
    if (v->score) TRY(v->score(v->context, &t->learner.average, &t->now->score, err));
    if (!v->score && (!g->set.score || g->loss < 0)) return OK;
    const double score = v->score ? trainer_rounded(t->now->score) : 0;
    const bool none = t->state.best_epoch < 0, worse = !none && score < t->state.best_score;
    const bool passed = !refused(t, t->now->guard);
    const bool rose = passed && (score > t->state.best_score || t->state.best_score == 0 || none);
    t->state.since_best = rose ? 0 : t->state.since_best + 1;
    return passed && !worse ? keep_best(t, epoch, score, err) : OK;
}

static size_t movable(const struct learner *learner)
{
    size_t moved = 0;
    for (size_t i = 0; i < learner->coordinates; i++) moved += !learner->mask || learner->mask[i];
    return moved;
}

/* ---- The run ---- */

static enum status allocate(struct trainer *t, struct model *model, struct error *err)
{
    const size_t n = (size_t)t->pictures->count;
    const size_t targets = (size_t)pictures_most_targets(t->pictures, t->options->batch);
    t->order = arena_alloc(t->arena, n, sizeof *t->order);
    t->shuffled = arena_alloc(t->arena, n, sizeof *t->shuffled);
    t->targets = arena_alloc(t->arena, targets, sizeof *t->targets);
    t->result->epochs = arena_alloc(t->arena, (size_t)t->schedule.epochs, sizeof *t->result->epochs);
    if (!t->order || !t->shuffled || !t->targets || !t->result->epochs)
        return fail_memory(err, "mini-batches", targets * sizeof *t->targets);
    return model_copy(&t->best, model, err);
}

/* But for the targets, and the optimizer where the schedule chooses it. */
static struct learner_options learner_options_of(const struct trainer_options *o, int pictures)
{
    return (struct learner_options){.batch = o->batch < pictures ? o->batch : pictures,
                                    .pictures = pictures,
                                    .size = o->augment.size,
                                    .threads = o->threads,
                                    .part = o->part,
                                    .frozen_norm = o->frozen_norm,
                                    .plan = o->plan,
                                    .clip = o->clip,
                                    .optimizer = o->schedule.optimizer,
                                    .memory_limit = o->memory_limit};
}

enum status trainer_check_memory(const struct model *model, int pictures, const struct kernels *kernels,
                                 const struct trainer_options *options, struct error *err)
{
    const struct learner_options learner = learner_options_of(options, pictures);
    return learner_check_memory(model, kernels, &learner, err);
}

static enum status start(struct trainer *t, struct model *model, const struct kernels *kernels,
                         struct error *err)
{
    const struct trainer_options *o = t->options;
    struct schedule_options schedule = o->schedule;
    schedule.images = t->pictures->count;
    schedule.batch = o->batch;
    schedule.epochs = o->epochs;
    schedule.classes = model->config.classes;
    TRY(schedule_make(&t->schedule, &schedule, err));
    struct learner_options options = learner_options_of(o, t->pictures->count);
    assert(options.size == t->pictures->size);
    options.max_targets = pictures_most_targets(t->pictures, o->batch);
    options.optimizer = t->schedule.optimizer;
    TRY(learner_make(&t->learner, model, kernels, &options, err));
    TRY(allocate(t, model, err));
    recipe_hash(t->state.recipe, o, t->pictures, model);
    TRY(trainer_open_folder(t, err));
    if (!t->state.epoch) TRY(trainer_choose_mask(t, err));
    t->result->moved = movable(&t->learner);
    return OK;
}

static bool out_of_patience(const struct trainer *t)
{
    const struct trainer_options *o = t->options;
    return o->validation.score && o->patience && t->state.since_best >= o->patience;
}

static enum status epochs(struct trainer *t, struct error *err)
{
    for (int epoch = t->state.epoch; epoch < t->schedule.epochs && !out_of_patience(t); epoch++) {
        t->now = t->result->epochs + t->result->count;
        TRY(run_epoch(t, epoch, err));
        TRY(validate(t, epoch, err));
        t->result->count++;
        t->state.epoch = epoch + 1;
        TRY(trainer_write_log(t, err));
        TRY(trainer_write_checkpoint(t, err));
    }
    return OK;
}

double trainer_guard_after(const struct trainer_result *result)
{
    const struct trainer_epoch *const last = result->epochs + result->count - 1;
    if (result->best_epoch < 0) return result->count ? last->guard : NAN;
    for (int i = 0; i < result->count; i++)
        if (result->epochs[i].epoch == result->best_epoch) return result->epochs[i].guard;
    return NAN;
}

/* What the epochs came to; the result goes into the model. */
static enum status conclude(struct trainer *t, struct model *model, struct error *err)
{
    struct trainer_result *result = t->result;
    const struct trainer_guard *guard = &t->options->guard;
    double highest = 0;
    for (int i = 0; i < result->count; i++) {
        result->refused += refused(t, result->epochs[i].guard);
        if (result->epochs[i].guard > highest) highest = result->epochs[i].guard;
    }
    if (t->state.best_epoch < 0 && guard->set.score && guard->loss >= 0)
        return fail(err, ERR_CHECK,
                    "every epoch fell more than %g below the start on the guard set: expected at least %.4f, "
                    "found at most %.4f",
                    guard->loss, guard->start - guard->loss, highest);
    const struct model *chosen = t->state.best_epoch >= 0 ? &t->best : &t->learner.average;
    memcpy(model->params.values, chosen->params.values, model->params.total * sizeof(float));
    result->steps = t->state.schedule.steps;
    result->best_epoch = t->state.best_epoch;
    if (t->options->validation.score && t->state.best_epoch >= 0) result->best_score = t->state.best_score;
    return OK;
}

enum status trainer_run(struct trainer_result *result, struct model *model, struct pictures *pictures,
                        const struct kernels *kernels, const struct trainer_options *options,
                        const struct progress *progress, struct arena *arena, struct error *err)
{
    *result = (struct trainer_result){.best_epoch = -1, .best_score = NAN};
    struct trainer t = {.options = options,
                        .pictures = pictures,
                        .progress = progress,
                        .arena = arena,
                        .result = result,
                        .state = {.schedule = SCHEDULE_START, .best_epoch = -1}};
    enum status status = start(&t, model, kernels, err);
    if (status == OK) status = epochs(&t, err);
    if (status == OK) status = conclude(&t, model, err);
    if (t.log.file) {
        const enum status closed = json_log_close(&t.log, status == OK ? err : NULL);
        if (status == OK) status = closed;
    }
    learner_free(&t.learner);
    model_free(&t.best);
    return status;
}
