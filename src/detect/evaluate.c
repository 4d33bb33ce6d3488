#include "detect/evaluate.h"

#include "base/rank.h"
#include "detect/labels.h"
#include "image/decode.h"

#include <assert.h>

/* One picture in the order of the evaluation. */
struct entry {
    const struct dataset_item *item;
    struct labels labels;
    int width, height; /* of its batch's canvas, when rectangular */
};

struct job {
    const struct evaluate_options *options;
    const struct progress *progress;
    struct arena arena;
    struct entry *entries;
    size_t count;
    int *label_map, label_map_size; /* NULL: none */
    struct nms_options nms;
    struct detector detector;
    struct metric *metric;
    struct image picture;
    struct truth *truths;    /* [most labels of a picture] */
    struct detection *found; /* [nms.max_detections] */
    struct coco_image *coco; /* [count] or NULL */
};

struct evaluate_options evaluate_default_options(void)
{
    const struct nms_options nms = nms_validation_options();
    return (struct evaluate_options){.size = LETTERBOX_SIZE,
                                     .batch = 32,
                                     .confidence = nms.confidence,
                                     .iou = nms.iou,
                                     .ignore_above = -1};
}

static enum status stopped(struct error *err) { return fail(err, ERR_INTERRUPTED, "evaluation interrupted"); }

static enum status make_label_map(struct job *job, struct error *err)
{
    const struct evaluate_options *const o = job->options;
    if (!o->label_list) return OK;
    for (size_t i = 0; i < o->label_count; i++)
        if (o->label_list[i] >= job->label_map_size) job->label_map_size = o->label_list[i] + 1;
    return labels_make_map(&job->label_map, &job->arena, job->label_map_size, o->label_list, o->label_count,
                           true, "label classes", err);
}

/* The number of classes compared, and the suppression that goes with it. */
static enum status choose_classes(struct job *job, int *classes, const struct model *model, struct error *err)
{
    const struct evaluate_options *const o = job->options;
    const int own = model->config.classes;
    const bool merged = own == 1 || o->vehicle_list;
    *classes = merged ? 1 : own;
    if (o->label_list && !merged)
        return fail(err, ERR_USAGE, "labels become one class, but the model has %d: name those to merge",
                    own);
    job->nms = nms_validation_options();
    job->nms.confidence = o->confidence;
    job->nms.iou = o->iou;
    job->nms.multi_label = job->nms.multi_label && !merged;
    if (own == 1 || !o->vehicle_list) return OK;
    int *map;
    TRY(labels_make_map(&map, &job->arena, own, o->vehicle_list, o->vehicle_count, true, "vehicle classes",
                        err));
    job->nms.agnostic = true;
    job->nms.class_map = map;
    return OK;
}

/* Reads all labels; a picture with more than 300 raises the number of detections [YOLO11]. */
static enum status read_labels(struct job *job, const struct dataset_item *items, int classes,
                               struct error *err)
{
    size_t most = 0;
    for (size_t i = 0; i < job->count; i++) {
        struct entry *const e = &job->entries[i];
        e->item = &items[i];
        TRY(labels_read(&e->labels, &job->arena, items[i].labels, job->label_map ? 0 : classes, err));
        if (job->label_map) labels_map(&e->labels, job->label_map, job->label_map_size);
        if (e->labels.count > most) most = e->labels.count;
    }
    if (most > (size_t)job->nms.max_detections) job->nms.max_detections = (int)most;
    const size_t room = (size_t)job->nms.max_detections;
    job->truths = arena_alloc(&job->arena, most, sizeof *job->truths);
    job->found = arena_alloc(&job->arena, room, sizeof *job->found);
    if (job->options->coco) job->coco = arena_alloc(&job->arena, job->count, sizeof *job->coco);
    if (!job->truths || !job->found || (job->options->coco && !job->coco))
        return fail_memory(err, "boxes", room * sizeof *job->found);
    return OK;
}

/* Sorts the pictures by height/width and gives each batch its canvas. */
static enum status plan_batches(struct job *job, struct error *err)
{
    struct rank *const order = arena_alloc(&job->arena, job->count, sizeof *order);
    struct entry *const sorted = arena_alloc(&job->arena, job->count, sizeof *sorted);
    if (!order || !sorted) return fail_memory(err, "batches", job->count * sizeof *sorted);
    for (size_t i = 0; i < job->count; i++) {
        int width, height;
        TRY(image_read_size(&width, &height, job->entries[i].item->image, err));
        order[i] = (struct rank){-((double)height / width), (uint32_t)i};
        if (!progress_report(job->progress, "sizes", (int64_t)i + 1, (int64_t)job->count, ""))
            return stopped(err);
    }
    rank_sort(order, job->count);
    const size_t batch = (size_t)job->options->batch;
    for (size_t begin = 0; begin < job->count; begin += batch) {
        const size_t end = job->count - begin < batch ? job->count : begin + batch;
        int width, height;
        letterbox_batch_shape(-order[begin].score, -order[end - 1].score, job->options->size, &width,
                              &height);
        for (size_t i = begin; i < end; i++) {
            sorted[i] = job->entries[order[i].index];
            sorted[i].width = width, sorted[i].height = height;
        }
    }
    job->entries = sorted;
    return OK;
}

