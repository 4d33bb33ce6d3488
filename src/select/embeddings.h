/* A set of embeddings as row pointers, and the products that the rules take of them [D-SBAD].
 *
 * A row with a value that is not finite stands for the zero vector: similarity 0 to everything, itself
 * included. Memory is O(count + width); the values stay where the caller has them. */
#ifndef RETORT_SELECT_EMBEDDINGS_H
#define RETORT_SELECT_EMBEDDINGS_H

#include "base/arena.h"
#include "base/status.h"

#include <stddef.h>

struct embeddings {
    const float **rows; /* [count], each `width` floats, unit length or zero */
    int count, width;
    int bad; /* rows that were zero or not finite */
};

/* Rows i of values (stride floats apart) for i < count, or which[i] when which is not NULL. */
enum status embeddings_of(struct embeddings *set, const float *values, ptrdiff_t stride, const int *which,
                          int count, int width, struct arena *arena, struct error *err);

/* Rows [first, first + count) of a set; shares its memory. */
struct embeddings embeddings_part(const struct embeddings *set, int first, int count);

/* In double: eight chains over i mod 8, then a tree, then the rest in order. */
double embeddings_dot(const float *x, const float *y, int n);
double embeddings_dot_double(const float *x, const double *y, int n);
double embeddings_distance2(const float *x, const double *y, int n); /* sum of (x - y)^2 */

/* sum[j] = the sum over rows, ascending, of element j */
void embeddings_sum(double *sum, const struct embeddings *set, int threads);

/* The densest row: argmax <e_i, sum of all>, lowest index on ties. scratch: width + count doubles. */
int embeddings_densest(const struct embeddings *set, int threads, double *scratch);

#endif
