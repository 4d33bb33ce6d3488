#include "select/select.h"

#include "select/confidence.h"
#include "select/quantile.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const double relax_step = 0.05;

static const char *const rule_names[SELECT_RULES] = {
    "top-confidence", "least-confidence", "n-first", "uniform", "interval", "chunk-diversity", "all"};

const char *select_rule_name(enum select_rule rule) { return rule_names[rule]; }

enum status select_rule_parse(enum select_rule *rule, const char *name, struct error *err)
{
    for (int i = 0; i < SELECT_RULES; i++)
        if (!strcmp(name, rule_names[i])) {
            *rule = (enum select_rule)i;
            return OK;
        }
    return fail(err, ERR_USAGE,
                "selection rule: expected top-confidence, least-confidence, n-first, uniform, interval, "
                "chunk-diversity or all, found \"%s\"",
                name);
}

struct select_options select_defaults(void)
{
    return (struct select_options){.rule = SELECT_TOP_CONFIDENCE,
                                   .wanted = 128,
                                   .warmup = 720,
                                   .alpha = 0.1,
                                   .rate = 0.1,
                                   .policy = END_CLOSE,
                                   .window = 1 << 18};
}

enum status select_check(const struct select_options *options, struct error *err)
{
    if (options->wanted < 1)
        return fail(err, ERR_USAGE, "frames to select: expected at least 1, found %d", options->wanted);
    if (options->warmup < 1)
        return fail(err, ERR_USAGE, "warm-up: expected at least 1 frame, found %d", options->warmup);
    if (!(options->alpha >= 0 && options->alpha <= 1))
        return fail(err, ERR_USAGE, "alpha: expected 0 to 1, found %g", options->alpha);
    if (!(options->rate > 0 && options->rate <= 1))
        return fail(err, ERR_USAGE, "rate: expected above 0 to 1, found %g", options->rate);
    if (options->reserve_last < 0)
        return fail(err, ERR_USAGE, "reserved frames: expected at least 0, found %d", options->reserve_last);
    return OK;
}

static double raised_alpha(const struct select_options *options, int steps)
{
    return options->alpha + relax_step * steps;
}

double select_level(const struct select_options *options, int steps)
{
    const double alpha = raised_alpha(options, steps);
    return options->rule == SELECT_TOP_CONFIDENCE ? 1 - alpha : alpha;
}

double select_window_level(const struct select_options *options, int short_windows)
{
    const double first = select_level(options, 0), level = select_level(options, short_windows);
    if (options->rule == SELECT_TOP_CONFIDENCE) return fmax(level, fmin(first, 0.5));
    return fmin(level, fmax(first, 0.5));
}

static double clamp(double q) { return q < 0 ? 0 : q > 1 ? 1 : q; }

/* Frames with a confidence, in stream order. */
struct eligible {
    int *frames;
    double *confidence;
    int count;
};

static enum status find_eligible(struct eligible *eligible, const struct select_options *options,
                                 const struct select_bank *bank, struct arena *arena, struct error *err)
{
    const size_t n = (size_t)bank->frames;
    eligible->count = 0;
    eligible->frames = arena_alloc(arena, n, sizeof *eligible->frames);
    eligible->confidence = arena_alloc(arena, n, sizeof *eligible->confidence);
    if (!eligible->frames || !eligible->confidence) return fail_memory(err, "selection", n * 12);
    for (int i = 0; i < bank->frames; i++) {
        double confidence = bank->confidence ? bank->confidence[i] : 0;
        if (!(confidence >= 0)) {
            if (!options->empty_is_zero) continue;
            confidence = 0;
        }
        eligible->frames[eligible->count] = i;
        eligible->confidence[eligible->count++] = confidence;
    }
    return OK;
}

/* One pass with threshold tau; returns how many were found. */
static int pass_threshold(int *found, const struct eligible *eligible, const struct select_options *options,
                          double tau)
{
    int count = 0;
    for (int i = options->warmup; i < eligible->count && count < options->wanted; i++) {
        const double c = eligible->confidence[i];
        if (options->rule == SELECT_TOP_CONFIDENCE ? c > tau : c < tau) found[count++] = eligible->frames[i];
    }
    return count;
}

static enum status by_confidence(struct selection *selection, const struct select_options *options,
                                 const struct select_bank *bank, struct arena *arena, struct error *err)
{
    assert(bank->confidence);
    struct eligible eligible;
    TRY(find_eligible(&eligible, options, bank, arena, err));
    selection->alpha = options->alpha;
    if (eligible.count < options->warmup) return OK;
    selection->warm = true;
    const size_t w = (size_t)options->warmup;
    double *sorted = arena_alloc(arena, (size_t)eligible.count, sizeof *sorted);
    if (!sorted) return fail_memory(err, "warm-up", (size_t)eligible.count * sizeof *sorted);
    memcpy(sorted, eligible.confidence, w * sizeof *sorted);
    quantile_sort(sorted, w);
    for (int steps = 0;; steps++) {
        const double alpha = raised_alpha(options, steps);
        if (alpha > 1 + 1e-9)
            return fail(err, ERR_INPUT, "%s: expected %d frames, found %d even with alpha 1",
                        select_rule_name(options->rule), options->wanted, selection->count);
        selection->alpha = alpha;
        selection->relaxed = steps > 0;
        selection->tau = quantile_sorted(sorted, w, clamp(select_level(options, steps)));
        selection->count = pass_threshold(selection->frames, &eligible, options, selection->tau);
        if (selection->count == options->wanted || options->policy != END_RELAX) break;
    }
    if (options->policy == END_CLOSE && selection->count < options->wanted) {
        memcpy(sorted, eligible.confidence, (size_t)eligible.count * sizeof *sorted);
        quantile_sort(sorted, (size_t)eligible.count);
        selection->next_tau =
            quantile_sorted(sorted, (size_t)eligible.count, select_window_level(options, 1));
    }
    return OK;
}