/* Drops what ends at or above the line and turns corners into x, y, width, height. */
static enum status keep_for_coco(struct job *job, struct coco_image *out, const struct labels *labels,
                                 int count, const struct letterbox *box, struct error *err)
{
    const float line = job->options->ignore_above;
    struct coco_truth *const truths = arena_alloc(&job->arena, labels->count, sizeof *truths);
    struct coco_found *const found = arena_alloc(&job->arena, (size_t)count, sizeof *found);
    if (!truths || !found) return fail_memory(err, "boxes", (size_t)count * sizeof *found);
    *out = (struct coco_image){.truths = truths, .found = found};
    for (size_t i = 0; i < labels->count; i++) {
        const struct label *const l = &labels->rows[i];
        const double w = (double)l->w * box->source_width, h = (double)l->h * box->source_height;
        const double x = (double)l->cx * box->source_width - w / 2,
                     y = (double)l->cy * box->source_height - h / 2;
        if (line < 0 || y + h > line)
            truths[out->truth_count++] =
                (struct coco_truth){.box = {x, y, w, h}, .area = w * h, .category = l->class_id};
    }
    for (int i = 0; i < count; i++) {
        const struct detection *const d = &job->found[i];
        const struct box b = d->box;
        if (line < 0 || b.y2 > line)
            found[out->found_count++] = (struct coco_found){
                .box = {b.x1, b.y1, (double)b.x2 - b.x1, (double)b.y2 - b.y1}, d->confidence, d->class_id};
    }
    return OK;
}

static struct truth truth_on_canvas(const struct label *label, const struct letterbox *box)
{
    const struct box b =
        label_box(label, (float)(box->source_width * box->gain_x), (float)(box->source_height * box->gain_y));
    const float x = (float)box->pad_x, y = (float)box->pad_y;
    return (struct truth){{b.x1 + x, b.y1 + y, b.x2 + x, b.y2 + y}, label->class_id};
}

static enum status score_picture(struct job *job, size_t i, struct error *err)
{
    const struct evaluate_options *const o = job->options;
    const struct entry *const e = &job->entries[i];
    TRY(image_read(&job->picture, e->item->image, err));
    const int w = job->picture.width, h = job->picture.height;
    const bool in_picture = o->ignore_above >= 0;
    const struct letterbox box = in_picture       ? letterbox_detect(w, h, o->size, o->size, true)
                                 : o->rectangular ? letterbox_validate(w, h, o->size, e->width, e->height)
                                                  : letterbox_validate(w, h, o->size, o->size, o->size);
    int count;
    TRY(detector_run(&job->detector, &job->picture, &box, job->found, &count, err));
    if (in_picture) detector_to_picture(job->found, count, &box);
    for (size_t k = 0; k < e->labels.count; k++) {
        const struct label *const l = &e->labels.rows[k];
        job->truths[k] = in_picture ? (struct truth){label_box(l, (float)w, (float)h), l->class_id}
                                    : truth_on_canvas(l, &box);
    }
    TRY(metric_add(job->metric, job->truths, e->labels.count, job->found, (size_t)count, err));
    if (!job->coco && !o->observer.found) return OK;
    if (!in_picture) detector_to_picture(job->found, count, &box);
    if (o->observer.found) TRY(o->observer.found(o->observer.context, e->item, job->found, count, err));
    if (!job->coco) return OK;
    return keep_for_coco(job, &job->coco[i], &e->labels, count, &box, err);
}

static enum status evaluate(struct job *job, struct evaluation *evaluation, const struct model *model,
                            const struct kernels *kernels, int threads, const struct dataset_item *items,
                            struct error *err)
{
    const struct evaluate_options *const o = job->options;
    TRY(choose_classes(job, &evaluation->classes, model, err));
    TRY(make_label_map(job, err));
    job->entries = arena_alloc(&job->arena, job->count, sizeof *job->entries);
    if (!job->entries) return fail_memory(err, "the list of pictures", job->count * sizeof *job->entries);
    TRY(read_labels(job, items, evaluation->classes, err));
    if (o->rectangular && o->ignore_above < 0) TRY(plan_batches(job, err));

    struct metric_options options = metric_default_options(evaluation->classes);
    options.match_best_only = evaluate_match_best_only(o);
    options.sloped_end = options.fitness_2024 = o->metric_2024;
    options.ignore_above = o->ignore_above;
    TRY(metric_make(job->metric, &options, err));
    detector_begin(&job->detector, model, kernels, threads, &job->nms);
    job->detector.plan = o->plan;
    job->detector.memory_limit = o->memory_limit;
    for (size_t i = 0; i < job->count; i++) {
        TRY(score_picture(job, i, err));
        if (!progress_report(job->progress, "evaluate", (int64_t)i + 1, (int64_t)job->count, ""))
            return stopped(err);
    }
    TRY(metric_finish(job->metric, &evaluation->result, err));
    if (!job->coco) return OK;
    return coco_metric_run(evaluation->coco, NULL, job->coco, job->count, evaluation->classes, err);
}

enum status evaluate_run(struct evaluation *evaluation, const struct model *model,
                         const struct kernels *kernels, int threads, const struct dataset_item *items,
                         size_t count, const struct evaluate_options *options,
                         const struct progress *progress, struct error *err)
{
    assert(options->size > 0 && options->size % LETTERBOX_STRIDE == 0 && options->batch > 0);
    *evaluation = (struct evaluation){0};
    struct job job = {
        .options = options, .progress = progress, .count = count, .metric = &evaluation->metric};
    const enum status status = evaluate(&job, evaluation, model, kernels, threads, items, err);
    detector_end(&job.detector);
    image_free(&job.picture);
    arena_free(&job.arena);
    return status;
}

void evaluate_free(struct evaluation *evaluation)
{
    metric_free(&evaluation->metric);
    *evaluation = (struct evaluation){0};
}
