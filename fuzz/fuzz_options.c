/* Options of a command as a manifest keeps them; what is accepted must survive the way there and back. */
/* Parser: src/cli/options_json.c */
#include "cli/options.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct values {
    bool flag;
    int choice;
    int64_t integer;
    double real;
    const char *text;
    struct option_ints list;
    struct option_size size;
};

static const struct option_choice choices[] = {{"low", 1}, {"high", 2}, {0}};
static const struct option table[] = {
    {.name = "flag", .type = OPTION_FLAG, .offset = offsetof(struct values, flag)},
    {.name = "choice",
     .type = OPTION_CHOICE,
     .offset = offsetof(struct values, choice),
     .value = "low",
     .choices = choices},
    {.name = "int", .type = OPTION_INT, .offset = offsetof(struct values, integer), .value = "0", .high = 99},
    {.name = "real", .type = OPTION_REAL, .offset = offsetof(struct values, real), .value = "0", .high = 1},
    {.name = "text", .type = OPTION_TEXT, .offset = offsetof(struct values, text)},
    {.name = "list", .type = OPTION_INTS, .offset = offsetof(struct values, list), .high = 79},
    {.name = "size", .type = OPTION_SIZE, .offset = offsetof(struct values, size), .low = 32, .high = 4096},
    {0},
};

/* The options as text, or NULL when the bytes are refused. */
static char *restore(const void *data, size_t size, struct arena *arena)
{
    struct values values = {0};
    struct error err;
    const struct option_set set = {table, &values};
    struct json *object;
    struct json_buffer out;
    if (json_read_bytes(&object, data, size, "input", 1 << 20, &err) != OK) return NULL;
    const bool good =
        options_default(&set, 1, &err) == OK && options_restore(&set, object, arena, &err) == OK;
    json_free(object);
    if (!good || json_buffer_begin(&out, true, &err) != OK) return NULL;
    json_open(&out.out, NULL, '{');
    options_json(&out.out, &set);
    json_close(&out.out);
    return json_buffer_end(&out, &err) == OK ? out.text : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    char *const first = restore(data, size, &arena);
    if (first) {
        char *const second = restore(first, strlen(first), &arena);
        if (!second || strcmp(first, second)) abort();
        free(second);
    }
    free(first);
    arena_free(&arena);
    return 0;
}
