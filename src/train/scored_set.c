#include "train/scored_set.h"

#include <stdio.h>
#include <string.h>

static void add_list(struct sha256 *hash, const int *list, size_t count)
{
    char text[24];
    for (size_t i = 0; i < count; i++)
        sha256_add(hash, text, (size_t)snprintf(text, sizeof text, "%d,", list[i]));
    sha256_add(hash, ";", 1);
}

static void add_options(struct sha256 *hash, const struct evaluate_options *o)
{
    char text[160];
    const int n = snprintf(text, sizeof text, "%d %d %d %a %a %a %d %d;", o->size, o->rectangular,
                           o->rectangular ? o->batch : 0, (double)o->confidence, o->iou,
                           (double)o->ignore_above, o->metric_2024, net_plan_number(o->plan));
    sha256_add(hash, text, (size_t)n);
    add_list(hash, o->label_list, o->label_list ? o->label_count : 0);
    add_list(hash, o->vehicle_list, o->vehicle_list ? o->vehicle_count : 0);
}

static bool counts(const struct evaluate_options *o, int class_id)
{
    if (!o->label_list) return true;
    for (size_t i = 0; i < o->label_count; i++)
        if (o->label_list[i] == class_id) return true;
    return false;
}

static enum status add_item(struct scored_set *set, struct sha256 *hash, const struct dataset_item *item,
                            struct error *err)
{
    char hex[SHA256_HEX];
    struct arena arena = {0};
    struct labels labels;
    TRY(sha256_file(item->image, hex, err));
    sha256_add(hash, hex, sizeof hex);
    const enum status status = labels_read(&labels, &arena, item->labels, 0, err);
    if (status == OK) {
        labels_hash(hash, &labels, false);
        for (size_t i = 0; i < labels.count; i++)
            set->labels += counts(&set->options, labels.rows[i].class_id);
    }
    arena_free(&arena);
    return status;
}

/* Labels and recipe of the items. */
static enum status look(struct scored_set *set, struct error *err)
{
    struct sha256 hash;
    sha256_init(&hash);
    add_options(&hash, &set->options);
    for (size_t i = 0; i < set->count; i++) TRY(add_item(set, &hash, set->items + i, err));
    sha256_hex(&hash, set->recipe);
    return OK;
}

enum status scored_set_make(struct scored_set *set, const struct dataset_item *items, size_t count,
                            const struct evaluate_options *options, const struct kernels *kernels,
                            int threads, struct error *err)
{
    *set = (struct scored_set){
        .items = items, .count = count, .options = *options, .kernels = kernels, .threads = threads};
    return look(set, err);
}

enum status scored_set_open(struct scored_set *set, const char *path, const struct evaluate_options *options,
                            const struct kernels *kernels, int threads, struct error *err)
{
    *set = (struct scored_set){.options = *options, .kernels = kernels, .threads = threads};
    TRY(dataset_open(&set->data, path, DATASET_VAL, err));
    set->items = set->data.items;
    set->count = set->data.count;
    TRY(look(set, err));
    if (!set->labels)
        return fail(err, ERR_INPUT, "%s: no label of these classes, so nothing can be scored", path);
    return OK;
}

void scored_set_close(struct scored_set *set)
{
    dataset_close(&set->data);
    *set = (struct scored_set){0};
}

enum status scored_set_score(const struct scored_set *set, const struct model *model, double *score,
                             const struct progress *progress, struct error *err)
{
    struct evaluation evaluation;
    const enum status status = evaluate_run(&evaluation, model, set->kernels, set->threads, set->items,
                                            set->count, &set->options, progress, err);
    *score = status == OK && evaluation.result.defined ? evaluation.result.map50_95 : 0;
    evaluate_free(&evaluation);
    return status;
}

static enum status score(void *context, const struct model *average, double *result, struct error *err)
{
    return scored_set_score(context, average, result, NULL, err);
}

struct trainer_validation scored_set_validation(struct scored_set *set)
{
    return (struct trainer_validation){score, set, set->recipe};
}