static void by_draws(struct selection *selection, const struct select_options *options,
                     const struct select_bank *bank)
{
    for (int steps = 0;; steps++) {
        const double rate = options->rate + relax_step * steps;
        selection->count = 0;
        for (int i = 0; i < bank->frames && selection->count < options->wanted; i++)
            if (draws_at(bank->draws, i) >= 1 - rate) selection->frames[selection->count++] = i;
        selection->rate = rate;
        selection->relaxed = steps > 0;
        if (selection->count == options->wanted || options->policy != END_RELAX) return;
    }
}

static void by_interval(struct selection *selection, int wanted, int frames)
{
    /* The product in double as written: exact integer arithmetic gives other indices in rare cases. */
    const double step = wanted > 1 ? (double)(frames - 1) / (wanted - 1) : 0;
    for (int i = 0; i < wanted - 1; i++) selection->frames[i] = (int)floor(i * step);
    selection->frames[wanted - 1] = frames - 1;
    selection->count = wanted;
}

/* The row of part with the smallest largest similarity to the rows taken before. */
static int least_similar(const struct embeddings *part, const float *const *taken, int count,
                         const struct kernels *kernels)
{
    int best = 0;
    float lowest = 0;
    for (int i = 0; i < part->count; i++) {
        float highest = kernels->dot(part->rows[i], taken[0], part->width);
        for (int k = 1; k < count; k++) {
            const float similarity = kernels->dot(part->rows[i], taken[k], part->width);
            if (similarity > highest) highest = similarity;
        }
        if (i == 0 || highest < lowest) {
            best = i;
            lowest = highest;
        }
    }
    return best;
}

static enum status by_chunks(struct selection *selection, const struct select_options *options,
                             const struct select_bank *bank, struct arena *arena, struct error *err)
{
    assert(bank->embeddings && bank->kernels);
    struct eligible eligible;
    TRY(find_eligible(&eligible, options, bank, arena, err));
    const int n = options->wanted;
    if (n > eligible.count)
        return fail(err, ERR_INPUT, "chunk-diversity: expected at least %d frames with boxes, found %d", n,
                    eligible.count);
    struct embeddings set;
    TRY(embeddings_of(&set, bank->embeddings, bank->embedding_stride, eligible.frames, eligible.count,
                      bank->width, arena, err));
    const float **taken = arena_alloc(arena, (size_t)n, sizeof *taken);
    const int length = eligible.count / n;
    double *scratch = arena_alloc(arena, (size_t)bank->width + (size_t)length, sizeof *scratch);
    if (!taken || !scratch) return fail_memory(err, "chunks", (size_t)n * sizeof *taken);
    for (int chunk = 0; chunk < n; chunk++) {
        const struct embeddings part = embeddings_part(&set, chunk * length, length);
        const int row =
            chunk ? least_similar(&part, taken, chunk, bank->kernels) : embeddings_densest(&part, 1, scratch);
        taken[chunk] = part.rows[row];
        selection->frames[chunk] = eligible.frames[chunk * length + row];
    }
    selection->count = n;
    selection->bad = set.bad;
    return OK;
}

enum status select_run(struct selection *selection, const struct select_options *options,
                       const struct select_bank *bank, struct arena *arena, struct error *err)
{
    TRY(select_check(options, err));
    const int reserved = options->rule == SELECT_N_FIRST ? options->reserve_last : 0;
    const int frames = bank->frames > reserved ? bank->frames - reserved : 0;
    const int wanted = options->rule == SELECT_ALL ? frames : options->wanted;
    if (wanted > frames)
        return fail(err, ERR_INPUT, "%s: expected at least %d frames, found %d",
                    select_rule_name(options->rule), wanted, frames);
    *selection = (struct selection){.frames = arena_alloc(arena, (size_t)wanted, sizeof(int))};
    if (!selection->frames) return fail_memory(err, "selection", (size_t)wanted * sizeof(int));
    switch (options->rule) {
    case SELECT_TOP_CONFIDENCE:
    case SELECT_LEAST_CONFIDENCE:
        TRY(by_confidence(selection, options, bank, arena, err));
        break;
    case SELECT_N_FIRST:
    case SELECT_ALL:
        for (int i = 0; i < wanted; i++) selection->frames[i] = i;
        selection->count = wanted;
        break;
    case SELECT_UNIFORM:
        by_draws(selection, options, bank);
        break;
    case SELECT_INTERVAL:
        by_interval(selection, options->wanted, frames);
        break;
    default:
        TRY(by_chunks(selection, options, bank, arena, err));
    }
    selection->incomplete = selection->count < wanted;
    return OK;
}
