#include "train/assign.h"

#include "base/dmath.h"
#include "base/par.h"
#include "train/box_terms.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { TOP = 10, NOBODY = -1, CONTESTED = -2 };
#define SHORTEST_SIDE 16 /* pixels; a shorter side is widened for the candidate test alone */

/* Scratch of one thread for the image in hand. */
struct assign_worker {
    double (*box)[4]; /* predicted boxes in pixels, where known */
    unsigned char *known;
    double *overlap; /* of the owner */
};

struct image_job {
    struct assign *assign;
    const struct head *head;
    const struct target *targets;
    int count;
};

/* What one image's functions need. */
struct view {
    const struct head *head;
    const struct target *targets;
    const double (*gt)[4];
    int image, first, end; /* rows of targets */
    struct assign_worker *worker;
};

struct claim {
    double alignment;
    int anchor;
};

enum status assign_init(struct assign *assign, struct arena *arena, int images, int anchors, int max_targets,
                        int threads, struct error *err)
{
    assert(images >= 1 && anchors >= 1 && max_targets >= 0 && threads >= 1);
    const size_t points = (size_t)images * (size_t)anchors, n = (size_t)anchors;
    const size_t targets = (size_t)(max_targets ? max_targets : 1);
    *assign = (struct assign){.images = images, .anchors = anchors, .max_targets = max_targets};
    assign->threads = threads < images ? threads : images;
    assign->owner = arena_alloc(arena, points, sizeof *assign->owner);
    assign->score = arena_alloc(arena, points, sizeof *assign->score);
    assign->box = arena_alloc(arena, targets, sizeof *assign->box);
    assign->peak = arena_alloc(arena, targets, sizeof *assign->peak);
    assign->worker = arena_alloc(arena, (size_t)assign->threads, sizeof *assign->worker);
    bool short_of_memory =
        !assign->owner || !assign->score || !assign->box || !assign->peak || !assign->worker;
    for (int i = 0; i < assign->threads && !short_of_memory; i++) {
        struct assign_worker *worker = &assign->worker[i];
        worker->box = arena_alloc(arena, n, sizeof *worker->box);
        worker->known = arena_alloc(arena, n, 1);
        worker->overlap = arena_alloc(arena, n, sizeof *worker->overlap);
        short_of_memory = !worker->box || !worker->known || !worker->overlap;
    }
    if (short_of_memory)
        return fail_memory(err, "assignment", points * 12 + n * 41 * (size_t)assign->threads);
    return OK;
}

struct anchor assign_anchor(const struct head *head, int index)
{
    int level = 0;
    while (index >= head->level[level].height * head->level[level].width) {
        index -= head->level[level].height * head->level[level].width;
        level++;
        assert(level < HEAD_LEVELS);
    }
    const int width = head->level[level].width;
    return (struct anchor){level, index / width, index % width};
}

static ptrdiff_t cell(const struct head_level *level, int image, struct anchor a)
{
    return ((ptrdiff_t)image * level->height + a.row) * level->width + a.column;
}

static const double *predicted_box(const struct view *view, int index, struct anchor a)
{
    double *box = view->worker->box[index];
    if (!view->worker->known[index]) {
        const struct head_level *level = &view->head->level[a.level];
        const float *logits = level->boxes + cell(level, view->image, a) * level->box_stride;
        box_terms_decode(box, logits, a.column + 0.5, a.row + 0.5);
        for (int i = 0; i < 4; i++) box[i] *= level->stride;
        view->worker->known[index] = 1;
    }
    return box;
}

static bool valid(const double gt[4]) { return gt[0] + gt[1] + gt[2] + gt[3] > 0; }

