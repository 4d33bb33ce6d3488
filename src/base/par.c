#define _GNU_SOURCE
#include "base/par.h"

#include "base/fpu.h"

#include <assert.h>
#include <omp.h>
#include <sched.h>
#include <stdlib.h>

void par_for(int threads, int64_t n, int64_t grain, par_body *body, void *context)
{
    assert(threads >= 1 && threads <= PAR_MAX_THREADS && grain >= 1 && n >= 0);
    const int64_t grains = (n + grain - 1) / grain;
    const int shares = grains < threads ? (int)grains : threads;
    if (shares <= 1) {
        const uint64_t previous = fpu_enter();
        if (n) body(context, 0, n, 0);
        fpu_leave(previous);
        return;
    }
#pragma omp parallel for num_threads(shares) schedule(static, 1)
    for (int share = 0; share < shares; share++) {
        const int64_t begin = grains * share / shares * grain;
        const int64_t end = share + 1 == shares ? n : grains * (share + 1) / shares * grain;
        const uint64_t previous = fpu_enter();
        body(context, begin, end, share);
        fpu_leave(previous);
    }
}

int par_default_threads(void)
{
    const char *wanted = getenv("OMP_NUM_THREADS");
    int threads = wanted ? atoi(wanted) : 0;
    if (threads < 1) {
        cpu_set_t set;
        threads = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    }
    return threads < 1 ? 1 : threads > PAR_MAX_THREADS ? PAR_MAX_THREADS : threads;
}
