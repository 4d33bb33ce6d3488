/* Assignment and detection loss: reference values, finite differences, exactness of scaling and threading. */
#include "check.h"

#include "kernels/kernels.h"
#include "nn/weights.h"
#include "train/box_terms.h"
#include "train/loss_detect.h"

#if HAVE_JANSSON
#include <jansson.h>
#endif
#include <math.h>
#include <stdio.h>
#include <string.h>

/* fail_msg is out: status.h has a function fail. */
#define require(condition, ...)                                                                              \
    do {                                                                                                     \
        if (condition) break;                                                                                \
        print_error(__VA_ARGS__);                                                                            \
        _fail(__FILE__, __LINE__);                                                                           \
    } while (0)

enum { CLASSES = 3, BOX_STRIDE = 67, SCORE_STRIDE = 5, MAX_TARGETS = 16 };
#define GUARD 12345.f

static const struct kernels *kernels;

static int set_up(void **state)
{
    (void)state;
    struct error err;
    check_ok(kernels_get(&kernels, NULL, &err), &err);
    return 0;
}

/* ---- heads ---- */

static struct head make_head_of(struct arena *arena, int images, int size, int classes, int score_stride)
{
    struct head head = {.images = images, .classes = classes};
    for (int l = 0; l < HEAD_LEVELS; l++) {
        struct head_level *level = &head.level[l];
        level->stride = 8 << l;
        level->height = level->width = size / level->stride;
        const size_t rows = (size_t)images * (size_t)level->height * (size_t)level->width;
        level->box_stride = BOX_STRIDE;
        level->score_stride = score_stride;
        level->boxes = arena_alloc(arena, rows * BOX_STRIDE, sizeof(float));
        level->scores = arena_alloc(arena, rows * (size_t)score_stride, sizeof(float));
        assert_true(level->boxes && level->scores);
        for (size_t i = 0; i < rows * BOX_STRIDE; i++) level->boxes[i] = GUARD;
        for (size_t i = 0; i < rows * (size_t)score_stride; i++) level->scores[i] = GUARD;
    }
    return head;
}

static struct head make_head(struct arena *arena, int images, int size)
{
    return make_head_of(arena, images, size, CLASSES, SCORE_STRIDE);
}

static float *at(const struct head *head, int image, int anchor, int box)
{
    const struct anchor a = assign_anchor(head, anchor);
    const struct head_level *level = &head->level[a.level];
    const ptrdiff_t row = ((ptrdiff_t)image * level->height + a.row) * level->width + a.column;
    return box ? level->boxes + row * level->box_stride : level->scores + row * level->score_stride;
}

/* The logits of the reference cases, by formula; the reference counts [image][channel][anchor]. */
static void fill_head(const struct head *head, char name)
{
    static float u[64 * 2100];
    char stream[32];
    const int anchors = head_anchors(head);
    const size_t boxes = (size_t)head->images * HEAD_BOX_LOGITS * (size_t)anchors;
    snprintf(stream, sizeof stream, "loss.%c.boxes", name);
    check_uniform(u, stream, boxes);
    for (int i = 0; i < head->images; i++)
        for (int a = 0; a < anchors; a++)
            for (int c = 0; c < HEAD_BOX_LOGITS; c++) {
                const float slope = name == 'd' && a % 2 ? 0.9f : -0.45f,
                            ramp = slope * (float)(c % HEAD_BINS);
                at(head, i, a, 1)[c] =
                    (float)((2.0 * u[(i * HEAD_BOX_LOGITS + c) * anchors + a] - 1) * 3 + (double)ramp);
            }
    snprintf(stream, sizeof stream, "loss.%c.scores", name);
    check_uniform(u, stream, (size_t)head->images * CLASSES * (size_t)anchors);
    for (int i = 0; i < head->images; i++)
        for (int a = 0; a < anchors; a++)
            for (int c = 0; c < CLASSES; c++)
                at(head, i, a, 0)[c] = (float)((2.0 * u[(i * CLASSES + c) * anchors + a] - 1) * 4 - 1);
}

