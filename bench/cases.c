/* The cases: a detector's forward pass and training step, a transformer's forward pass, Farthest-First. */
#include "bench.h"

#include "base/rng.h"
#include "detect/head_decode.h"
#include "detect/model.h"
#include "select/filter.h"
#include "select/vit.h"
#include "train/learner.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void fill_uniform(float *values, const char *stream, size_t n, double low, double high)
{
    const uint64_t key = rng_key(0, stream);
    for (size_t i = 0; i < n; i++) values[i] = (float)(low + (high - low) * rng_real(key, i));
}

/* Values of a plausible size: factors 1, shifts 0, the rest uniform with variance 1 / fan-in. */
static void fill_params(struct params *params)
{
    for (int i = 0; i < params->count; i++) {
        const struct param *param = params->list + i;
        float *values = params_values(params, i);
        if (param->kind != PARAM_TRAINABLE) continue;
        if (param->dims == 1) {
            const float value = strstr(param->name, "bias") ? 0.f : 1.f;
            for (size_t j = 0; j < param->size; j++) values[j] = value;
            continue;
        }
        const double limit = sqrt(3.0 * (double)param->shape[0] / (double)param->size);
        fill_uniform(values, param->name, param->size, -limit, limit);
    }
}

enum status bench_open_model(struct model *model, const struct bench_setup *setup, struct error *err)
{
    if (setup->weights) return model_open(model, setup->weights, err);
    TRY(model_make(model, (struct yolo11_config){.scale = YOLO11_N, .classes = 80}, err));
    fill_params(&model->params);
    return OK;
}

static enum status fill_input(float *input, const struct bench_case *c, const struct bench_setup *setup,
                              struct error *err)
{
    const size_t rows = (size_t)c->batch * (size_t)c->size * (size_t)c->size;
    if (c->size != BENCH_SIZE || !setup->input.rows) {
        fill_uniform(input, "picture", rows * 3, 0, 1);
        return OK;
    }
    if (setup->input.columns != 3 || setup->input.rows < (int64_t)rows)
        return fail(err, ERR_INPUT, "input: expected at least %zu rows of 3, found %lld of %lld", rows,
                    (long long)setup->input.rows, (long long)setup->input.columns);
    memcpy(input, setup->input.values, rows * 3 * sizeof *input);
    return OK;
}

/* ---- Forward passes: the detector, and ViT-S/14 whose values are always synthetic ---- */

struct pass_state {
    struct model model; /* of the transformer its params only */
    struct graph graph;
    struct yolo11 detector;
    struct vit vit;
    struct net net;
};

static enum status keep_pixels(struct bench_case *c, const struct bench_setup *setup, struct error *err)
{
    c->pixel_bytes = (size_t)c->batch * (size_t)c->size * (size_t)c->size * 3 * sizeof(float);
    c->pixels = malloc(c->pixel_bytes);
    if (!c->pixels) return fail_memory(err, "the input", c->pixel_bytes);
    return fill_input(c->pixels, c, setup, err);
}

static enum status pass_start(struct bench_case *c, const struct bench_setup *setup, struct pass_state *s,
                              struct error *err)
{
    const struct net_options options = {
        .batch = c->batch, .threads = c->threads, .mode = NET_INFERENCE, .plan = c->plan};
    TRY(net_create(&s->net, &s->graph, setup->kernels, options, err));
    return keep_pixels(c, setup, err);
}

static enum status forward_start(struct bench_case *c, const struct bench_setup *setup, struct error *err)
{
    struct pass_state *s = c->state = calloc(1, sizeof *s);
    if (!s) return fail_memory(err, "a case", sizeof *s);
    TRY(bench_open_model(&s->model, setup, err));
    TRY(model_network(&s->detector, &s->graph, &s->model, c->size, c->size, err));
    return pass_start(c, setup, s, err);
}

static enum status vit_start(struct bench_case *c, const struct bench_setup *setup, struct error *err)
{
    static const struct vit_config small = {.dim = 384, .depth = 12, .heads = 6, .mlp = 1536, .grid = 37};
    struct pass_state *s = c->state = calloc(1, sizeof *s);
    if (!s) return fail_memory(err, "a case", sizeof *s);
    graph_begin(&s->graph, &s->model.params);
    TRY(vit_build(&s->vit, &s->graph, small, c->size, c->size, false, err));
    fill_params(&s->model.params);
    return pass_start(c, setup, s, err);
}

