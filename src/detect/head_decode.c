#include "detect/head_decode.h"

#include <assert.h>
#include <float.h>

static const float bins[HEAD_BINS] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

void head_decode_distances(const struct kernels *kernels, const float logits[HEAD_BOX_LOGITS],
                           float distances[HEAD_SIDES])
{
    float p[HEAD_BINS];
    for (int side = 0; side < HEAD_SIDES; side++) {
        kernels->softmax(p, logits + side * HEAD_BINS, HEAD_BINS);
        distances[side] = kernels->dot(p, bins, HEAD_BINS);
    }
}

struct decoded_box head_decode_box(const struct kernels *kernels, const float logits[HEAD_BOX_LOGITS], int y,
                                   int x, int stride)
{
    float d[HEAD_SIDES];
    head_decode_distances(kernels, logits, d);
    const float ax = (float)x + 0.5f, ay = (float)y + 0.5f, s = (float)stride;
    const float x1 = ax - d[0], y1 = ay - d[1], x2 = ax + d[2], y2 = ay + d[3];
    return (struct decoded_box){(x1 + x2) / 2 * s, (y1 + y2) / 2 * s, (x2 - x1) * s, (y2 - y1) * s};
}

void head_decode_all(const struct kernels *kernels, const struct head *head, int image, float *out)
{
    const size_t anchors = (size_t)head_anchors(head);
    size_t anchor = 0;
    for (int i = 0; i < HEAD_LEVELS; i++) {
        const struct head_level *const level = &head->level[i];
        const ptrdiff_t first = (ptrdiff_t)image * level->height * level->width;
        for (int cell = 0; cell < level->height * level->width; cell++, anchor++) {
            const struct decoded_box b =
                head_decode_box(kernels, level->boxes + (first + cell) * level->box_stride,
                                cell / level->width, cell % level->width, level->stride);
            const float corner[4] = {b.cx, b.cy, b.w, b.h};
            for (size_t k = 0; k < 4; k++) out[k * anchors + anchor] = corner[k];
            const float *const scores = level->scores + (first + cell) * level->score_stride;
            for (int c = 0; c < head->classes; c++)
                kernels->sigmoid(&out[(4 + (size_t)c) * anchors + anchor], &scores[c], 1);
        }
    }
}

/* A logit at or below this cannot give a probability above the threshold: the logit of threshold - 2e-6,
 * which covers the error of the sigmoid (1.1e-7) and of the logarithm (below 1e-6 in the logit). */
static float logit_floor(const struct kernels *kernels, float threshold)
{
    const float p = threshold - 2e-6f;
    if (p < 2e-6f) return -FLT_MAX;
    float logit = p / (1 - p);
    kernels->log(&logit, &logit, 1);
    return logit;
}

void head_decode_candidates(const struct kernels *kernels, const struct head *head, int image, float *row,
                            struct nms *nms)
{
    assert(head->classes == nms->classes);
    nms_begin(nms);
    if (nms->options.confidence >= 1) return;
    const float floor = logit_floor(kernels, nms->options.confidence);
    int anchor = 0;
    for (int i = 0; i < HEAD_LEVELS; i++) {
        const struct head_level *const level = &head->level[i];
        const ptrdiff_t first = (ptrdiff_t)image * level->height * level->width;
        for (int cell = 0; cell < level->height * level->width; cell++, anchor++) {
            const float *const scores = level->scores + (first + cell) * level->score_stride;
            if (kernels->max(scores, head->classes) <= floor) continue;
            kernels->sigmoid(row, scores, (size_t)head->classes);
            if (!(kernels->max(row, head->classes) > nms->options.confidence)) continue;
            const struct decoded_box b =
                head_decode_box(kernels, level->boxes + (first + cell) * level->box_stride,
                                cell / level->width, cell % level->width, level->stride);
            nms_offer(nms, box_from_centre(b.cx, b.cy, b.w, b.h), row, anchor);
        }
    }
}
