#include "detect/nms.h"

#include <assert.h>

struct nms_options nms_predict_options(void)
{
    return (struct nms_options){.confidence = 0.25f, .iou = 0.7, .max_detections = NMS_MAX_DETECTIONS};
}

struct nms_options nms_validation_options(void)
{
    return (struct nms_options){
        .confidence = 0.001f, .iou = 0.7, .max_detections = NMS_MAX_DETECTIONS, .multi_label = true};
}

enum status nms_make(struct nms *nms, struct arena *arena, const struct nms_options *options, int classes,
                     int anchors, struct error *err)
{
    assert(classes > 0 && anchors >= 0 && options->max_detections > 0);
    const size_t pairs = (size_t)anchors * (options->multi_label ? (size_t)classes : 1);
    const size_t capacity = pairs < NMS_MAX_CANDIDATES ? pairs : NMS_MAX_CANDIDATES;
    *nms = (struct nms){.options = *options, .classes = classes, .capacity = capacity};
    nms->heap = arena_alloc(arena, capacity + 1, sizeof *nms->heap);
    nms->kept = arena_alloc(arena, (size_t)options->max_detections, sizeof *nms->kept);
    if (!nms->heap || !nms->kept)
        return fail_memory(err, "box suppression", (capacity + 1) * sizeof *nms->heap);
    return OK;
}

void nms_begin(struct nms *nms)
{
    nms->count = 0;
    nms->offered = 0;
}

static bool comes_after(const struct nms_candidate *a, const struct nms_candidate *b)
{
    return rank_compare(a->rank, b->rank) > 0;
}

/* Restores "no child comes after its parent" below position i. */
static void sift_down(struct nms *nms, size_t i)
{
    const struct nms_candidate moved = nms->heap[i];
    for (size_t child; (child = 2 * i + 1) < nms->count; i = child) {
        if (child + 1 < nms->count && comes_after(&nms->heap[child + 1], &nms->heap[child])) child++;
        if (!comes_after(&nms->heap[child], &moved)) break;
        nms->heap[i] = nms->heap[child];
    }
    nms->heap[i] = moved;
}

static void push(struct nms *nms, struct box box, float confidence, int class_id, int anchor)
{
    const int *const map = nms->options.class_map;
    if (map && map[class_id] < 0) return;
    const struct nms_candidate candidate = {
        {confidence, nms->offered++},
        {box, confidence, map && nms->options.merge_before ? map[class_id] : class_id, anchor}};
    if (nms->count < nms->capacity) {
        nms->heap[nms->count++] = candidate;
        if (nms->count == nms->capacity)
            for (size_t i = nms->count / 2; i-- > 0;) sift_down(nms, i);
    } else if (nms->count && comes_after(&nms->heap[0], &candidate)) {
        nms->heap[0] = candidate;
        sift_down(nms, 0);
    }
}

void nms_offer(struct nms *nms, struct box box, const float *probabilities, int anchor)
{
    const float threshold = nms->options.confidence;
    if (nms->options.multi_label) {
        for (int c = 0; c < nms->classes; c++)
            if (probabilities[c] > threshold) push(nms, box, probabilities[c], c, anchor);
        return;
    }
    int best = 0;
    for (int c = 1; c < nms->classes; c++)
        if (probabilities[c] > probabilities[best]) best = c;
    if (probabilities[best] > threshold) push(nms, box, probabilities[best], best, anchor);
}

/* The rounding of the float sums is part of the result. */
static struct box shifted(struct box b, float offset)
{
    return (struct box){b.x1 + offset, b.y1 + offset, b.x2 + offset, b.y2 + offset};
}

static bool overlaps_kept(const struct nms *nms, int kept, struct box box)
{
    for (int k = 0; k < kept; k++)
        if ((double)box_iou(nms->kept[k], box) > nms->options.iou) return true;
    return false;
}

/* Heap sort: the least goes to the end, so the best comes to lie first. Leaves the heap empty. */
static size_t sort_candidates(struct nms *nms)
{
    const size_t n = nms->count;
    for (size_t i = n / 2; i-- > 0;) sift_down(nms, i);
    while (nms->count > 1) {
        const struct nms_candidate least = nms->heap[0];
        nms->heap[0] = nms->heap[--nms->count];
        nms->heap[nms->count] = least;
        sift_down(nms, 0);
    }
    nms_begin(nms);
    return n;
}

int nms_run(struct nms *nms, struct detection *out)
{
    const struct nms_options *const options = &nms->options;
    const size_t n = sort_candidates(nms);
    int kept = 0;
    for (size_t i = 0; i < n && kept < options->max_detections; i++) {
        struct detection d = nms->heap[i].detection;
        const struct box box = shifted(d.box, options->agnostic ? 0 : (float)d.class_id * NMS_CLASS_OFFSET);
        if (overlaps_kept(nms, kept, box)) continue;
        nms->kept[kept] = box;
        if (options->class_map && !options->merge_before) d.class_id = options->class_map[d.class_id];
        out[kept++] = d;
    }
    return kept;
}
