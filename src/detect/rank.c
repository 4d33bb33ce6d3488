#include "detect/rank.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    return rank_compare(*(const struct rank *)a, *(const struct rank *)b);
}

void rank_sort(struct rank *items, size_t n)
{
    if (n > 1) qsort(items, n, sizeof *items, compare);
}
