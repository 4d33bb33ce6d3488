/* Quantiles by two-sided linear interpolation [D-SBAD], in double.
 *
 * h = (n-1) q, i = floor(h), f = h - i, a = s[i], b = s[min(i+1, n-1)]: a + (b-a) f below f = 0.5, else
 * b - (b-a) (1-f). The two-sided form gives numpy's bits. Values must not be NaN; q in [0, 1]. */
#ifndef RETORT_SELECT_QUANTILE_H
#define RETORT_SELECT_QUANTILE_H

#include <stddef.h>

void quantile_sort(double *values, size_t n); /* ascending */

/* Where the quantile of n >= 1 sorted values lies: behind the value number `below`, by `share` of the way to the
 * next one; and what is there between two values. */
struct quantile_place {
    size_t below;
    double share;
};
struct quantile_place quantile_place(size_t n, double q);
double quantile_between(double a, double b, double share);

double quantile_sorted(const double *sorted, size_t n, double q); /* n >= 1 */

#endif