static void check_guards(const struct head *head)
{
    for (int i = 0; i < head->images; i++)
        for (int a = 0; a < head_anchors(head); a++) {
            for (int c = HEAD_BOX_LOGITS; c < BOX_STRIDE; c++) assert_true(at(head, i, a, 1)[c] == GUARD);
            for (int c = CLASSES; c < SCORE_STRIDE; c++) assert_true(at(head, i, a, 0)[c] == GUARD);
        }
}

static size_t head_bytes(const struct head *head, int level, int box)
{
    const struct head_level *l = &head->level[level];
    return (size_t)head->images * (size_t)l->height * (size_t)l->width *
           (size_t)(box ? l->box_stride : l->score_stride) * sizeof(float);
}

static int same_head(const struct head *a, const struct head *b)
{
    int same = 1;
    for (int l = 0; l < HEAD_LEVELS; l++)
        same &= !memcmp(a->level[l].boxes, b->level[l].boxes, head_bytes(a, l, 1)) &&
                !memcmp(a->level[l].scores, b->level[l].scores, head_bytes(a, l, 0));
    return same;
}

static int same_items(const struct loss_items *a, const struct loss_items *b)
{
    return a->box == b->box && a->classes == b->classes && a->distribution == b->distribution &&
           a->total == b->total && a->score_sum == b->score_sum && a->foreground == b->foreground;
}

static double head_norm(const struct head *head, int box)
{
    double sum = 0;
    for (int i = 0; i < head->images; i++)
        for (int a = 0; a < head_anchors(head); a++)
            for (int c = 0; c < (box ? HEAD_BOX_LOGITS : CLASSES); c++)
                sum += (double)at(head, i, a, box)[c] * at(head, i, a, box)[c];
    return sqrt(sum);
}

static struct loss_detect make_loss(struct arena *arena, const struct head *head, int threads)
{
    struct loss_detect loss;
    struct error err;
    check_ok(loss_detect_init(&loss, arena, kernels, LOSS_GAINS, head->images, head_anchors(head),
                              head->classes, MAX_TARGETS, threads, &err),
             &err);
    return loss;
}

static const struct target BOXES[] = {
    {0, 0, 0.40f, 0.45f, 0.50f, 0.55f, 0}, {0, 1, 0.50f, 0.50f, 0.45f, 0.50f, 0},
    {0, 2, 0.80f, 0.20f, 0.03f, 0.04f, 0}, {0, 1, 0.90f, 0.85f, 0.20f, 0.30f, 0},
    {1, 2, 0.50f, 0.50f, 0.45f, 0.50f, 0},
};
enum { BOX_COUNT = sizeof BOXES / sizeof *BOXES };

/* ---- reference values ---- */

static void check_relative(double got, double expected, double tolerance)
{
    require(fabs(got - expected) <= tolerance * fabs(expected), "%.9g instead of %.9g (tolerance %g)\n", got,
            expected, tolerance);
}

#if HAVE_JANSSON
static double number(const json_t *array, size_t i) { return json_number_value(json_array_get(array, i)); }

static int read_targets(struct target *targets, const json_t *rows)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        targets[i] = (struct target){(int)number(row, 0),   (int)number(row, 1),   (float)number(row, 2),
                                     (float)number(row, 3), (float)number(row, 4), (float)number(row, 5), 0};
    }
    return (int)json_array_size(rows);
}

/* Foreground points, owners and scores of every image. */
static void check_foreground(const struct loss_detect *loss, const struct head *head,
                             const struct target *targets, int count, const json_t *expected)
{
    const int anchors = head_anchors(head);
    for (int image = 0, first = 0; image < head->images; image++) {
        const json_t *points = json_array_get(expected, (size_t)image);
        const int *owner = loss->assign.owner + image * anchors;
        const double *score = loss->assign.score + image * anchors;
        size_t next = 0;
        for (int a = 0; a < anchors; a++) {
            if (owner[a] < 0) {
                assert_true(score[a] == 0);
                continue;
            }
            const json_t *point = json_array_get(points, next++);
            assert_int_equal(a, number(point, 0));
            assert_int_equal(owner[a] - first, number(point, 1));
            /* The reference's overlap o is float32 with an absolute error of some 1e-7 and enters as o^6:
             * 6e-5 for o = 0.01. Smaller ones only show in the absolute term. */
            require(fabs(score[a] - number(point, 2)) <= 1e-4 * number(point, 2) + 1e-9,
                    "image %d anchor %d: %.9g instead of %.9g\n", image, a, score[a], number(point, 2));
        }
        assert_int_equal(next, json_array_size(points));
        while (first < count && targets[first].image == image) first++;
    }
}

