#include "nn/pickle_machine.h"

#include <string.h>

enum { POOL = 512 };

/* The literal status tells the compiler that what a failing call should have set is never read. */
enum status pickle_wrong(const struct pickle_machine *m, const char *reason)
{
    fail(m->err, ERR_INPUT, "%s: data.pkl: byte %zu (opcode 0x%02x): %s", m->path, m->opcode_at,
         m->data[m->opcode_at], reason);
    return ERR_INPUT;
}

enum status pickle_short_memory(const struct pickle_machine *m, size_t bytes)
{
    fail_memory(m->err, m->path, bytes);
    return ERR_SYSTEM;
}

enum status pickle_take(struct pickle_machine *m, size_t n, const uint8_t **bytes)
{
    if (n > m->n - m->at) return pickle_wrong(m, "runs over the end");
    *bytes = m->data + m->at;
    m->at += n;
    return OK;
}

enum status pickle_take_number(struct pickle_machine *m, int n, uint64_t *value)
{
    const uint8_t *bytes;
    TRY(pickle_take(m, (size_t)n, &bytes));
    *value = 0;
    for (int i = n - 1; i >= 0; i--) *value = *value << 8 | bytes[i];
    return OK;
}

enum status pickle_take_line(struct pickle_machine *m, const char **line, size_t *n)
{
    const uint8_t *end = memchr(m->data + m->at, '\n', m->n - m->at);
    *line = (const char *)m->data + m->at;
    *n = end ? (size_t)(end - m->data) - m->at : 0;
    if (!end || *n > PICKLE_MAX_LINE) return pickle_wrong(m, "expected a line of text");
    m->at += *n + 1;
    return OK;
}

enum status pickle_grow(struct pickle_machine *m, struct pickle_node ***array, size_t *capacity, size_t used,
                        size_t index)
{
    if (index < *capacity) return OK;
    size_t larger = *capacity ? *capacity : 4;
    while (larger <= index) larger *= 2;
    struct pickle_node **copy = arena_alloc(m->arena, larger, sizeof *copy);
    if (!copy) return pickle_short_memory(m, larger * sizeof *copy);
    if (used) memcpy(copy, *array, used * sizeof *copy);
    *array = copy;
    *capacity = larger;
    return OK;
}

enum status pickle_push(struct pickle_machine *m, struct pickle_node *node)
{
    if (m->depth >= PICKLE_MAX_STACK) return pickle_wrong(m, "stack too deep");
    TRY(pickle_grow(m, &m->stack, &m->stack_capacity, m->depth, m->depth));
    m->stack[m->depth++] = node;
    return OK;
}

enum status pickle_push_new(struct pickle_machine *m, struct pickle_node value)
{
    if (m->nodes++ >= PICKLE_MAX_NODES) return pickle_wrong(m, "too many values");
    if (!m->pool_left) {
        m->pool = arena_alloc(m->arena, POOL, sizeof *m->pool);
        if (!m->pool) return pickle_short_memory(m, POOL * sizeof *m->pool);
        m->pool_left = POOL;
    }
    struct pickle_node *made = &m->pool[--m->pool_left];
    *made = value;
    return pickle_push(m, made);
}

size_t pickle_floor(const struct pickle_machine *m)
{
    return m->mark_count ? m->marks[m->mark_count - 1] : 0;
}

enum status pickle_pop(struct pickle_machine *m, struct pickle_node **node)
{
    if (m->depth <= pickle_floor(m)) return pickle_wrong(m, "stack is empty");
    *node = m->stack[--m->depth];
    return OK;
}

enum status pickle_pop_mark(struct pickle_machine *m, struct pickle_node ***items, size_t *count)
{
    if (!m->mark_count) return pickle_wrong(m, "no mark");
    const size_t base = m->marks[--m->mark_count];
    *count = m->depth - base;
    *items = *count ? m->stack + base : NULL;
    m->depth = base;
    return OK;
}
