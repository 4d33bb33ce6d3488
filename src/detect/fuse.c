#include "detect/fuse.h"

#include <assert.h>
#include <string.h>

void fuse_begin(struct fuse *fuse) { fuse->views = fuse->count = fuse->clusters = 0; }

void fuse_offer(struct fuse *fuse, const struct detection *found, int count)
{
    assert(fuse->views < FUSE_MAX_VIEWS && count >= 0 && count <= NMS_MAX_DETECTIONS);
    if (count) memcpy(fuse->found + fuse->count, found, (size_t)count * sizeof *found);
    fuse->count += count;
    fuse->views++;
}

static struct fuse_cluster *cluster_of(struct fuse *fuse, const struct detection *d)
{
    struct fuse_cluster *best = NULL;
    float most = FUSE_IOU;
    for (int i = 0; i < fuse->clusters; i++) {
        struct fuse_cluster *const c = fuse->cluster + i;
        const float iou = c->class_id == d->class_id ? box_iou(c->box, d->box) : 0;
        if (iou > most) most = iou, best = c;
    }
    if (best) return best;
    best = fuse->cluster + fuse->clusters++;
    *best = (struct fuse_cluster){.class_id = d->class_id};
    return best;
}

static void join(struct fuse_cluster *c, const struct detection *d)
{
    const double w = (double)d->confidence;
    assert(w > 0);
    c->members++;
    c->weight += w;
    c->corners[0] += w * (double)d->box.x1;
    c->corners[1] += w * (double)d->box.y1;
    c->corners[2] += w * (double)d->box.x2;
    c->corners[3] += w * (double)d->box.y2;
    c->box = (struct box){(float)(c->corners[0] / c->weight), (float)(c->corners[1] / c->weight),
                          (float)(c->corners[2] / c->weight), (float)(c->corners[3] / c->weight)};
}

static float confidence_of(const struct fuse_cluster *c, int views)
{
    const int counted = c->members < views ? c->members : views;
    return (float)(c->weight / c->members * counted / views);
}

int fuse_run(struct fuse *fuse, float confidence, struct detection *out)
{
    struct rank *const order = fuse->order;
    for (int i = 0; i < fuse->count; i++)
        order[i] = (struct rank){(double)fuse->found[i].confidence, (uint32_t)i};
    rank_sort(order, (size_t)fuse->count);
    for (int i = 0; i < fuse->count; i++) {
        const struct detection *const d = fuse->found + order[i].index;
        join(cluster_of(fuse, d), d);
    }
    for (int i = 0; i < fuse->clusters; i++)
        order[i] = (struct rank){(double)confidence_of(fuse->cluster + i, fuse->views), (uint32_t)i};
    rank_sort(order, (size_t)fuse->clusters);
    int kept = 0;
    for (; kept < fuse->clusters && kept < NMS_MAX_DETECTIONS; kept++) {
        const struct fuse_cluster *const c = fuse->cluster + order[kept].index;
        const float fused = (float)order[kept].score; /* was a float */
        if (!(fused > confidence)) break;
        out[kept] = (struct detection){c->box, fused, c->class_id, -1};
    }
    fuse_begin(fuse);
    return kept;
}