/* Later layers use the input's memory again. */
static void pass_before(struct bench_case *c)
{
    const struct pass_state *s = c->state;
    memcpy(net_value(&s->net, s->graph.input).data, c->pixels, c->pixel_bytes);
}

static enum status pass_run(struct bench_case *c, struct error *err)
{
    (void)err;
    struct pass_state *s = c->state;
    net_forward(&s->net);
    return OK;
}

static void pass_stop(struct bench_case *c)
{
    struct pass_state *s = c->state;
    net_free(&s->net);
    graph_free(&s->graph);
    model_free(&s->model);
}

const struct bench_kind bench_forward = {forward_start, pass_before, pass_run, pass_stop};
const struct bench_kind bench_vit = {vit_start, pass_before, pass_run, pass_stop};

enum status bench_write_output(const struct bench_case *c, const struct bench_setup *setup, const char *path,
                               struct error *err)
{
    const struct pass_state *s = c->state;
    const struct head head = yolo11_head(&s->detector, &s->net, false);
    const int rows = 4 + head.classes, anchors = head_anchors(&head);
    float *out = malloc((size_t)rows * (size_t)anchors * sizeof *out);
    if (!out) return fail_memory(err, "the decoded output", (size_t)rows * (size_t)anchors * sizeof *out);
    head_decode_all(setup->kernels, &head, 0, out);
    const enum status status = npy_write(path, out, rows, anchors, err);
    free(out);
    return status;
}

/* ---- Detector, training step ---- */

enum { STEP_BOXES = 8 }; /* an image */

struct step_state {
    struct model model;
    struct learner learner;
    struct target targets[BENCH_MAX_TARGETS];
    int target_count;
};

static enum status step_targets(struct step_state *s, const struct bench_case *c,
                                const struct bench_setup *setup, struct error *err)
{
    const struct npy *given = &setup->targets;
    if (!given->rows) {
        struct rng rng = {rng_key(0, "targets"), 0};
        for (int i = 0; i < c->batch * STEP_BOXES; i++) {
            struct target *t = s->targets + s->target_count++;
            t->image = i / STEP_BOXES;
            t->class_id = rng_next_int(&rng, s->model.config.classes);
            t->cx = (float)rng_uniform(&rng, 0.2, 0.8);
            t->cy = (float)rng_uniform(&rng, 0.2, 0.8);
            t->w = (float)rng_uniform(&rng, 0.05, 0.4);
            t->h = (float)rng_uniform(&rng, 0.05, 0.4);
        }
        return OK;
    }
    if (given->columns != 6) return fail(err, ERR_INPUT, "targets: expected 6 columns");
    for (int64_t i = 0; i < given->rows; i++) {
        const float *row = given->values + i * 6;
        if (row[0] >= (float)c->batch) break;
        if (s->target_count == BENCH_MAX_TARGETS || row[0] < 0 || row[1] < 0 ||
            row[1] >= (float)s->model.config.classes)
            return fail(err, ERR_INPUT, "targets: row %lld: out of range, or too many", (long long)i);
        s->targets[s->target_count++] = (struct target){.image = (int)row[0],
                                                        .class_id = (int)row[1],
                                                        .cx = row[2],
                                                        .cy = row[3],
                                                        .w = row[4],
                                                        .h = row[5]};
    }
    return OK;
}

static enum status step_start(struct bench_case *c, const struct bench_setup *setup, struct error *err)
{
    struct step_state *s = c->state = calloc(1, sizeof *s);
    if (!s) return fail_memory(err, "a case", sizeof *s);
    TRY(bench_open_model(&s->model, setup, err));
    TRY(step_targets(s, c, setup, err));
    const struct learner_options options = {.batch = c->batch,
                                            .size = c->size,
                                            .threads = c->threads,
                                            .plan = c->plan,
                                            .max_targets = s->target_count,
                                            .clip = 10,
                                            .optimizer = OPTIMIZER_ADAMW};
    TRY(learner_make(&s->learner, &s->model, setup->kernels, &options, err));
    float *input;
    TRY(learner_input(&s->learner, c->batch, &input, err));
    return keep_pixels(c, setup, err);
}

