#include "nn/int8_pack.h"

#include <assert.h>
#include <string.h>

enum { STEP = 64, HALVES = 2 * KERNEL_BLOCK, POOL = 32, WORDS = 2 * HALVES / 8 };

/* How much of INT8_LIGHT the halves of a step take, positive weights and negative ones apart: in units of
 * two, rounded up, a byte each. */
struct load {
    uint64_t word[WORDS];
    int largest;
};

/* Steps that wait for a second one. */
struct pool {
    struct load load[POOL];
    int32_t step[POOL];
    int count;
};

static int8_t *weights_of(int32_t *column, int steps)
{
    return (int8_t *)(column + int8_column_offsets(steps));
}

/* In the second half: what is arranged fills the first before it reaches them. */
int8_t *int8_pack_step(int32_t *column, int steps, int i)
{
    return weights_of(column, steps) + STEP * ((ptrdiff_t)steps + i);
}

static struct load load_of(const int8_t *step)
{
    uint8_t bytes[2 * HALVES];
    struct load load = {.largest = 0};
    for (int h = 0; h < HALVES; h++) {
        const int a = step[2 * h], b = step[2 * h + 1];
        const int positive = (a > 0 ? a : 0) + (b > 0 ? b : 0), negative = positive - a - b;
        bytes[h] = (uint8_t)((positive + 1) / 2);
        bytes[HALVES + h] = (uint8_t)((negative + 1) / 2);
        if (positive > load.largest) load.largest = positive;
        if (negative > load.largest) load.largest = negative;
    }
    memcpy(load.word, bytes, sizeof bytes);
    return load;
}

/* Bytes of at most 64 each: a sum above 64 carries into the highest bit. */
static int fit(const struct load *a, const struct load *b)
{
    uint64_t over = 0;
    for (int i = 0; i < WORDS && !over; i++)
        over = (a->word[i] + b->word[i] + UINT64_C(0x3f3f3f3f3f3f3f3f)) & UINT64_C(0x8080808080808080);
    return !over;
}

/* The heaviest of the pool that fits, or -1. */
static int partner(const struct pool *pool, const struct load *load)
{
    int best = -1;
    for (int i = 0; i < pool->count; i++)
        if ((best < 0 || pool->load[i].largest > pool->load[best].largest) && fit(pool->load + i, load))
            best = i;
    return best;
}

static void drop(struct pool *pool, int i)
{
    pool->count--;
    memmove(pool->load + i, pool->load + i + 1, (size_t)(pool->count - i) * sizeof *pool->load);
    memmove(pool->step + i, pool->step + i + 1, (size_t)(pool->count - i) * sizeof *pool->step);
}

/* Steps in their new order: pairs as they are found, then those that remained alone, then the wide ones.
 * `alone` has room for all. */
static struct int8_column choose(int32_t *order, int32_t *alone, int steps)
{
    struct int8_column c = {0};
    struct pool pool = {.count = 0};
    for (int i = 0; i < steps; i++) {
        const struct load load = load_of(int8_pack_step(order, steps, i));
        if (load.largest > INT8_LIGHT) {
            order[steps - ++c.wides] = i;
            continue;
        }
        const int other = partner(&pool, &load);
        if (other >= 0) {
            order[c.twos++] = pool.step[other];
            order[c.twos++] = i;
            drop(&pool, other);
            continue;
        }
        if (pool.count == POOL) {
            alone[c.ones++] = pool.step[0];
            drop(&pool, 0);
        }
        pool.load[pool.count] = load;
        pool.step[pool.count++] = i;
    }
    for (int i = 0; i < pool.count; i++) alone[c.ones++] = pool.step[i];
    assert(c.twos + c.ones + c.wides == steps);
    memcpy(order + c.twos, alone, (size_t)c.ones * sizeof *order);
    for (int32_t *a = order + steps - c.wides, *b = order + steps - 1; a < b; a++, b--) {
        const int32_t swap = *a;
        *a = *b;
        *b = swap;
    }
    return c;
}

static void widen(int8_t *to, const int8_t *step)
{
    int16_t words[STEP];
    for (int k = 0; k < STEP; k++) words[k % 2 * (STEP / 2) + k / 2] = step[k];
    memcpy(to, words, sizeof words);
}

/* The k-th wide step is written up to 2 (k + 1) steps behind the light ones; the next one, of index k + 1 or
 * more, still lies where int8_pack_step left it. */
struct int8_column int8_pack_column(int32_t *order, int steps)
{
    int8_t *to = weights_of(order, steps), copy[STEP];
    const struct int8_column c = choose(order, (int32_t *)to, steps);
    for (int i = 0; i < steps; i++) {
        memcpy(copy, int8_pack_step(order, steps, order[i]), STEP);
        if (i < c.twos + c.ones) {
            memcpy(to, copy, STEP);
            to += STEP;
        } else {
            widen(to, copy);
            to += 2 * STEP;
        }
    }
    return c;
}
