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

double quantile_sorted(const double *sorted, size_t n, double q)
{
    assert(n >= 1 && q >= 0 && q <= 1);
    const double h = (double)(n - 1) * q, f = h - floor(h);
    const size_t i = (size_t)floor(h);
    const double a = sorted[i], b = sorted[i + 1 < n ? i + 1 : n - 1], d = b - a;
    return f < 0.5 ? a + d * f : b - d * (1 - f);
}

enum status quantile(double *result, double *values, size_t n, double q, struct error *err)
{
    if (!n) return fail(err, ERR_INPUT, "quantile %g: expected values, found none", q);
    quantile_sort(values, n);
    *result = quantile_sorted(values, n, q);
    return OK;
}
