/* JSON in: limits, then a tree to ask questions of. JSON out is base/json_write.h.
 *
 * A thin layer over jansson that hides it: a build without the library compiles everything, and only reading
 * fails (ERR_SYSTEM). Refused on input: more bytes than the caller allows, nesting deeper than
 * JSON_MAX_DEPTH, more than JSON_MAX_VALUES values, duplicate keys, trailing text, NUL characters, invalid
 * UTF-8, integers beyond 64 bits. */
#ifndef RETORT_BASE_JSON_H
#define RETORT_BASE_JSON_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JSON_MAX_DEPTH = 64, JSON_MAX_VALUES = 1 << 24 };

struct json; /* one value; belongs to its root */

enum json_kind {
    JSON_KIND_MISSING, /* of a NULL value */
    JSON_KIND_NULL,
    JSON_KIND_BOOL,
    JSON_KIND_INT,
    JSON_KIND_REAL,
    JSON_KIND_TEXT,
    JSON_KIND_ARRAY,
    JSON_KIND_OBJECT,
};

/* Reads one document of at most limit bytes. name stands for the bytes in messages, which say "name: line L
 * column C: ...". After OK the caller frees *root with json_free. */
enum status json_read_file(struct json **root, const char *path, size_t limit, struct error *err);
enum status json_read_bytes(struct json **root, const void *data, size_t n, const char *name, size_t limit,
                            struct error *err);
void json_free(struct json *root); /* NULL is fine */

/* Questions that cannot fail. NULL and a value of another kind are allowed everywhere. */
enum json_kind json_kind(const struct json *value);
const char *json_kind_name(const struct json *value); /* "an array", "nothing"; for messages */
const struct json *json_member(const struct json *object, const char *key); /* NULL when absent */
size_t json_count(const struct json *value);                                /* of items or members, else 0 */
const struct json *json_item(const struct json *array, size_t i);           /* NULL beyond the end */
const char *json_text(const struct json *value);                            /* NULL when not a string */
double json_number(const struct json *value, double otherwise);             /* an integer or a real */
int64_t json_int(const struct json *value, int64_t otherwise);

/* The members in the order of the document. Start with {.object = ...}; false after the last. */
struct json_cursor {
    const struct json *object;
    void *position;
};
bool json_next(struct json_cursor *cursor, const char **key, const struct json **value);

/* Members that must be there: ERR_INPUT naming where, the key, what was expected and what was found. */
enum status json_get_int(int64_t *value, const struct json *object, const char *key, int64_t min, int64_t max,
                         const char *where, struct error *err);
enum status json_get_number(double *value, const struct json *object, const char *key, const char *where,
                            struct error *err);
enum status json_get_text(const char **value, const struct json *object, const char *key, const char *where,
                          struct error *err);
enum status json_get_bool(bool *value, const struct json *object, const char *key, const char *where,
                          struct error *err);
enum status json_get_array(const struct json **value, const struct json *object, const char *key,
                           const char *where, struct error *err);

#endif