static void check_entries(const struct head *gradient, const json_t *expected, int box)
{
    size_t i;
    json_t *entry;
    json_array_foreach(expected, i, entry)
    {
        const float got =
            at(gradient, (int)number(entry, 0), (int)number(entry, 2), box)[(int)number(entry, 1)];
        assert_true(fabs(got - number(entry, 3)) <= 1e-5 * fabs(number(entry, 3)));
    }
}

/* The tolerance 1e-5 is that of golden/yolo11/README.md: the reference's float32 differs from its float64 by
 * 1e-6. */
static void loss_equals_the_reference(void **state)
{
    (void)state;
    json_error_t why;
    json_t *cases = json_load_file("tests/data/loss_small.json", 0, &why);
    require(cases, "%s\n", why.text);
    for (char name = 'a'; name <= 'd'; name++) {
        const json_t *expected = json_object_get(cases, (char[]){name, 0});
        struct arena arena = {0};
        struct error err;
        struct target targets[MAX_TARGETS];
        const int count = read_targets(targets, json_object_get(expected, "targets"));
        const int images = (int)json_integer_value(json_object_get(expected, "batch"));
        const struct head head = make_head(&arena, images, name == 'd' ? 320 : 64);
        const struct head gradient = make_head(&arena, images, name == 'd' ? 320 : 64);
        fill_head(&head, name);
        struct loss_detect loss = make_loss(&arena, &head, 2);
        struct loss_items items;
        check_ok(loss_detect_run(&loss, &items, &gradient, &head, targets, count, 1, &err), &err);
        const json_t *three = json_object_get(expected, "items");
        check_relative(items.box, number(three, 0), 1e-5);
        check_relative(items.classes, number(three, 1), 1e-5);
        check_relative(items.distribution, number(three, 2), 1e-5);
        check_relative(items.total, json_number_value(json_object_get(expected, "total")), 1e-5);
        check_relative(items.score_sum, json_number_value(json_object_get(expected, "score_sum")), 1e-5);
        check_foreground(&loss, &head, targets, count, json_object_get(expected, "foreground"));
        check_entries(&gradient, json_object_get(expected, "box_gradient"), 1);
        check_entries(&gradient, json_object_get(expected, "score_gradient"), 0);
        check_relative(head_norm(&gradient, 1),
                       json_number_value(json_object_get(expected, "box_gradient_l2")), 1e-5);
        check_relative(head_norm(&gradient, 0),
                       json_number_value(json_object_get(expected, "score_gradient_l2")), 1e-5);
        check_guards(&gradient);
        arena_free(&arena);
    }
    json_decref(cases);
}
#endif

/* ---- the whole reference, row by row ---- */

static float *read_tensor(const struct weights *file, struct arena *arena, char name, const char *what)
{
    char full[64];
    snprintf(full, sizeof full, "%c.%s", name, what);
    const struct weight_tensor *tensor = weights_find(file, full);
    require(tensor, "%s is missing\n", full);
    float *values = arena_alloc(arena, (size_t)tensor->count + 1, sizeof *values);
    assert_non_null(values);
    weights_read(values, tensor);
    return values;
}

/* Logits of the formula equal the stored ones; gradients are within 1e-5 of the tensor's norm. */
static void check_tensor(const struct weights *file, struct arena *arena, char name, const char *what,
                         const struct head *head, int box, double tolerance)
{
    const float *expected = read_tensor(file, arena, name, what);
    const int anchors = head_anchors(head), channels = box ? HEAD_BOX_LOGITS : CLASSES;
    const size_t n = (size_t)head->images * (size_t)channels * (size_t)anchors;
    float *got = arena_alloc(arena, n, sizeof *got);
    assert_non_null(got);
    for (int i = 0; i < head->images; i++)
        for (int c = 0; c < channels; c++)
            for (int a = 0; a < anchors; a++) got[(i * channels + c) * anchors + a] = at(head, i, a, box)[c];
    const double difference = check_relative_l2(got, expected, n);
    require(difference <= tolerance, "%c.%s: %g\n", name, what, difference);
}

