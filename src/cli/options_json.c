/* Options to JSON (for the manifest) and back (for rerun). */
#include "cli/options.h"

#include <stdio.h>
#include <string.h>

static void value_json(struct text *out, const struct option *option, const void *where)
{
    switch (option->type) {
    case OPTION_FLAG:
        text_add(out, *(const bool *)where ? "true" : "false");
        return;
    case OPTION_INT:
    case OPTION_BYTES:
        text_format(out, "%lld", (long long)*(const int64_t *)where);
        return;
    case OPTION_REAL:
        text_json_real(out, *(const double *)where);
        return;
    case OPTION_CHOICE:
        for (const struct option_choice *choice = option->choices; choice->name; choice++)
            if (choice->value == *(const int *)where) {
                text_json_string(out, choice->name);
                return;
            }
        return;
    case OPTION_INTS: {
        const struct option_ints *list = where;
        for (int i = 0; i < list->count; i++) text_format(out, "%s%d", i ? ", " : "[", list->values[i]);
        text_add(out, "]");
        return;
    }
    case OPTION_SIZE: {
        const struct option_size *size = where;
        text_format(out, "\"%dx%d\"", size->width, size->height);
        return;
    }
    default:
        text_json_string(out, *(const char *const *)where);
    }
}

void options_json(struct text *out, const struct option_set *set, const char *indent)
{
    bool first = true;
    for (const struct option *option = set->table; option->name; option++) {
        if (!option_given(option, set->values)) continue;
        text_format(out, "%s\n%s", first ? "" : ",", indent);
        text_json_string(out, option->name);
        text_add(out, ": ");
        value_json(out, option, (const char *)set->values + option->offset);
        first = false;
    }
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
