#include "train/learner_parts.h"

#include "nn/pixels.h"

#include <string.h>

static int part_count(int images, int part) { return (images + part - 1) / part; }

/* Anchor points of one image. */
static size_t anchors_of(const struct learner_options *o)
{
    size_t n = 0;
    for (int i = 0; i < HEAD_LEVELS; i++) n += (size_t)(o->size >> (3 + i)) * (size_t)(o->size >> (3 + i));
    return n;
}

static size_t input_floats(const struct learner_options *o)
{
    return (size_t)o->size * (size_t)o->size * 3; /* of one image */
}

static size_t tree_floats(const struct learner_options *o, size_t coordinates)
{
    return (size_t)tree_levels(part_count(o->batch, o->part)) * coordinates;
}

size_t learner_parts_bytes(const struct learner_options *o, const struct model *model)
{
    const size_t n = model->params.trainable, images = (size_t)o->batch;
    const size_t head = anchors_of(o) * (size_t)(HEAD_BOX_LOGITS + model->config.classes);
    return (images * (input_floats(o) + 2 * head) + n + tree_floats(o, n)) * sizeof(float);
}

static bool make_head(struct head *head, struct learner *learner)
{
    const struct learner_options *o = &learner->options;
    *head = (struct head){.images = o->batch, .classes = learner->model->config.classes};
    for (int i = 0; i < HEAD_LEVELS; i++) {
        const int side = o->size >> (3 + i);
        const size_t rows = (size_t)o->batch * (size_t)side * (size_t)side;
        struct head_level *level = head->level + i;
        *level = (struct head_level){.height = side,
                                     .width = side,
                                     .stride = 8 << i,
                                     .box_stride = HEAD_BOX_LOGITS,
                                     .score_stride = head->classes};
        level->boxes = arena_alloc(&learner->arena, rows * HEAD_BOX_LOGITS, sizeof(float));
        level->scores = arena_alloc(&learner->arena, rows * (size_t)head->classes, sizeof(float));
        if (!level->boxes || !level->scores) return false;
    }
    return true;
}

/* Places for the sums that are rounded only once: those of biases and norms, one dimension all. */
static bool make_sums(struct learner *learner)
{
    const struct params *params = &learner->model->params;
    struct learner_parts *p = &learner->parts;
    p->sum_offset = arena_alloc(&learner->arena, (size_t)params->count, sizeof *p->sum_offset);
    if (!p->sum_offset) return false;
    for (int i = 0; i < params->count; i++) {
        const struct param *param = params->list + i;
        p->sum_offset[i] = p->sum_count;
        if (param->kind == PARAM_TRAINABLE && param->dims == 1) p->sum_count += param->size;
    }
    const int levels = tree_levels(part_count(learner->options.batch, learner->options.part));
    p->sum_row = arena_alloc(&learner->arena, p->sum_count, sizeof *p->sum_row);
    p->sum_stack = arena_alloc(&learner->arena, (size_t)levels * p->sum_count, sizeof *p->sum_stack);
    return p->sum_row && p->sum_stack;
}

enum status learner_parts_make(struct learner *learner, struct error *err)
{
    const struct learner_options *o = &learner->options;
    struct learner_parts *p = &learner->parts;
    const size_t n = learner->coordinates;
    p->input = arena_alloc(&learner->arena, (size_t)o->batch * input_floats(o), sizeof *p->input);
    p->row = arena_alloc(&learner->arena, n, sizeof *p->row);
    p->stack = arena_alloc(&learner->arena, tree_floats(o, n), sizeof *p->stack);
    if (p->input && p->row && p->stack && make_head(&p->values, learner) &&
        make_head(&p->gradients, learner) && make_sums(learner))
        return OK;
    return fail_memory(err, "a batch in parts", learner_parts_bytes(o, learner->model));
}

/* Rows of [begin, begin + images) images between the whole batch's head and a part's: to the part, or from
 * it. */
