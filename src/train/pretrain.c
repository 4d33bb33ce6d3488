#include "train/pretrain.h"

#include "base/dmath.h"
#include "base/file.h"
#include "base/json_write.h"
#include "base/pages.h"
#include "base/par.h"
#include "select/embed.h"
#include "train/earlier_run.h"
#include "train/optim.h"
#include "train/pretrain_state.h"
#include "train/train_log.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LOSS_SCALE 0x1p32
#define PI 3.14159265358979323846
#define LAST_RATE 0.01 /* as a share of the highest */

struct pretrain_options pretrain_defaults(void)
{
    return (struct pretrain_options){.dim = 192,
                                     .depth = 6,
                                     .pairs = 64,
                                     .moments = 8,
                                     .steps = 3000,
                                     .warmup = 150,
                                     .rate = 5e-4,
                                     .weight_decay = 0.05,
                                     .temperature = 0.1,
                                     .clip = 1,
                                     .threads = 1,
                                     .checkpoint_every = 50};
}

struct pretrain {
    const struct pretrain_options *options;
    const struct views *views;
    const struct progress *progress;
    struct pretrain_result *result;
    struct arena arena;
    struct params *params;
    struct graph graph;
    struct net net;
    struct vit vit;
    struct contrast contrast;
    struct optim optim;
    struct optim_tensor *tensors;
    struct pretrain_state state;
    struct views_pair *pairs;
    struct image *scratch; /* [threads] */
    struct error *errors;  /* [rows] */
    double *sums;
    struct json_log log;
    int step; /* the one under way */
    struct contrast_items since; /* sums since the last line of the log, where checkpoints are written, too */
    int counted;                 /* steps in them */
};

static int rows(const struct pretrain *p) { return 2 * p->options->pairs; }

/* ---- One step ---- */

static void make_views(void *context, int64_t begin, int64_t end, int worker)
{
    struct pretrain *p = context;
    const ptrdiff_t size = (ptrdiff_t)p->views->side * p->views->side * 3;
    float *input = net_value(&p->net, p->graph.input).data;
    for (int64_t row = begin; row < end; row++)
        p->errors[row].status =
            views_make(p->views, p->pairs[row / 2].picture[row % 2], p->options->seed, p->step, (int)row,
                       p->scratch + worker, input + row * size, p->errors + row);
}

static enum status fill_input(struct pretrain *p, struct error *err)
{
    views_choose(p->views, p->options->seed, p->step, p->options->pairs, p->options->moments, p->pairs);
    par_for(p->options->threads, rows(p), 1, make_views, p);
    for (int row = 0; row < rows(p); row++)
        if (p->errors[row].status != OK) {
            if (err) *err = p->errors[row];
            return p->errors[row].status;
        }
    return OK;
}

static double rate_of(const struct pretrain_options *o, int step)
{
    if (step < o->warmup) return o->rate * (step + 1) / o->warmup;
    const double along = (double)(step - o->warmup) / (o->steps - o->warmup);
    return o->rate * (LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + dmath_cos(PI * along)));
}

/* The loss reads the class tokens; other tokens have no gradient of their own. */
static enum status gradient(struct pretrain *p, struct contrast_items *items, struct error *err)
{
    TRY(fill_input(p, err));
    net_pack(&p->net);
    net_forward(&p->net);
    const struct view value = net_value(&p->net, p->vit.norm), slope = net_gradient(&p->net, p->vit.norm);
    const ptrdiff_t tokens = (ptrdiff_t)(value.pixels / value.images);
    for (int64_t i = 0; i < slope.pixels; i++)
        memset(slope.data + i * slope.stride, 0, (size_t)slope.channels * sizeof(float));
    TRY(contrast_run(&p->contrast, items, slope.data, tokens * slope.stride, value.data,
                     tokens * value.stride, LOSS_SCALE, err));
    optim_zero(&p->optim, p->state.gradient, p->params->trainable);
    net_backward(&p->net, p->state.gradient);
    return OK;
}

