#define _DEFAULT_SOURCE
#include "base/pages.h"

#include "base/cgroup.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HUGE = 2 << 20, MOST_SPARE = 1 << 30 };

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

/* "max" has no number. */
static int64_t bytes_of(const char *line) { return strtoll(line, NULL, 10); }

size_t pages_spare(void)
{
    const int64_t pages = sysconf(_SC_PHYS_PAGES), group = cgroup_least("memory.max", bytes_of);
    int64_t memory = pages > 0 ? pages * (int64_t)page_size() : 0;
    if (group && group < memory) memory = group;
    return memory / 4 < MOST_SPARE ? (size_t)memory / 4 : MOST_SPARE;
}

/* getrusage would count what the process that started this one had. */
size_t pages_peak(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    size_t kilobytes = 0;
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, "VmHWM:", 6)) kilobytes = strtoull(line + 6, NULL, 10);
    if (file) fclose(file);
    return kilobytes << 10;
}
