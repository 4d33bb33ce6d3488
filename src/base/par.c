#define _GNU_SOURCE
#include "base/par.h"

#include "base/c_locale.h"
#include "base/fpu.h"

#include <assert.h>
#include <omp.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHARES_EACH = 4 }; /* shares for each thread, where there is so much: a slow core takes fewer */

void par_for(int threads, int64_t n, int64_t grain, par_body *body, void *context)
{
    assert(threads >= 1 && threads <= PAR_MAX_THREADS && grain >= 1 && n >= 0);
    const int64_t grains = (n + grain - 1) / grain;
    const int team = grains < threads ? (int)grains : threads;
    if (team <= 1) {
        const uint64_t previous = fpu_enter();
        if (n) body(context, 0, n, 0);
        fpu_leave(previous);
        return;
    }
    const int64_t shares = grains < team * SHARES_EACH ? grains : team * SHARES_EACH;
    atomic_int taken = 0;
#pragma omp parallel num_threads(team)
    {
        /* Each thread begins with the share of its number; the rest goes out in order. */
        const int worker = omp_get_thread_num(), workers = omp_get_num_threads();
        const uint64_t previous = fpu_enter();
        void *const locale = c_locale_enter();
        for (int64_t share = worker; share < shares; share = workers + atomic_fetch_add(&taken, 1)) {
            const int64_t begin = grains * share / shares * grain;
            const int64_t end = share + 1 == shares ? n : grains * (share + 1) / shares * grain;
            body(context, begin, end, worker);
        }
        c_locale_leave(locale);
        fpu_leave(previous);
    }
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

static bool read_line(const char *path, const char *start, char *line, int size)
{
    FILE *file = fopen(path, "r");
    bool found = false;
    while (file && !found && fgets(line, size, file)) found = !strncmp(line, start, strlen(start));
    if (file) fclose(file);
    return found;
}

/* The least quota of the process's control group and those above it, or 0. */
static int group_quota(void)
{
    char group[512], path[600], line[64];
    if (!read_line("/proc/self/cgroup", "0::/", group, sizeof group)) return 0;
    group[strcspn(group, "\n")] = 0;
    int least = 0;
    for (char *name = group + 3, *cut;; *cut = 0) {
        snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", name);
        const int quota = read_line(path, "", line, sizeof line) ? par_quota(line) : 0;
        if (quota && (!least || quota < least)) least = quota;
        cut = strrchr(name, '/');
        if (!cut) return least;
    }
}

int par_default_threads(void)
{
    const char *wanted = getenv("OMP_NUM_THREADS");
    int threads = wanted ? atoi(wanted) : 0;
    if (threads < 1) {
        cpu_set_t set;
        threads = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
        const int quota = group_quota();
        if (quota && quota < threads) threads = quota;
    }
    return threads < 1 ? 1 : threads > PAR_MAX_THREADS ? PAR_MAX_THREADS : threads;
}
