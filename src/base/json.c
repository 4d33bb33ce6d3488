#include "base/json.h"

#include "base/file.h"

#if HAVE_JANSSON

#include <jansson.h>

static json_t *tree(const struct json *value) { return (json_t *)(uintptr_t)value; }
static const struct json *wrap(const json_t *value) { return (const struct json *)value; }

/* Depth and number of values before a parser allocates anything. Text outside strings need not be JSON here.
 */
static enum status check_limits(const char *text, size_t n, const char *name, struct error *err)
{
    size_t depth = 0, values = 1;
    bool inside = false;
    for (size_t i = 0; i < n; i++) {
        const char c = text[i];
        if (inside) {
            if (c == '\\') i++;
            if (c == '"') inside = false;
            continue;
        }
        if (c == '"') inside = true;
        if (c == '[' || c == '{') depth++;
        if ((c == ']' || c == '}') && depth) depth--;
        if (c == ',' || c == '[' || c == '{') values++;
        if (depth > JSON_MAX_DEPTH)
            return fail(err, ERR_INPUT, "%s: byte %zu: nested deeper than %d", name, i, JSON_MAX_DEPTH);
        if (values > JSON_MAX_VALUES)
            return fail(err, ERR_INPUT, "%s: byte %zu: more than %d values", name, i, JSON_MAX_VALUES);
    }
    return OK;
}

enum status json_read_bytes(struct json **root, const void *data, size_t n, const char *name, size_t limit,
                            struct error *err)
{
    *root = NULL;
    if (n > limit) return fail(err, ERR_INPUT, "%s: %zu bytes of JSON, at most %zu allowed", name, n, limit);
    TRY(check_limits(data, n, name, err));
    json_error_t reason;
    json_t *value = json_loadb(data, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &reason);
    if (!value && json_error_code(&reason) == json_error_out_of_memory) return fail_memory(err, name, n);
    if (!value)
        return fail(err, ERR_INPUT, "%s: line %d column %d: %s", name, reason.line, reason.column,
                    reason.text);
    *root = (struct json *)value;
    return OK;
}

void json_free(struct json *root) { json_decref(tree(root)); }

enum json_kind json_kind(const struct json *value)
{
    if (!value) return JSON_KIND_MISSING;
    switch (json_typeof(tree(value))) {
    case JSON_OBJECT:
        return JSON_KIND_OBJECT;
    case JSON_ARRAY:
        return JSON_KIND_ARRAY;
    case JSON_STRING:
        return JSON_KIND_TEXT;
    case JSON_INTEGER:
        return JSON_KIND_INT;
    case JSON_REAL:
        return JSON_KIND_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return JSON_KIND_BOOL;
    default:
        return JSON_KIND_NULL;
    }
}

const struct json *json_member(const struct json *object, const char *key)
{
    return wrap(json_object_get(tree(object), key));
}

size_t json_count(const struct json *value)
{
    return json_is_array(tree(value)) ? json_array_size(tree(value)) : json_object_size(tree(value));
}

const struct json *json_item(const struct json *array, size_t i)
{
    return wrap(json_array_get(tree(array), i));
}

const char *json_text(const struct json *value) { return json_string_value(tree(value)); }

double json_number(const struct json *value, double otherwise)
{
    return json_is_number(tree(value)) ? json_number_value(tree(value)) : otherwise;
}

int64_t json_int(const struct json *value, int64_t otherwise)
{
    return json_is_integer(tree(value)) ? json_integer_value(tree(value)) : otherwise;
}

static bool truth(const struct json *value) { return json_is_true(tree(value)); }

bool json_next(struct json_cursor *cursor, const char **key, const struct json **value)
{
    json_t *object = tree(cursor->object);
    cursor->position =
        cursor->position ? json_object_iter_next(object, cursor->position) : json_object_iter(object);
    if (!cursor->position) return false;
    *key = json_object_iter_key(cursor->position);
    *value = wrap(json_object_iter_value(cursor->position));
    return true;
}

