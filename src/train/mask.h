/* Masks: which coordinates may move, one byte each, 0 or 1 [AMS].
 *
 * A mask covers the flat layout of a tensor table. Candidates are the coordinates of trainable tensors,
 * numbered through in table order; everything else is 0. Nothing is sorted: a cut value is found by counting
 * digits, and what equals it is taken from the lowest coordinate on. */
#ifndef RETORT_TRAIN_MASK_H
#define RETORT_TRAIN_MASK_H

#include "train/optim.h"

enum mask_rule {
    MASK_FULL,         /* everything */
    MASK_PREVIOUS_U,   /* largest |u| of the phase before; random_exact in the first phase */
    MASK_PROBE,        /* largest change of one full step */
    MASK_PROBE_STRICT, /* changes above their (1 - fraction) quantile */
    MASK_RANDOM,       /* each with probability fraction */
    MASK_RANDOM_EXACT, /* exactly the count */
    MASK_FIRST,        /* whole tensors from the front, the last of them in part, by chance */
    MASK_LAST,
    MASK_FIRST_LAST, /* half the budget from each end */
};

/* The name used in options: "previous_u", "random_exact", ... */
const char *mask_rule_name(enum mask_rule rule);

struct mask_table {
    const struct optim_tensor *tensors;
    int count;
};

/* Draw number j in [0, 1): recorded[j], or of the random stream when recorded is NULL. */
struct mask_draws {
    const double *recorded;
    uint64_t key;
};

size_t mask_candidates(struct mask_table table);
size_t mask_count(double fraction, size_t candidates); /* floor(fraction * candidates + 0.5) */

void mask_full(uint8_t *mask, struct mask_table table);

/* The `count` candidates with the largest |score|, lower coordinates first among equals. forced (may be
 * NULL): a flag a tensor; the coordinates of flagged tensors are in before all others and count. Scores are
 * finite. */
void mask_top(uint8_t *mask, struct mask_table table, const float *score, size_t count, const bool *forced);

/* Candidates whose change is above the (1 - fraction) quantile of all; changes are >= 0. Returns the
 * quantile. */
double mask_above_quantile(uint8_t *mask, struct mask_table table, const float *change, double fraction);

void mask_random(uint8_t *mask, struct mask_table table, double fraction, struct mask_draws draws);
void mask_random_exact(uint8_t *mask, struct mask_table table, size_t count, struct mask_draws draws);

/* rule is MASK_FIRST, MASK_LAST or MASK_FIRST_LAST. */
void mask_ends(uint8_t *mask, struct mask_table table, enum mask_rule rule, double fraction,
               struct mask_draws draws);

/* Any rule. score: u of the phase before for MASK_PREVIOUS_U (NULL in the first phase), the changes for the
 * probing rules, else unused; forced as in mask_top, heeded where the score ranks. draws come from the stream
 * "random_mask" of the phase. */
void mask_make(uint8_t *mask, struct mask_table table, enum mask_rule rule, double fraction,
               const float *score, const bool *forced, uint64_t seed, uint64_t phase);

/* The score of the moment warm-up: |m| / (sqrt(v) + 1e-8). */
void mask_moment_score(float *score, const float *m, const float *v, size_t n);

/* After a probing step: change = |w - before| for MASK_PROBE and MASK_PROBE_STRICT. */
void mask_change(float *change, const float *w, const float *before, size_t n);

#endif
