#include "nn/pickle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POOL = 512, MAX_PROTOCOL = 5, LINE = 1000 };

struct machine {
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

/* The literal status tells the compiler that what a failing call should have set is never read. */
static enum status wrong(const struct machine *m, const char *reason)
{
    fail(m->err, ERR_INPUT, "%s: data.pkl: byte %zu (opcode 0x%02x): %s", m->path, m->opcode_at,
         m->data[m->opcode_at], reason);
    return ERR_INPUT;
}

static enum status short_memory(const struct machine *m, size_t bytes)
{
    fail_memory(m->err, m->path, bytes);
    return ERR_SYSTEM;
}

/* ---- bytes ---- */

static enum status take(struct machine *m, size_t n, const uint8_t **bytes)
{
    if (n > m->n - m->at) return wrong(m, "runs over the end");
    *bytes = m->data + m->at;
    m->at += n;
    return OK;
}

static enum status take_number(struct machine *m, int n, uint64_t *value)
{
    const uint8_t *bytes;
    TRY(take(m, (size_t)n, &bytes));
    *value = 0;
    for (int i = n - 1; i >= 0; i--) *value = *value << 8 | bytes[i];
    return OK;
}

/* The text up to the next newline, which is dropped. */
static enum status take_line(struct machine *m, const char **line, size_t *n)
{
    const uint8_t *end = memchr(m->data + m->at, '\n', m->n - m->at);
    *line = (const char *)m->data + m->at;
    *n = end ? (size_t)(end - m->data) - m->at : 0;
    if (!end || *n > LINE) return wrong(m, "expected a line of text");
    m->at += *n + 1;
    return OK;
}

/* ---- stack ---- */

/* Doubles a pointer array until index fits; the new part is zero. */
static enum status grow(struct machine *m, struct pickle_node ***array, size_t *capacity, size_t used,
                        size_t index)
{
    if (index < *capacity) return OK;
    size_t larger = *capacity ? *capacity : 4;
    while (larger <= index) larger *= 2;
    struct pickle_node **copy = arena_alloc(m->arena, larger, sizeof *copy);
    if (!copy) return short_memory(m, larger * sizeof *copy);
    if (used) memcpy(copy, *array, used * sizeof *copy);
    *array = copy;
    *capacity = larger;
    return OK;
}

static enum status push(struct machine *m, struct pickle_node *node)
{
    if (m->depth >= PICKLE_MAX_STACK) return wrong(m, "stack too deep");
    TRY(grow(m, &m->stack, &m->stack_capacity, m->depth, m->depth));
    m->stack[m->depth++] = node;
    return OK;
}

/* A node on top of the stack. */
static enum status push_new(struct machine *m, struct pickle_node value)
{
    if (m->nodes++ >= PICKLE_MAX_NODES) return wrong(m, "too many values");
    if (!m->pool_left) {
        m->pool = arena_alloc(m->arena, POOL, sizeof *m->pool);
        if (!m->pool) return short_memory(m, POOL * sizeof *m->pool);
        m->pool_left = POOL;
    }
    struct pickle_node *made = &m->pool[--m->pool_left];
    *made = value;
    return push(m, made);
}

static enum status push_kind(struct machine *m, enum pickle_kind kind)
{
    return push_new(m, (struct pickle_node){.kind = kind});
}

static enum status push_int(struct machine *m, enum pickle_kind kind, int64_t value)
{
    return push_new(m, (struct pickle_node){.kind = kind, .integer = value});
}

static size_t floor_of(const struct machine *m) { return m->mark_count ? m->marks[m->mark_count - 1] : 0; }

static enum status pop(struct machine *m, struct pickle_node **node)
{
    if (m->depth <= floor_of(m)) return wrong(m, "stack is empty");
    *node = m->stack[--m->depth];
    return OK;
}

/* Ends the topmost mark: *count values above it lie at *items until the next push. */
static enum status pop_mark(struct machine *m, struct pickle_node ***items, size_t *count)
{
    if (!m->mark_count) return wrong(m, "no mark");
    const size_t base = m->marks[--m->mark_count];
    *count = m->depth - base;
    *items = *count ? m->stack + base : NULL;
    m->depth = base;
    return OK;
}

/* ---- opcodes ---- */

static enum status append(struct machine *m, struct pickle_node *to, struct pickle_node *const *items,
                          size_t count)
{
    if (!count) return OK;
    TRY(grow(m, &to->items, &to->capacity, to->count, to->count + count - 1));
    memcpy(to->items + to->count, items, count * sizeof *items);
    to->count += count;
    return OK;
}

/* Takes the top count values, or those above the mark where count is negative. They stay at *items until a
 * push. */
static enum status pop_many(struct machine *m, enum pickle_kind kind, int count, struct pickle_node ***items,
                            size_t *n)
{
    *n = (size_t)count;
    if (count < 0) {
        TRY(pop_mark(m, items, n));
    } else {
        if (m->depth - floor_of(m) < *n) return wrong(m, "stack is empty");
        m->depth -= *n;
        *items = *n ? m->stack + m->depth : NULL;
    }
    return kind == PICKLE_DICT && *n % 2 ? wrong(m, "key without a value") : OK;
}

static enum status collect(struct machine *m, enum pickle_kind kind, int count)
{
    struct pickle_node **items, made = {.kind = kind};
    size_t n;
    TRY(pop_many(m, kind, count, &items, &n));
    TRY(append(m, &made, items, n));
    return push_new(m, made);
}

/* APPEND(S), SETITEM(S), ADDITEMS: into the list, dict, set or object below. */
static enum status extend(struct machine *m, enum pickle_kind kind, int count)
{
    struct pickle_node **items;
    size_t n;
    TRY(pop_many(m, kind, count, &items, &n));
    if (m->depth <= floor_of(m)) return wrong(m, "stack is empty");
    struct pickle_node *to = m->stack[m->depth - 1];
    if (to->kind != kind && to->kind != PICKLE_OBJECT) return wrong(m, "adds to a value of another kind");
    return append(m, to, items, n);
}

static enum status push_text(struct machine *m, int length_bytes)
{
    uint64_t n;
    TRY(take_number(m, length_bytes, &n));
    const uint8_t *bytes;
    TRY(take(m, n, &bytes));
    return push_new(m, (struct pickle_node){.kind = PICKLE_TEXT, .text = (const char *)bytes, .size = n});
}

static enum status push_global(struct machine *m, const char *module, size_t module_size, const char *name,
                               size_t name_size)
{
    if (module_size > LINE || name_size > LINE) return wrong(m, "name too long");
    char *text = arena_alloc(m->arena, module_size + name_size + 2, 1);
    if (!text) return short_memory(m, module_size + name_size);
    memcpy(text, module, module_size);
    text[module_size] = '.';
    memcpy(text + module_size + 1, name, name_size);
    const struct pickle_node node = {
        .kind = PICKLE_GLOBAL, .text = text, .size = module_size + name_size + 1};
    return push_new(m, node);
}

static enum status global_from_lines(struct machine *m)
{
    const char *module, *name;
    size_t module_size, name_size;
    TRY(take_line(m, &module, &module_size));
    TRY(take_line(m, &name, &name_size));
    return push_global(m, module, module_size, name, name_size);
}

static enum status global_from_stack(struct machine *m)
{
    struct pickle_node *name, *module;
    TRY(pop(m, &name));
    TRY(pop(m, &module));
    if (name->kind != PICKLE_TEXT || module->kind != PICKLE_TEXT) return wrong(m, "expected two strings");
    return push_global(m, module->text, module->size, name->text, name->size);
}

static enum status push_call(struct machine *m, bool keywords)
{
    struct pickle_node *callable, *args, *ignored;
    if (keywords) TRY(pop(m, &ignored));
    TRY(pop(m, &args));
    TRY(pop(m, &callable));
    if (args->kind != PICKLE_TUPLE) return wrong(m, "expected a tuple of arguments");
    return push_new(m, (struct pickle_node){.kind = PICKLE_OBJECT, .callable = callable, .args = args});
}

static enum status build(struct machine *m)
{
    struct pickle_node *state;
    TRY(pop(m, &state));
    if (m->depth <= floor_of(m)) return wrong(m, "stack is empty");
    if (m->stack[m->depth - 1]->kind != PICKLE_OBJECT) return wrong(m, "state for a value that is no object");
    m->stack[m->depth - 1]->state = state;
    return OK;
}

static enum status push_persistent(struct machine *m)
{
    struct pickle_node *id;
    TRY(pop(m, &id));
    return push_new(m, (struct pickle_node){.kind = PICKLE_PERSISTENT, .args = id});
}

/* Two's complement of any length; what 64 bits do not hold is PICKLE_OTHER. */
static enum status push_long(struct machine *m, int length_bytes)
{
    uint64_t n, value = 0;
    TRY(take_number(m, length_bytes, &n));
    const uint8_t *bytes;
    TRY(take(m, n, &bytes));
    if (n > 8) return push_kind(m, PICKLE_OTHER);
    for (size_t i = 0; i < 8; i++) {
        const uint8_t fill = n && bytes[n - 1] & 0x80 ? 0xff : 0;
        value |= (uint64_t)(i < n ? bytes[i] : fill) << 8 * i;
    }
    return push_int(m, PICKLE_INT, (int64_t)value);
}

static enum status push_binary_float(struct machine *m)
{
    const uint8_t *bytes;
    TRY(take(m, 8, &bytes));
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++) bits = bits << 8 | bytes[i];
    struct pickle_node node = {.kind = PICKLE_REAL};
    memcpy(&node.real, &bits, sizeof bits);
    return push_new(m, node);
}

