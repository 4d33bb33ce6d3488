#include "train/loss_detect.h"

#include "base/dmath.h"
#include "base/flush.h"
#include "base/par.h"
#include "train/box_terms.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

#define FARTHEST_DISTANCE 14.99 /* cells; keeps the upper of the two bins in range */

struct loss_worker {
    float *row; /* [classes]: target scores of one anchor point, zero between uses */
};

struct loss_job {
    struct loss_detect *loss;
    const struct head *head, *gradient;
    const struct target *targets;
    double factor; /* images / score sum * scale */
};

enum status loss_detect_init(struct loss_detect *loss, struct arena *arena, const struct kernels *kernels,
                             struct loss_gains gains, int images, int anchors, int classes, int max_targets,
                             int threads, struct error *err)
{
    assert(classes >= 1);
    *loss = (struct loss_detect){.kernels = kernels, .gains = gains, .classes = classes};
    TRY(assign_init(&loss->assign, arena, images, anchors, max_targets, threads, err));
    const int workers = loss->assign.threads;
    loss->item = arena_alloc(arena, (size_t)images, sizeof *loss->item);
    loss->worker = arena_alloc(arena, (size_t)workers, sizeof *loss->worker);
    bool short_of_memory = !loss->item || !loss->worker;
    for (int i = 0; i < workers && !short_of_memory; i++) {
        loss->worker[i].row = arena_alloc(arena, (size_t)classes, sizeof(float));
        short_of_memory = !loss->worker[i].row;
    }
    return short_of_memory ? fail_memory(err, "loss", (size_t)images * sizeof *loss->item) : OK;
}

static bool row_is_finite(const float *x, int n)
{
    int bad = 0;
    for (int i = 0; i < n; i++) bad |= !(fabsf(x[i]) <= FLT_MAX);
    return !bad;
}

static enum status check_finite(const struct head *head, struct error *err)
{
    for (int l = 0; l < HEAD_LEVELS; l++) {
        const struct head_level *level = &head->level[l];
        const ptrdiff_t cells = (ptrdiff_t)level->height * level->width, rows = cells * head->images;
        for (ptrdiff_t r = 0; r < rows; r++) {
            const bool boxes = row_is_finite(level->boxes + r * level->box_stride, HEAD_BOX_LOGITS);
            if (boxes && row_is_finite(level->scores + r * level->score_stride, head->classes)) continue;
            return fail(
                err, ERR_CHECK,
                "loss: image %td of the batch, stride %d, row %td, column %td: a %s logit is not finite",
                r / cells, level->stride, r % cells / level->width, r % level->width,
                boxes ? "class" : "box");
        }
    }
    return OK;
}

static float stored(double gradient) { return flush_float((float)gradient); }

/* One foreground point: adds its two box terms, each times weight, to *item; gradient may be NULL. */
static void box_point(struct loss_items *item, float *gradient, const float *logits, const double target[4],
                      double x, double y, double weight, const struct loss_gains *gains, double factor)
{
    double p[HEAD_SIDES][HEAD_BINS], log_sum[HEAD_SIDES], distance[HEAD_SIDES], d_ciou[HEAD_SIDES];
    for (int s = 0; s < HEAD_SIDES; s++)
        distance[s] = box_terms_side(p[s], &log_sum[s], logits + s * HEAD_BINS);
    const double box[4] = {x - distance[0], y - distance[1], x + distance[2], y + distance[3]};
    const double wanted[4] = {x - target[0], y - target[1], target[2] - x, target[3] - y};
    item->box += (1 - box_terms_ciou(d_ciou, box, target)) * weight;

    double cross_entropy = 0;
    for (int s = 0; s < HEAD_SIDES; s++) {
        const double d = smaller(larger(wanted[s], 0), FARTHEST_DISTANCE);
        const int bin = (int)d;
        const double upper = d - bin, lower = 1 - upper;
        const float *z = logits + s * HEAD_BINS;
        cross_entropy -= lower * (z[bin] - log_sum[s]) + upper * (z[bin + 1] - log_sum[s]);
        if (!gradient) continue;
        const double d_distance = -gains->box * factor * weight * (s < 2 ? -d_ciou[s] : d_ciou[s]);
        const double d_logits = gains->distribution * factor * weight / HEAD_SIDES;
        for (int j = 0; j < HEAD_BINS; j++) {
            const double share = j == bin ? lower : j == bin + 1 ? upper : 0;
            gradient[s * HEAD_BINS + j] =
                stored(d_logits * (p[s][j] - share) + d_distance * p[s][j] * (j - distance[s]));
        }
    }
    item->distribution += cross_entropy / HEAD_SIDES * weight;
}

