#include "select/quantile.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static int compare(const void *x, const void *y)
{
    const double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

void quantile_sort(double *values, size_t n)
{
    if (n) qsort(values, n, sizeof *values, compare);
}

struct quantile_place quantile_place(size_t n, double q)
{
    assert(n >= 1 && q >= 0 && q <= 1);
    const double h = (double)(n - 1) * q;
    return (struct quantile_place){(size_t)floor(h), h - floor(h)};
}

double quantile_between(double a, double b, double share)
{
    const double d = b - a;
    return share < 0.5 ? a + d * share : b - d * (1 - share);
}

double quantile_sorted(const double *sorted, size_t n, double q)
{
    const struct quantile_place at = quantile_place(n, q);
    return quantile_between(sorted[at.below], sorted[at.below + 1 < n ? at.below + 1 : n - 1], at.share);
}