static int read_rows(struct target *targets, const struct weights *file, struct arena *arena, char name)
{
    const float *rows = read_tensor(file, arena, name, "targets");
    const int count =
        (int)weights_find(file, (char[]){name, '.', 't', 'a', 'r', 'g', 'e', 't', 's', 0})->shape[0];
    for (int i = 0; i < count; i++, rows += 6)
        targets[i] = (struct target){(int)rows[0], (int)rows[1], rows[2], rows[3], rows[4], rows[5], 0};
    return count;
}

static void check_assignment(const struct weights *file, struct arena *arena, char name,
                             const struct loss_detect *loss, const struct head *head,
                             const struct target *targets)
{
    const float *mask = read_tensor(file, arena, name, "fg_mask");
    const float *index = read_tensor(file, arena, name, "target_gt_idx");
    const float *label = read_tensor(file, arena, name, "target_labels");
    const float *box = read_tensor(file, arena, name, "target_boxes_px");
    const float *score = read_tensor(file, arena, name, "target_scores");
    const int anchors = head_anchors(head);
    for (int i = 0; i < head->images * anchors; i++) {
        const int owner = loss->assign.owner[i];
        assert_int_equal(owner >= 0, mask[i]);
        for (int c = 0; c < CLASSES; c++) {
            const double got = owner >= 0 && targets[owner].class_id == c ? loss->assign.score[i] : 0;
            assert_true(fabs(got - score[i * CLASSES + c]) <= 1e-4 * got + 1e-9); /* as in check_foreground */
        }
        if (owner < 0) continue;
        int first = 0;
        while (targets[first].image < i / anchors) first++;
        assert_int_equal(owner - first, index[i]);
        assert_int_equal(targets[owner].class_id, label[i]);
        for (int c = 0; c < 4; c++)
            assert_true(fabs(loss->assign.box[owner][c] - box[i * 4 + c]) < 1e-4); /* float32 pixels */
    }
}

/* A real forward pass's outputs, 80 classes: the loss items of golden/yolo11/train_step.json, tolerance 1e-4.
 */
static void a_forward_pass_has_the_reference_items(void **state)
{
    (void)state;
    static const struct target targets[] = {
        {0, 0, 0.3f, 0.35f, 0.4f, 0.5f, 0},    {0, 17, 0.62f, 0.55f, 0.55f, 0.6f, 0},
        {0, 79, 0.85f, 0.15f, 0.12f, 0.1f, 0}, {1, 2, 0.5f, 0.5f, 0.9f, 0.8f, 0},
        {1, 2, 0.2f, 0.75f, 0.25f, 0.3f, 0},   {1, 41, 0.92f, 0.9f, 0.16f, 0.2f, 0}};
    static const double expected[] = {3.15759408, 2095.20541, 4.45497762};
    enum { IMAGES = 2, SIZE = 128, MANY = 80, POINTS = 336 };
    struct weights file;
    struct error err;
    struct arena arena = {0};
    check_ok(weights_open(&file, check_shared("golden/yolo11/train_state_nc80.safetensors"), &err), &err);
    const struct head head = make_head_of(&arena, IMAGES, SIZE, MANY, MANY);
    for (int box = 0; box < 2; box++) {
        static float values[IMAGES * MANY * POINTS];
        const int channels = box ? HEAD_BOX_LOGITS : MANY;
        const struct weight_tensor *tensor = weights_find(&file, box ? "raw_boxes" : "raw_scores");
        assert_non_null(tensor);
        assert_int_equal(tensor->count, IMAGES * channels * POINTS);
        weights_read(values, tensor);
        for (int i = 0; i < IMAGES; i++)
            for (int c = 0; c < channels; c++)
                for (int a = 0; a < POINTS; a++)
                    at(&head, i, a, box)[c] = values[(i * channels + c) * POINTS + a];
    }
    struct loss_detect loss = make_loss(&arena, &head, 2);
    struct loss_items items;
    check_ok(loss_detect_run(&loss, &items, NULL, &head, targets, (int)(sizeof targets / sizeof *targets), 1,
                             &err),
             &err);
    check_relative(items.box, expected[0], 1e-4);
    check_relative(items.classes, expected[1], 1e-4);
    check_relative(items.distribution, expected[2], 1e-4);
    arena_free(&arena);
    weights_close(&file);
}