static enum status one_step(struct pretrain *p, struct error *err)
{
    const struct pretrain_options *o = p->options;
    const double rate = rate_of(o, p->step);
    const struct optim_rates rates = {{rate, rate, rate}, .weight_decay = o->weight_decay};
    const struct optim_arrays arrays = {
        .w = p->params->values, .m = p->state.m, .v = p->state.v, .g = p->state.gradient};
    struct contrast_items items;
    TRY(gradient(p, &items, err));
    TRY(optim_prepare(NULL, &p->optim, p->state.gradient, LOSS_SCALE, o->clip, p->sums, err));
    optim_adamw(&p->optim, &arrays, &p->state.clock, &rates);
    p->since.loss += items.loss;
    p->since.found += items.found;
    p->counted++;
    return OK;
}

/* ---- Log, checkpoint ---- */

static enum status write_line(struct pretrain *p, int steps, struct error *err)
{
    p->result->items = p->state.items =
        (struct contrast_items){p->since.loss / p->counted, p->since.found / p->counted};
    p->since = (struct contrast_items){0};
    p->counted = 0;
    if (!p->log.file) return OK;
    TRY(json_log_begin(&p->log, err));
    json_put_int(&p->log.line.out, "steps", steps);
    json_put_double(&p->log.line.out, "rate", rate_of(p->options, steps - 1));
    json_put_double(&p->log.line.out, "loss", p->result->items.loss);
    json_put_double(&p->log.line.out, "found", p->result->items.found);
    return json_log_end(&p->log, err);
}

static enum status keep(struct pretrain *p, int steps, struct error *err)
{
    const int every = p->options->checkpoint_every;
    if (steps < p->options->steps && (!every || steps % every)) return OK;
    TRY(write_line(p, steps, err));
    if (!p->options->folder || !every) return OK;
    const char *path = arena_printf(&p->arena, "%s/checkpoint.safetensors", p->options->folder);
    p->state.steps = steps;
    return path ? pretrain_state_write(path, &p->state, p->params, err) : fail_memory(err, "a path", 1);
}

static enum status open_folder(struct pretrain *p, struct error *err)
{
    const struct pretrain_options *o = p->options;
    if (!o->folder) return OK;
    TRY(file_make_folder(o->folder, err));
    const char *path = arena_printf(&p->arena, "%s/checkpoint.safetensors", o->folder);
    const char *log = arena_printf(&p->arena, "%s/train.jsonl", o->folder);
    if (!path || !log) return fail_memory(err, "a path", strlen(o->folder));
    static const char *const made[] = {"checkpoint.safetensors", "train.jsonl", NULL};
    if (!o->resume) TRY(earlier_run_refuse(o->folder, made, err));
    if (file_exists(path)) TRY(pretrain_state_read(path, &p->state, p->params, err));
    const int every = o->checkpoint_every ? o->checkpoint_every : o->steps;
    TRY(train_log_cut(log, (p->state.steps + every - 1) / every, err));
    return json_log_open(&p->log, log, err);
}

/* ---- The run ---- */

static enum status describe_tensors(struct pretrain *p, struct error *err)
{
    p->tensors = arena_alloc(&p->arena, (size_t)p->params->count, sizeof *p->tensors);
    p->sums = arena_alloc(&p->arena, (size_t)p->params->count, sizeof *p->sums);
    if (!p->tensors || !p->sums) return fail_memory(err, "the table of tensors", (size_t)p->params->count);
    for (int i = 0; i < p->params->count; i++) {
        const struct param *param = p->params->list + i;
        const bool matrix = param->dims == 2 || param->dims == 4; /* tokens and positions do not decay */
        p->tensors[i] = (struct optim_tensor){.name = param->name,
                                              .offset = param->offset,
                                              .size = param->size,
                                              .group = matrix ? OPTIM_WEIGHT : OPTIM_NORM,
                                              .trainable = true};
    }
    p->optim = (struct optim){p->net.kernels, p->tensors, p->params->count, p->options->threads};
    return OK;
}

