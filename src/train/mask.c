#include "train/mask.h"

#include "base/rng.h"
#include "select/quantile.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const char *const names[] = {"full",         "previous_u", "probe", "probe_strict", "random",
                                    "random_exact", "first",      "last",  "first_last"};

const char *mask_rule_name(enum mask_rule rule) { return names[rule]; }

size_t mask_candidates(struct mask_table table)
{
    size_t n = 0;
    for (int i = 0; i < table.count; i++) n += table.tensors[i].trainable ? table.tensors[i].size : 0;
    return n;
}

size_t mask_count(double fraction, size_t candidates)
{
    assert(fraction >= 0 && fraction <= 1);
    return (size_t)floor(fraction * (double)candidates + 0.5);
}

static void clear(uint8_t *mask, struct mask_table table)
{
    for (int i = 0; i < table.count; i++) memset(mask + table.tensors[i].offset, 0, table.tensors[i].size);
}

void mask_full(uint8_t *mask, struct mask_table table)
{
    for (int i = 0; i < table.count; i++)
        memset(mask + table.tensors[i].offset, table.tensors[i].trainable, table.tensors[i].size);
}

/* ---- selection ---- */

/* Magnitudes of finite floats are ordered as their bits without the sign: 31 bits, three digits from the top.
 */
static const struct {
    int shift, bits;
} digits[] = {{20, 11}, {10, 10}, {0, 10}};
enum { DIGITS = sizeof digits / sizeof *digits, BUCKETS = 1 << 11 };

static uint32_t magnitude(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits & 0x7fffffffu;
}

static bool taken(const bool *forced, int tensor) { return forced && forced[tensor]; }

/* The magnitude that stands at place `rank` (from 0) of the descending order of all candidates outside forced
 * tensors; *equal = how many of the first rank + 1 have exactly this magnitude. */
static uint32_t descending_rank(size_t *equal, struct mask_table table, const float *score,
                                const bool *forced, size_t rank)
{
    uint32_t prefix = 0;
    for (int d = 0; d < DIGITS; d++) {
        size_t bucket[BUCKETS] = {0};
        const int shift = digits[d].shift, above = shift + digits[d].bits;
        for (int i = 0; i < table.count; i++) {
            const struct optim_tensor *t = &table.tensors[i];
            if (!t->trainable || taken(forced, i)) continue;
            for (size_t k = t->offset; k < t->offset + t->size; k++) {
                const uint32_t x = magnitude(score[k]);
                if (x >> above == prefix) bucket[x >> shift & ((1u << digits[d].bits) - 1)]++;
            }
        }
        uint32_t digit = (1u << digits[d].bits) - 1;
        while (rank >= bucket[digit]) {
            assert(digit > 0);
            rank -= bucket[digit--];
        }
        prefix = prefix << digits[d].bits | digit;
    }
    *equal = rank + 1;
    return prefix;
}

void mask_top(uint8_t *mask, struct mask_table table, const float *score, size_t count, const bool *forced)
{
    size_t left = count, others = 0, equal = 0;
    clear(mask, table);
    for (int i = 0; i < table.count; i++) {
        const struct optim_tensor *t = &table.tensors[i];
        if (!t->trainable) continue;
        if (!taken(forced, i)) {
            others += t->size;
            continue;
        }
        const size_t n = t->size < left ? t->size : left;
        memset(mask + t->offset, 1, n);
        left -= n;
    }
    if (left > others) left = others;
    if (!left) return;
    const uint32_t cut = descending_rank(&equal, table, score, forced, left - 1);
    for (int i = 0; i < table.count; i++) {
        const struct optim_tensor *t = &table.tensors[i];
        if (!t->trainable || taken(forced, i)) continue;
        for (size_t k = t->offset; k < t->offset + t->size; k++) {
            const uint32_t x = magnitude(score[k]);
            mask[k] = x > cut || (x == cut && equal > 0);
            equal -= x == cut && equal > 0;
        }
    }
}

