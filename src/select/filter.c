#include "select/filter.h"

#include "base/dmath.h"
#include "base/rank.h"
#include "select/picks.h"
#include "select/quantile.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define PI 3.141592653589793

static const char *const names[FILTER_RULES] = {
    "none",    "farthest-first", "tfdp",    "moderate",          "least-confidence", "top-confidence",
    "entropy", "random",         "k-means", "spherical-k-means", "k-medoids"};

const char *filter_rule_name(enum filter_rule rule) { return names[rule]; }

enum status filter_rule_parse(enum filter_rule *rule, const char *name, struct error *err)
{
    for (int i = 0; i < FILTER_RULES; i++)
        if (!strcmp(name, names[i])) {
            *rule = (enum filter_rule)i;
            return OK;
        }
    return fail(
        err, ERR_USAGE,
        "filter: expected none, farthest-first, tfdp, moderate, least-confidence, top-confidence, entropy, "
        "random, k-means, spherical-k-means or k-medoids, found \"%s\"",
        name);
}

bool filter_needs_embeddings(enum filter_rule rule)
{
    return rule == FILTER_FARTHEST_FIRST || rule == FILTER_MODERATE || rule == FILTER_K_MEANS ||
           rule == FILTER_SPHERICAL_K_MEANS || rule == FILTER_K_MEDOIDS;
}

struct filter_options filter_defaults(void)
{
    return (struct filter_options){.rule = FILTER_FARTHEST_FIRST,
                                   .budget = 64,
                                   .aggregation = AGGREGATE_MAX,
                                   .entropy_aggregation = AGGREGATE_SUM,
                                   .max_cosine = 1};
}

double filter_shape_complexity(double width, double height)
{
    if (!(width > 0 && height > 0)) return 0;
    return 2 * (width + height) / (2 * sqrt(PI * width * height));
}

static double box_entropy(double p) { return p > 0 ? -p * dmath_log(p) : 0; }

static double frame_score(const struct filter_options *options, const struct filter_frames *frames, int frame)
{
    const bool entropy = options->rule == FILTER_ENTROPY;
    struct confidence sum = {.aggregation = entropy ? options->entropy_aggregation : options->aggregation};
    double complexity = 0;
    for (int i = frames->first_box[frame]; i < frames->first_box[frame + 1]; i++) {
        const struct filter_box *box = frames->boxes + i;
        if (options->rule == FILTER_TFDP)
            complexity += filter_shape_complexity(box->width * (options->pixels ? frames->image_width : 1),
                                                  box->height * (options->pixels ? frames->image_height : 1));
        else
            confidence_add(&sum, entropy ? box_entropy(box->confidence) : box->confidence);
    }
    if (options->rule == FILTER_TFDP) return complexity;
    return sum.boxes ? confidence_result(&sum) : 0;
}

static void keep(struct picks *picks, const struct rank *order, int n)
{
    for (int i = 0; i < n; i++) picks->items[i] = (struct pick){(int)order[i].index, i, order[i].score};
    picks->count = n;
}

static enum status by_score(struct picks *picks, const struct filter_options *options,
                            const struct filter_frames *frames, struct arena *arena, struct error *err)
{
    assert(frames->first_box);
    const size_t m = (size_t)frames->count;
    struct rank *order = arena_alloc(arena, m, sizeof *order);
    if (!order) return fail_memory(err, "filter", m * sizeof *order);
    for (int i = 0; i < frames->count; i++)
        order[i] = (struct rank){frame_score(options, frames, i), (uint32_t)i};
    if (options->rule == FILTER_LEAST_CONFIDENCE)
        rank_sort_ascending(order, m);
    else
        rank_sort(order, m);
    keep(picks, order, options->budget);
    return OK;
}

static enum status by_chance(struct picks *picks, const struct filter_options *options,
                             const struct filter_frames *frames, struct arena *arena, struct error *err)
{
    int *order = arena_alloc(arena, (size_t)frames->count, sizeof *order);
    if (!order) return fail_memory(err, "filter", (size_t)frames->count * sizeof *order);
    for (int i = 0; i < frames->count; i++) order[i] = i;
    for (int i = 0; i < options->budget; i++) {
        const int other = i + (int)floor(draws_at(frames->draws, i) * (frames->count - i));
        const int taken = order[other];
        order[other] = order[i];
        order[i] = taken;
        picks->items[picks->count++] = (struct pick){taken, i, 0};
    }
    return OK;
}

/* The mean, or the median of every coordinate (between the two middle ones of an even number). */
static enum status find_centre(double *centre, const struct picker *picker, enum moderate_center kind,
                               struct error *err)
{
    const struct embeddings *const set = &picker->set;
    const size_t m = (size_t)set->count;
    if (kind == CENTER_MEAN) {
        embeddings_sum(centre, set, picker->threads);
        for (int j = 0; j < set->width; j++) centre[j] /= set->count;
        return OK;
    }
    double *column = arena_alloc(picker->arena, m, sizeof *column);
    if (!column) return fail_memory(err, "moderate", m * sizeof *column);
    for (int j = 0; j < set->width; j++) {
        for (int i = 0; i < set->count; i++) column[i] = (double)set->rows[i][j];
        quantile_sort(column, m);
        centre[j] = quantile_sorted(column, m, 0.5);
    }
    return OK;
}

