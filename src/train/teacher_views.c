#include "train/teacher_views.h"

#include "image/orient.h"

#include <assert.h>

int teacher_views_larger(int size)
{
    return (size * 5 / 4 + LETTERBOX_STRIDE / 2) / LETTERBOX_STRIDE * LETTERBOX_STRIDE;
}

enum status teacher_views_begin(struct teacher_views *views, struct arena *arena, const struct model *model,
                                const struct kernels *kernels, int threads, const struct teacher_options *o,
                                const int *class_map, struct error *err)
{
    assert(o->views == 1 || o->views == 2 || o->views == 4);
    *views = (struct teacher_views){.count = o->views, .size = o->size, .confidence = o->confidence};
    struct nms_options nms = nms_predict_options();
    nms.confidence = o->confidence / (float)o->views; /* a weak box of one view counts in a fused one */
    nms.iou = o->iou;
    nms.class_map = class_map;
    nms.merge_before = o->merge_before;
    detector_begin(&views->detector, model, kernels, threads, &nms);
    detector_begin(&views->larger, model, kernels, threads, &nms);
    views->detector.plan = views->larger.plan = o->plan;
    views->detector.memory_limit = views->larger.memory_limit = o->memory_limit;
    if (o->views == 1) return OK;
    views->fuse = arena_alloc(arena, 1, sizeof *views->fuse);
    return views->fuse ? OK : fail_memory(err, "box fusion", sizeof *views->fuse);
}

static void mirror_boxes(struct detection *found, int count, float width)
{
    for (int i = 0; i < count; i++) {
        struct box *const b = &found[i].box;
        *b = (struct box){width - b->x2, b->y1, width - b->x1, b->y2};
    }
}

static enum status look(struct teacher_views *views, const struct image *picture, bool mirrored, bool larger,
                        struct error *err)
{
    struct detection found[NMS_MAX_DETECTIONS];
    int count;
    TRY(detector_predict(larger ? &views->larger : &views->detector, mirrored ? &views->mirrored : picture,
                         larger ? teacher_views_larger(views->size) : views->size, true, found, &count, err));
    if (mirrored) mirror_boxes(found, count, (float)picture->width);
    fuse_offer(views->fuse, found, count);
    return OK;
}

enum status teacher_views_predict(struct teacher_views *views, const struct image *picture,
                                  struct detection *found, int *count, struct error *err)
{
    if (views->count == 1)
        return detector_predict(&views->detector, picture, views->size, true, found, count, err);
    fuse_begin(views->fuse);
    TRY(image_copy(&views->mirrored, picture, err));
    orient_mirror(&views->mirrored);
    for (int i = 0; i < views->count; i++) TRY(look(views, picture, i % 2, i >= 2, err));
    *count = fuse_run(views->fuse, views->confidence, found);
    return OK;
}

void teacher_views_end(struct teacher_views *views)
{
    detector_end(&views->detector);
    detector_end(&views->larger);
    image_free(&views->mirrored);
}
