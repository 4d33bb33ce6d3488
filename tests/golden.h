/* Golden stages: hashes of whole computations, one text file for every ISA, thread count and compiler.
 *
 * tests/golden.txt holds lines "stage plan hash": hash is the first 16 hex digits of the SHA-256 of the
 * stage's values, plan the name of the plan they were computed under ("-" where none applies). Whoever
 * changes a line says why in the commit.
 *
 * A new stage:
 *   1. tests/golden_NAME.c with `void golden_NAME(struct golden *golden)`, found by the Makefile;
 *   2. its prototype below and its line in the table of golden.c;
 *   3. inputs from golden_uniform or formulas, so that a lone checkout runs it; no file is read;
 *   4. every kernel call through golden->kernels, every parallel loop on golden->threads;
 *   5. golden_emit for each result; stage names begin with "NAME.";
 *   6. `make golden UPDATE=1`, which writes the file with the scalar table and checks it with all the others.
 * The program needs neither cmocka nor any optional library, so that it links on every target. Keep a stage
 * below a second: emulated targets are some fifty times slower. */
#ifndef RETORT_TESTS_GOLDEN_H
#define RETORT_TESTS_GOLDEN_H

#include "kernels/kernels.h"

#include <stddef.h>

struct golden {
    const struct kernels *kernels; /* the table under test */
    int threads;
    const char *plan; /* written beside the hash; "-" when a stage function is entered */
    struct golden_book *book;
};

/* Hash n values as one stage; every NaN counts as one pattern. */
void golden_emit(struct golden *golden, const char *stage, const float *values, size_t n);

/* The same for bytes. Integers and doubles must be little-endian and free of padding. */
void golden_emit_bytes(struct golden *golden, const char *stage, const void *data, size_t n);

/* A stage that cannot go on (memory, an unexpected status): counts as failed. */
void golden_fail(struct golden *golden, const char *stage, const char *reason);

/* n multiples of 2^-23 * scale in [-scale, scale), a function of name and index. scale should be a power of
 * two. */
void golden_uniform(float *values, const char *name, size_t n, float scale);

void golden_rng(struct golden *golden);
void golden_dmath(struct golden *golden);
void golden_math(struct golden *golden);
void golden_rows(struct golden *golden);
void golden_conv(struct golden *golden);
void golden_optim(struct golden *golden);
void golden_image(struct golden *golden);
void golden_ops(struct golden *golden);
void golden_models(struct golden *golden);
void golden_train(struct golden *golden);
void golden_world(struct golden *golden);
void golden_contrast(struct golden *golden);
void golden_int8(struct golden *golden);
void golden_select(struct golden *golden);
void golden_fuse(struct golden *golden);

#endif
