/* Clocks, order statistics, and the machine's peak. */
#include "bench.h"

#include "base/par.h"

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
    memcpy(sorted, values, (size_t)n * sizeof *values);
    qsort(sorted, (size_t)n, sizeof *sorted, ascending);
    return 0.5 * (sorted[(n - 1) / 2] + sorted[n / 2]);
}

typedef int peak_probe(const float *start, int64_t repeats, float *sink);
peak_probe peak_scalar;
#if defined(__x86_64__)
peak_probe peak_avx2, peak_avx512;
#elif defined(__aarch64__) || defined(__arm__)
peak_probe peak_neon;
#endif

static peak_probe *probe_of(const char *isa)
{
#if defined(__x86_64__)
    if (!strcmp(isa, "avx512")) return peak_avx512;
    if (!strcmp(isa, "avx2")) return peak_avx2;
#elif defined(__aarch64__) || defined(__arm__)
    if (!strcmp(isa, "neon")) return peak_neon;
#endif
    return peak_scalar;
}

enum { PEAK_CHAINS = 12, PEAK_REPEATS = 500000, PEAK_PROBES = 12 };

static void probe_body(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    peak_probe *const *probe = context;
    float start[PEAK_CHAINS + 1], sink[KERNEL_BLOCK];
    for (int i = 0; i < PEAK_CHAINS; i++) start[i] = (float)(i + 1);
    start[PEAK_CHAINS] = 0.5f;
    for (int64_t i = begin; i < end; i++) (*probe)(start, PEAK_REPEATS, sink);
}

double bench_peak(const struct kernels *kernels, int threads)
{
    peak_probe *probe = probe_of(kernels->name);
    const double flop = 2.0 * PEAK_CHAINS * PEAK_REPEATS * kernels->width * threads;
    double best = 0;
    for (int i = 0; i < PEAK_PROBES; i++) {
        const double begun = bench_wall();
        par_for(threads, threads, 1, probe_body, &probe);
        const double rate = flop / (bench_wall() - begun);
        if (rate > best) best = rate;
    }
    return best;
}
