#include "cli/profile.h"

#include "base/clock.h"
#include "base/rng.h"
#include "nn/cost.h"
#include "nn/roof.h"
#include "train/learner.h"

#include <stdlib.h>
#include <string.h>

enum { TARGETS = 8 }; /* an image */

const char *const profile_phase_names[PROFILE_PHASES] = {"pack", "forward", "loss", "backward", "optimiser"};

struct session {
    struct profile *profile;
    const struct kernels *kernels;
    struct model *model;
    struct graph graph; /* inference */
    struct yolo11 network;
    struct net net;
    struct learner learner; /* training */
    struct target *targets;
    float *pixels;
    struct net *watched; /* one of the two */
    struct net_watch watch;
    int *row_of[2]; /* per node: its row in the forward and the backward pass, or -1 */
    double *row_seconds, *phase_seconds, *whole_seconds, *plain_seconds; /* [row or phase][round] */
    double begun, before, pass_begun; /* this round's start, the last mark, the start of this pass */
    int round;
};

static void end_phase(struct session *s, enum profile_phase phase, double from, double to)
{
    struct profile *p = s->profile;
    p->begun[phase] = from - s->begun;
    p->ended[phase] = to - s->begun;
    if (s->round >= 0) s->phase_seconds[phase * p->options.rounds + s->round] = to - from;
}

static void end_node(struct session *s, enum net_pass pass, int node, double time)
{
    struct profile *p = s->profile;
    const int i = s->row_of[pass == NET_BACKWARD][node];
    struct profile_row *row = p->rows + i;
    row->begun = s->before - s->begun;
    row->ended = time - s->begun;
    if (s->round >= 0) s->row_seconds[i * p->options.rounds + s->round] = time - s->before;
}

/* Between the forward pass and the backward one lies the loss. */
static void passed(void *context, enum net_pass pass, int node)
{
    static const enum profile_phase phases[] = {
        [NET_PACK] = PROFILE_PACK, [NET_FORWARD] = PROFILE_FORWARD, [NET_BACKWARD] = PROFILE_BACKWARD};
    struct session *s = context;
    const double time = clock_seconds();
    if (node < 0) {
        if (pass == NET_BACKWARD) end_phase(s, PROFILE_LOSS, s->before, time);
        s->pass_begun = time;
    } else {
        if (pass != NET_PACK) end_node(s, pass, node, time);
        end_phase(s, phases[pass], s->pass_begun, time);
    }
    s->before = time;
}

static enum status train_step(struct session *s, struct error *err)
{
    static const struct optim_rates rates = {.rate = {1e-6, 1e-6, 1e-6}, .weight_decay = 0.0005};
    const int batch = s->profile->options.batch;
    struct loss_items items;
    double norm;
    TRY(learner_gradient(&s->learner, batch, s->targets, batch * TARGETS, &items, err));
    s->before = clock_seconds();
    TRY(learner_step(&s->learner, &rates, 0, &norm, err));
    if (s->watched->watch) end_phase(s, PROFILE_OPTIMISER, s->before, clock_seconds());
    return OK;
}

/* Later layers use the input's memory again. */
static enum status refill(struct session *s, struct error *err)
{
    const struct profile_options *o = &s->profile->options;
    float *input;
    if (o->train)
        TRY(learner_input(&s->learner, o->batch, &input, err));
    else
        input = net_value(&s->net, s->graph.input).data;
    memcpy(input, s->pixels, (size_t)o->batch * (size_t)o->size * (size_t)o->size * 3 * sizeof *input);
    return OK;
}

