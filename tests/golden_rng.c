/* Random streams: keys, words, reals, integers, shuffles, and a parallel fill of one stream. */
#include "golden.h"

#include "base/par.h"
#include "base/rng.h"

enum { DRAWS = 4096, PICKS = 64 };

struct fill {
    uint64_t key;
    double *reals;
};

static void fill_share(void *context, int64_t begin, int64_t end, int worker)
{
    const struct fill *const fill = context;
    (void)worker;
    for (int64_t i = begin; i < end; i++) fill->reals[i] = rng_real(fill->key, (uint64_t)i);
}

void golden_rng(struct golden *golden)
{
    static uint64_t words[DRAWS];
    static double reals[DRAWS];
    static int integers[DRAWS], picks[PICKS], order[DRAWS];
    const uint64_t key = rng_key(20, "golden");

    for (uint64_t i = 0; i < DRAWS; i++) words[i] = rng_u64(rng_step(key, i / 64), i % 64);
    golden_emit_bytes(golden, "rng.words", words, sizeof words);

    par_for(golden->threads, DRAWS, 1, fill_share, &(struct fill){key, reals});
    golden_emit_bytes(golden, "rng.reals", reals, sizeof reals);

    for (int i = 0; i < DRAWS; i++) integers[i] = rng_int(key, (uint64_t)i, 1 + i);
    golden_emit_bytes(golden, "rng.integers", integers, sizeof integers);

    struct rng rng = {key, 0};
    for (int i = 0; i < DRAWS; i++) reals[i] = rng_uniform(&rng, -3.7, 0.1 * i);
    golden_emit_bytes(golden, "rng.uniform", reals, sizeof reals);

    rng_choose(&rng, DRAWS, PICKS, picks, order);
    golden_emit_bytes(golden, "rng.picks", picks, sizeof picks);
}
