#include "select/embeddings.h"

#include "base/par.h"

#include <assert.h>
#include <math.h>

enum { CHAINS = 8, LINE = 64 / sizeof(double), GRAIN = 64 };

enum status embeddings_of(struct embeddings *set, const float *values, ptrdiff_t stride, const int *which,
                          int count, int width, struct arena *arena, struct error *err)
{
    assert(count >= 0 && width >= 1 && stride >= width);
    const float **rows = arena_alloc(arena, (size_t)count, sizeof *rows);
    const float *zeros = arena_alloc(arena, (size_t)width, sizeof *zeros);
    if (!rows || !zeros) return fail_memory(err, "embeddings", (unsigned long long)count * sizeof *rows);
    *set = (struct embeddings){rows, count, width, 0};
    for (int i = 0; i < count; i++) {
        rows[i] = values + stride * (which ? which[i] : i);
        int finite = 1, zero = 1;
        for (int j = 0; j < width; j++) {
            finite &= isfinite(rows[i][j]) != 0;
            zero &= rows[i][j] == 0;
        }
        if (!finite) rows[i] = zeros;
        set->bad += !finite || zero;
    }
    return OK;
}

struct embeddings embeddings_part(const struct embeddings *set, int first, int count)
{
    assert(first >= 0 && count >= 0 && count <= set->count - first);
    return (struct embeddings){set->rows + first, count, set->width, 0};
}

static double tree(const double s[CHAINS])
{
    return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

double embeddings_dot(const float *x, const float *y, int n)
{
    double s[CHAINS] = {0};
    int i = 0;
    for (; i + CHAINS <= n; i += CHAINS)
        for (int k = 0; k < CHAINS; k++) s[k] += (double)x[i + k] * (double)y[i + k];
    double sum = tree(s);
    for (; i < n; i++) sum += (double)x[i] * (double)y[i];
    return sum;
}

double embeddings_dot_double(const float *x, const double *y, int n)
{
    double s[CHAINS] = {0};
    int i = 0;
    for (; i + CHAINS <= n; i += CHAINS)
        for (int k = 0; k < CHAINS; k++) s[k] += (double)x[i + k] * y[i + k];
    double sum = tree(s);
    for (; i < n; i++) sum += (double)x[i] * y[i];
    return sum;
}

double embeddings_distance2(const float *x, const double *y, int n)
{
    double s[CHAINS] = {0};
    int i = 0;
    for (; i + CHAINS <= n; i += CHAINS)
        for (int k = 0; k < CHAINS; k++) {
            const double d = (double)x[i + k] - y[i + k];
            s[k] += d * d;
        }
    double sum = tree(s);
    for (; i < n; i++) {
        const double d = (double)x[i] - y[i];
        sum += d * d;
    }
    return sum;
}

struct sums {
    const struct embeddings *set;
    double *sum;     /* [width] */
    double *density; /* [count] */
};

/* Columns [begin, end); four rows at a time, in the same order, load and store each sum once. */
static void sum_columns(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct sums *s = context;
    const float *const *const rows = s->set->rows;
    double *const sum = s->sum;
    for (int64_t j = begin; j < end; j++) sum[j] = 0;
    int i = 0;
    for (; i + 4 <= s->set->count; i += 4) {
        const float *const a = rows[i], *const b = rows[i + 1], *const c = rows[i + 2],
                           *const d = rows[i + 3];
        for (int64_t j = begin; j < end; j++)
            sum[j] = (((sum[j] + (double)a[j]) + (double)b[j]) + (double)c[j]) + (double)d[j];
    }
    for (; i < s->set->count; i++)
        for (int64_t j = begin; j < end; j++) sum[j] += (double)rows[i][j];
}

void embeddings_sum(double *sum, const struct embeddings *set, int threads)
{
    par_for(threads, set->width, LINE, sum_columns, &(struct sums){set, sum, NULL});
}

static void weigh_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct sums *s = context;
    for (int64_t i = begin; i < end; i++)
        s->density[i] = embeddings_dot_double(s->set->rows[i], s->sum, s->set->width);
}

int embeddings_densest(const struct embeddings *set, int threads, double *scratch)
{
    assert(set->count >= 1);
    double *const density = scratch + set->width;
    embeddings_sum(scratch, set, threads);
    par_for(threads, set->count, GRAIN, weigh_rows, &(struct sums){set, scratch, density});
    int best = 0;
    for (int i = 1; i < set->count; i++)
        if (density[i] > density[best]) best = i;
    return best;
}
