#include "train/schedule.h"

#include "base/dmath.h"

#include <assert.h>
#include <math.h>

#define LONGEST_AUTOMATIC 10000 /* optimiser steps */

static int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

static enum status automatic(struct schedule *s, const struct schedule_options *o, struct error *err)
{
    const int batch = o->batch > o->nominal_batch ? o->batch : o->nominal_batch;
    const int64_t steps = ceil_div(o->images, batch) * o->epochs;
    if (steps > LONGEST_AUTOMATIC)
        return fail(
            err, ERR_USAGE,
            "optimizer auto: %lld steps (%d images, %d epochs), expected at most %d; name adamw or sgd and "
            "a learning rate",
            (long long)steps, o->images, o->epochs, LONGEST_AUTOMATIC);
    s->optimizer = OPTIMIZER_ADAMW;
    s->rate = rint(0.002 * 5 / (4 + o->classes) * 1e6) / 1e6;
    s->bias_start = 0;
    return OK;
}

enum status schedule_make(struct schedule *schedule, const struct schedule_options *o, struct error *err)
{
    assert(o->images >= 1 && o->batch >= 1 && o->epochs >= 1 && o->classes >= 1 && o->nominal_batch >= 1);
    struct schedule s = {
        .optimizer = o->optimizer,
        .epochs = o->epochs,
        .batches = (int)ceil_div(o->images, o->batch < o->images ? o->batch : o->images),
        .rate = o->rate,
        .bias_start = o->warmup_bias_rate,
        .momentum = o->momentum,
        .momentum_start = o->warmup_momentum,
        .final_factor = o->final_factor,
        .plain_from = o->epochs > o->plain_epochs ? o->epochs - o->plain_epochs : 0,
    };
    if (o->optimizer == OPTIMIZER_AUTO) TRY(automatic(&s, o, err));

    const int64_t iterations = (int64_t)s.batches * o->epochs;
    int accumulate = (int)rint((double)o->nominal_batch / o->batch);
    if (accumulate < 1) accumulate = 1;
    s.weight_decay = o->weight_decay * o->batch * accumulate / o->nominal_batch;
    s.accumulate = accumulate < iterations ? accumulate : (int)iterations;

    const double warm = o->warmup_epochs < o->epochs - 1 ? o->warmup_epochs : o->epochs - 1;
    s.warmup = (int64_t)rint(warm * s.batches);
    if (s.warmup < o->warmup_floor) s.warmup = o->warmup_floor;
    *schedule = s;
    return OK;
}

static double ramp(double from, double to, int64_t at, int64_t n)
{
    return from + (to - from) * (double)at / (double)n;
}

struct schedule_step schedule_next(const struct schedule *s, struct schedule_state *state, int epoch, int i)
{
    assert(epoch >= 0 && i >= 0 && i < s->batches);
    const int64_t n = (int64_t)s->batches * epoch + i;
    const double left = 1 - (double)epoch / s->epochs;
    const double rate = s->rate * ((left > 0 ? left : 0) * (1 - s->final_factor) + s->final_factor);
    struct schedule_step step = {rate, rate, s->momentum, s->accumulate, false};
    if (s->warmup > 0 && n <= s->warmup) {
        const int accumulate = (int)rint(ramp(1, s->accumulate, n, s->warmup));
        step.accumulate = accumulate > 1 ? accumulate : 1;
        step.rate = ramp(0, rate, n, s->warmup);
        step.bias_rate = ramp(s->bias_start, rate, n, s->warmup);
        step.momentum = ramp(s->momentum_start, s->momentum, n, s->warmup);
    }
    step.due = n - state->last >= step.accumulate;
    if (step.due) {
        state->last = n;
        state->steps++;
    }
    return step;
}

double schedule_average_decay(int64_t step)
{
    assert(step >= 1);
    return 0.9999 * (1 - dmath_exp((double)-step / 2000));
}
