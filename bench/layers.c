/* The detector's layers, timed where they run: real buffers, real neighbours, real order. */
#include "bench.h"

#include "base/json_write.h"
#include "nn/cost.h"
#include "nn/roof.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROWS = 160, TEXT = 64 };

/* Layers of one shape together. */
struct row {
    char text[TEXT];
    int layers;
    double flop, minimum, median; /* sums over the layers; seconds */
};

struct timing {
    struct model model;
    struct graph graph;
    struct yolo11 network;
    struct net net;
    double *seconds; /* [nodes][rounds] */
    double *whole;   /* [rounds] */
};

static struct row *find_row(struct row *rows, int *count, const char *text)
{
    for (int i = 0; i < *count; i++)
        if (!strcmp(rows[i].text, text)) return rows + i;
    if (*count == MAX_ROWS) return NULL;
    struct row *row = rows + (*count)++;
    *row = (struct row){0};
    memcpy(row->text, text, TEXT);
    return row;
}

static int collect(struct row *rows, const struct timing *t, int rounds)
{
    int count = 0;
    for (int i = 0; i < t->graph.node_count; i++) {
        char text[TEXT];
        const struct node *node = t->graph.nodes + i;
        cost_describe(text, sizeof text, &t->graph, node);
        if (node->op != OP_CONV) text[strcspn(text, " ")] = 0; /* one row for all sizes */
        struct row *row = find_row(rows, &count, text);
        if (!row) continue;
        row->layers++;
        row->flop += cost_of(&t->net, node, NET_FORWARD).flop;
        row->minimum += bench_minimum(t->seconds + i * rounds, rounds);
        row->median += bench_median(t->seconds + i * rounds, rounds);
    }
    return count;
}

static void print_row(const struct row *row, enum net_plan plan, int threads, double peak, bool json)
{
    const double share = row->flop / row->minimum / peak;
    if (json) {
        struct json_writer out = {.stream = stdout};
        json_open(&out, NULL, '{');
        json_put_text(&out, "layer", row->text);
        json_put_text(&out, "plan", net_plan_name(plan));
        json_put_int(&out, "layers", row->layers);
        json_put_int(&out, "threads", threads);
        json_put_double(&out, "minimum_ms", 1e3 * row->minimum);
        json_put_double(&out, "median_ms", 1e3 * row->median);
        if (row->flop > 0) json_put_double(&out, "share_of_peak", share);
        json_close(&out);
        putchar('\n');
    } else if (row->flop > 0) {
        printf("%-40s %6d %9.3f %9.3f %9.1f %6.1f %%\n", row->text, row->layers, 1e3 * row->minimum,
               1e3 * row->median, 1e-9 * row->flop / row->minimum, 100 * share);
    } else {
        printf("%-40s %6d %9.3f %9.3f\n", row->text, row->layers, 1e3 * row->minimum, 1e3 * row->median);
    }
}

static void print(const struct timing *t, enum net_plan plan, int threads, int rounds, double peak, bool json)
{
    struct row rows[MAX_ROWS], sum = {.text = "sum of the layers"}, convs = {.text = "sum of convolutions"};
    const int count = collect(rows, t, rounds);
    if (!json)
        printf("\nYOLO11n %d, layer by layer, plan %s, %d thread%s; peak %.1f GFLOP/s in this run\n"
               "%-40s %6s %9s %9s %9s %8s\n",
               BENCH_SIZE, net_plan_name(plan), threads, threads == 1 ? "" : "s", 1e-9 * peak, "", "layers",
               "min ms", "median ms", "GFLOP/s", "of peak");
    for (int i = 0; i < count; i++) {
        print_row(rows + i, plan, threads, peak, json);
        struct row *const into[2] = {&sum, strncmp(rows[i].text, "conv", 4) ? NULL : &convs};
        for (int k = 0; k < 2 && into[k]; k++) {
            into[k]->layers += rows[i].layers;
            into[k]->minimum += rows[i].minimum;
            into[k]->median += rows[i].median;
            if (k) into[k]->flop += rows[i].flop;
        }
    }
    struct row whole = {.text = "whole pass", .layers = sum.layers};
    whole.minimum = bench_minimum(t->whole, rounds);
    whole.median = bench_median(t->whole, rounds);
    print_row(&convs, plan, threads, peak, json);
    print_row(&sum, plan, threads, peak, json);
    print_row(&whole, plan, threads, peak, json);
}

struct watching {
    struct timing *timing;
    double begun, before;
    int round, rounds;
};

static void passed(void *context, enum net_pass pass, int node)
{
    (void)pass;
    struct watching *w = context;
    const double now = bench_wall();
    if (node < 0)
        w->begun = now;
    else if (w->round >= 0)
        w->timing->seconds[node * w->rounds + w->round] = now - w->before;
    w->before = now;
}

static void run(struct timing *t, int rounds)
{
    const struct view input = net_value(&t->net, t->graph.input);
    struct watching w = {.timing = t, .rounds = rounds};
    const struct net_watch watch = {passed, &w};
    t->net.watch = &watch;
    for (w.round = -1; w.round < rounds; w.round++) { /* the first one warms up */
        for (int64_t i = 0; i < input.pixels * 3; i++) input.data[i] = (float)(i % 255) / 255.f;
        net_forward(&t->net);
        if (w.round >= 0) t->whole[w.round] = w.before - w.begun;
    }
    t->net.watch = NULL;
}

static enum status start(struct timing *t, const struct bench_setup *setup, enum net_plan plan, int threads,
                         int rounds, struct error *err)
{
    TRY(bench_open_model(&t->model, setup, err));
    TRY(model_network(&t->network, &t->graph, &t->model, BENCH_SIZE, BENCH_SIZE, err));
    const struct net_options options = {.batch = 1, .threads = threads, .mode = NET_INFERENCE, .plan = plan};
    TRY(net_create(&t->net, &t->graph, setup->kernels, options, err));
    t->seconds = calloc((size_t)(t->graph.node_count * rounds), sizeof *t->seconds);
    t->whole = calloc((size_t)rounds, sizeof *t->whole);
    return t->seconds && t->whole ? OK : fail_memory(err, "times of the layers", 0);
}

enum status bench_layers(const struct bench_setup *setup, enum net_plan plan, int threads, int rounds,
                         bool json, struct error *err)
{
    struct timing t = {0};
    const enum status status = start(&t, setup, plan, threads, rounds, err);
    if (status == OK) {
        run(&t, rounds);
        print(&t, plan, threads, rounds, roof_peak(setup->kernels, threads), json);
    }
    free(t.whole);
    free(t.seconds);
    net_free(&t.net);
    graph_free(&t.graph);
    model_free(&t.model);
    return status;
}
