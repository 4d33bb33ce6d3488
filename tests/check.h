/* What the test programs share: reference files, synthetic tensors, comparisons. */
#ifndef RETORT_TESTS_CHECK_H
#define RETORT_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#undef fail /* base/status.h has a function of that name */

#include "base/status.h"

/* "../shared/<path>" (RETORT_SHARED replaces "../shared") in a static ring of buffers. When it does not exist the
 * test is skipped with "skip: ... is absent" on the output. */
const char *check_shared(const char *path);

/* Fails the test with the error's message unless status is OK. */
#define check_ok(expression, err) check_ok_at((expression), (err), #expression, __FILE__, __LINE__)
void check_ok_at(enum status status, const struct error *err, const char *text, const char *file, int line);

/* Synthetic values by formula, as the reference tensors were made: u in [0,1), 24-bit, from SplitMix64 over the
 * FNV-1a hash of name; check_synth applies the rule for that parameter name and shape (dims as in the state dict). */
void check_uniform(float *values, const char *name, size_t n);
void check_synth(float *values, const char *name, const int64_t *shape, int dims);

/* Largest |a - b|, and ||a - b|| / ||b||, in double. */
double check_max_difference(const float *a, const float *b, size_t n);
double check_relative_l2(const float *a, const float *b, size_t n);

/* A folder for the test's files below $TMPDIR, made anew; removed at exit. */
const char *check_folder(void);

#endif