static void every_row_equals_the_reference(void **state)
{
    (void)state;
    struct weights file;
    struct error err;
    check_ok(weights_open(&file, check_shared("golden/yolo11/loss_small.safetensors"), &err), &err);
    for (char name = 'a'; name <= 'd'; name++) {
        struct arena arena = {0};
        const int images = (int[]){2, 3, 2, 1}[name - 'a'], size = name == 'd' ? 320 : 64;
        const struct head head = make_head(&arena, images, size), gradient = make_head(&arena, images, size);
        struct target targets[MAX_TARGETS];
        struct loss_items items;
        fill_head(&head, name);
        check_tensor(&file, &arena, name, "pred_boxes", &head, 1, 0);
        check_tensor(&file, &arena, name, "pred_scores", &head, 0, 0);
        const int count = read_rows(targets, &file, &arena, name);
        struct loss_detect loss = make_loss(&arena, &head, 2);
        check_ok(loss_detect_run(&loss, &items, &gradient, &head, targets, count, 1, &err), &err);
        check_assignment(&file, &arena, name, &loss, &head, targets);
        check_tensor(&file, &arena, name, "grad_boxes", &gradient, 1, 1e-5);
        check_tensor(&file, &arena, name, "grad_scores", &gradient, 0, 1e-5);
        arena_free(&arena);
    }
    weights_close(&file);
}

/* ---- finite differences ---- */

/* One point's loss in double from its logits, in another order of operations; alpha is a constant there. */
struct point {
    double logits[HEAD_BOX_LOGITS];
    double x, y, target[4], weight, alpha;
};

static double point_distance(const double *z)
{
    double sum = 0, mean = 0;
    for (int j = 0; j < HEAD_BINS; j++) sum += exp(z[j]), mean += j * exp(z[j]);
    return mean / sum;
}

static double overlap(double a0, double a1, double b0, double b1)
{
    const double n = (a1 < b1 ? a1 : b1) - (a0 > b0 ? a0 : b0);
    return n > 0 ? n : 0;
}

static double ciou_with(const double b[4], const double t[4], double *v, double *iou, double alpha)
{
    const double w = b[2] - b[0], h = b[3] - b[1] + 1e-7, tw = t[2] - t[0], th = t[3] - t[1] + 1e-7;
    const double shared = overlap(b[0], b[2], t[0], t[2]) * overlap(b[1], b[3], t[1], t[3]);
    const double turn = atan2(tw, th) - atan2(w, h);
    const double cw = (b[2] > t[2] ? b[2] : t[2]) - (b[0] < t[0] ? b[0] : t[0]);
    const double ch = (b[3] > t[3] ? b[3] : t[3]) - (b[1] < t[1] ? b[1] : t[1]);
    const double dx = (t[0] + t[2] - b[0] - b[2]) / 2, dy = (t[1] + t[3] - b[1] - b[3]) / 2;
    *v = 4 / (acos(-1) * acos(-1)) * turn * turn;
    *iou = shared / (w * h + tw * th - shared + 1e-7);
    return *iou - (dx * dx + dy * dy) / (cw * cw + ch * ch + 1e-7) - alpha * *v;
}

static double alpha_of(const double b[4], const double t[4])
{
    double v, iou;
    ciou_with(b, t, &v, &iou, 0);
    return v / (1 - iou + v + 1e-7);
}

static void point_box(const struct point *p, double box[4])
{
    for (int s = 0; s < 4; s++)
        box[s] = (s % 2 ? p->y : p->x) + (s < 2 ? -1 : 1) * point_distance(p->logits + s * HEAD_BINS);
}

