#include "nn/pickle_machine.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_PROTOCOL = 5 };

static enum status push_kind(struct pickle_machine *m, enum pickle_kind kind)
{
    return pickle_push_new(m, (struct pickle_node){.kind = kind});
}

static enum status push_int(struct pickle_machine *m, enum pickle_kind kind, int64_t value)
{
    return pickle_push_new(m, (struct pickle_node){.kind = kind, .integer = value});
}

static enum status append(struct pickle_machine *m, struct pickle_node *to, struct pickle_node *const *items,
                          size_t count)
{
    if (!count) return OK;
    TRY(pickle_grow(m, &to->items, &to->capacity, to->count, to->count + count - 1));
    memcpy(to->items + to->count, items, count * sizeof *items);
    to->count += count;
    return OK;
}

/* Takes the top count values, or those above the mark where count is negative. They stay at *items until a
 * push. */
static enum status pop_many(struct pickle_machine *m, enum pickle_kind kind, int count,
                            struct pickle_node ***items, size_t *n)
{
    *n = (size_t)count;
    if (count < 0) {
        TRY(pickle_pop_mark(m, items, n));
    } else {
        if (m->depth - pickle_floor(m) < *n) return pickle_wrong(m, "stack is empty");
        m->depth -= *n;
        *items = *n ? m->stack + m->depth : NULL;
    }
    return kind == PICKLE_DICT && *n % 2 ? pickle_wrong(m, "key without a value") : OK;
}

static enum status collect(struct pickle_machine *m, enum pickle_kind kind, int count)
{
    struct pickle_node **items, made = {.kind = kind};
    size_t n;
    TRY(pop_many(m, kind, count, &items, &n));
    TRY(append(m, &made, items, n));
    return pickle_push_new(m, made);
}

/* APPEND(S), SETITEM(S), ADDITEMS: into the list, dict, set or object below. */
static enum status extend(struct pickle_machine *m, enum pickle_kind kind, int count)
{
    struct pickle_node **items;
    size_t n;
    TRY(pop_many(m, kind, count, &items, &n));
    if (m->depth <= pickle_floor(m)) return pickle_wrong(m, "stack is empty");
    struct pickle_node *to = m->stack[m->depth - 1];
    if (to->kind != kind && to->kind != PICKLE_OBJECT)
        return pickle_wrong(m, "adds to a value of another kind");
    return append(m, to, items, n);
}

static enum status push_text(struct pickle_machine *m, int length_bytes)
{
    uint64_t n;
    TRY(pickle_take_number(m, length_bytes, &n));
    const uint8_t *bytes;
    TRY(pickle_take(m, n, &bytes));
    return pickle_push_new(m,
                           (struct pickle_node){.kind = PICKLE_TEXT, .text = (const char *)bytes, .size = n});
}

static enum status push_global(struct pickle_machine *m, const char *module, size_t module_size,
                               const char *name, size_t name_size)
{
    if (module_size > PICKLE_MAX_LINE || name_size > PICKLE_MAX_LINE) return pickle_wrong(m, "name too long");
    char *text = arena_alloc(m->arena, module_size + name_size + 2, 1);
    if (!text) return pickle_short_memory(m, module_size + name_size);
    memcpy(text, module, module_size);
    text[module_size] = '.';
    memcpy(text + module_size + 1, name, name_size);
    const struct pickle_node node = {
        .kind = PICKLE_GLOBAL, .text = text, .size = module_size + name_size + 1};
    return pickle_push_new(m, node);
}

static enum status global_from_lines(struct pickle_machine *m)
{
    const char *module, *name;
    size_t module_size, name_size;
    TRY(pickle_take_line(m, &module, &module_size));
    TRY(pickle_take_line(m, &name, &name_size));
    return push_global(m, module, module_size, name, name_size);
}

static enum status global_from_stack(struct pickle_machine *m)
{
    struct pickle_node *name, *module;
    TRY(pickle_pop(m, &name));
    TRY(pickle_pop(m, &module));
    if (name->kind != PICKLE_TEXT || module->kind != PICKLE_TEXT)
        return pickle_wrong(m, "expected two strings");
    return push_global(m, module->text, module->size, name->text, name->size);
}

static enum status push_call(struct pickle_machine *m, bool keywords)
{
    struct pickle_node *callable, *args, *ignored;
    if (keywords) TRY(pickle_pop(m, &ignored));
    TRY(pickle_pop(m, &args));
    TRY(pickle_pop(m, &callable));
    if (args->kind != PICKLE_TUPLE) return pickle_wrong(m, "expected a tuple of arguments");
    return pickle_push_new(m,
                           (struct pickle_node){.kind = PICKLE_OBJECT, .callable = callable, .args = args});
}

static enum status build(struct pickle_machine *m)
{
    struct pickle_node *state;
    TRY(pickle_pop(m, &state));
    if (m->depth <= pickle_floor(m)) return pickle_wrong(m, "stack is empty");
    if (m->stack[m->depth - 1]->kind != PICKLE_OBJECT)
        return pickle_wrong(m, "state for a value that is no object");
    m->stack[m->depth - 1]->state = state;
    return OK;
}

static enum status push_persistent(struct pickle_machine *m)
{
    struct pickle_node *id;
    TRY(pickle_pop(m, &id));
    return pickle_push_new(m, (struct pickle_node){.kind = PICKLE_PERSISTENT, .args = id});
}