static void move_rows(float *whole, ptrdiff_t whole_stride, float *part, ptrdiff_t part_stride, size_t rows,
                      size_t width, bool to_part)
{
    for (size_t r = 0; r < rows; r++) {
        float *a = whole + (ptrdiff_t)r * whole_stride, *b = part + (ptrdiff_t)r * part_stride;
        memcpy(to_part ? b : a, to_part ? a : b, width * sizeof *a);
    }
}

static void move_head(const struct head *whole, const struct head *part, int begin, bool to_part)
{
    for (int i = 0; i < HEAD_LEVELS; i++) {
        const struct head_level *w = whole->level + i, *p = part->level + i;
        const size_t cells = (size_t)w->height * (size_t)w->width, rows = cells * (size_t)part->images;
        const ptrdiff_t first = (ptrdiff_t)cells * begin;
        move_rows(w->boxes + first * w->box_stride, w->box_stride, p->boxes, p->box_stride, rows,
                  HEAD_BOX_LOGITS, to_part);
        move_rows(w->scores + first * w->score_stride, w->score_stride, p->scores, p->score_stride, rows,
                  (size_t)whole->classes, to_part);
    }
}

/* The network's input is overwritten by every pass. */
static enum status forward(struct learner_net **planned, struct learner *learner, int begin, int images,
                           bool pack, struct error *err)
{
    const size_t image = input_floats(&learner->options);
    TRY(learner_plan(planned, learner, images, err));
    struct net *net = &(*planned)->net;
    if (pack) learner_pack(*planned);
    memcpy(net_value(net, net->graph->input).data, learner->parts.input + (size_t)begin * image,
           (size_t)images * image * sizeof(float));
    net_forward(net);
    return OK;
}

static void add_total(struct learner *learner)
{
    const struct params *params = &learner->model->params;
    const struct learner_parts *p = &learner->parts;
    for (size_t i = 0; i < learner->coordinates; i++) learner->gradient[i] += p->stack[i];
    for (int k = 0; k < params->count; k++) {
        const struct param *param = params->list + k;
        if (param->kind != PARAM_TRAINABLE || param->dims != 1) continue;
        for (size_t i = 0; i < param->size; i++)
            learner->gradient[param->offset + i] += (float)p->sum_row[p->sum_offset[k] + i];
    }
}

enum status learner_parts_gradient(struct learner *learner, int images, const struct target *targets,
                                   int count, double scale, struct loss_items *items, struct error *err)
{
    struct learner_parts *p = &learner->parts;
    struct learner_net *n;
    const int part = learner->options.part, parts = part_count(images, part);
    const struct net_sums sums = {p->sum_row, p->sum_offset};
    for (int k = 0; k < parts; k++) {
        const int begin = k * part, left = images - begin < part ? images - begin : part;
        TRY(forward(&n, learner, begin, left, k == 0 || left < part, err));
        const struct head head = yolo11_head(&n->network, &n->net, false);
        move_head(&p->values, &head, begin, false);
    }
    p->values.images = p->gradients.images = images;
    TRY(loss_detect_run(&learner->loss, items, &p->gradients, &p->values, targets, count, scale, err));
    for (int k = 0; k < parts; k++) {
        const int begin = k * part, left = images - begin < part ? images - begin : part;
        TRY(forward(&n, learner, begin, left, false, err));
        const struct head head = yolo11_head(&n->network, &n->net, true);
        move_head(&p->gradients, &head, begin, true);
        memset(p->row, 0, learner->coordinates * sizeof *p->row);
        memset(p->sum_row, 0, p->sum_count * sizeof *p->sum_row);
        n->net.sums = &sums;
        net_backward(&n->net, p->row);
        n->net.sums = NULL;
        tree_feed(p->stack, (ptrdiff_t)learner->coordinates, k, parts, p->row, learner->coordinates);
        tree_feed_double(p->sum_stack, (ptrdiff_t)p->sum_count, k, parts, p->sum_row, p->sum_count);
    }
    add_total(learner);
    return OK;
}