static double point_loss(const struct point *p)
{
    double box[4], v, iou, entropy = 0;
    point_box(p, box);
    for (int s = 0; s < 4; s++) {
        double sum = 0, d = s < 2 ? (s ? p->y : p->x) - p->target[s] : p->target[s] - (s == 3 ? p->y : p->x);
        d = d < 0 ? 0 : d > 14.99 ? 14.99 : d;
        const int bin = (int)d;
        for (int j = 0; j < HEAD_BINS; j++) sum += exp(p->logits[s * HEAD_BINS + j]);
        entropy += log(sum) - (bin + 1 - d) * p->logits[s * HEAD_BINS + bin] -
                   (d - bin) * p->logits[s * HEAD_BINS + bin + 1];
    }
    return p->weight * (7.5 * (1 - ciou_with(box, p->target, &v, &iou, p->alpha)) + 1.5 * entropy / 4);
}

/* Largest difference between the gradient rows of the foreground and central differences with step h,
 * relative to the largest entry of the row. The truncation error is of order h^2, rounding of order 1e-15 /
 * h: h = 2^-12 leaves some 1e-7; the stored gradient is rounded to float (6e-8). The limit is 2e-6. */
#define STEP 0x1p-12
#define LIMIT 2e-6

static double worst_box_difference(const struct loss_detect *loss, const struct head *head,
                                   const struct head *gradient, double score_sum)
{
    const int anchors = head_anchors(head);
    double worst = 0;
    for (int i = 0; i < head->images * anchors; i++) {
        const int owner = loss->assign.owner[i];
        if (owner < 0 || loss->assign.score[i] < 1e-6) continue;
        const struct anchor a = assign_anchor(head, i % anchors);
        const int stride = head->level[a.level].stride;
        struct point p = {.x = a.column + 0.5, .y = a.row + 0.5, .weight = loss->assign.score[i]};
        double box[4], highest = 0, largest = 0;
        for (int c = 0; c < HEAD_BOX_LOGITS; c++) p.logits[c] = at(head, i / anchors, i % anchors, 1)[c];
        for (int c = 0; c < 4; c++) p.target[c] = loss->assign.box[owner][c] / stride;
        point_box(&p, box);
        p.alpha = alpha_of(box, p.target);
        for (int c = 0; c < HEAD_BOX_LOGITS; c++) {
            const double z = p.logits[c];
            p.logits[c] = z + STEP;
            const double up = point_loss(&p);
            p.logits[c] = z - STEP;
            const double slope = (up - point_loss(&p)) / (2 * STEP) * head->images / score_sum;
            const double got = at(gradient, i / anchors, i % anchors, 1)[c];
            p.logits[c] = z;
            highest = fmax(highest, fabs(got - slope));
            largest = fmax(largest, fabs(slope));
        }
        worst = fmax(worst, highest / largest);
    }
    return worst;
}

static void box_gradient_equals_finite_differences(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct error err;
    const struct head head = make_head(&arena, 2, 64), gradient = make_head(&arena, 2, 64);
    fill_head(&head, 'a');
    struct loss_detect loss = make_loss(&arena, &head, 1);
    struct loss_items items;
    check_ok(loss_detect_run(&loss, &items, &gradient, &head, BOXES, BOX_COUNT, 1, &err), &err);
    assert_true(items.foreground > 10);
    const double worst = worst_box_difference(&loss, &head, &gradient, items.score_sum);
    require(worst < LIMIT, "%g\n", worst);

    int planted = -1;
    for (int a = 0; a < head_anchors(&head); a++)
        if (loss.assign.owner[a] >= 0 && loss.assign.score[a] > 0.1) planted = a;
    assert_true(planted >= 0);
    at(&gradient, 0, planted, 1)[3] *= -1;
    assert_true(worst_box_difference(&loss, &head, &gradient, items.score_sum) > 10 * LIMIT);
    arena_free(&arena);
}