/* Two's complement of any length; what 64 bits do not hold is PICKLE_OTHER. */
static enum status push_long(struct pickle_machine *m, int length_bytes)
{
    uint64_t n, value = 0;
    TRY(pickle_take_number(m, length_bytes, &n));
    const uint8_t *bytes;
    TRY(pickle_take(m, n, &bytes));
    if (n > 8) return push_kind(m, PICKLE_OTHER);
    for (size_t i = 0; i < 8; i++) {
        const uint8_t fill = n && bytes[n - 1] & 0x80 ? 0xff : 0;
        value |= (uint64_t)(i < n ? bytes[i] : fill) << 8 * i;
    }
    return push_int(m, PICKLE_INT, (int64_t)value);
}

static enum status push_binary_float(struct pickle_machine *m)
{
    const uint8_t *bytes;
    TRY(pickle_take(m, 8, &bytes));
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++) bits = bits << 8 | bytes[i];
    struct pickle_node node = {.kind = PICKLE_REAL};
    memcpy(&node.real, &bits, sizeof bits);
    return pickle_push_new(m, node);
}

/* INT, LONG, FLOAT of protocol 0: decimal text; INT 00 and 01 are truth values. */
static enum status push_decimal(struct pickle_machine *m, uint8_t opcode)
{
    const char *line;
    size_t n;
    TRY(pickle_take_line(m, &line, &n));
    char text[64], *end;
    if (n == 0 || n >= sizeof text) return pickle_wrong(m, "expected a number");
    memcpy(text, line, n);
    text[n] = 0;
    if (opcode == 'I' && n == 2 && text[0] == '0') return push_int(m, PICKLE_BOOL, text[1] == '1');
    const bool real = opcode == 'F';
    struct pickle_node node = {.kind = real ? PICKLE_REAL : PICKLE_INT};
    if (real)
        node.real = strtod(text, &end);
    else
        node.integer = strtoll(text, &end, 10);
    if (end == text || (*end && !(opcode == 'L' && *end == 'L'))) return pickle_wrong(m, "expected a number");
    return pickle_push_new(m, node);
}

static enum status put_memo(struct pickle_machine *m, uint64_t index)
{
    if (m->depth <= pickle_floor(m)) return pickle_wrong(m, "stack is empty");
    if (index >= PICKLE_MAX_MEMO) return pickle_wrong(m, "memo too large");
    TRY(pickle_grow(m, &m->memo, &m->memo_capacity, m->memo_capacity, index));
    if (!m->memo[index]) m->memo_count++;
    m->memo[index] = m->stack[m->depth - 1];
    return OK;
}

static enum status memo_number(struct pickle_machine *m, int bytes, bool put)
{
    uint64_t index;
    TRY(pickle_take_number(m, bytes, &index));
    if (put) return put_memo(m, index);
    if (index >= m->memo_capacity || !m->memo[index]) return pickle_wrong(m, "memo entry was never set");
    return pickle_push(m, m->memo[index]);
}

static enum status mark(struct pickle_machine *m)
{
    if (m->mark_count >= PICKLE_MAX_MARKS) return pickle_wrong(m, "too many marks");
    m->marks[m->mark_count++] = m->depth;
    return OK;
}

static enum status drop(struct pickle_machine *m, bool to_mark)
{
    struct pickle_node *node, **items;
    size_t count;
    return to_mark ? pickle_pop_mark(m, &items, &count) : pickle_pop(m, &node);
}

static enum status duplicate(struct pickle_machine *m)
{
    if (m->depth <= pickle_floor(m)) return pickle_wrong(m, "stack is empty");
    return pickle_push(m, m->stack[m->depth - 1]);
}

static enum status push_fixed(struct pickle_machine *m, int bytes)
{
    uint64_t value;
    TRY(pickle_take_number(m, bytes, &value));
    return push_int(m, PICKLE_INT, bytes == 4 ? (int32_t)(uint32_t)value : (int64_t)value);
}

static enum status check_protocol(struct pickle_machine *m)
{
    uint64_t version;
    TRY(pickle_take_number(m, 1, &version));
    return version <= MAX_PROTOCOL ? OK : pickle_wrong(m, "unknown protocol");
}

/* What holds the machine together: protocol, stack, memo, and what code would make. */
static enum status step_machine(struct pickle_machine *m, uint8_t opcode)
{
    uint64_t ignored;
    switch (opcode) {
    case 0x80:
        return check_protocol(m);
    case 0x95:
        return pickle_take_number(m, 8, &ignored); /* FRAME: a reading hint */
    case '(':
        return mark(m);
    case '0':
        return drop(m, false);
    case '1':
        return drop(m, true);
    case '2':
        return duplicate(m);
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
        return pickle_wrong(m, "unknown opcode");
    }
}

static enum status step_container(struct pickle_machine *m, uint8_t opcode)
{
    switch (opcode) {
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
    default:
        return step_machine(m, opcode);
    }
}

static enum status step(struct pickle_machine *m, uint8_t opcode)
{
    switch (opcode) {
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
    default:
        return step_container(m, opcode);
    }
}

enum status pickle_read(struct pickle_node **root, struct arena *arena, const uint8_t *data, size_t n,
                        const char *path, struct error *err)
{
    struct pickle_machine *m = arena_alloc(arena, 1, sizeof *m);
    if (!m) return fail_memory(err, path, sizeof *m);
    *m = (struct pickle_machine){.arena = arena, .data = data, .n = n, .path = path, .err = err};
    while (m->at < n) {
        m->opcode_at = m->at;
        const uint8_t opcode = data[m->at++];
        if (opcode == '.') return pickle_pop(m, root);
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
