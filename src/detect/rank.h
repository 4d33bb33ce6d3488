/* Ranking by score with a total order: score descending, then index ascending. */
#ifndef RETORT_DETECT_RANK_H
#define RETORT_DETECT_RANK_H

#include <stddef.h>
#include <stdint.h>

struct rank {
    double score; /* floats convert exactly; not NaN */
    uint32_t index;
};

/* < 0 when a comes first. */
static inline int rank_compare(struct rank a, struct rank b)
{
    if (a.score != b.score) return a.score > b.score ? -1 : 1;
    return (a.index > b.index) - (a.index < b.index);
}

/* Sorts best first. Indices must differ, so that the result does not depend on the sorting method. */
void rank_sort(struct rank *items, size_t n);

#endif
