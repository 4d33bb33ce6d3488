/* Upper bounds of the products of one embedding with all others, from 8-bit copies a quarter the size.
 *
 * A row is s b + e: bytes b less 128 times a scale, and what rounding left; the aimed-at row is t w + f
 * likewise, in words. Then row . aim <= s t (b . w) + |e| |t w| + |row| |f|, and the product of integers is
 * exact. What a bound rules out need not be read in full; what it lets pass is computed as ever, so that no
 * result depends on it. */
#ifndef RETORT_SELECT_BOUNDS_H
#define RETORT_SELECT_BOUNDS_H

#include "base/arena.h"
#include "base/status.h"
#include "kernels/kernels.h"
#include "select/embeddings.h"

struct bounds_row {
    float scale, error, length; /* s, |e|, |row| */
};

struct bounds {
    const struct embeddings *set;
    const struct kernels *kernels;
    uint8_t *bytes; /* [count][width]; NULL: the rows are too wide, no bound can tell */
    struct bounds_row *rows;
    int16_t *words;  /* [width] of the row aimed at */
    int32_t shadow;  /* 128 times their sum */
    float scale;     /* t */
    float of_error;  /* the bound for each unit of a row's error, |t w| */
    float of_length; /* for each unit of its length, |f| and what float arithmetic may add */
};

/* Copies all rows. Memory is the arena's; the set must outlive the bounds. */
enum status bounds_of(struct bounds *bounds, const struct embeddings *set, const struct kernels *kernels,
                      int threads, struct arena *arena, struct error *err);

void bounds_aim(struct bounds *bounds, int row);

/* At least what kernels->dot gives for this row and the one aimed at; NaN where it cannot tell. */
float bounds_above(const struct bounds *bounds, int row);

/* Of a row, rounded up; NaN where no bound can tell. */
float bounds_length(const struct bounds *bounds, int row);

#endif
