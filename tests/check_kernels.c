#include "check_kernels.h"

#include "base/rng.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { CAPACITY = 1 << 18, GUARD_LENGTH = 32 };
static const uint32_t guard_bits = 0x7fc0dead; /* a NaN: a kernel that reads it shows */

struct kernel_run {
    uint64_t key, next;
    size_t used;
    float values[CAPACITY];
    uint8_t writable[CAPACITY];
};

static void run_start(struct kernel_run *run, uint64_t key)
{
    run->key = key;
    run->next = 0;
    run->used = 0;
}

static void put_guards(struct kernel_run *run, size_t n)
{
    assert(run->used + n <= CAPACITY);
    for (size_t i = run->used; i < run->used + n; i++) {
        memcpy(&run->values[i], &guard_bits, sizeof guard_bits);
        run->writable[i] = 0;
    }
    run->used += n;
}

static bool guards_hold(const struct kernel_run *run)
{
    for (size_t i = 0; i < run->used; i++)
        if (!run->writable[i] && memcmp(&run->values[i], &guard_bits, sizeof guard_bits)) return false;
    return true;
}

static double draw_real(struct kernel_run *run) { return rng_real(run->key, run->next++); }

int draw_int(struct kernel_run *run, int low, int high)
{
    return low + rng_int(run->key, run->next++, high - low + 1);
}

int draw_size(struct kernel_run *run)
{
    const int kind = draw_int(run, 0, 9);
    return kind == 0 ? draw_int(run, 0, 3) : kind == 1 ? draw_int(run, 64, 200) : draw_int(run, 1, 66);
}

static float draw_value(struct kernel_run *run, float limit)
{
    const int kind = draw_int(run, 0, 15);
    const float sign = draw_int(run, 0, 1) ? 1.f : -1.f, u = (float)draw_real(run);
    switch (kind) {
    case 0:
        return sign * 0.f;
    case 1:
        return sign * 0x1p-40f * (1.f + 0x1p-23f * (float)draw_int(run, 0, 3));
    case 2:
        return sign * 0x1p-40f * (1.f - 0x1p-23f * (float)draw_int(run, 0, 3)); /* a difference of two such */
    case 3:
        return sign * 0x1p-38f * (.5f + u);
    case 4:
        return sign * limit * (.9f + .1f * u);
    default:
        return sign * limit * u * u * u;
    }
}

/* Room for rows x cols after a guard, all guard values so far. */
static float *place(struct kernel_run *run, int rows, int cols, ptrdiff_t stride)
{
    put_guards(run, GUARD_LENGTH);
    float *at = run->values + run->used;
    put_guards(run, (size_t)(rows * stride) + GUARD_LENGTH);
    for (int r = 0; r < rows; r++) memset(run->writable + (at - run->values) + r * stride, 1, (size_t)cols);
    return at;
}

float *draw_matrix(struct kernel_run *run, int rows, int cols, ptrdiff_t stride, float limit)
{
    float *at = place(run, rows, cols, stride);
    for (int r = 0; r < rows && limit > 0; r++)
        for (int c = 0; c < cols; c++) at[r * stride + c] = draw_value(run, limit);
    return at;
}

float *draw_row(struct kernel_run *run, int n, float limit) { return draw_matrix(run, 1, n, n, limit); }

float *draw_range(struct kernel_run *run, int n, float low, float high)
{
    float *at = place(run, 1, n, n);
    for (int i = 0; i < n; i++) at[i] = (float)(low + draw_real(run) * ((double)high - low));
    return at;
}

uint8_t *draw_mask(struct kernel_run *run, int n)
{
    if (!draw_int(run, 0, 2)) return NULL;
    const int floats = n / (int)sizeof(float) + 1;
    uint8_t *at = (uint8_t *)place(run, 1, floats, floats);
    for (int i = 0; i < n; i++) at[i] = (uint8_t)draw_int(run, 0, 1);
    return at;
}

void keep_result(struct kernel_run *run, float value) { *place(run, 1, 1, 1) = value; }

static struct kernel_run left, right;

static uint64_t round_key(const struct kernel_case *test, uint64_t seed, int round)
{
    return rng_step(rng_key(seed, test->name), (uint64_t)round);
}

int count_differences(const struct kernels *one, const struct kernels *other, const struct kernel_case *cases,
                      int count, uint64_t seed, int rounds, char *report, size_t report_size)
{
    int differing = 0;
    size_t at = 0;
    *report = 0;
    for (int i = 0; i < count; i++) {
        bool same = true;
        for (int round = 0; round < rounds && same; round++) {
            run_start(&left, round_key(&cases[i], seed, round));
            run_start(&right, left.key);
            cases[i].run(one, &left);
            cases[i].run(other, &right);
            same = left.used == right.used && !memcmp(left.values, right.values, left.used * sizeof(float)) &&
                   guards_hold(&left) && guards_hold(&right);
        }
        if (same) continue;
        differing++;
        const int length = snprintf(report + at, report_size - at, "%s%s", at ? " " : "", cases[i].name);
        if (length > 0 && at + (size_t)length < report_size) at += (size_t)length;
    }
    return differing;
}

uint64_t hash_cases(const struct kernels *kernels, const struct kernel_case *cases, int count, uint64_t seed,
                    int rounds)
{
    uint64_t hash = 0;
    for (int i = 0; i < count; i++)
        for (int round = 0; round < rounds; round++) {
            run_start(&left, round_key(&cases[i], seed, round));
            cases[i].run(kernels, &left);
            for (size_t k = 0; k < left.used; k++) {
                uint32_t bits;
                memcpy(&bits, &left.values[k], sizeof bits);
                hash = rng_mix(hash ^ bits);
            }
        }
    return hash;
}
