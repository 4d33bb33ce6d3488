/* How much each layer loses (quantise.h). */
#include "detect/quantise_run.h"

#include "base/dmath.h"
#include "detect/quantise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct comparison {
    const struct quantise_pictures *pictures;
    struct quantise_runner runner;
    float **expected; /* per picture: the head's raw output */
    double signal;
};

static size_t output_size(const struct net *net)
{
    size_t n = 0;
    for (int i = 0; i < net->graph->outputs; i++) {
        const struct view v = net_value(net, net->graph->output[i]);
        n += (size_t)v.pixels * (size_t)v.channels;
    }
    return n;
}

/* Copies the outputs one after another. */
static void keep_outputs(const struct net *net, float *to)
{
    for (int i = 0; i < net->graph->outputs; i++) {
        const struct view v = net_value(net, net->graph->output[i]);
        for (int64_t p = 0; p < v.pixels; p++, to += v.channels)
            memcpy(to, v.data + p * v.stride, (size_t)v.channels * sizeof *to);
    }
}

static double squared_distance(const struct net *net, const float *expected)
{
    double sum = 0;
    for (int i = 0; i < net->graph->outputs; i++) {
        const struct view v = net_value(net, net->graph->output[i]);
        for (int64_t p = 0; p < v.pixels; p++, expected += v.channels)
            for (int c = 0; c < v.channels; c++) {
                const double d = (double)v.data[p * v.stride + c] - (double)expected[c];
                sum += d * d;
            }
    }
    return sum;
}

static enum status expect(struct comparison *c, const struct model *model, struct error *err)
{
    static const struct quant none;
    for (int i = 0; i < c->pictures->count; i++) {
        TRY(quantise_run(&c->runner, model, &none, c->pictures->canvas + i, NULL, err));
        const size_t n = output_size(&c->runner.net);
        c->expected[i] = malloc(n * sizeof **c->expected);
        if (!c->expected[i]) return fail_memory(err, "a head's output", n * sizeof **c->expected);
        keep_outputs(&c->runner.net, c->expected[i]);
        for (size_t k = 0; k < n; k++) c->signal += (double)c->expected[i][k] * (double)c->expected[i][k];
    }
    quantise_end(&c->runner);
    return OK;
}

static enum status compare(struct comparison *c, double *decibel, const struct model *model,
                           const struct quant *quant, struct error *err)
{
    double error = 0;
    for (int i = 0; i < c->pictures->count; i++) {
        TRY(quantise_run(&c->runner, model, quant, c->pictures->canvas + i, NULL, err));
        error += squared_distance(&c->runner.net, c->expected[i]);
    }
    quantise_end(&c->runner);
    *decibel = error > 0 && c->signal > 0 ? 10 / dmath_log(10) * dmath_log(c->signal / error) : INFINITY;
    return OK;
}

static int worst_first(const void *a, const void *b)
{
    const struct quantise_loss *x = a, *y = b;
    if (x->decibel != y->decibel) return x->decibel < y->decibel ? -1 : 1;
    return strcmp(x->name, y->name);
}

static enum status compare_all(struct comparison *c, struct quantise_loss *losses, double *all,
                               const struct model *quantised, const struct model *folded,
                               const struct progress *progress, struct error *err)
{
    const struct quant *quant = &quantised->quant;
    TRY(expect(c, folded, err));
    TRY(compare(c, all, folded, quant, err));
    for (int i = 0; i < quant->count; i++) {
        const struct quant one = {.layers = quant->layers + i, .count = 1};
        losses[i].name = quant->layers[i].name;
        TRY(compare(c, &losses[i].decibel, folded, &one, err));
        if (!progress_report(progress, "compare layers", i + 1, quant->count, ""))
            return fail(err, ERR_INTERRUPTED, "interrupted");
    }
    qsort(losses, (size_t)quant->count, sizeof *losses, worst_first);
    return OK;
}

enum status quantise_losses(struct quantise_loss *losses, double *all, const struct model *quantised,
                            const struct model *model, const struct kernels *kernels,
                            const struct quantise_pictures *pictures, int threads, enum net_plan plan,
                            const struct progress *progress, struct error *err)
{
    struct comparison c = {.pictures = pictures,
                           .runner = {.kernels = kernels, .threads = threads, .plan = plan}};
    struct model folded;
    TRY(model_fold(&folded, model, err));
    c.expected = calloc((size_t)pictures->count, sizeof *c.expected);
    const enum status status =
        c.expected ? compare_all(&c, losses, all, quantised, &folded, progress, err)
                   : fail_memory(err, "outputs", (size_t)pictures->count * sizeof *c.expected);
    for (int i = 0; c.expected && i < pictures->count; i++) free(c.expected[i]);
    free(c.expected);
    quantise_end(&c.runner);
    model_free(&folded);
    return status;
}
