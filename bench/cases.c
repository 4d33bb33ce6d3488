/* The cases: the table of all, a detector's training step, Farthest-First. */
#include "bench.h"

#include "base/rng.h"
#include "select/embed.h"
#include "select/filter.h"
#include "train/learner.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct bench_row bench_table[] = {
    {"forward-640", &bench_forward, 0, 640, 1},
    {"int8-640", &bench_int8, 0, 640, 1},
    {"step-640x4", &bench_step, 1, 640, 4},
    {"step-640x16", &bench_step, 2, 640, 16},
    {"step-320x4", &bench_step, 3, 320, 4},
    {"step-320x16", &bench_step, 3, 320, 16},
    {"vit-s-224", &bench_vit, 4, 224, 1},
    {"frame-640", &bench_frame, 5, 640, 1},
    {"farthest-first", &bench_farthest, 6, 20000, 256},
    {"farthest-first-frames", &bench_farthest_frames, 7, 20000, 256},
};
const int bench_rows = sizeof bench_table / sizeof *bench_table;

void bench_case_make(struct bench_case *c, const struct bench_row *row, enum net_plan plan, int threads)
{
    *c = (struct bench_case){
        .kind = row->kind, .size = row->size, .batch = row->batch, .threads = threads, .plan = plan};
    const bool fast = plan == PLAN_FAST;
    snprintf(c->name, sizeof c->name, "%s%s%s-t%d", row->name, fast ? "" : "-",
             fast ? "" : net_plan_name(plan), threads);
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
    return bench_keep_pixels(c, c->size == 320 ? &setup->small_input : &setup->input, err);
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

const struct bench_kind bench_step = {
    .start = step_start, .before = step_before, .run = step_run, .stop = step_stop};

/* ---- Farthest-First: size is the number of frames, batch the budget ---- */

enum { EMBEDDING_WIDTH = 384 };

struct farthest_state {
    const struct kernels *kernels;
    const float *rows; /* [c->size][width], unit rows */
    int width;
    float *own; /* rows that were made up */
    struct arena arena;
    struct filter_result result; /* of the last run */
};

static enum status farthest_make(struct farthest_state *s, int count, struct error *err)
{
    const size_t n = (size_t)count * EMBEDDING_WIDTH;
    s->own = malloc(n * sizeof *s->own);
    if (!s->own) return fail_memory(err, "embeddings", n * sizeof *s->own);
    bench_fill_uniform(s->own, "embeddings", n, -1, 1);
    for (int i = 0; i < count; i++) embed_normalise(s->own + (size_t)i * EMBEDDING_WIDTH, EMBEDDING_WIDTH);
    s->rows = s->own;
    s->width = EMBEDDING_WIDTH;
    return OK;
}

static enum status farthest_open(struct bench_case *c, const struct bench_setup *setup,
                                 const struct npy *given, struct error *err)
{
    struct farthest_state *s = c->state = calloc(1, sizeof *s);
    if (!s) return fail_memory(err, "a case", sizeof *s);
    s->kernels = setup->kernels;
    if (!given->rows) return farthest_make(s, c->size, err);
    if (given->rows < c->size || given->columns > 16384)
        return fail(err, ERR_INPUT,
                    "embeddings: expected at least %d rows of at most 16384, found %lld of %lld", c->size,
                    (long long)given->rows, (long long)given->columns);
    s->rows = given->values;
    s->width = (int)given->columns;
    return OK;
}

static enum status farthest_start(struct bench_case *c, const struct bench_setup *setup, struct error *err)
{
    return farthest_open(c, setup, &setup->random_rows, err);
}
static enum status frames_start(struct bench_case *c, const struct bench_setup *setup, struct error *err)
{
    return farthest_open(c, setup, &setup->frame_rows, err);
}
static bool frames_ready(const struct bench_setup *setup) { return setup->frame_rows.rows > 0; }

static enum status farthest_run(struct bench_case *c, struct error *err)
{
    struct farthest_state *s = c->state;
    struct filter_options options = filter_defaults();
    options.rule = FILTER_FARTHEST_FIRST;
    options.budget = c->batch;
    const struct filter_frames frames = {
        .count = c->size, .embeddings = s->rows, .embedding_stride = s->width, .width = s->width};
    arena_free(&s->arena);
    return filter_run(&s->result, &options, &frames, s->kernels, c->threads, &s->arena, err);
}

/* [budget, 1]: frames in the order of picking. */
static enum status farthest_write(const struct bench_case *c, const struct bench_setup *setup,
                                  const char *path, struct error *err)
{
    (void)setup;
    const struct farthest_state *s = c->state;
    const int n = s->result.count;
    float *picks = calloc((size_t)n, sizeof *picks);
    if (!picks) return fail_memory(err, "picks", (size_t)n * sizeof *picks);
    for (int i = 0; i < n; i++) picks[s->result.ranks[i]] = (float)s->result.frames[i];
    const enum status status = npy_write(path, picks, n, 1, err);
    free(picks);
    return status;
}

static void farthest_stop(struct bench_case *c)
{
    struct farthest_state *s = c->state;
    arena_free(&s->arena);
    free(s->own);
}

const struct bench_kind bench_farthest = {
    .start = farthest_start, .run = farthest_run, .stop = farthest_stop, .write = farthest_write};
const struct bench_kind bench_farthest_frames = {.start = frames_start,
                                                 .run = farthest_run,
                                                 .stop = farthest_stop,
                                                 .write = farthest_write,
                                                 .ready = frames_ready};

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
