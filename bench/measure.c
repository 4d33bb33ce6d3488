/* Clocks and order statistics. */
#include "bench.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
double bench_wall(void) { return seconds(CLOCK_MONOTONIC); }
double bench_cpu(void) { return seconds(CLOCK_PROCESS_CPUTIME_ID); }

double bench_minimum(const double *values, int n)
{
    double least = values[0];
    for (int i = 1; i < n; i++)
        if (values[i] < least) least = values[i];
    return least;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(const double *values, int n)
{
    double sorted[BENCH_MAX_RUNS];
    assert(n >= 1 && n <= BENCH_MAX_RUNS);
    memcpy(sorted, values, (size_t)n * sizeof *values);
    qsort(sorted, (size_t)n, sizeof *sorted, ascending);
    return 0.5 * (sorted[(n - 1) / 2] + sorted[n / 2]);
}
