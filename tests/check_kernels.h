/* The kernels of two tables side by side: a case runs one entry on random arguments of random odd sizes. */
#ifndef RETORT_TESTS_CHECK_KERNELS_H
#define RETORT_TESTS_CHECK_KERNELS_H

#include "kernels/kernels.h"

#include <stddef.h>
#include <stdint.h>

/* A run of one case: memory for its arguments and draws that follow from the seed alone. Everything allocated
 * is compared, inputs and the guard values around each matrix and between its rows included. */
struct kernel_run;

int draw_int(struct kernel_run *run, int low, int high); /* in [low, high] */
int draw_size(struct kernel_run *run);                   /* 0 to 200, mostly about the widths of vectors */

/* rows x cols with this stride. limit > 0: values that the quantum rule allows, ordinary ones within +-limit
 * mixed with both zeros, magnitudes about 2^-40 and about limit. limit 0: left as guard values, for an
 * output. */
float *draw_matrix(struct kernel_run *run, int rows, int cols, ptrdiff_t stride, float limit);
float *draw_row(struct kernel_run *run, int n, float limit);
float *draw_range(struct kernel_run *run, int n, float low, float high); /* uniform in [low, high] */
uint8_t *draw_mask(struct kernel_run *run, int n);                       /* bytes 0 or 1, or NULL */
void keep_result(struct kernel_run *run, float value); /* a returned value, to be compared */

struct kernel_case {
    const char *name; /* of the entry */
    void (*run)(const struct kernels *kernels, struct kernel_run *run);
};

/* Runs every case `rounds` times on both tables with the same draws. Returns the number of cases where a bit
 * differs or a guard value changed, and their names, separated by spaces, in report. */
int count_differences(const struct kernels *one, const struct kernels *other, const struct kernel_case *cases,
                      int count, uint64_t seed, int rounds, char *report, size_t report_size);

/* A hash of everything that the cases left behind: the same on every machine. */
uint64_t hash_cases(const struct kernels *kernels, const struct kernel_case *cases, int count, uint64_t seed,
                    int rounds);

/* The entries on rows and matrices (check_kernel_cases.c). */
extern const struct kernel_case kernel_cases[];
extern const int kernel_case_count;

/* The entries on pointers to pixels (check_kernel_conv.c). */
extern const struct kernel_case conv_cases[];
extern const int conv_case_count;

#endif