static enum status moderate(struct picks *picks, const struct filter_options *options,
                            const struct picker *picker, struct error *err)
{
    const struct embeddings *set = &picker->set;
    const int m = set->count;
    double *centre = arena_alloc(picker->arena, (size_t)set->width, sizeof *centre);
    struct rank *order = arena_alloc(picker->arena, (size_t)m, sizeof *order);
    if (!centre || !order) return fail_memory(err, "moderate", (size_t)m * sizeof *order);
    TRY(find_centre(centre, picker, options->moderate_center, err));
    for (int i = 0; i < m; i++)
        order[i] = (struct rank){sqrt(embeddings_distance2(set->rows[i], centre, set->width)), (uint32_t)i};
    rank_sort_ascending(order, (size_t)m);
    if (options->moderate_rule == MODERATE_RANK) {
        keep(picks, order + (int)floor(m * 0.5 - options->budget * 0.5 + 0.5), options->budget);
        return OK;
    }
    const double median = order[(m - 1) / 2].score;
    for (int i = 0; i < m; i++) order[i].score = fabs(order[i].score - median);
    rank_sort_ascending(order, (size_t)m);
    keep(picks, order, options->budget);
    return OK;
}

static enum status by_embedding(struct picks *picks, int *bad, const struct filter_options *options,
                                const struct filter_frames *frames, const struct kernels *kernels,
                                int threads, struct arena *arena, struct error *err)
{
    assert(frames->embeddings);
    struct picker picker = {.budget = options->budget,
                            .kernels = kernels,
                            .threads = threads,
                            .draws = frames->draws,
                            .arena = arena};
    TRY(embeddings_of(&picker.set, frames->embeddings, frames->embedding_stride, NULL, frames->count,
                      frames->width, arena, err));
    *bad = picker.set.bad;
    switch (options->rule) {
    case FILTER_FARTHEST_FIRST:
        return farthest_first(picks, &picker, options->mark_duplicates, options->max_cosine, err);
    case FILTER_MODERATE:
        return moderate(picks, options, &picker, err);
    case FILTER_K_MEDOIDS:
        return cluster_k_medoids(picks, &picker, err);
    default:
        return cluster_k_means(picks, &picker, options->rule == FILTER_SPHERICAL_K_MEANS, err);
    }
}

/* From picking order to stream order; a frame occurs once, so its place can be found by a pass over all
 * frames. */
static enum status report(struct filter_result *result, const struct picks *picks, int m, struct arena *arena,
                          struct error *err)
{
    const size_t n = (size_t)picks->count;
    int *pick_of = arena_alloc(arena, (size_t)m, sizeof *pick_of);
    result->frames = arena_alloc(arena, n, sizeof *result->frames);
    result->ranks = arena_alloc(arena, n, sizeof *result->ranks);
    result->scores = arena_alloc(arena, n, sizeof *result->scores);
    if (!pick_of || !result->frames || !result->ranks || !result->scores)
        return fail_memory(err, "filter", n * 16);
    for (int i = 0; i < picks->count; i++) pick_of[picks->items[i].frame] = i + 1;
    for (int frame = 0; frame < m; frame++) {
        if (!pick_of[frame]) continue;
        const struct pick *pick = picks->items + pick_of[frame] - 1;
        result->frames[result->count] = frame;
        result->ranks[result->count] = pick->rank;
        result->scores[result->count++] = pick->score;
    }
    result->stopped = picks->stopped;
    result->iterations = picks->iterations;
    result->start = picks->start;
    return OK;
}

enum status filter_run(struct filter_result *result, const struct filter_options *options,
                       const struct filter_frames *frames, const struct kernels *kernels, int threads,
                       struct arena *arena, struct error *err)
{
    const int m = frames->count;
    if (options->budget < 1)
        return fail(err, ERR_USAGE, "budget: expected at least 1 frame, found %d", options->budget);
    if (m < options->budget && options->rule != FILTER_NONE && !options->allow_short)
        return fail(err, ERR_INPUT, "%s: expected at least %d candidates, found %d",
                    filter_rule_name(options->rule), options->budget, m);
    *result = (struct filter_result){0};
    struct picks picks = {.items = arena_alloc(arena, (size_t)m, sizeof(struct pick))};
    if (!picks.items) return fail_memory(err, "filter", (size_t)m * sizeof *picks.items);
    if (m <= options->budget || options->rule == FILTER_NONE) {
        for (int i = 0; i < m; i++) picks.items[picks.count++] = (struct pick){i, i, 0};
    } else if (filter_needs_embeddings(options->rule)) {
        TRY(by_embedding(&picks, &result->bad, options, frames, kernels, threads, arena, err));
    } else if (options->rule == FILTER_RANDOM) {
        TRY(by_chance(&picks, options, frames, arena, err));
    } else {
        TRY(by_score(&picks, options, frames, arena, err));
    }
    TRY(report(result, &picks, m, arena, err));
    result->incomplete = result->count < options->budget;
    return OK;
}
