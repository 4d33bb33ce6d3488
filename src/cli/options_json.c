/* Options to JSON (for the manifest) and back (for rerun). */
#include "cli/options.h"

#include <stdio.h>
#include <string.h>

static void put_value(struct json_writer *out, const struct option *option, const void *where)
{
    switch (option->type) {
    case OPTION_FLAG:
        json_put_bool(out, option->name, *(const bool *)where);
        return;
    case OPTION_INT:
    case OPTION_BYTES:
        json_put_int(out, option->name, *(const int64_t *)where);
        return;
    case OPTION_REAL:
        json_put_double(out, option->name, *(const double *)where);
        return;
    case OPTION_CHOICE:
        for (const struct option_choice *choice = option->choices; choice->name; choice++)
            if (choice->value == *(const int *)where) {
                json_put_text(out, option->name, choice->name);
                return;
            }
        return;
    case OPTION_INTS: {
        const struct option_ints *list = where;
        json_open_flat(out, option->name, '[');
        for (int i = 0; i < list->count; i++) json_put_int(out, NULL, list->values[i]);
        json_close(out);
        return;
    }
    case OPTION_SIZE: {
        const struct option_size *size = where;
        char text[32];
        snprintf(text, sizeof text, "%dx%d", size->width, size->height);
        json_put_text(out, option->name, text);
        return;
    }
    default:
        json_put_text(out, option->name, *(const char *const *)where);
    }
}

void options_json(struct json_writer *out, const struct option_set *set)
{
    for (const struct option *option = set->table; option->name; option++)
        if (option_given(option, set->values))
            put_value(out, option, (const char *)set->values + option->offset);
}

/* A JSON value as it would stand on the command line, in the arena; NULL when it cannot. */
static const char *command_line_text(const struct json *value, struct arena *arena)
{
    if (json_kind(value) == JSON_KIND_TEXT) return arena_strdup(arena, json_text(value));
    if (json_kind(value) == JSON_KIND_INT) return arena_printf(arena, "%lld", (long long)json_int(value, 0));
    if (json_kind(value) == JSON_KIND_REAL) return arena_printf(arena, "%.17g", json_number(value, 0));
    struct text list = {0};
    for (size_t i = 0; i < json_count(value); i++)
        text_format(&list, "%s%lld", i ? "," : "", (long long)json_int(json_item(value, i), INT64_MIN));
    const char *copy = list.size ? arena_strdup(arena, list.data) : NULL;
    text_free(&list);
    return copy;
}

static enum status restore_one(const struct option *option, void *values, const struct json *object,
                               const struct json *value, struct arena *arena, struct error *err)
{
    if (option->type == OPTION_FLAG)
        return json_get_bool((bool *)((char *)values + option->offset), object, option->name, "options", err);
    const char *text = command_line_text(value, arena);
    if (!text)
        return fail(err, ERR_INPUT, "option %s: expected a text, a number or a list of integers",
                    option->name);
    return option_set_text(option, values, text, err);
}

enum status options_restore(const struct option_set *set, const struct json *object, struct arena *arena,
                            struct error *err)
{
    const char *name;
    const struct json *value;
    struct json_cursor cursor = {.object = object};
    while (json_next(&cursor, &name, &value)) {
        const struct option *option = set->table;
        while (option->name && strcmp(option->name, name)) option++;
        if (!option->name) return fail(err, ERR_INPUT, "option %.60s: unknown to this version", name);
        TRY(restore_one(option, set->values, object, value, arena, err));
    }
    return OK;
}
