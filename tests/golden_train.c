/* Some optimiser steps of the smallest detector, with all weights and with a twentieth of them: losses, the
 * first gradient, weights and their average in the end; detections before and after; which candidates the
 * filters pick from the student's own features. */
#include "golden.h"

#include "base/rng.h"
#include "detect/detector.h"
#include "op_cases.h"
#include "select/filter.h"
#include "train/learner.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_STEPS = 10, TARGETS = 3 };

/* The fast plan needs maps of a certain size before it differs, and one step takes that much longer. */
struct lesson {
    enum net_plan plan;
    int side, batch, steps;
};
static const struct lesson exact = {PLAN_EXACT, 32, 2, 10}, fast = {PLAN_FAST, 96, 1, 10},
                           fast_0_1 = {PLAN_FAST_0_1, 96, 1, 10};

static const struct target targets[TARGETS] = {
    {0, 1, 0.4f, 0.5f, 0.5f, 0.6f, 0}, {1, 0, 0.3f, 0.3f, 0.3f, 0.4f, 0}, {1, 2, 0.7f, 0.6f, 0.4f, 0.5f, 0}};

static enum status start(struct model *model, struct learner *learner, struct golden *golden,
                         const struct lesson *lesson, enum optimizer optimizer, struct error *err)
{
    const struct yolo11_config config = {.scale = YOLO11_PICO, .classes = 3};
    TRY(model_make(model, config, err));
    op_case_params(&model->params);
    const struct learner_options options = {.batch = lesson->batch,
                                            .size = lesson->side,
                                            .plan = lesson->plan,
                                            .threads = golden->threads,
                                            .max_targets = TARGETS,
                                            .clip = 10,
                                            .optimizer = optimizer};
    return learner_make(learner, model, golden->kernels, &options, err);
}

static enum status gradient(struct learner *learner, struct loss_items *items, struct error *err)
{
    float *input;
    const int batch = learner->options.batch;
    const size_t side = (size_t)learner->options.size;
    int count = 0;
    while (count < TARGETS && targets[count].image < batch) count++;
    TRY(learner_input(learner, batch, &input, err));
    op_case_uniform(input, "pictures", (size_t)batch * side * side * 3);
    return learner_gradient(learner, batch, targets, count, items, err);
}

static enum status steps(struct golden *golden, struct learner *learner, int count, double rate,
                         const char *first_gradient, float losses[MOST_STEPS], struct error *err)
{
    const struct optim_rates rates = {{rate, rate, rate}, .weight_decay = 0.0005};
    for (int i = 0; i < count; i++) {
        struct loss_items items;
        TRY(gradient(learner, &items, err));
        losses[i] = (float)items.total;
        if (i == 0) golden_emit(golden, first_gradient, learner->gradient, learner->coordinates);
        TRY(learner_step(learner, &rates, 0.9, NULL, err));
    }
    return OK;
}

static enum status emit_detections(struct golden *golden, const char *stage, const struct model *model,
                                   const struct lesson *lesson, struct error *err)
{
    struct detector detector;
    struct detection found[NMS_MAX_DETECTIONS];
    struct image picture = {0};
    struct nms_options options = nms_validation_options();
    float rows[NMS_MAX_DETECTIONS][6];
    int count = 0;
    detector_begin(&detector, model, golden->kernels, golden->threads, &options);
    detector.plan = lesson->plan;
    enum status status = image_alloc(&picture, 100, 70, err);
    if (status == OK) {
        for (size_t i = 0; i < image_bytes(&picture); i++) picture.pixels[i] = (uint8_t)rng_int(11, i, 256);
        status = detector_predict(&detector, &picture, lesson->side, true, found, &count, err);
    }
    for (int i = 0; i < count; i++) {
        const struct box b = found[i].box;
        const float row[6] = {b.x1, b.y1, b.x2, b.y2, found[i].confidence, (float)found[i].class_id};
        memcpy(rows[i], row, sizeof row);
    }
    if (status == OK) golden_emit(golden, stage, rows[0], (size_t)count * 6);
    image_free(&picture);
    detector_end(&detector);
    return status;
}

static enum status full(struct golden *golden, struct model *model, struct learner *learner,
                        const struct lesson *lesson, struct error *err)
{
    float losses[MOST_STEPS];
    TRY(start(model, learner, golden, lesson, OPTIMIZER_ADAMW, err));
    TRY(emit_detections(golden, "train.detections_before", model, lesson, err));
    TRY(steps(golden, learner, lesson->steps, 0.002, "train.gradient", losses, err));
    golden_emit(golden, "train.losses", losses, (size_t)lesson->steps);
    golden_emit(golden, "train.weights", model->params.values, model->params.total);
    golden_emit(golden, "train.average", learner->average.params.values, model->params.total);
    golden_emit(golden, "train.moments", learner->v, learner->coordinates);
    return emit_detections(golden, "train.detections_after", model, lesson, err);
}