/* INT, LONG, FLOAT of protocol 0: decimal text; INT 00 and 01 are truth values. */
static enum status push_decimal(struct machine *m, uint8_t opcode)
{
    const char *line;
    size_t n;
    TRY(take_line(m, &line, &n));
    char text[64], *end;
    if (n == 0 || n >= sizeof text) return wrong(m, "expected a number");
    memcpy(text, line, n);
    text[n] = 0;
    if (opcode == 'I' && n == 2 && text[0] == '0') return push_int(m, PICKLE_BOOL, text[1] == '1');
    const bool real = opcode == 'F';
    struct pickle_node node = {.kind = real ? PICKLE_REAL : PICKLE_INT};
    if (real)
        node.real = strtod(text, &end);
    else
        node.integer = strtoll(text, &end, 10);
    if (end == text || (*end && !(opcode == 'L' && *end == 'L'))) return wrong(m, "expected a number");
    return push_new(m, node);
}

static enum status put_memo(struct machine *m, uint64_t index)
{
    if (m->depth <= floor_of(m)) return wrong(m, "stack is empty");
    if (index >= PICKLE_MAX_MEMO) return wrong(m, "memo too large");
    TRY(grow(m, &m->memo, &m->memo_capacity, m->memo_capacity, index));
    if (!m->memo[index]) m->memo_count++;
    m->memo[index] = m->stack[m->depth - 1];
    return OK;
}

