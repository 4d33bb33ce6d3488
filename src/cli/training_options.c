#include "cli/training_options.h"

#include <math.h>

static const double USUAL_FRACTION = 0.05;

const struct option_choice training_optimizers[] = {{"auto", OPTIMIZER_AUTO},
                                                    {"adamw", OPTIMIZER_ADAMW},
                                                    {"sgd", OPTIMIZER_SGD},
                                                    {"adam", OPTIMIZER_ADAM},
                                                    {0}};
const struct option_choice training_heads[] = {
    {"transfer", HEAD_TRANSFER}, {"rebuild", HEAD_REBUILD}, {"keep", HEAD_KEEP}, {0}};
const struct option_choice training_masks[] = {{"full", MASK_FULL},
                                               {"gradient", MASK_PREVIOUS_U},
                                               {"probe", MASK_PROBE},
                                               {"probe-strict", MASK_PROBE_STRICT},
                                               {"random", MASK_RANDOM},
                                               {"random-exact", MASK_RANDOM_EXACT},
                                               {"first", MASK_FIRST},
                                               {"last", MASK_LAST},
                                               {"first-last", MASK_FIRST_LAST},
                                               {"previous_u", MASK_PREVIOUS_U},
                                               {"probe_strict", MASK_PROBE_STRICT},
                                               {"random_exact", MASK_RANDOM_EXACT},
                                               {"first_last", MASK_FIRST_LAST},
                                               {0}};

enum status training_check(const struct training_values *values, struct error *err)
{
    if (values->size % 32)
        return fail(err, ERR_USAGE, "--size: expected a multiple of 32, found %lld", (long long)values->size);
    if (values->part & (values->part - 1))
        return fail(err, ERR_USAGE, "--micro-batch: expected a power of two, found %lld",
                    (long long)values->part);
    if (values->part && !values->frozen_norm)
        return fail(err, ERR_USAGE,
                    "--micro-batch goes with --frozen-norm: statistics of a batch need all of it");
    if (values->mask == MASK_PREVIOUS_U && values->optimizer == OPTIMIZER_SGD)
        return fail(err, ERR_USAGE, "--mask gradient needs the second moments of adamw or adam, not sgd");
    if (values->rate > 0 && values->optimizer == OPTIMIZER_AUTO)
        return fail(err, ERR_USAGE,
                    "--rate needs --optimizer adamw, sgd or adam: auto has a rate of its own");
    if (values->fraction > 0 && values->mask == MASK_FULL)
        return fail(err, ERR_USAGE, "--fraction needs --mask: without, all weights may move");
    if (values->guard_loss >= 0 && !values->guard) return fail(err, ERR_USAGE, "--guard-loss needs --guard");
    return OK;
}

struct trainer_options training_trainer(const struct training_values *values, int threads)
{
    struct trainer_options options = trainer_defaults();
    options.schedule.optimizer = (enum optimizer)values->optimizer;
    if (values->rate > 0) options.schedule.rate = values->rate;
    options.schedule.nominal_batch = (int)values->nominal_batch;
    options.schedule.plain_epochs = (int)values->plain_epochs;
    options.schedule.warmup_epochs = values->warmup;
    options.schedule.warmup_floor = (int)values->warmup_floor;
    options.schedule.warmup_bias_rate = values->bias_rate;
    options.batch = (int)values->batch;
    options.epochs = (int)values->epochs;
    options.threads = threads;
    options.patience = (int)values->patience;
    options.frozen_norm = values->frozen_norm;
    options.plan = (enum net_plan)values->plan;
    options.part = (int)values->part;
    options.memory_limit = (size_t)values->memory_limit;
    options.seed = (uint64_t)values->seed;
    options.augment.size = (int)values->size;
    options.augment.mosaic = values->mosaic;
    options.augment.scale = values->scale;
    options.augment.translate = values->translate;
    options.augment.flip = values->flip;
    options.augment.soft = values->soft_labels;
    options.mask = (enum mask_rule)values->mask;
    options.fraction = values->mask == MASK_FULL ? 1
                       : values->fraction > 0    ? values->fraction
                                                 : USUAL_FRACTION;
    options.mask_warmup = (int)values->mask_warmup;
    options.guard.loss = values->guard_loss;
    return options;
}

void training_effort(struct text *out, const struct trainer_result *result)
{
    text_format(out, "%d epoch%s, %lld iteration%s, %lld optimiser step%s", result->count,
                text_plural(result->count), (long long)result->iterations, text_plural(result->iterations),
                (long long)result->steps, text_plural(result->steps));
}

void training_guard_lines(struct text *out, double before, const struct trainer_result *result)
{
    const double after = trainer_guard_after(result);
    if (isnan(after)) return;
    text_add(out, "guard set: mAP50-95 ");
    if (!isnan(before)) text_format(out, "%.4f -> ", before);
    text_format(out, "%.4f", after);
    if (result->refused)
        text_format(out, ", %d epoch%s refused", result->refused, text_plural(result->refused));
    text_add(out, "\n");
}