static double ascending(struct mask_table table, const float *score, size_t place, size_t n)
{
    size_t equal;
    const uint32_t bits = descending_rank(&equal, table, score, NULL, n - 1 - place);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

double mask_above_quantile(uint8_t *mask, struct mask_table table, const float *change, double fraction)
{
    const size_t n = mask_candidates(table);
    clear(mask, table);
    if (!n) return 0;
    const struct quantile_place at = quantile_place(n, 1 - fraction);
    const double a = ascending(table, change, at.below, n),
                 b = at.below + 1 < n ? ascending(table, change, at.below + 1, n) : a;
    const double cut = quantile_between(a, b, at.share);
    for (int j = 0; j < table.count; j++) {
        const struct optim_tensor *t = &table.tensors[j];
        for (size_t k = t->offset; t->trainable && k < t->offset + t->size; k++) mask[k] = change[k] > cut;
    }
    return cut;
}

/* ---- chance ---- */

static double draw(struct mask_draws draws, size_t j)
{
    return draws.recorded ? draws.recorded[j] : rng_real(draws.key, j);
}

void mask_random(uint8_t *mask, struct mask_table table, double fraction, struct mask_draws draws)
{
    clear(mask, table);
    size_t j = 0;
    for (int i = 0; i < table.count; i++) {
        const struct optim_tensor *t = &table.tensors[i];
        for (size_t k = 0; t->trainable && k < t->size; k++)
            mask[t->offset + k] = draw(draws, j++) < fraction;
    }
}

void mask_random_exact(uint8_t *mask, struct mask_table table, size_t count, struct mask_draws draws)
{
    clear(mask, table);
    const size_t n = mask_candidates(table);
    size_t j = 0;
    for (int i = 0; i < table.count && count; i++) {
        const struct optim_tensor *t = &table.tensors[i];
        for (size_t k = 0; t->trainable && k < t->size && count; k++, j++)
            if (floor(draw(draws, j) * (double)(n - j)) < (double)count) {
                mask[t->offset + k] = 1;
                count--;
            }
    }
}

/* Whole tensors while they fit; in the one that crosses the budget each entry with the probability that fills
 * it. Adds to the mask; a coordinate's draw is the same from both ends. */
static void walk(uint8_t *mask, struct mask_table table, bool backwards, double budget,
                 struct mask_draws draws)
{
    size_t first = backwards ? mask_candidates(table) : 0; /* candidate number of the tensor's first entry */
    for (int step = 0; step < table.count; step++) {
        const struct optim_tensor *t = &table.tensors[backwards ? table.count - 1 - step : step];
        if (!t->trainable) continue;
        if (backwards) first -= t->size;
        if ((double)t->size > budget) {
            const double share = budget / (double)t->size;
            for (size_t k = 0; k < t->size; k++) mask[t->offset + k] |= draw(draws, first + k) < share;
            return;
        }
        memset(mask + t->offset, 1, t->size);
        budget -= (double)t->size;
        if (!backwards) first += t->size;
    }
}

void mask_ends(uint8_t *mask, struct mask_table table, enum mask_rule rule, double fraction,
               struct mask_draws draws)
{
    assert(rule == MASK_FIRST || rule == MASK_LAST || rule == MASK_FIRST_LAST);
    const double all = fraction * (double)mask_candidates(table);
    const double budget = rule == MASK_FIRST_LAST ? all / 2 : all;
    clear(mask, table);
    if (rule != MASK_LAST) walk(mask, table, false, budget, draws);
    if (rule != MASK_FIRST) walk(mask, table, true, budget, draws);
}

void mask_make(uint8_t *mask, struct mask_table table, enum mask_rule rule, double fraction,
               const float *score, const bool *forced, uint64_t seed, uint64_t phase)
{
    const struct mask_draws draws = {NULL, rng_step(rng_key(seed, "random_mask"), phase)};
    const size_t count = mask_count(fraction, mask_candidates(table));
    switch (rule) {
    case MASK_FULL:
        mask_full(mask, table);
        break;
    case MASK_PREVIOUS_U:
        if (score)
            mask_top(mask, table, score, count, forced);
        else
            mask_random_exact(mask, table, count, draws);
        break;
    case MASK_PROBE:
        mask_top(mask, table, score, count, forced);
        break;
    case MASK_PROBE_STRICT:
        mask_above_quantile(mask, table, score, fraction);
        break;
    case MASK_RANDOM:
        mask_random(mask, table, fraction, draws);
        break;
    case MASK_RANDOM_EXACT:
        mask_random_exact(mask, table, count, draws);
        break;
    case MASK_FIRST:
    case MASK_LAST:
    case MASK_FIRST_LAST:
        mask_ends(mask, table, rule, fraction, draws);
        break;
    }
}

/* ---- scores ---- */

void mask_moment_score(float *score, const float *m, const float *v, size_t n)
{
    for (size_t i = 0; i < n; i++) score[i] = fabsf(m[i]) / (sqrtf(v[i]) + 1e-8f);
}

void mask_change(float *change, const float *w, const float *before, size_t n)
{
    for (size_t i = 0; i < n; i++) change[i] = fabsf(w[i] - before[i]);
}