#else

enum status json_read_bytes(struct json **root, const void *data, size_t n, const char *name, size_t limit,
                            struct error *err)
{
    (void)data, (void)n, (void)limit;
    *root = NULL;
    return fail(err, ERR_SYSTEM, "%s: this build has no JSON reader", name);
}

/* No value can exist, so these are never asked about one. */
void json_free(struct json *root) { (void)root; }
enum json_kind json_kind(const struct json *value) { return (void)value, JSON_KIND_MISSING; }
const struct json *json_member(const struct json *object, const char *key)
{
    return (void)object, (void)key, NULL;
}
size_t json_count(const struct json *value) { return (void)value, 0; }
const struct json *json_item(const struct json *array, size_t i) { return (void)array, (void)i, NULL; }
const char *json_text(const struct json *value) { return (void)value, NULL; }
double json_number(const struct json *value, double otherwise) { return (void)value, otherwise; }
int64_t json_int(const struct json *value, int64_t otherwise) { return (void)value, otherwise; }
static bool truth(const struct json *value) { return (void)value, false; }
bool json_next(struct json_cursor *cursor, const char **key, const struct json **value)
{
    return (void)cursor, (void)key, (void)value, false;
}

#endif

enum status json_read_file(struct json **root, const char *path, size_t limit, struct error *err)
{
    *root = NULL;
    struct file_view view;
    TRY(file_map(&view, path, err));
    const enum status status = json_read_bytes(root, view.data, view.size, path, limit, err);
    file_unmap(&view);
    return status;
}

const char *json_kind_name(const struct json *value)
{
    static const char *const names[] = {"nothing", "null",     "a truth value", "an integer",
                                        "a real",  "a string", "an array",      "an object"};
    return names[json_kind(value)];
}

static enum status mismatch(const struct json *object, const char *key, const char *where,
                            const char *expected, struct error *err)
{
    if (json_kind(object) != JSON_KIND_OBJECT)
        return fail(err, ERR_INPUT, "%s: expected an object with \"%s\", found %s", where, key,
                    json_kind_name(object));
    return fail(err, ERR_INPUT, "%s: \"%s\": expected %s, found %s", where, key, expected,
                json_kind_name(json_member(object, key)));
}

enum status json_get_int(int64_t *value, const struct json *object, const char *key, int64_t min, int64_t max,
                         const char *where, struct error *err)
{
    const struct json *member = json_member(object, key);
    if (json_kind(member) != JSON_KIND_INT) return mismatch(object, key, where, "an integer", err);
    *value = json_int(member, 0);
    if (*value >= min && *value <= max) return OK;
    return fail(err, ERR_INPUT, "%s: \"%s\": expected %lld to %lld, found %lld", where, key, (long long)min,
                (long long)max, (long long)*value);
}

enum status json_get_number(double *value, const struct json *object, const char *key, const char *where,
                            struct error *err)
{
    const struct json *member = json_member(object, key);
    const enum json_kind kind = json_kind(member);
    if (kind != JSON_KIND_INT && kind != JSON_KIND_REAL) return mismatch(object, key, where, "a number", err);
    *value = json_number(member, 0);
    return OK;
}

enum status json_get_text(const char **value, const struct json *object, const char *key, const char *where,
                          struct error *err)
{
    *value = json_text(json_member(object, key));
    return *value ? OK : mismatch(object, key, where, "a string", err);
}

enum status json_get_bool(bool *value, const struct json *object, const char *key, const char *where,
                          struct error *err)
{
    const struct json *member = json_member(object, key);
    if (json_kind(member) != JSON_KIND_BOOL) return mismatch(object, key, where, "true or false", err);
    *value = truth(member);
    return OK;
}

enum status json_get_array(const struct json **value, const struct json *object, const char *key,
                           const char *where, struct error *err)
{
    *value = json_member(object, key);
    return json_kind(*value) == JSON_KIND_ARRAY ? OK : mismatch(object, key, where, "an array", err);
}
