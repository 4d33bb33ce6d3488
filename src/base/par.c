#define _GNU_SOURCE
#include "base/par.h"

#include "base/c_locale.h"
#include "base/cgroup.h"
#include "base/fpu.h"

#include <assert.h>
#include <limits.h>
#include <omp.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

enum { SHARES_EACH = 4 }; /* shares for each thread, where there is so much: a slow core takes fewer */

static _Thread_local bool inside; /* a body runs on this thread */

static void run(par_body *body, void *context, int64_t begin, int64_t end, int worker)
{
    const bool before = inside;
    inside = true;
    body(context, begin, end, worker);
    inside = before;
}

/* At most `most` shares for each thread. Whether there were several shares. */
static bool hand_out(int threads, int64_t n, int64_t grain, int64_t most, bool from_end, par_body *body, void *context)
{
    assert(threads >= 1 && threads <= PAR_MAX_THREADS && grain >= 1 && n >= 0);
    assert(threads == 1 || !inside);
    const int64_t grains = (n + grain - 1) / grain;
    const int team = grains < threads ? (int)grains : threads;
    if (team <= 1) {
        const uint64_t previous = fpu_enter();
        if (n) run(body, context, 0, n, 0);
        fpu_leave(previous);
        return false;
    }
    const int64_t shares = grains / most < team ? grains : team * most;
    /* Larger shares first: those that go out last end close together. */
    const int64_t each = grains / shares, larger = grains % shares;
    atomic_int taken = 0;
    /* A team of one size always: libgomp ends the threads that a smaller one leaves over and makes them again for the
     * next. Those without a share do nothing. */
#pragma omp parallel num_threads(threads)
    {
        /* Each thread begins with the share of its number; the rest goes out in order. */
        const int worker = omp_get_thread_num(), workers = omp_get_num_threads();
        const uint64_t previous = fpu_enter();
        void *const locale = c_locale_enter();
        for (int64_t share = worker; share < shares; share = workers + atomic_fetch_add(&taken, 1)) {
            const int64_t before = share * each + (share < larger ? share : larger),
                          count = each + (share < larger);
            const int64_t first = from_end ? grains - before - count : before, end = (first + count) * grain;
            run(body, context, first * grain, end < n ? end : n, worker);
        }
        c_locale_leave(locale);
        fpu_leave(previous);
    }
    return true;
}

void par_for(int threads, int64_t n, int64_t grain, par_body *body, void *context)
{
    hand_out(threads, n, grain, SHARES_EACH, false, body, context);
}

void par_each(int threads, int64_t n, par_body *body, void *context)
{
    assert(n <= INT_MAX - PAR_MAX_THREADS); /* shares are counted in an int */
    hand_out(threads, n, 1, n, false, body, context);
}

void par_pass(int threads, int64_t n, int64_t grain, par_body *body, void *context)
{
    static _Thread_local bool from_end;
    if (hand_out(threads, n, grain, SHARES_EACH, from_end, body, context)) from_end = !from_end;
}

int par_quota(const char *text)
{
    char *end;
    const long long quota = strtoll(text, &end, 10); /* "max 100000" has no number here */
    const long long period = end > text ? strtoll(end, NULL, 10) : 0;
    if (quota <= 0 || period <= 0) return 0;
    const long long cpus = quota / period + (quota % period > 0);
    return cpus < PAR_MAX_THREADS ? (int)cpus : PAR_MAX_THREADS;
}

static int64_t quota_of(const char *line) { return par_quota(line); }

int par_default_threads(void)
{
    const char *wanted = getenv("OMP_NUM_THREADS");
    int threads = wanted ? atoi(wanted) : 0;
    if (threads < 1) {
        cpu_set_t set;
        threads = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
        const int quota = (int)cgroup_least("cpu.max", quota_of);
        if (quota && quota < threads) threads = quota;
    }
    return threads < 1 ? 1 : threads > PAR_MAX_THREADS ? PAR_MAX_THREADS : threads;
}
