#include "select/order.h"

#include <stdlib.h>

static int ascending(const void *x, const void *y)
{
    const struct ranked *a = x, *b = y;
    if (a->score != b->score) return a->score < b->score ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

static int descending(const void *x, const void *y)
{
    const struct ranked *a = x, *b = y;
    if (a->score != b->score) return a->score > b->score ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

void order_ascending(struct ranked *items, size_t n)
{
    if (n) qsort(items, n, sizeof *items, ascending);
}

void order_descending(struct ranked *items, size_t n)
{
    if (n) qsort(items, n, sizeof *items, descending);
}