static enum status memo_number(struct machine *m, int bytes, bool put)
{
    uint64_t index;
    TRY(take_number(m, bytes, &index));
    if (put) return put_memo(m, index);
    if (index >= m->memo_capacity || !m->memo[index]) return wrong(m, "memo entry was never set");
    return push(m, m->memo[index]);
}

static enum status mark(struct machine *m)
{
    if (m->mark_count >= PICKLE_MAX_MARKS) return wrong(m, "too many marks");
    m->marks[m->mark_count++] = m->depth;
    return OK;
}

static enum status drop(struct machine *m, bool to_mark)
{
    struct pickle_node *node, **items;
    size_t count;
    return to_mark ? pop_mark(m, &items, &count) : pop(m, &node);
}

static enum status duplicate(struct machine *m)
{
    if (m->depth <= floor_of(m)) return wrong(m, "stack is empty");
    return push(m, m->stack[m->depth - 1]);
}

static enum status push_fixed(struct machine *m, int bytes)
{
    uint64_t value;
    TRY(take_number(m, bytes, &value));
    return push_int(m, PICKLE_INT, bytes == 4 ? (int32_t)(uint32_t)value : (int64_t)value);
}

static enum status check_protocol(struct machine *m)
{
    uint64_t version;
    TRY(take_number(m, 1, &version));
    return version <= MAX_PROTOCOL ? OK : wrong(m, "unknown protocol");
}

