#include "detect/quantise_range.h"

#include <math.h>

enum { CUTS = 100 }; /* tried per side */

void range_extremes(struct range *range, const struct view *view)
{
    for (int64_t p = 0; p < view->pixels; p++) {
        const float *x = view->data + p * view->stride;
        for (int c = 0; c < view->channels; c++) {
            if (x[c] < range->low) range->low = x[c];
            if (x[c] > range->high) range->high = x[c];
        }
    }
}

void range_count(struct range *range, const struct view *view)
{
    if (!(range->low < range->high)) return;
    const float width = range->high - range->low, factor = RANGE_BINS / width;
    for (int64_t p = 0; p < view->pixels; p++) {
        const float *x = view->data + p * view->stride;
        for (int c = 0; c < view->channels; c++) {
            const int bin = (int)((x[c] - range->low) * factor);
            range->bins[bin < RANGE_BINS ? bin : RANGE_BINS - 1]++;
        }
    }
}

struct limits {
    double low, high;
};

static double bin_edge(const struct range *range, int bin)
{
    return range->low + ((double)range->high - range->low) * bin / RANGE_BINS;
}

static struct limits by_percentile(const struct range *range, double percentile)
{
    double total = 0, below = 0, above = 0;
    for (int i = 0; i < RANGE_BINS; i++) total += (double)range->bins[i];
    const double share = total * (1 - percentile / 100) / 2;
    int first = 0, last = RANGE_BINS - 1;
    while (first < last && below + (double)range->bins[first] <= share) below += (double)range->bins[first++];
    while (last > first && above + (double)range->bins[last] <= share) above += (double)range->bins[last--];
    return (struct limits){bin_edge(range, first), bin_edge(range, last + 1)};
}

/* Bins that are not empty, by their centres. */
struct counts {
    int bins;
    double centre[RANGE_BINS], count[RANGE_BINS];
};

static void count_bins(struct counts *counts, const struct range *range)
{
    counts->bins = 0;
    for (int i = 0; i < RANGE_BINS; i++) {
        if (!range->bins[i]) continue;
        counts->centre[counts->bins] = (bin_edge(range, i) + bin_edge(range, i + 1)) / 2;
        counts->count[counts->bins++] = (double)range->bins[i];
    }
}

/* Of rounding (a twelfth of a squared step) inside the limits, of clamping outside. */
static double squared_error(const struct counts *counts, struct limits limits)
{
    const double step = (limits.high - limits.low) / 255, rounding = step * step / 12;
    double sum = 0;
    for (int i = 0; i < counts->bins; i++) {
        const double x = counts->centre[i];
        const double out = x < limits.low ? limits.low - x : x > limits.high ? x - limits.high : 0;
        sum += counts->count[i] * (out > 0 ? out * out : rounding);
    }
    return sum;
}

/* The upper limit, then the lower one, each cut in hundredths of its distance from 0. */
static struct limits by_error(const struct range *range)
{
    struct limits best = {fmin(range->low, 0), fmax(range->high, 0)};
    struct counts counts;
    count_bins(&counts, range);
    double least = squared_error(&counts, best);
    for (int side = 0; side < 2; side++) {
        const struct limits whole = best;
        for (int cut = 1; cut < CUTS; cut++) {
            struct limits limits = whole;
            double *moved = side ? &limits.low : &limits.high;
            *moved *= 1 - (double)cut / CUTS;
            const double error = limits.high > limits.low ? squared_error(&counts, limits) : least;
            if (error >= least) continue;
            least = error;
            best = limits;
        }
    }
    return best;
}

void range_choose(const struct range *range, const struct quantise_options *options, float *scale,
                  uint8_t *zero)
{
    *scale = 1.f / 255;
    *zero = 0;
    if (!(range->low <= range->high)) return;
    struct limits limits = {range->low, range->high};
    if (range->low < range->high && options->method == QUANTISE_PERCENTILE)
        limits = by_percentile(range, options->percentile);
    if (range->low < range->high && options->method == QUANTISE_MSE) limits = by_error(range);
    limits.low = fmin(limits.low, 0);
    limits.high = fmax(limits.high, 0);
    const double step = (limits.high - limits.low) / 255;
    if (!(step >= 0x1p-40 && step <= 0x1p40)) return;
    *scale = (float)step;
    *zero = (uint8_t)fmin(rint(-limits.low / step), 255);
}