/* The box of the candidate test: sides of at least SHORTEST_SIDE about the same centre. */
static void widen(double box[4], const double gt[4])
{
    memcpy(box, gt, 4 * sizeof *box);
    for (int i = 0; i < 2; i++) {
        if (gt[i + 2] - gt[i] >= SHORTEST_SIDE) continue;
        const double centre = (gt[i] + gt[i + 2]) / 2;
        box[i] = centre - SHORTEST_SIDE / 2.0;
        box[i + 2] = centre + SHORTEST_SIDE / 2.0;
    }
}

static bool inside(const double box[4], double x, double y)
{
    return x - box[0] > 1e-9 && y - box[1] > 1e-9 && box[2] - x > 1e-9 && box[3] - y > 1e-9;
}

static bool is_candidate(const struct view *view, int target, struct anchor a)
{
    double box[4];
    const int stride = view->head->level[a.level].stride;
    widen(box, view->gt[target]);
    return valid(view->gt[target]) && inside(box, (a.column + 0.5) * stride, (a.row + 0.5) * stride);
}

static double overlap_of(const struct view *view, int target, int index, struct anchor a)
{
    if (!is_candidate(view, target, a)) return 0;
    return larger(box_terms_ciou(NULL, view->gt[target], predicted_box(view, index, a)), 0);
}

static double alignment_of(const struct view *view, int target, struct anchor a, double overlap)
{
    if (overlap == 0) return 0;
    const struct head_level *level = &view->head->level[a.level];
    const double logit =
        level->scores[cell(level, view->image, a) * level->score_stride + view->targets[target].class_id];
    const double square = overlap * overlap;
    return sqrt(1 / (1 + dmath_exp(-logit))) * (square * square * square);
}

/* Keeps the TOP largest, earlier anchors first among equals. Anchors arrive in ascending order. */
static int insert(struct claim top[TOP], int count, struct claim claim)
{
    int at = count;
    while (at > 0 && claim.alignment > top[at - 1].alignment) at--;
    if (at == TOP) return count;
    const int moved = (count < TOP ? count : TOP - 1) - at;
    memmove(top + at + 1, top + at, (size_t)moved * sizeof *top);
    top[at] = claim;
    return count < TOP ? count + 1 : TOP;
}

/* First and one past the last of n cells whose centre can lie in (low, high); one cell generous on both
 * sides. */
static void cell_range(int *begin, int *end, double low, double high, int stride, int n)
{
    *begin = (int)smaller(larger(floor(low / stride) - 1, 0), n);
    *end = (int)larger(smaller(ceil(high / stride) + 1, n), 0);
}

static int positive_claims(struct claim top[TOP], const struct view *view, int target)
{
    double box[4];
    int count = 0, base = 0;
    widen(box, view->gt[target]);
    for (int l = 0; l < HEAD_LEVELS; l++) {
        const struct head_level *level = &view->head->level[l];
        int row, row_end, first, column_end;
        cell_range(&row, &row_end, box[1], box[3], level->stride, level->height);
        cell_range(&first, &column_end, box[0], box[2], level->stride, level->width);
        for (; row < row_end; row++)
            for (int column = first; column < column_end; column++) {
                const struct anchor a = {l, row, column};
                const int index = base + row * level->width + column;
                const double alignment = alignment_of(view, target, a, overlap_of(view, target, index, a));
                if (alignment > 0) count = insert(top, count, (struct claim){alignment, index});
            }
        base += level->height * level->width;
    }
    return count;
}

static void take(int *owner, int index, int target)
{
    owner[index] = owner[index] == NOBODY ? target : CONTESTED;
}

static void select_points(int *owner, const struct view *view, int target, int anchors)
{
    struct claim top[TOP];
    const int count = positive_claims(top, view, target);
    for (int i = 0; i < count; i++) take(owner, top[i].anchor, target);
    /* The places that are left go to the lowest anchors of alignment 0; they count only where they are
     * candidates. */
    for (int index = 0, left = TOP - count; index < anchors && left > 0; index++) {
        bool taken = false;
        for (int i = 0; i < count; i++) taken |= top[i].anchor == index;
        if (taken) continue;
        left--;
        if (is_candidate(view, target, assign_anchor(view->head, index))) take(owner, index, target);
    }
}