static enum status masked(struct golden *golden, struct model *model, struct learner *learner,
                          const struct lesson *lesson, struct error *err)
{
    float losses[MOST_STEPS];
    TRY(start(model, learner, golden, lesson, OPTIMIZER_ADAM, err));
    uint8_t *mask = calloc(learner->coordinates, 1);
    if (!mask) return fail_memory(err, "a mask", learner->coordinates);
    const struct mask_table table = {learner->tensors, learner->optim.count};
    mask_make(mask, table, MASK_RANDOM_EXACT, 0.05, NULL, NULL, 5, 1);
    enum status status = learner_set_mask(learner, mask, err);
    if (status == OK)
        status = steps(golden, learner, lesson->steps, 0.001, "train.masked_gradient", losses, err);
    if (status == OK) {
        mask_make(mask, table, MASK_PREVIOUS_U, 0.05, learner->u, NULL, 5, 2);
        golden_emit_bytes(golden, "train.mask", mask, learner->coordinates);
        golden_emit(golden, "train.masked_losses", losses, (size_t)lesson->steps);
        golden_emit(golden, "train.masked_weights", model->params.values, model->params.total);
    }
    free(mask);
    return status;
}

static enum status sgd(struct golden *golden, struct model *model, struct learner *learner,
                       const struct lesson *lesson, struct error *err)
{
    float losses[MOST_STEPS];
    TRY(start(model, learner, golden, lesson, OPTIMIZER_SGD, err));
    TRY(steps(golden, learner, lesson->steps, 0.01, "train.sgd_gradient", losses, err));
    golden_emit(golden, "train.sgd_weights", model->params.values, model->params.total);
    return OK;
}

static void run(struct golden *golden, const char *stage, const struct lesson *lesson,
                enum status (*body)(struct golden *, struct model *, struct learner *, const struct lesson *,
                                    struct error *))
{
    struct model model = {0};
    struct learner learner = {0};
    struct error err = {0};
    golden->plan = net_plan_name(lesson->plan);
    if (body(golden, &model, &learner, lesson, &err) != OK) golden_fail(golden, stage, err.message);
    learner_free(&learner);
    model_free(&model);
}

static enum status selection(struct golden *golden, struct arena *arena, struct error *err)
{
    enum { FRAMES = 200, WIDTH = 48, KEPT = 24 };
    float *rows = arena_alloc(arena, (size_t)FRAMES * WIDTH, sizeof *rows);
    if (!rows) return fail_memory(err, "embeddings", sizeof(float) * FRAMES * WIDTH);
    golden_uniform(rows, "embeddings", (size_t)FRAMES * WIDTH, 1.f);
    for (int i = 0; i < FRAMES; i++) {
        float *row = rows + (ptrdiff_t)i * WIDTH;
        const float length = golden->kernels->dot(row, row, WIDTH);
        golden->kernels->scale(row, row, 1.f / __builtin_sqrtf(length), WIDTH);
    }
    static const enum filter_rule rules[] = {FILTER_FARTHEST_FIRST, FILTER_MODERATE,
                                             FILTER_SPHERICAL_K_MEANS};
    static const char *const stages[] = {"train.farthest_first", "train.moderate", "train.spherical_k_means"};
    const uint64_t key = rng_key(0, "random_filter");
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        struct filter_options options = filter_defaults();
        const struct filter_frames frames = {.count = FRAMES,
                                             .embeddings = rows,
                                             .embedding_stride = WIDTH,
                                             .width = WIDTH,
                                             .draws = draws_of_key(&key)};
        struct filter_result result;
        options.rule = rules[i];
        options.budget = KEPT;
        TRY(filter_run(&result, &options, &frames, golden->kernels, golden->threads, arena, err));
        golden_emit_bytes(golden, stages[i], result.frames, (size_t)result.count * sizeof *result.frames);
    }
    return OK;
}

void golden_train(struct golden *golden)
{
    struct arena arena = {0};
    struct error err = {0};
    if (selection(golden, &arena, &err) != OK) golden_fail(golden, "train.farthest_first", err.message);
    arena_free(&arena);
    run(golden, "train.weights", &exact, full);
    run(golden, "train.masked_weights", &exact, masked);
    run(golden, "train.sgd_weights", &exact, sgd);
    run(golden, "train.weights", &fast, full);
    run(golden, "train.weights", &fast_0_1, full);
}
