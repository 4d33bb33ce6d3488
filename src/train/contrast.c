#include "train/contrast.h"

#include "base/dmath.h"
#include "base/flush.h"
#include "base/par.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>

enum status contrast_init(struct contrast *c, struct arena *arena, int rows, int dim, double temperature,
                          int threads, struct error *err)
{
    assert(rows >= 2 && rows % 2 == 0 && dim >= 1 && temperature > 0);
    const size_t n = (size_t)rows, d = (size_t)dim;
    *c = (struct contrast){.rows = rows, .dim = dim, .threads = threads, .temperature = temperature};
    c->unit = arena_alloc(arena, n * d, sizeof *c->unit);
    c->length = arena_alloc(arena, n, sizeof *c->length);
    c->share = arena_alloc(arena, n * n, sizeof *c->share);
    c->loss = arena_alloc(arena, n, sizeof *c->loss);
    c->along = arena_alloc(arena, n * d, sizeof *c->along);
    if (!c->unit || !c->length || !c->share || !c->loss || !c->along)
        return fail_memory(err, "the contrastive loss", (2 * d + n) * n * sizeof(double));
    return OK;
}

struct job {
    struct contrast *c;
    float *gradient;
    ptrdiff_t stride;
    double scale;
};

static double dot(const double *a, const double *b, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

static enum status normalise(struct contrast *c, const float *values, ptrdiff_t stride, struct error *err)
{
    for (int i = 0; i < c->rows; i++) {
        const float *row = values + i * stride;
        double *unit = c->unit + (ptrdiff_t)i * c->dim, squares = 0;
        for (int k = 0; k < c->dim; k++) squares += (double)row[k] * row[k];
        if (!(squares > 0) || !isfinite(squares))
            return fail(err, ERR_CHECK, "contrastive loss: row %d of %d has the length %g", i, c->rows,
                        sqrt(squares));
        c->length[i] = sqrt(squares);
        for (int k = 0; k < c->dim; k++) unit[k] = row[k] / c->length[i];
    }
    return OK;
}

/* Similarities of row i, then the shares in their place. */
static void share_row(struct contrast *c, int i)
{
    double *share = c->share + (ptrdiff_t)i * c->rows, most = -1 / c->temperature, sum = 0;
    for (int j = 0; j < c->rows; j++) {
        share[j] =
            dot(c->unit + (ptrdiff_t)i * c->dim, c->unit + (ptrdiff_t)j * c->dim, c->dim) / c->temperature;
        if (j != i && share[j] > most) most = share[j];
    }
    const double own = share[i ^ 1];
    for (int j = 0; j < c->rows; j++) {
        share[j] = j == i ? 0 : dmath_exp(share[j] - most);
        sum += share[j];
    }
    for (int j = 0; j < c->rows; j++) share[j] /= sum;
    c->loss[i] = dmath_log(sum) + most - own;
}

static void share_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct job *job = context;
    for (int64_t i = begin; i < end; i++) share_row(job->c, (int)i);
}

static void gradient_row(const struct job *job, int i)
{
    const struct contrast *c = job->c;
    const double *unit = c->unit + (ptrdiff_t)i * c->dim;
    double *along = c->along + (ptrdiff_t)i * c->dim;
    float *out = job->gradient + i * job->stride;
    for (int k = 0; k < c->dim; k++) along[k] = 0;
    for (int j = 0; j < c->rows; j++) {
        const double *other = c->unit + (ptrdiff_t)j * c->dim;
        const double weight = c->share[(ptrdiff_t)i * c->rows + j] + c->share[(ptrdiff_t)j * c->rows + i] -
                              (j == (i ^ 1) ? 2 : 0);
        for (int k = 0; k < c->dim; k++) along[k] += weight * other[k];
    }
    const double radial = dot(along, unit, c->dim);
    const double factor = job->scale / (c->temperature * c->rows * c->length[i]);
    for (int k = 0; k < c->dim; k++) out[k] = flush_double((along[k] - radial * unit[k]) * factor);
}

static void gradient_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    for (int64_t i = begin; i < end; i++) gradient_row(context, (int)i);
}

static bool partner_is_nearest(const struct contrast *c, int i)
{
    const double *share = c->share + (ptrdiff_t)i * c->rows;
    for (int j = 0; j < c->rows; j++)
        if (j != i && j != (i ^ 1) && share[j] >= share[i ^ 1]) return false;
    return true;
}

enum status contrast_run(struct contrast *c, struct contrast_items *items, float *gradient,
                         ptrdiff_t gradient_stride, const float *values, ptrdiff_t stride, double scale,
                         struct error *err)
{
    struct job job = {c, gradient, gradient_stride, scale};
    int found = 0;
    TRY(normalise(c, values, stride, err));
    par_for(c->threads, c->rows, 1, share_rows, &job);
    if (gradient) par_for(c->threads, c->rows, 1, gradient_rows, &job);
    items->loss = 0;
    for (int i = 0; i < c->rows; i++) {
        items->loss += c->loss[i];
        found += partner_is_nearest(c, i);
    }
    items->loss /= c->rows;
    items->found = (double)found / c->rows;
    return OK;
}
