#include "base/rank.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    return rank_compare(*(const struct rank *)a, *(const struct rank *)b);
}

void rank_sort(struct rank *items, size_t n)
{
    if (n > 1) qsort(items, n, sizeof *items, compare);
}

static int compare_ascending(const void *x, const void *y)
{
    struct rank a = *(const struct rank *)x, b = *(const struct rank *)y;
    a.score = -a.score;
    b.score = -b.score;
    return rank_compare(a, b);
}

void rank_sort_ascending(struct rank *items, size_t n)
{
    if (n > 1) qsort(items, n, sizeof *items, compare_ascending);
}
