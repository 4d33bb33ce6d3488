/* Pickled Python values as a graph of nodes. Nothing is ever executed: a class or function is a name, and
 * calling one makes an object node that records what was called with which arguments.
 *
 * Protocols 0 to 5 as far as PyTorch's writers use them; an unknown opcode is an error. Bounded:
 * PICKLE_MAX_NODES, stack, marks and memo; everything else by the number of bytes, since no opcode makes more
 * than one node. A value may be shared and a list may contain itself: whoever walks the graph bounds depth
 * and steps. */
#ifndef RETORT_NN_PICKLE_H
#define RETORT_NN_PICKLE_H

#include "base/arena.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    PICKLE_MAX_NODES = 1 << 22,
    PICKLE_MAX_STACK = 1 << 20,
    PICKLE_MAX_MEMO = 1 << 22,
    PICKLE_MAX_MARKS = 4096
};

enum pickle_kind {
    PICKLE_NONE,
    PICKLE_BOOL,       /* integer */
    PICKLE_INT,        /* integer */
    PICKLE_REAL,       /* real */
    PICKLE_TEXT,       /* text, size: UTF-8 or raw bytes */
    PICKLE_TUPLE,      /* items */
    PICKLE_LIST,       /* items */
    PICKLE_SET,        /* items */
    PICKLE_DICT,       /* items: key, value, key, value, ... */
    PICKLE_GLOBAL,     /* text, size: module and name joined by a dot */
    PICKLE_OBJECT,     /* callable(args); state as set by BUILD or NULL; items as for a list or dict */
    PICKLE_PERSISTENT, /* args: the identifier */
    PICKLE_OTHER,      /* a number that fits nothing above */
};

struct pickle_node {
    enum pickle_kind kind;
    union {
        int64_t integer;
        double real;
        const char *text; /* no terminator */
    };
    size_t size; /* of text */
    struct pickle_node *callable, *args, *state;
    struct pickle_node **items;
    size_t count, capacity; /* of items */
};

/* The value that the n bytes stand for; nodes belong to the arena, texts mostly to the bytes. */
enum status pickle_read(struct pickle_node **root, struct arena *arena, const uint8_t *data, size_t n,
                        const char *path, struct error *err);

/* Is it this text, or this global? */
bool pickle_is(const struct pickle_node *node, enum pickle_kind kind, const char *text);

/* The value of a text key in a dict or dict-like object, or NULL. node may be NULL. */
const struct pickle_node *pickle_get(const struct pickle_node *node, const char *key);

#endif
