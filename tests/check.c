#define _GNU_SOURCE
#include "check.h"

#include "base/rng.h"

#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *check_shared(const char *path)
{
    static char ring[16][1024];
    static unsigned next;
    const char *root = getenv("RETORT_SHARED");
    char *full = ring[next++ % 16];
    snprintf(full, sizeof ring[0], "%s/%s", root ? root : "../shared", path);
    if (access(full, R_OK)) {
        printf("skip: %s is absent\n", full);
        skip();
    }
    return full;
}

void check_ok_at(enum status status, const struct error *err, const char *text, const char *file, int line)
{
    if (status == OK) return;
    print_error("%s: status %d: %s\n", text, (int)status, err ? err->message : "");
    _fail(file, line);
}

void check_uniform(float *values, const char *name, size_t n)
{
    const uint64_t h = rng_fnv1a(name);
    for (size_t i = 0; i < n; i++) values[i] = (float)(rng_u64(h, i) >> 40) * 0x1p-24f;
}

static int ends_with(const char *name, const char *end)
{
    const size_t n = strlen(name), m = strlen(end);
    return n >= m && !strcmp(name + n - m, end);
}

void check_synth(float *values, const char *name, const int64_t *shape, int dims)
{
    size_t n = 1, fan_in = 1;
    for (int i = 0; i < dims; i++) n *= (size_t)shape[i];
    for (int i = 1; i < dims; i++) fan_in *= (size_t)shape[i];
    double offset = 0, factor = 0.1;
    if (ends_with(name, "dfl.conv.weight")) {
        for (size_t i = 0; i < n; i++) values[i] = (float)i;
        return;
    }
    if (ends_with(name, "running_var"))
        offset = 1, factor = 0.5;
    else if (ends_with(name, "gamma") || (ends_with(name, "weight") && dims < 2))
        offset = 1;
    else if (ends_with(name, "weight"))
        factor = sqrt(6.0 / (double)fan_in);
    check_uniform(values, name, n);
    for (size_t i = 0; i < n; i++) values[i] = (float)(offset + factor * (2.0 * values[i] - 1.0));
}

double check_max_difference(const float *a, const float *b, size_t n)
{
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
        const double d = fabs((double)a[i] - b[i]);
        if (!(d <= worst)) worst = d; /* a NaN is the worst of all */
    }
    return worst;
}

double check_relative_l2(const float *a, const float *b, size_t n)
{
    double difference = 0, norm = 0;
    for (size_t i = 0; i < n; i++) {
        difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        norm += (double)b[i] * b[i];
    }
    return norm > 0 ? sqrt(difference / norm) : difference > 0 ? INFINITY : 0;
}

static char folder[512];

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *state)
{
    (void)info, (void)type, (void)state;
    return remove(path);
}

static void remove_folder(void) { nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS); }

const char *check_folder(void)
{
    if (!folder[0]) {
        const char *root = getenv("TMPDIR");
        snprintf(folder, sizeof folder, "%s/retort-test-XXXXXX", root ? root : "/tmp");
        if (!mkdtemp(folder)) abort();
        atexit(remove_folder);
    }
    return folder;
}
