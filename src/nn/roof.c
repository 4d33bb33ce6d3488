#include "nn/roof.h"

#include "base/clock.h"
#include "base/par.h"

#include <stdlib.h>
#include <string.h>

enum {
    PEAK_REPEATS = 500000,
    PEAK_PROBES = 12,
    COPY_BYTES = 32 << 20,
    COPY_PIECE = 1 << 20,
    COPY_GRAIN = 4096,
    COPY_ROUNDS = 4
};

static void chains(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct kernels *kernels = context;
    float start[KERNEL_PEAK_CHAINS + 1], sink[KERNEL_BLOCK];
    for (int i = 0; i < KERNEL_PEAK_CHAINS; i++) start[i] = (float)(i + 1);
    start[KERNEL_PEAK_CHAINS] = 0.5f;
    for (int64_t i = begin; i < end; i++) kernels->peak(sink, start, PEAK_REPEATS);
}

double roof_peak(const struct kernels *kernels, int threads)
{
    const double flop = 2.0 * KERNEL_PEAK_CHAINS * PEAK_REPEATS * kernels->width * threads;
    double best = 0;
    for (int i = 0; i < PEAK_PROBES; i++) {
        const double begun = clock_seconds();
        par_for(threads, threads, 1, chains, (void *)kernels);
        const double rate = flop / (clock_seconds() - begun);
        if (rate > best) best = rate;
    }
    return best;
}

static void copy(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    char *const bytes = context;
    memcpy(bytes + begin, bytes + COPY_BYTES + begin, (size_t)(end - begin));
}

enum status roof_bandwidth(double *bandwidth, int threads, struct error *err)
{
    char *bytes = malloc(2 * (size_t)COPY_BYTES);
    if (!bytes) return fail_memory(err, "the memory probe", 2 * (size_t)COPY_BYTES);
    memset(bytes, 1, 2 * (size_t)COPY_BYTES);
    *bandwidth = 0;
    for (int i = 0; i < COPY_ROUNDS * (COPY_BYTES / COPY_PIECE); i++) {
        char *piece = bytes + (size_t)i * COPY_PIECE % COPY_BYTES; /* long out of cache when it comes again */
        const double begun = clock_seconds();
        par_for(threads, COPY_PIECE, COPY_GRAIN, copy, piece);
        const double rate = 2.0 * COPY_PIECE / (clock_seconds() - begun);
        if (rate > *bandwidth) *bandwidth = rate;
    }
    free(bytes);
    return OK;
}