static enum status run_round(struct session *s, bool watch, double *seconds, struct error *err)
{
    TRY(refill(s, err));
    s->watched->watch = watch ? &s->watch : NULL;
    s->begun = clock_seconds();
    if (s->profile->options.train)
        TRY(train_step(s, err));
    else
        net_forward(s->watched);
    if (s->round >= 0) seconds[s->round] = clock_seconds() - s->begun;
    return OK;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the values. */
static struct profile_time summary(double *seconds, int n)
{
    qsort(seconds, (size_t)n, sizeof *seconds, ascending);
    return (struct profile_time){seconds[0], 0.5 * (seconds[(n - 1) / 2] + seconds[n / 2])};
}

static void summarise(struct session *s)
{
    struct profile *p = s->profile;
    const int rounds = p->options.rounds;
    for (int i = 0; i < p->count; i++) p->rows[i].time = summary(s->row_seconds + i * rounds, rounds);
    for (int i = 0; i < PROFILE_PHASES; i++) p->phases[i] = summary(s->phase_seconds + i * rounds, rounds);
    p->whole = summary(s->whole_seconds, rounds);
    p->plain = summary(s->plain_seconds, rounds);
}

static void add_row(struct session *s, const struct net *net, int node, enum net_pass pass)
{
    struct profile *p = s->profile;
    const struct node *n = net->graph->nodes + node;
    const struct cost cost = cost_of(net, n, pass);
    struct profile_row *row = p->rows + p->count;
    *row = (struct profile_row){.layer = n->name,
                                .algorithm = pass == NET_FORWARD ? cost_algorithm(net, n) : "",
                                .phase = pass == NET_FORWARD ? PROFILE_FORWARD : PROFILE_BACKWARD,
                                .flop = cost.flop,
                                .bytes = cost.bytes};
    cost_describe(row->text, sizeof row->text, net->graph, n);
    s->row_of[pass == NET_BACKWARD][node] = p->count++;
}

static enum status make_rows(struct session *s, struct arena *arena, struct error *err)
{
    struct profile *p = s->profile;
    const struct graph *graph = s->watched->graph;
    const size_t nodes = (size_t)graph->node_count, rounds = (size_t)p->options.rounds;
    p->rows = arena_alloc(arena, 2 * nodes, sizeof *p->rows);
    for (int k = 0; k < 2; k++) s->row_of[k] = arena_alloc(arena, nodes, sizeof(int));
    s->row_seconds = arena_alloc(arena, 2 * nodes * rounds, sizeof(double));
    s->phase_seconds = arena_alloc(arena, PROFILE_PHASES * rounds, sizeof(double));
    s->whole_seconds = arena_alloc(arena, rounds, sizeof(double));
    s->plain_seconds = arena_alloc(arena, rounds, sizeof(double));
    if (!p->rows || !s->row_of[0] || !s->row_of[1] || !s->row_seconds || !s->phase_seconds ||
        !s->whole_seconds || !s->plain_seconds)
        return fail_memory(err, "times of the layers", 2 * nodes * rounds * sizeof(double));
    for (int i = 0; i < graph->node_count; i++) add_row(s, s->watched, i, NET_FORWARD);
    for (int i = graph->node_count - 1; i >= 0 && p->options.train; i--)
        if (graph->tensors[graph->nodes[i].output].needs_gradient) add_row(s, s->watched, i, NET_BACKWARD);
    for (int i = 0; i < p->count; i++)
        if (!(p->rows[i].layer = arena_strdup(arena, p->rows[i].layer)))
            return fail_memory(err, "names of the layers", 1);
    p->plan_bytes = s->watched->total_bytes;
    return OK;
}

static enum status start_inference(struct session *s, struct error *err)
{
    const struct profile_options *o = &s->profile->options;
    TRY(model_network(&s->network, &s->graph, s->model, o->size, o->size, err));
    const struct net_options options = {
        .batch = o->batch, .threads = o->threads, .mode = NET_INFERENCE, .plan = o->plan};
    TRY(net_create(&s->net, &s->graph, s->kernels, options, err));
    s->watched = &s->net;
    return OK;
}

static enum status make_targets(struct session *s, struct arena *arena, struct error *err)
{
    const int n = s->profile->options.batch * TARGETS;
    struct rng rng = {rng_key(0, "targets"), 0};
    s->targets = arena_alloc(arena, (size_t)n, sizeof *s->targets);
    if (!s->targets) return fail_memory(err, "targets", (size_t)n * sizeof *s->targets);
    for (int i = 0; i < n; i++) {
        struct target *t = s->targets + i;
        t->image = i / TARGETS;
        t->class_id = rng_next_int(&rng, s->model->config.classes);
        t->cx = (float)rng_uniform(&rng, 0.2, 0.8);
        t->cy = (float)rng_uniform(&rng, 0.2, 0.8);
        t->w = (float)rng_uniform(&rng, 0.05, 0.4);
        t->h = (float)rng_uniform(&rng, 0.05, 0.4);
    }
    return OK;
}

static enum status start_training(struct session *s, struct arena *arena, struct error *err)
{
    const struct profile_options *o = &s->profile->options;
    TRY(make_targets(s, arena, err));
    const struct learner_options options = {.batch = o->batch,
                                            .size = o->size,
                                            .threads = o->threads,
                                            .max_targets = o->batch * TARGETS,
                                            .frozen_norm = o->frozen_norm,
                                            .plan = o->plan,
                                            .clip = 10,
                                            .optimizer = OPTIMIZER_ADAMW};
    TRY(learner_make(&s->learner, s->model, s->kernels, &options, err));
    s->watched = &s->learner.full.net;
    return OK;
}

static enum status run_rounds(struct session *s, const struct progress *progress, struct error *err)
{
    struct profile *p = s->profile;
    p->peak_before = roof_peak(s->kernels, p->options.threads);
    for (s->round = -1; s->round < p->options.rounds; s->round++) {
        TRY(run_round(s, false, s->plain_seconds, err));
        TRY(run_round(s, true, s->whole_seconds, err));
        if (!progress_report(progress, "profile", s->round + 1, p->options.rounds, ""))
            return fail(err, ERR_INTERRUPTED, "interrupted after %d of %d rounds", s->round + 1,
                        p->options.rounds);
    }
    p->peak_after = roof_peak(s->kernels, p->options.threads);
    double bandwidth;
    TRY(roof_bandwidth(&bandwidth, p->options.threads, err));
    if (bandwidth > p->bandwidth) p->bandwidth = bandwidth;
    summarise(s);
    return OK;
}

static enum status run(struct session *s, const struct progress *progress, struct arena *arena,
                       struct error *err)
{
    const struct profile_options *o = &s->profile->options;
    const size_t values = (size_t)o->batch * (size_t)o->size * (size_t)o->size * 3;
    TRY(roof_bandwidth(&s->profile->bandwidth, o->threads, err));
    if (o->train)
        TRY(start_training(s, arena, err));
    else
        TRY(start_inference(s, err));
    TRY(make_rows(s, arena, err));
    s->pixels = arena_alloc(arena, values, sizeof *s->pixels);
    if (!s->pixels) return fail_memory(err, "the input", values * sizeof *s->pixels);
    const uint64_t key = rng_key(0, "picture");
    for (size_t i = 0; i < values; i++) s->pixels[i] = (float)rng_real(key, i);
    return run_rounds(s, progress, err);
}

enum status profile_run(struct profile *profile, struct model *model, const struct kernels *kernels,
                        const struct profile_options *options, const struct progress *progress,
                        struct arena *arena, struct error *err)
{
    *profile = (struct profile){.options = *options, .isa = kernels->name};
    struct session s = {.profile = profile, .kernels = kernels, .model = model};
    s.watch = (struct net_watch){passed, &s};
    const enum status status = run(&s, progress, arena, err);
    learner_free(&s.learner);
    net_free(&s.net);
    graph_free(&s.graph);
    return status;
}

double profile_overhead(const struct profile *profile)
{
    return profile->whole.minimum / profile->plain.minimum - 1;
}
