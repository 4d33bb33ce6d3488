#include "train/trainer_inner.h"

#include <string.h>

enum { MASK_WARMUP_PASSES = 20 };

static enum status moment_passes(struct trainer *t, struct error *err)
{
    const int batches = t->schedule.batches;
    int passes = t->options->mask_warmup;
    if (!passes) passes = batches > MASK_WARMUP_PASSES ? batches : MASK_WARMUP_PASSES;
    const struct optim_rates still = {0};
    for (int pass = 0; pass < passes; pass++) {
        struct loss_items items;
        if (pass % batches == 0) trainer_shuffle(t, pass / batches);
        TRY(trainer_gradient(t, pass / batches, pass % batches, &items, err));
        TRY(learner_step(&t->learner, &still, 0, NULL, err));
        if (!progress_report(t->progress, "choose coordinates", pass + 1, passes, ""))
            return fail(err, ERR_INTERRUPTED, "interrupted while choosing the coordinates to train");
    }
    return OK;
}

/* A step at the rates after warm-up over all coordinates: score = how far each weight moved. */
static enum status probe(struct trainer *t, float *score, const float *before, struct error *err)
{
    struct learner *learner = &t->learner;
    const struct schedule *s = &t->schedule;
    const struct optim_rates rates = {.rate = {s->rate, s->rate, s->rate}, .weight_decay = s->weight_decay};
    struct loss_items items;
    trainer_shuffle(t, 0);
    TRY(trainer_gradient(t, 0, 0, &items, err));
    TRY(learner_set_mask(learner, NULL, err));
    TRY(learner_step(learner, &rates, s->momentum, NULL, err));
    mask_change(score, learner->model->params.values, before, learner->coordinates);
    return OK;
}

/* Ranks the coordinates by gradient passes that advance the moments and nothing else: no weight, no running
 * statistic, no average. */
static enum status rank(struct trainer *t, uint8_t *nothing, float *score, struct error *err)
{
    struct learner *learner = &t->learner;
    struct params *params = &learner->model->params;
    const size_t bytes = params->total * sizeof(float);
    float *before = arena_alloc(t->arena, params->total, sizeof *before);
    if (!before) return fail_memory(err, "the start weights", bytes);
    memcpy(before, params->values, bytes);
    TRY(learner_set_mask(learner, nothing, err));
    TRY(moment_passes(t, err));
    if (t->options->mask == MASK_PREVIOUS_U)
        mask_moment_score(score, learner->m, learner->v, learner->coordinates);
    else
        TRY(probe(t, score, before, err));
    memcpy(params->values, before, bytes);
    memcpy(learner->average.params.values, before, bytes);
    learner->averaged = 0;
    return OK;
}

static bool ranks(enum mask_rule rule)
{
    return rule == MASK_PREVIOUS_U || rule == MASK_PROBE || rule == MASK_PROBE_STRICT;
}

enum status trainer_choose_mask(struct trainer *t, struct error *err)
{
    const struct trainer_options *o = t->options;
    struct learner *learner = &t->learner;
    if (o->mask == MASK_FULL) return OK;
    const struct mask_table table = {learner->tensors, learner->optim.count};
    uint8_t *mask = arena_alloc(t->arena, learner->coordinates, 1);
    float *score = arena_alloc(t->arena, learner->coordinates, sizeof *score);
    bool *forced = arena_alloc(t->arena, (size_t)table.count, sizeof *forced);
    if (!mask || !score || !forced) return fail_memory(err, "the update mask", 5 * learner->coordinates);
    /* Random values must be able to move whatever the rule scores [AMS]. */
    for (int i = 0; i < table.count; i++) forced[i] = learner->tensors[i].fresh;
    if (ranks(o->mask)) TRY(rank(t, mask, score, err));
    mask_make(mask, table, o->mask, o->fraction, score, forced, o->seed, 1);
    return learner_set_mask(learner, mask, err);
}
