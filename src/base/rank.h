/* Ranking by score with a total order: equal scores by ascending index. */
#ifndef RETORT_BASE_RANK_H
#define RETORT_BASE_RANK_H

#include <stddef.h>
#include <stdint.h>

struct rank {
    double score; /* floats convert exactly; not NaN */
    uint32_t index;
};

/* < 0 when a comes first: the larger score, then the lower index. */
static inline int rank_compare(struct rank a, struct rank b)
{
    if (a.score != b.score) return a.score > b.score ? -1 : 1;
    return (a.index > b.index) - (a.index < b.index);
}

/* Sorts by descending, or by ascending score. Indices must differ, so that the result does not depend on the
 * sorting method. */
void rank_sort(struct rank *items, size_t n);
void rank_sort_ascending(struct rank *items, size_t n);

#endif