static void loss_level(struct loss_items *item, const struct loss_job *job, int image, int l, int base,
                       float *row)
{
    const struct loss_detect *loss = job->loss;
    const struct assign *assign = &loss->assign;
    const struct head_level *level = &job->head->level[l],
                            *out = job->gradient ? &job->gradient->level[l] : NULL;
    const int cells = level->height * level->width;
    const ptrdiff_t point = (ptrdiff_t)image * head_anchors(job->head) + base;
    const float class_factor = (float)(loss->gains.classes * job->factor);
    for (int i = 0; i < cells; i++) {
        const ptrdiff_t r = (ptrdiff_t)image * cells + i;
        const int owner = assign->owner[point + i];
        const double weight = assign->score[point + i];
        float *d_boxes = out ? out->boxes + r * out->box_stride : NULL;
        if (d_boxes) memset(d_boxes, 0, HEAD_BOX_LOGITS * sizeof *d_boxes);
        const int class_id = owner >= 0 ? job->targets[owner].class_id : 0;
        if (owner >= 0) {
            double target[4];
            for (int k = 0; k < 4; k++) target[k] = assign->box[owner][k] / level->stride;
            box_point(item, d_boxes, level->boxes + r * level->box_stride, target, i % level->width + 0.5,
                      i / level->width + 0.5, weight, &loss->gains, job->factor);
            row[class_id] = (float)weight;
            item->foreground++;
        }
        item->classes += loss->kernels->binary_cross_entropy(out ? out->scores + r * out->score_stride : NULL,
                                                             level->scores + r * level->score_stride, row,
                                                             class_factor, job->head->classes);
        row[class_id] = 0;
    }
}

static void loss_images(void *context, int64_t begin, int64_t end, int worker)
{
    const struct loss_job *job = context;
    for (int image = (int)begin; image < end; image++) {
        struct loss_items item = {0};
        for (int l = 0, base = 0; l < HEAD_LEVELS; l++) {
            loss_level(&item, job, image, l, base, job->loss->worker[worker].row);
            base += job->head->level[l].height * job->head->level[l].width;
        }
        job->loss->item[image] = item;
    }
}

enum status loss_detect_run(struct loss_detect *loss, struct loss_items *items, const struct head *gradient,
                            const struct head *head, const struct target *targets, int count, double scale,
                            struct error *err)
{
    assert(head->classes <= loss->classes);
    TRY(check_finite(head, err));
    assign_run(&loss->assign, head, targets, count);
    const double score_sum = assign_score_sum(&loss->assign, head);
    struct loss_job job = {loss, head, gradient, targets, head->images / score_sum * scale};
    par_for(loss->assign.threads, head->images, 1, loss_images, &job);
    struct loss_items sum = {.score_sum = score_sum};
    for (int i = 0; i < head->images; i++) {
        sum.box += loss->item[i].box;
        sum.classes += loss->item[i].classes;
        sum.distribution += loss->item[i].distribution;
        sum.foreground += loss->item[i].foreground;
    }
    sum.box *= loss->gains.box / score_sum;
    sum.classes *= loss->gains.classes / score_sum;
    sum.distribution *= loss->gains.distribution / score_sum;
    sum.total = (sum.box + sum.classes + sum.distribution) * head->images;
    *items = sum;
    return OK;
}
