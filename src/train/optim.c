#include "train/optim.h"

#include "base/par.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define BETA1 0.9
#define BETA2 0.999
enum { GRAIN = 4096, LANES = 16 };

enum optim_group optim_group_of(const char *name)
{
    if (strstr(name, "bias")) return OPTIM_BIAS;
    return strstr(name, ".bn.weight") ? OPTIM_NORM : OPTIM_WEIGHT;
}

/* ---- coordinates over threads ---- */

typedef void piece_body(const void *context, const struct optim_tensor *tensor, size_t begin, size_t n);

struct job {
    const struct optim *optim;
    piece_body *body;
    const void *context;
};

static void visit_range(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct job *job = context;
    for (int i = 0; i < job->optim->count; i++) {
        const struct optim_tensor *t = &job->optim->tensors[i];
        const size_t from = t->offset > (size_t)begin ? t->offset : (size_t)begin;
        const size_t last = t->offset + t->size, to = last < (size_t)end ? last : (size_t)end;
        if (t->trainable && from < to) job->body(job->context, t, from, to - from);
    }
}

/* Calls body on pieces of every trainable tensor; pieces are cut anywhere, so body must be elementwise. */
static void visit(const struct optim *optim, piece_body *body, const void *context)
{
    if (!optim->count) return;
    const struct optim_tensor *last = &optim->tensors[optim->count - 1];
    struct job job = {optim, body, context};
    par_for(optim->threads, (int64_t)(last->offset + last->size), GRAIN, visit_range, &job);
}

static const uint8_t *mask_at(const uint8_t *mask, size_t begin) { return mask ? mask + begin : NULL; }

/* ---- steps ---- */

static void tick(struct optim_clock *clock)
{
    clock->step++;
    clock->power1 *= BETA1;
    clock->power2 *= BETA2;
}

struct adamw_job {
    const struct kernels *kernels;
    const struct optim_arrays *arrays;
    struct adamw_step step[3];
};

static void adamw_piece(const void *context, const struct optim_tensor *tensor, size_t begin, size_t n)
{
    const struct adamw_job *job = context;
    const struct optim_arrays *a = job->arrays;
    job->kernels->adamw(a->w + begin, a->m + begin, a->v + begin, a->g + begin, mask_at(a->mask, begin),
                        job->step[tensor->group], n);
}

void optim_adamw(const struct optim *optim, const struct optim_arrays *arrays, struct optim_clock *clock,
                 const struct optim_rates *rates)
{
    tick(clock);
    struct adamw_job job = {.kernels = optim->kernels, .arrays = arrays};
    const double epsilon = rates->epsilon > 0 ? rates->epsilon : OPTIM_EPSILON;
    for (int g = 0; g < 3; g++)
        job.step[g] = (struct adamw_step){
            .beta1 = (float)BETA1,
            .beta2 = (float)BETA2,
            .one_minus_beta1 = (float)(1 - BETA1),
            .one_minus_beta2 = (float)(1 - BETA2),
            .rate = (float)(rates->rate[g] / (1 - clock->power1)),
            .root = (float)sqrt(1 - clock->power2),
            .epsilon = (float)epsilon,
            .decay = g == OPTIM_WEIGHT ? (float)(rates->rate[g] * rates->weight_decay) : 0.f,
        };
    visit(optim, adamw_piece, &job);
}

struct adam_step optim_adam_constants(struct optim_clock *clock, double rate)
{
    tick(clock);
    return (struct adam_step){
        .beta1 = (float)BETA1,
        .beta2 = (float)BETA2,
        .one_minus_beta1 = (float)(1 - BETA1),
        .one_minus_beta2 = (float)(1 - BETA2),
        .rate = (float)(rate * sqrt(1 - clock->power2) / (1 - clock->power1)),
        .epsilon = (float)OPTIM_EPSILON,
    };
}

struct adam_job {
    const struct kernels *kernels;
    const struct optim_arrays *arrays;
    struct adam_step step;
};

static void adam_piece(const void *context, const struct optim_tensor *tensor, size_t begin, size_t n)
{
    (void)tensor;
    const struct adam_job *job = context;
    const struct optim_arrays *a = job->arrays;
    job->kernels->adam(a->w + begin, a->m + begin, a->v + begin, a->u + begin, a->g + begin,
                       mask_at(a->mask, begin), job->step, n);
}

void optim_adam(const struct optim *optim, const struct optim_arrays *arrays, struct optim_clock *clock,
                double rate)
{
    const struct adam_job job = {optim->kernels, arrays, optim_adam_constants(clock, rate)};
    visit(optim, adam_piece, &job);
}