static enum status build(struct pretrain *p, const struct kernels *kernels, struct error *err)
{
    const struct pretrain_options *o = p->options;
    const struct vit_config config = {.dim = o->dim,
                                      .depth = o->depth,
                                      .heads = o->dim % 64 ? o->dim / 32 : o->dim / 64,
                                      .mlp = 4 * o->dim,
                                      .grid = p->views->side / VIT_PATCH};
    graph_begin(&p->graph, p->params);
    TRY(vit_build(&p->vit, &p->graph, config, p->views->side, p->views->side, false, err));
    vit_fresh(p->params, o->seed);
    const struct net_options options = {.batch = rows(p),
                                        .threads = o->threads,
                                        .mode = NET_TRAINING,
                                        .spare = pages_spare(),
                                        .plan = o->plan};
    return net_create(&p->net, &p->graph, kernels, options, err);
}

static enum status check_cameras(const struct pretrain *p, struct error *err)
{
    const int least = p->options->moments > 2 ? p->options->moments : 2;
    for (int i = 0; i < p->views->camera_count; i++)
        if (p->views->cameras[i].count < least)
            return fail(err, ERR_USAGE, "camera %d of %d has %d pictures, expected at least %d", i + 1,
                        p->views->camera_count, p->views->cameras[i].count, least);
    return OK;
}

static enum status allocate(struct pretrain *p, struct error *err)
{
    const size_t n = (size_t)rows(p), threads = (size_t)p->options->threads;
    p->pairs = arena_alloc(&p->arena, n / 2, sizeof *p->pairs);
    p->scratch = arena_alloc(&p->arena, threads, sizeof *p->scratch);
    p->errors = arena_alloc(&p->arena, n, sizeof *p->errors);
    if (!p->pairs || !p->scratch || !p->errors)
        return fail_memory(err, "a mini-batch", n * sizeof *p->errors);
    TRY(pretrain_state_make(&p->state, &p->arena, p->params, err));
    return contrast_init(&p->contrast, &p->arena, rows(p), p->options->dim, p->options->temperature,
                         p->options->threads, err);
}

static enum status steps(struct pretrain *p, struct error *err)
{
    const struct pretrain_options *o = p->options;
    char note[80] = "";
    for (p->step = p->state.steps; p->step < o->steps; p->step++) {
        TRY(one_step(p, err));
        TRY(keep(p, p->step + 1, err));
        if (isfinite(p->result->items.loss))
            snprintf(note, sizeof note, "loss %.4f  found %.3f", p->result->items.loss,
                     p->result->items.found);
        if (!progress_report(p->progress, "pretrain", p->step + 1, o->steps, note))
            return fail(err, ERR_INTERRUPTED, "interrupted after %d of %d steps%s", p->step + 1, o->steps,
                        o->folder && o->checkpoint_every ? "; --resume goes on from the last checkpoint"
                                                         : "");
    }
    return OK;
}

static enum status run(struct pretrain *p, const struct kernels *kernels, struct error *err)
{
    TRY(check_cameras(p, err));
    TRY(build(p, kernels, err));
    TRY(describe_tensors(p, err));
    TRY(allocate(p, err));
    pretrain_recipe(p->state.recipe, p->options, p->views);
    TRY(open_folder(p, err));
    p->result->weights = p->params->trainable;
    p->result->items = p->state.items;
    return steps(p, err);
}

enum status pretrain_run(struct pretrain_result *result, struct params *params, const struct views *views,
                         const struct kernels *kernels, const struct pretrain_options *options,
                         const struct progress *progress, struct error *err)
{
    *result = (struct pretrain_result){.items = {NAN, NAN}};
    struct pretrain p = {
        .options = options, .views = views, .progress = progress, .result = result, .params = params};
    enum status status = run(&p, kernels, err);
    if (p.log.file) {
        const enum status closed = json_log_close(&p.log, status == OK ? err : NULL);
        if (status == OK) status = closed;
    }
    for (int i = 0; p.scratch && i < options->threads; i++) image_free(p.scratch + i);
    net_free(&p.net);
    graph_free(&p.graph);
    arena_free(&p.arena);
    return status;
}