static void step_before(struct bench_case *c)
{
    struct step_state *s = c->state;
    float *input;
    if (learner_input(&s->learner, c->batch, &input, NULL) == OK) memcpy(input, c->pixels, c->pixel_bytes);
}

/* The rate is so small that a hundred steps stay where the first one was. */
static enum status step_run(struct bench_case *c, struct error *err)
{
    static const struct optim_rates rates = {.rate = {1e-6, 1e-6, 1e-6}, .weight_decay = 0.0005};
    struct step_state *s = c->state;
    struct loss_items items;
    double norm;
    TRY(learner_gradient(&s->learner, c->batch, s->targets, s->target_count, &items, err));
    TRY(learner_step(&s->learner, &rates, 0, &norm, err));
    if (!c->ran) {
        c->first = items;
        c->first_norm = norm;
    }
    return OK;
}

static void step_stop(struct bench_case *c)
{
    struct step_state *s = c->state;
    learner_free(&s->learner);
    model_free(&s->model);
}

const struct bench_kind bench_step = {step_start, step_before, step_run, step_stop};

/* ---- Farthest-First: size is the number of frames, batch the budget ---- */

enum { EMBEDDING_WIDTH = 384 };

struct farthest_state {
    const struct kernels *kernels;
    float *embeddings; /* unit rows */
};

static enum status farthest_start(struct bench_case *c, const struct bench_setup *setup, struct error *err)
{
    struct farthest_state *s = c->state = calloc(1, sizeof *s);
    if (!s) return fail_memory(err, "a case", sizeof *s);
    const size_t n = (size_t)c->size * EMBEDDING_WIDTH;
    s->kernels = setup->kernels;
    s->embeddings = malloc(n * sizeof *s->embeddings);
    if (!s->embeddings) return fail_memory(err, "embeddings", n * sizeof *s->embeddings);
    fill_uniform(s->embeddings, "embeddings", n, -1, 1);
    for (int i = 0; i < c->size; i++) {
        float *row = s->embeddings + (size_t)i * EMBEDDING_WIDTH;
        double square = 0;
        for (int j = 0; j < EMBEDDING_WIDTH; j++) square += (double)row[j] * row[j];
        for (int j = 0; j < EMBEDDING_WIDTH; j++) row[j] = (float)(row[j] / sqrt(square));
    }
    return OK;
}

static enum status farthest_run(struct bench_case *c, struct error *err)
{
    const struct farthest_state *s = c->state;
    struct filter_options options = filter_defaults();
    options.rule = FILTER_FARTHEST_FIRST;
    options.budget = c->batch;
    const struct filter_frames frames = {.count = c->size,
                                         .embeddings = s->embeddings,
                                         .embedding_stride = EMBEDDING_WIDTH,
                                         .width = EMBEDDING_WIDTH};
    struct arena arena = {0};
    struct filter_result result;
    const enum status status = filter_run(&result, &options, &frames, s->kernels, c->threads, &arena, err);
    arena_free(&arena);
    return status;
}

static void farthest_stop(struct bench_case *c)
{
    struct farthest_state *s = c->state;
    free(s->embeddings);
}

const struct bench_kind bench_farthest = {farthest_start, NULL, farthest_run, farthest_stop};

/* ---- Life of a case ---- */

enum status bench_case_start(struct bench_case *c, const struct bench_setup *setup, struct error *err)
{
    const enum status status = c->kind->start(c, setup, err);
    if (status != OK) bench_case_stop(c);
    return status;
}

enum status bench_case_run(struct bench_case *c, bool timed, struct error *err)
{
    if (c->kind->before) c->kind->before(c);
    const double wall = bench_wall(), cpu = bench_cpu();
    TRY(c->kind->run(c, err));
    c->last_wall = bench_wall() - wall;
    c->last_cpu = bench_cpu() - cpu;
    c->ran = true;
    if (timed && c->count < BENCH_MAX_RUNS) {
        c->wall[c->count] = c->last_wall;
        c->cpu[c->count++] = c->last_cpu;
    }
    return OK;
}

void bench_case_stop(struct bench_case *c)
{
    if (c->state) c->kind->stop(c);
    free(c->state);
    free(c->pixels);
    c->state = NULL;
    c->pixels = NULL;
}