static int best_overlap(const struct view *view, int index, struct anchor a)
{
    int best = view->first;
    double highest = -1;
    for (int t = view->first; t < view->end; t++) {
        const double overlap = overlap_of(view, t, index, a);
        if (overlap > highest) highest = overlap, best = t;
    }
    return best;
}

static void assign_image(struct assign *assign, const struct view *view)
{
    const int anchors = head_anchors(view->head);
    int *owner = assign->owner + (ptrdiff_t)view->image * anchors;
    double *score = assign->score + (ptrdiff_t)view->image * anchors;
    double *overlap = view->worker->overlap;
    for (int i = 0; i < anchors; i++) {
        owner[i] = NOBODY;
        score[i] = 0;
        view->worker->known[i] = 0;
    }
    for (int t = view->first; t < view->end; t++) {
        assign->peak[t][0] = assign->peak[t][1] = 0;
        if (valid(view->gt[t])) select_points(owner, view, t, anchors);
    }
    for (int i = 0; i < anchors; i++) {
        if (owner[i] == NOBODY) continue;
        const struct anchor a = assign_anchor(view->head, i);
        if (owner[i] == CONTESTED) owner[i] = best_overlap(view, i, a);
        double *peak = assign->peak[owner[i]];
        overlap[i] = overlap_of(view, owner[i], i, a);
        score[i] = alignment_of(view, owner[i], a, overlap[i]);
        peak[0] = larger(peak[0], score[i]);
        peak[1] = larger(peak[1], overlap[i]);
    }
    for (int i = 0; i < anchors; i++) {
        if (owner[i] < 0) continue;
        const double *peak = assign->peak[owner[i]];
        score[i] = score[i] * peak[1] / (peak[0] + 1e-9) * (1 - (double)view->targets[owner[i]].doubt);
    }
}

static void assign_images(void *context, int64_t begin, int64_t end, int worker)
{
    const struct image_job *job = context;
    int first = 0;
    for (int image = (int)begin; image < end; image++) {
        while (first < job->count && job->targets[first].image < image) first++;
        int last = first;
        while (last < job->count && job->targets[last].image == image) last++;
        assign_image(job->assign, &(struct view){.head = job->head,
                                                 .targets = job->targets,
                                                 .gt = (const double(*)[4])job->assign->box,
                                                 .image = image,
                                                 .first = first,
                                                 .end = last,
                                                 .worker = &job->assign->worker[worker]});
    }
}

void assign_run(struct assign *assign, const struct head *head, const struct target *targets, int count)
{
    assert(head->images <= assign->images && head_anchors(head) <= assign->anchors);
    assert(count >= 0 && count <= assign->max_targets);
    const double width = head->level[0].width * head->level[0].stride;
    const double height = head->level[0].height * head->level[0].stride;
    for (int t = 0; t < count; t++) {
        const struct target *row = &targets[t];
        assert(row->image >= (t ? row[-1].image : 0) && row->image < head->images);
        assert(row->class_id >= 0 && row->class_id < head->classes);
        const double cx = row->cx * width, cy = row->cy * height, w = row->w * width, h = row->h * height;
        double *box = assign->box[t];
        box[0] = cx - w / 2, box[1] = cy - h / 2, box[2] = cx + w / 2, box[3] = cy + h / 2;
    }
    struct image_job job = {assign, head, targets, count};
    par_for(assign->threads, head->images, 1, assign_images, &job);
}

double assign_score_sum(const struct assign *assign, const struct head *head)
{
    const ptrdiff_t points = (ptrdiff_t)head->images * head_anchors(head);
    double sum = 0;
    for (ptrdiff_t i = 0; i < points; i++) sum += assign->score[i];
    return sum > 1 ? sum : 1;
}
