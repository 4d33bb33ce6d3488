#include "detect/metric.h"

#include "base/rank.h"
#include "detect/metric_curve.h"

#include <assert.h>

struct metric_block {
    struct metric_block *before;
    size_t count;
    struct metric_record *records;
};

struct metric_options metric_default_options(int classes)
{
    return (struct metric_options){.classes = classes, .ignore_above = -1};
}

enum status metric_make(struct metric *metric, const struct metric_options *options, struct error *err)
{
    assert(options->classes > 0);
    *metric = (struct metric){.options = *options};
    metric->labels = arena_alloc(&metric->arena, (size_t)options->classes, sizeof *metric->labels);
    return metric->labels ? OK : fail_memory(err, "label counts", (size_t)options->classes * sizeof(size_t));
}

void metric_free(struct metric *metric)
{
    arena_free(&metric->arena);
    *metric = (struct metric){0};
}

void metric_thresholds(float thresholds[METRIC_THRESHOLDS])
{
    const double step = (0.95 - 0.5) / (METRIC_THRESHOLDS - 1);
    for (int t = 0; t < METRIC_THRESHOLDS; t++) thresholds[t] = (float)(0.5 + t * step);
}

void metric_match(uint16_t *hits, uint16_t *claimed, const struct truth *truths, size_t truth_count,
                  const struct detection *found, size_t found_count, bool match_best_only)
{
    float thresholds[METRIC_THRESHOLDS];
    metric_thresholds(thresholds);
    for (size_t g = 0; g < truth_count; g++) claimed[g] = 0;
    for (size_t i = 0; i < found_count; i++) {
        float best[METRIC_THRESHOLDS] = {0};
        size_t place[METRIC_THRESHOLDS] = {0};
        for (size_t g = 0; g < truth_count; g++) {
            if (truths[g].class_id != found[i].class_id) continue;
            const float iou = box_iou_metric(truths[g].box, found[i].box);
            for (int t = 0; t < METRIC_THRESHOLDS; t++)
                if (iou > best[t] && (match_best_only || !(claimed[g] >> t & 1))) best[t] = iou, place[t] = g;
        }
        hits[i] = 0;
        for (int t = 0; t < METRIC_THRESHOLDS; t++) {
            const uint16_t bit = (uint16_t)(1u << t);
            if (best[t] < thresholds[t] || claimed[place[t]] & bit) continue;
            claimed[place[t]] |= bit;
            hits[i] |= bit;
        }
    }
}

enum status metric_add(struct metric *metric, const struct truth *truths, size_t truth_count,
                       const struct detection *found, size_t found_count, struct error *err)
{
    struct arena *const arena = &metric->arena, scratch = {0};
    const float limit = metric->options.ignore_above;
    struct truth *const g = arena_alloc(&scratch, truth_count, sizeof *g);
    struct detection *const d = arena_alloc(&scratch, found_count, sizeof *d);
    uint16_t *const claimed = arena_alloc(&scratch, truth_count, sizeof *claimed);
    uint16_t *const hits = arena_alloc(&scratch, found_count, sizeof *hits);
    struct metric_block *const block = arena_alloc(arena, 1, sizeof *block);
    struct metric_record *const records = arena_alloc(arena, found_count, sizeof *records);
    if (!g || !d || !claimed || !hits || !block || !records) {
        arena_free(&scratch);
        return fail_memory(err, "matches", found_count * sizeof *records);
    }
    size_t labels = 0, count = 0;
    for (size_t i = 0; i < truth_count; i++)
        if (limit < 0 || truths[i].box.y2 > limit) g[labels++] = truths[i];
    for (size_t i = 0; i < found_count; i++)
        if (limit < 0 || found[i].box.y2 > limit) d[count++] = found[i];
    metric_match(hits, claimed, g, labels, d, count, metric->options.match_best_only);
    for (size_t i = 0; i < labels; i++) {
        assert(g[i].class_id >= 0 && g[i].class_id < metric->options.classes);
        metric->labels[g[i].class_id]++;
    }
    for (size_t i = 0; i < count; i++)
        records[i] = (struct metric_record){d[i].confidence, d[i].class_id, hits[i]};
    arena_free(&scratch);
    *block = (struct metric_block){metric->last, count, records};
    metric->last = block;
    metric->detections += count;
    metric->images++;
    return OK;
}

/* All records, most confident first; equals in the order of images, then of detections. */
static enum status sort_records(struct metric_record *sorted, struct metric *metric, struct error *err)
{
    const size_t n = metric->detections;
    struct arena scratch = {0};
    struct rank *const order = arena_alloc(&scratch, n, sizeof *order);
    struct metric_record *const flat = arena_alloc(&scratch, n, sizeof *flat);
    if (!order || !flat) {
        arena_free(&scratch);
        return fail_memory(err, "sorting detections", n * (sizeof *order + sizeof *flat));
    }
    size_t end = n;
    for (const struct metric_block *b = metric->last; b; b = b->before) {
        end -= b->count;
        for (size_t i = 0; i < b->count; i++) flat[end + i] = b->records[i];
    }
    for (size_t i = 0; i < n; i++) order[i] = (struct rank){flat[i].confidence, (uint32_t)i};
    rank_sort(order, n);
    for (size_t i = 0; i < n; i++) sorted[i] = flat[order[i].index];
    arena_free(&scratch);
    return OK;
}

static void average(struct metric_result *r, const struct metric_options *options)
{
    double sum[METRIC_THRESHOLDS] = {0}, all = 0;
    for (size_t c = 0; c < r->count; c++) {
        for (int t = 0; t < METRIC_THRESHOLDS; t++) sum[t] += r->classes[c].ap[t];
        r->precision += r->classes[c].precision;
        r->recall += r->classes[c].recall;
        r->labels += r->classes[c].labels;
    }
    for (int t = 0; t < METRIC_THRESHOLDS; t++) all += sum[t];
    const double n = (double)r->count;
    r->map50 = sum[0] / n;
    r->map75 = sum[5] / n;
    r->map50_95 = all / (n * METRIC_THRESHOLDS);
    r->precision /= n;
    r->recall /= n;
    r->fitness = options->fitness_2024 ? 0.1 * r->map50 + 0.9 * r->map50_95 : r->map50_95;
}

enum status metric_finish(struct metric *metric, struct metric_result *result, struct error *err)
{
    const size_t n = metric->detections, classes = (size_t)metric->options.classes;
    *result = (struct metric_result){.images = metric->images, .detections = n};
    struct metric_record *const sorted = arena_alloc(&metric->arena, n, sizeof *sorted);
    result->classes = arena_alloc(&metric->arena, classes, sizeof *result->classes);
    if (!sorted || !result->classes) return fail_memory(err, "precision curves", n * sizeof *sorted);
    TRY(sort_records(sorted, metric, err));
    for (size_t c = 0; c < classes; c++)
        if (metric->labels[c])
            result->classes[result->count++] =
                (struct metric_class){.class_id = (int)c, .labels = metric->labels[c]};
    result->defined = result->count > 0;
    if (!result->defined) return OK;
    TRY(metric_curve_all(result, sorted, n, metric->options.sloped_end, err));
    average(result, &metric->options);
    return OK;
}
