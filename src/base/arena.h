/* Arena: many small allocations, one release.
 *
 * Everything that lives as long as its owner (a model, a loaded file, a command) comes from the owner's arena and
 * goes with it; nothing is freed one by one. Memory is zeroed and aligned to 64 bytes, so that a row of floats can
 * be loaded by any vector. Unless NDEBUG is defined, released memory is poisoned first. */
#ifndef RETORT_BASE_ARENA_H
#define RETORT_BASE_ARENA_H

#include <stddef.h>

struct arena_block;

/* Start with {0}. */
struct arena {
    struct arena_block *last;
    size_t used; /* bytes handed out, for reports */
};

/* Zeroed memory for count elements of size bytes, or NULL when the product overflows or memory is short. */
void *arena_alloc(struct arena *arena, size_t count, size_t size);

/* An array in the arena that grows by doubling: items where there is room for one more than count, else a larger
 * copy of them (the old one stays until arena_free), or NULL when memory is short. */
void *arena_grow(struct arena *arena, void *items, int count, int *capacity, size_t size);

/* A copy of the first n bytes of text, NUL-terminated, or NULL when memory is short. */
char *arena_strndup(struct arena *arena, const char *text, size_t n);
char *arena_strdup(struct arena *arena, const char *text);

/* printf into the arena, or NULL when memory is short. */
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Releases everything; the arena is then empty and can be used again. */
void arena_free(struct arena *arena);

#endif