struct sgd_job {
    const struct kernels *kernels;
    const struct optim_arrays *arrays;
    const struct optim_rates *rates;
    float momentum;
    bool nesterov;
};

static void sgd_piece(const void *context, const struct optim_tensor *tensor, size_t begin, size_t n)
{
    const struct sgd_job *job = context;
    const struct optim_arrays *a = job->arrays;
    const float decay = tensor->group == OPTIM_WEIGHT ? (float)job->rates->weight_decay : 0.f;
    job->kernels->sgd(a->w + begin, a->m + begin, a->g + begin, mask_at(a->mask, begin),
                      (float)job->rates->rate[tensor->group], job->momentum, decay, job->nesterov, n);
}

void optim_sgd(const struct optim *optim, const struct optim_arrays *arrays, const struct optim_rates *rates,
               double momentum, bool nesterov)
{
    const struct sgd_job job = {optim->kernels, arrays, rates, (float)momentum, nesterov};
    visit(optim, sgd_piece, &job);
}

/* ---- gradients ---- */

struct norm_job {
    const struct optim *optim;
    const float *g;
    double *sums;
};

static double sum_of_squares(const float *x, size_t n)
{
    double lane[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++) lane[k] += (double)x[i + (size_t)k] * x[i + (size_t)k];
    for (int k = 0; i < n; i++, k++) lane[k] += (double)x[i] * x[i];
    for (int half = LANES / 2; half; half /= 2)
        for (int k = 0; k < half; k++) lane[k] += lane[k + half];
    return lane[0];
}

static void norm_tensors(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct norm_job *job = context;
    for (int64_t i = begin; i < end; i++) {
        const struct optim_tensor *t = &job->optim->tensors[i];
        job->sums[i] = t->trainable ? sum_of_squares(job->g + t->offset, t->size) : 0;
    }
}

enum status optim_norm(double *norm, const struct optim *optim, const float *g, double *sums,
                       struct error *err)
{
    struct norm_job job = {optim, g, sums};
    par_for(optim->threads, optim->count, 1, norm_tensors, &job);
    double sum = 0;
    for (int i = 0; i < optim->count; i++) {
        if (!isfinite(sums[i]))
            return fail(err, ERR_CHECK, "gradient of %s: a value is not finite", optim->tensors[i].name);
        sum += sums[i];
    }
    *norm = sqrt(sum);
    return OK;
}

double optim_clip_factor(double norm, double limit)
{
    const double factor = limit / (norm + 1e-6);
    return factor < 1 ? factor : 1;
}

struct scale_job {
    float *g, factor;
};

static void scale_piece(const void *context, const struct optim_tensor *tensor, size_t begin, size_t n)
{
    (void)tensor;
    const struct scale_job *job = context;
    for (float *x = job->g + begin, *end = x + n; x < end; x++) {
        const float y = *x * job->factor;
        *x = fabsf(y) < 0x1p-58f ? 0.f : y; /* what is not finite stays */
    }
}

void optim_scale(const struct optim *optim, float *g, double factor)
{
    const struct scale_job job = {g, (float)factor};
    visit(optim, scale_piece, &job);
}

enum status optim_prepare(double *norm, const struct optim *optim, float *g, double scale, double clip,
                          double *sums, struct error *err)
{
    double found;
    optim_scale(optim, g, 1 / scale);
    TRY(optim_norm(&found, optim, g, sums, err));
    if (norm) *norm = found;
    const double factor = clip > 0 ? optim_clip_factor(found, clip) : 1;
    if (factor < 1) optim_scale(optim, g, factor);
    return OK;
}

static void zero_range(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    float *g = context;
    memset(g + begin, 0, (size_t)(end - begin) * sizeof *g);
}

void optim_zero(const struct optim *optim, float *g, size_t n)
{
    par_for(optim->threads, (int64_t)n, GRAIN, zero_range, g);
}

/* ---- averaging ---- */

struct average_job {
    const struct kernels *kernels;
    float *average;
    const float *w;
    const uint8_t *mask;
    float factor;
};

static void average_range(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct average_job *job = context;
    job->kernels->ema(job->average + begin, job->w + begin, job->factor, (size_t)(end - begin));
    for (int64_t i = begin; job->mask && i < end; i++)
        if (!job->mask[i]) job->average[i] = job->w[i];
}

void optim_average(const struct optim *optim, float *average, const float *w, const uint8_t *mask,
                   double decay, size_t n)
{
    struct average_job job = {optim->kernels, average, w, mask, (float)(1 - decay)};
    par_for(optim->threads, (int64_t)n, GRAIN, average_range, &job);
}
