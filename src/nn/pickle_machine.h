/* The stack machine behind nn/pickle.h: bytes in, nodes on a stack with marks, the memo. nn/pickle.c has the
 * opcodes. Every failure is ERR_INPUT with the place of the opcode, or ERR_SYSTEM for memory. */
#ifndef RETORT_NN_PICKLE_MACHINE_H
#define RETORT_NN_PICKLE_MACHINE_H

#include "nn/pickle.h"

enum { PICKLE_MAX_LINE = 1000 };

struct pickle_machine {
    struct arena *arena;
    const uint8_t *data;
    size_t n, at, opcode_at;
    struct pickle_node **stack, **memo;
    size_t depth, stack_capacity, memo_capacity, memo_count;
    size_t marks[PICKLE_MAX_MARKS], mark_count; /* depths of the stack */
    struct pickle_node *pool;
    size_t pool_left, nodes;
    const char *path;
    struct error *err;
};

enum status pickle_wrong(const struct pickle_machine *m, const char *reason);
enum status pickle_short_memory(const struct pickle_machine *m, size_t bytes);

/* The next n bytes; the next n bytes as a little-endian number (n <= 8); the text up to the next newline,
 * which is dropped. */
enum status pickle_take(struct pickle_machine *m, size_t n, const uint8_t **bytes);
enum status pickle_take_number(struct pickle_machine *m, int n, uint64_t *value);
enum status pickle_take_line(struct pickle_machine *m, const char **line, size_t *n);

/* Doubles a pointer array until index fits; the first used pointers stay, the new part is zero. */
enum status pickle_grow(struct pickle_machine *m, struct pickle_node ***array, size_t *capacity, size_t used,
                        size_t index);

enum status pickle_push(struct pickle_machine *m, struct pickle_node *node);
enum status pickle_push_new(struct pickle_machine *m, struct pickle_node value); /* a node of the arena */

/* Depth below which nothing may be taken: that of the topmost mark. */
size_t pickle_floor(const struct pickle_machine *m);
enum status pickle_pop(struct pickle_machine *m, struct pickle_node **node);

/* Ends the topmost mark: *count values above it lie at *items until the next push. */
enum status pickle_pop_mark(struct pickle_machine *m, struct pickle_node ***items, size_t *count);

#endif
