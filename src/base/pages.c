#define _DEFAULT_SOURCE
#include "base/pages.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HUGE = 2 << 20 };

static size_t rounded(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

static size_t page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }

void *pages_alloc(size_t n)
{
    if (n > SIZE_MAX / 2) return NULL;
    const size_t room = rounded(n, page_size()), slack = room >= 2 * HUGE ? HUGE : 0;
    char *map = mmap(NULL, room + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) return NULL;
    if (!slack) return map;
    char *start = map + (HUGE - (uintptr_t)map % HUGE) % HUGE; /* only aligned pages can be huge */
    if (start > map) munmap(map, (size_t)(start - map));
    if (start < map + slack) munmap(start + room, (size_t)(map + slack - start));
#ifdef MADV_HUGEPAGE
    madvise(start, room, MADV_HUGEPAGE); /* a refusal costs time only */
#endif
    return start;
}

void pages_free(void *memory, size_t n)
{
    if (memory) munmap(memory, rounded(n, page_size()));
}

void pages_rest(const void *data, size_t n)
{
    const size_t page = page_size();
    const uintptr_t begin = rounded((uintptr_t)data, page), end = ((uintptr_t)data + n) / page * page;
    if (begin < end) madvise((void *)begin, end - begin, MADV_DONTNEED);
}
