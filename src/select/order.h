/* Orders frames by a score. Ties go to the lower index, so the order is total and the same everywhere. */
#ifndef RETORT_SELECT_ORDER_H
#define RETORT_SELECT_ORDER_H

#include <stddef.h>

struct ranked {
    double score; /* not NaN */
    int index;
};

void order_ascending(struct ranked *items, size_t n);
void order_descending(struct ranked *items, size_t n); /* indices still ascend within a tie */

#endif
