#include "detect/metric_curve.h"

enum { RECALLS = 101, CONFIDENCES = 1000, SMOOTHING = 101 };

/* Linear interpolation over ascending x[n]; of equal x the last counts; `left` below x[0], y[n-1] above. */
static double interpolate(double q, const double *x, const double *y, size_t n, double left)
{
    size_t low = 0, high = n; /* first index with x > q */
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (x[middle] <= q)
            low = middle + 1;
        else
            high = middle;
    }
    if (!low) return left;
    const size_t j = low - 1;
    if (j == n - 1 || x[j] == q) return y[j];
    return (y[j + 1] - y[j]) / (x[j + 1] - x[j]) * (q - x[j]) + y[j];
}

double metric_curve_area(double *scratch, const double *recall, const double *precision, size_t n,
                         bool sloped_end)
{
    double *const x = scratch, *const y = scratch + n + 3;
    size_t m = 0;
    x[m] = 0, y[m++] = 1;
    for (size_t i = 0; i < n; i++) x[m] = recall[i], y[m++] = precision[i];
    if (!sloped_end) x[m] = recall[n - 1], y[m++] = 0;
    x[m] = 1, y[m++] = 0;
    for (size_t i = m - 1; i-- > 0;)
        if (y[i] < y[i + 1]) y[i] = y[i + 1];
    double area = 0, before = interpolate(0, x, y, m, y[0]);
    for (int i = 1; i < RECALLS; i++) {
        const double value = interpolate(i == RECALLS - 1 ? 1 : i * 0.01, x, y, m, y[0]);
        area += (value + before) / 2 * 0.01;
        before = value;
    }
    return area;
}

/* Space for the curves of one class and the means over classes. */
struct curves {
    double *recall, *precision, *negative, *scratch; /* [n], [n], [n], [2 (n + 3)] */
    double *p, *r, *mean_f1;                         /* [classes][CONFIDENCES] twice, [CONFIDENCES] */
};

static double confidence_at(int i) { return i == CONFIDENCES - 1 ? 1 : i * (1.0 / (CONFIDENCES - 1)); }

static double f1_of(double p, double r) { return 2 * p * r / (p + r + 1e-16); }

/* Recall and precision after each detection of the class at threshold t; returns their number. */
static size_t trace(const struct curves *c, const struct metric_class *k, const struct metric_record *records,
                    size_t n, int t)
{
    size_t m = 0, hits = 0;
    for (size_t i = 0; i < n; i++) {
        if (records[i].class_id != k->class_id) continue;
        hits += records[i].hits >> t & 1;
        c->recall[m] = (double)hits / ((double)k->labels + 1e-16);
        c->negative[m] = -(double)records[i].confidence;
        m++;
        c->precision[m - 1] = (double)hits / (double)m;
    }
    return m;
}

static void run_class(const struct curves *c, struct metric_class *k, double *p, double *r,
                      const struct metric_record *records, size_t n, bool sloped_end)
{
    for (int t = METRIC_THRESHOLDS - 1; t >= 0; t--) { /* ends with IoU 0.5, whose curves are reported */
        k->detections = trace(c, k, records, n, t);
        if (!k->detections) return; /* all zero */
        k->ap[t] = metric_curve_area(c->scratch, c->recall, c->precision, k->detections, sloped_end);
    }
    for (int i = 0; i < CONFIDENCES; i++) {
        r[i] = interpolate(-confidence_at(i), c->negative, c->recall, k->detections, 0);
        p[i] = interpolate(-confidence_at(i), c->negative, c->precision, k->detections, 1);
    }
}

/* Index of the largest value of the box-filtered curve, edges repeated. */
static int best_smoothed(const double *curve)
{
    int best = 0;
    double largest = -1;
    for (int i = 0; i < CONFIDENCES; i++) {
        double sum = 0;
        for (int k = i - SMOOTHING / 2; k <= i + SMOOTHING / 2; k++)
            sum += curve[k < 0 ? 0 : k >= CONFIDENCES ? CONFIDENCES - 1 : k] * (1.0 / SMOOTHING);
        if (sum > largest) largest = sum, best = i;
    }
    return best;
}

enum status metric_curve_all(struct metric_result *result, const struct metric_record *records, size_t n,
                             bool sloped_end, struct error *err)
{
    struct arena arena = {0};
    const size_t samples = result->count * CONFIDENCES, need = 5 * n + 6 + 2 * samples + CONFIDENCES;
    double *const space = arena_alloc(&arena, need, sizeof *space);
    if (!space) return fail_memory(err, "precision curves", need * sizeof *space);
    const struct curves c = {.recall = space,
                             .precision = space + n,
                             .negative = space + 2 * n,
                             .scratch = space + 3 * n,
                             .p = space + 5 * n + 6,
                             .r = space + 5 * n + 6 + samples,
                             .mean_f1 = space + 5 * n + 6 + 2 * samples};
    for (size_t k = 0; k < result->count; k++) {
        double *const p = c.p + k * CONFIDENCES, *const r = c.r + k * CONFIDENCES;
        run_class(&c, &result->classes[k], p, r, records, n, sloped_end);
        for (int i = 0; i < CONFIDENCES; i++) c.mean_f1[i] += f1_of(p[i], r[i]) / (double)result->count;
    }
    const int best = best_smoothed(c.mean_f1);
    result->confidence = confidence_at(best);
    for (size_t k = 0; k < result->count; k++) {
        struct metric_class *const m = &result->classes[k];
        m->precision = c.p[k * CONFIDENCES + (size_t)best];
        m->recall = c.r[k * CONFIDENCES + (size_t)best];
        m->f1 = f1_of(m->precision, m->recall);
    }
    arena_free(&arena);
    return OK;
}