/* Overlapping, apart, inside, flat and tall pairs. */
static void ciou_gradient_equals_finite_differences(void **state)
{
    (void)state;
    static const double pairs[][2][4] = {
        {{1, 2, 5, 7}, {2, 1, 6, 5.5}}, {{0, 0, 2, 1}, {4, 5, 9, 6}},      {{0, 0, 9, 9}, {3, 4, 5, 4.5}},
        {{3, 4, 5, 4.5}, {0, 0, 9, 9}}, {{0, 0, 12, 0.25}, {1, -3, 2, 5}}, {{1, 1, 3, 3}, {5, 1.5, 6, 2.5}},
    };
    for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++) {
        double gradient[4], box[4], v, iou;
        memcpy(box, pairs[k][0], sizeof box);
        const double *target = pairs[k][1], alpha = alpha_of(box, target);
        const double value = box_terms_ciou(gradient, box, target);
        assert_true(fabs(value - ciou_with(box, target, &v, &iou, alpha)) < 1e-12);
        for (int c = 0; c < 4; c++) {
            const double was = box[c];
            box[c] = was + 1e-5;
            const double up = ciou_with(box, target, &v, &iou, alpha);
            box[c] = was - 1e-5;
            const double slope = (up - ciou_with(box, target, &v, &iou, alpha)) / 2e-5;
            box[c] = was;
            assert_true(fabs(slope - gradient[c]) < 1e-8);
        }
    }
}

/* Class terms: the kernel's rows are float sums, so the step is large (2^-5) and the limit 1e-3. */
static void class_gradient_equals_finite_differences(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct error err;
    const struct head head = make_head(&arena, 2, 64), gradient = make_head(&arena, 2, 64);
    fill_head(&head, 'a');
    struct loss_detect loss = make_loss(&arena, &head, 1);
    struct loss_items items, up, down;
    check_ok(loss_detect_run(&loss, &items, &gradient, &head, NULL, 0, 1, &err), &err);
    assert_true(items.box == 0 && items.distribution == 0 && items.score_sum == 1 && items.foreground == 0);
    for (int a = 0; a < head_anchors(&head); a += 7)
        for (int c = 0; c < CLASSES; c++) {
            float *z = &at(&head, 1, a, 0)[c];
            const float was = *z;
            *z = was + 0x1p-5f;
            check_ok(loss_detect_run(&loss, &up, NULL, &head, NULL, 0, 1, &err), &err);
            const double high = *z;
            *z = was - 0x1p-5f;
            check_ok(loss_detect_run(&loss, &down, NULL, &head, NULL, 0, 1, &err), &err);
            const double slope = (up.total - down.total) / (high - *z);
            *z = was;
            assert_true(fabs(slope - at(&gradient, 1, a, 0)[c]) < 1e-3 * fabs(slope) + 1e-5);
        }
    arena_free(&arena);
}

/* A doubted object asks for its points' scores in part; which points they are stays as it is. */
static void doubt_scales_scores(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct error err;
    const struct head head = make_head(&arena, 2, 64);
    fill_head(&head, 'a');
    struct loss_detect sure = make_loss(&arena, &head, 1), soft = make_loss(&arena, &head, 1);
    struct loss_items items;
    struct target boxes[BOX_COUNT];
    memcpy(boxes, BOXES, sizeof boxes);
    boxes[1].doubt = 0.75f;
    check_ok(loss_detect_run(&sure, &items, NULL, &head, BOXES, BOX_COUNT, 1, &err), &err);
    check_ok(loss_detect_run(&soft, &items, NULL, &head, boxes, BOX_COUNT, 1, &err), &err);
    int doubted = 0;
    for (int i = 0; i < 2 * head_anchors(&head); i++) {
        const int owner = sure.assign.owner[i];
        assert_int_equal(soft.assign.owner[i], owner);
        assert_true(soft.assign.score[i] == sure.assign.score[i] * (owner == 1 ? 0.25 : 1));
        doubted += owner == 1 && soft.assign.score[i] > 0;
    }
    assert_true(doubted > 0);
    arena_free(&arena);
}

/* ---- exactness ---- */

static void power_of_two_scales_change_no_bit(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct error err;
    const struct head head = make_head(&arena, 2, 64), a = make_head(&arena, 2, 64),
                      b = make_head(&arena, 2, 64);
    fill_head(&head, 'a');
    struct loss_detect loss = make_loss(&arena, &head, 1);
    struct loss_items items;
    check_ok(loss_detect_run(&loss, &items, &a, &head, BOXES, BOX_COUNT, 1, &err), &err);
    check_ok(loss_detect_run(&loss, &items, &b, &head, BOXES, BOX_COUNT, 0x1p32, &err), &err);
    int flushed = 0, kept = 0;
    for (int i = 0; i < 2; i++)
        for (int n = 0; n < head_anchors(&head); n++)
            for (int c = 0; c < HEAD_BOX_LOGITS + CLASSES; c++) {
                const int box = c < HEAD_BOX_LOGITS, k = box ? c : c - HEAD_BOX_LOGITS;
                const float x = at(&a, i, n, box)[k], y = at(&b, i, n, box)[k];
                assert_true(x == 0 || fabsf(x) >= 0x1p-40f);
                assert_true(y == 0 || fabsf(y) >= 0x1p-40f);
                if (x != 0) assert_true(x * 0x1p32f == y), kept++;
                if (x == 0 && y != 0) assert_true(fabsf(y) < 0x1p-8f), flushed++;
            }
    assert_true(kept > 1000 && flushed > 0);
    arena_free(&arena);
}

