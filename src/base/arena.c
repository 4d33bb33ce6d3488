#include "base/arena.h"

#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64, BLOCK_SIZE = 1 << 16 };

struct arena_block {
    struct arena_block *before;
    size_t size, used; /* of the bytes that follow the header */
};

static size_t round_up(size_t n) { return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

/* The header takes one aligned unit, so the payload behind it is aligned too. */
static char *payload(struct arena_block *block) { return (char *)block + round_up(sizeof *block); }

void *arena_alloc(struct arena *arena, size_t count, size_t size)
{
    const size_t limit = SIZE_MAX / 4;
    if (size && count > limit / size) return NULL;
    const size_t bytes = count * size;
    const size_t need = round_up(bytes ? bytes : 1);
    struct arena_block *block = arena->last;
    if (!block || block->size - block->used < need) {
        const size_t room = need > BLOCK_SIZE ? need : BLOCK_SIZE;
        block = aligned_alloc(ALIGNMENT, round_up(sizeof *block) + room);
        if (!block) return NULL;
        *block = (struct arena_block){.before = arena->last, .size = room};
        arena->last = block;
    }
    char *memory = payload(block) + block->used;
    block->used += need;
    arena->used += need;
    return memset(memory, 0, need);
}

void *arena_grow(struct arena *arena, void *items, int count, int *capacity, size_t size)
{
    enum { FIRST = 64 };
    if (count < *capacity) return items;
    if (count > INT_MAX / 2) return NULL;
    const int wanted = count ? 2 * count : FIRST;
    void *larger = arena_alloc(arena, (size_t)wanted, size);
    if (!larger) return NULL;
    if (count) memcpy(larger, items, (size_t)count * size);
    *capacity = wanted;
    return larger;
}

char *arena_strndup(struct arena *arena, const char *text, size_t n)
{
    char *copy = arena_alloc(arena, n + 1, 1);
    if (copy) memcpy(copy, text, n);
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text) { return arena_strndup(arena, text, strlen(text)); }

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, format, args);
    char *text = n < 0 ? NULL : arena_alloc(arena, (size_t)n + 1, 1);
    if (text) vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    va_end(args);
    return text;
}

void arena_free(struct arena *arena)
{
    for (struct arena_block *block = arena->last, *before; block; block = before) {
        before = block->before;
#ifndef NDEBUG
        memset(payload(block), 0xDB, block->used);
#endif
        free(block);
    }
    *arena = (struct arena){0};
}