static enum status step(struct machine *m, uint8_t opcode)
{
    uint64_t ignored;
    switch (opcode) {
    case 0x80:
        return check_protocol(m);
    case 0x95:
        return take_number(m, 8, &ignored); /* FRAME: a reading hint */
    case '(':
        return mark(m);
    case '0':
        return drop(m, false);
    case '1':
        return drop(m, true);
    case '2':
        return duplicate(m);
    case 'N':
        return push_kind(m, PICKLE_NONE);
    case 0x88:
        return push_int(m, PICKLE_BOOL, 1);
    case 0x89:
        return push_int(m, PICKLE_BOOL, 0);
    case 'K':
        return push_fixed(m, 1);
    case 'M':
        return push_fixed(m, 2);
    case 'J':
        return push_fixed(m, 4);
    case 0x8a:
        return push_long(m, 1);
    case 0x8b:
        return push_long(m, 4);
    case 'I':
    case 'L':
    case 'F':
        return push_decimal(m, opcode);
    case 'G':
        return push_binary_float(m);
    case 'U':
    case 'C':
    case 0x8c:
        return push_text(m, 1);
    case 'T':
    case 'B':
    case 'X':
        return push_text(m, 4);
    case 0x8d:
    case 0x8e:
        return push_text(m, 8);
    case ')':
        return collect(m, PICKLE_TUPLE, 0);
    case 0x85:
        return collect(m, PICKLE_TUPLE, 1);
    case 0x86:
        return collect(m, PICKLE_TUPLE, 2);
    case 0x87:
        return collect(m, PICKLE_TUPLE, 3);
    case 't':
        return collect(m, PICKLE_TUPLE, -1);
    case ']':
        return collect(m, PICKLE_LIST, 0);
    case 'l':
        return collect(m, PICKLE_LIST, -1);
    case '}':
        return collect(m, PICKLE_DICT, 0);
    case 'd':
        return collect(m, PICKLE_DICT, -1);
    case 0x8f:
        return collect(m, PICKLE_SET, 0);
    case 0x91:
        return collect(m, PICKLE_SET, -1);
    case 'a':
        return extend(m, PICKLE_LIST, 1);
    case 'e':
        return extend(m, PICKLE_LIST, -1);
    case 's':
        return extend(m, PICKLE_DICT, 2);
    case 'u':
        return extend(m, PICKLE_DICT, -1);
    case 0x90:
        return extend(m, PICKLE_SET, -1);
    case 'q':
        return memo_number(m, 1, true);
    case 'r':
        return memo_number(m, 4, true);
    case 'h':
        return memo_number(m, 1, false);
    case 'j':
        return memo_number(m, 4, false);
    case 0x94:
        return put_memo(m, m->memo_count);
    case 'c':
        return global_from_lines(m);
    case 0x93:
        return global_from_stack(m);
    case 'R':
    case 0x81:
        return push_call(m, false);
    case 0x92:
        return push_call(m, true);
    case 'b':
        return build(m);
    case 'Q':
        return push_persistent(m);
    default:
        return wrong(m, "unknown opcode");
    }
}

enum status pickle_read(struct pickle_node **root, struct arena *arena, const uint8_t *data, size_t n,
                        const char *path, struct error *err)
{
    struct machine *m = arena_alloc(arena, 1, sizeof *m);
    if (!m) return fail_memory(err, path, sizeof *m);
    *m = (struct machine){.arena = arena, .data = data, .n = n, .path = path, .err = err};
    while (m->at < n) {
        m->opcode_at = m->at;
        const uint8_t opcode = data[m->at++];
        if (opcode == '.') return pop(m, root);
        TRY(step(m, opcode));
    }
    return fail(err, ERR_INPUT, "%s: data.pkl: ends at byte %zu without a STOP", path, n);
}

bool pickle_is(const struct pickle_node *node, enum pickle_kind kind, const char *text)
{
    return node && node->kind == kind && node->size == strlen(text) &&
           memcmp(node->text, text, node->size) == 0;
}

const struct pickle_node *pickle_get(const struct pickle_node *node, const char *key)
{
    if (!node || (node->kind != PICKLE_DICT && node->kind != PICKLE_OBJECT)) return NULL;
    for (size_t i = 0; i + 1 < node->count; i += 2)
        if (pickle_is(node->items[i], PICKLE_TEXT, key)) return node->items[i + 1];
    return NULL;
}