static void threads_do_not_change_a_bit(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct error err;
    const struct head head = make_head(&arena, 3, 64), a = make_head(&arena, 3, 64),
                      b = make_head(&arena, 3, 64);
    fill_head(&head, 'b');
    struct loss_items first, items;
    struct loss_detect loss = make_loss(&arena, &head, 1);
    check_ok(loss_detect_run(&loss, &first, &a, &head, BOXES, BOX_COUNT, 0x1p32, &err), &err);
    for (int threads = 2; threads <= 7; threads++) {
        loss = make_loss(&arena, &head, threads);
        check_ok(loss_detect_run(&loss, &items, &b, &head, BOXES, BOX_COUNT, 0x1p32, &err), &err);
        assert_true(same_items(&first, &items));
        assert_true(same_head(&a, &b));
    }
    arena_free(&arena);
}

/* A planned size is an upper bound: the same memory serves fewer images. */
static void smaller_batches_fit_the_same_memory(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct error err;
    const struct head big = make_head(&arena, 3, 96), head = make_head(&arena, 2, 64);
    const struct head a = make_head(&arena, 2, 64), b = make_head(&arena, 2, 64);
    fill_head(&head, 'a');
    struct loss_detect planned = make_loss(&arena, &big, 2), exact = make_loss(&arena, &head, 1);
    struct loss_items x, y;
    check_ok(loss_detect_run(&planned, &x, &a, &head, BOXES, BOX_COUNT, 1, &err), &err);
    check_ok(loss_detect_run(&exact, &y, &b, &head, BOXES, BOX_COUNT, 1, &err), &err);
    assert_true(same_items(&x, &y));
    assert_true(same_head(&a, &b));
    arena_free(&arena);
}

static void non_finite_logits_are_named(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct error err;
    const struct head head = make_head(&arena, 2, 64), gradient = make_head(&arena, 2, 64);
    fill_head(&head, 'a');
    struct loss_detect loss = make_loss(&arena, &head, 1);
    struct loss_items items;
    at(&head, 1, 64 + 6, 0)[2] = NAN;
    assert_int_equal(loss_detect_run(&loss, &items, &gradient, &head, BOXES, BOX_COUNT, 1, &err), ERR_CHECK);
    assert_non_null(strstr(err.message, "image 1 of the batch, stride 16, row 1, column 2: a class logit"));
    assert_true(at(&gradient, 0, 0, 1)[0] == GUARD);
    at(&head, 1, 64 + 6, 0)[2] = 0;
    at(&head, 0, 0, 1)[63] = INFINITY;
    assert_int_equal(loss_detect_run(&loss, &items, NULL, &head, BOXES, BOX_COUNT, 1, &err), ERR_CHECK);
    assert_non_null(strstr(err.message, "image 0 of the batch, stride 8, row 0, column 0: a box logit"));
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#if HAVE_JANSSON
        cmocka_unit_test(loss_equals_the_reference),
#endif
        cmocka_unit_test(every_row_equals_the_reference),
        cmocka_unit_test(a_forward_pass_has_the_reference_items),
        cmocka_unit_test(box_gradient_equals_finite_differences),
        cmocka_unit_test(ciou_gradient_equals_finite_differences),
        cmocka_unit_test(class_gradient_equals_finite_differences),
        cmocka_unit_test(doubt_scales_scores),
        cmocka_unit_test(power_of_two_scales_change_no_bit),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(smaller_batches_fit_the_same_memory),
        cmocka_unit_test(non_finite_logits_are_named),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
