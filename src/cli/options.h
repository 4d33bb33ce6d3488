/* Options of a command, described once: parsing, help, man page, JSON and back all come from the same table.
 *
 * Values live in a plain struct of the command; each option names its place by offsetof. Types of the places:
 *   OPTION_FLAG bool, OPTION_INT and OPTION_BYTES int64_t, OPTION_REAL double, OPTION_CHOICE int, OPTION_INTS
 * struct option_ints, OPTION_SIZE struct option_size, the others const char * (NULL when not given). A number
 * whose default lies outside its range is "not given" as long as it holds that default; a choice, while none
 * of its names has its value. */
#ifndef RETORT_CLI_OPTIONS_H
#define RETORT_CLI_OPTIONS_H

#include "base/arena.h"
#include "base/json.h"
#include "base/json_write.h"
#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_type {
    OPTION_FLAG,
    OPTION_INT,  /* in [low, high] */
    OPTION_REAL, /* in [low, high] */
    OPTION_TEXT,
    OPTION_INPUT,         /* a file or folder that is read: hashed into the manifest */
    OPTION_SOURCE,        /* frames (image/source.h); "-" and what a list names, too: hashed likewise */
    OPTION_OUTPUT,        /* a file that is written */
    OPTION_OUTPUT_FOLDER, /* a folder that is written; the manifest goes into it */
    OPTION_CHOICE,        /* one of a table of names */
    OPTION_INTS,          /* "1,2,5", each in [low, high] */
    OPTION_BYTES,         /* "512M": bytes, or times 1024, 1024^2, 1024^3 with K, M, G; in [low, high] */
    OPTION_SIZE,          /* "640" or "640x384" (width x height), each in [low, high] */
};

enum { OPTION_MAX_INTS = 256 };

struct option_ints {
    int count;
    int values[OPTION_MAX_INTS];
};

struct option_size {
    int width, height;
};

/* Tables end with {0}. Several names may have the same value; the first is shown and dumped. */
struct option_choice {
    const char *name;
    int value;
};

/* Tables end with {0}. */
struct option {
    const char *name; /* without the dashes */
    char letter;      /* or 0 */
    enum option_type type;
    size_t offset;
    const char *value; /* default as text, or NULL */
    double low, high;
    const struct option_choice *choices;
    const char *place; /* stands for the value in the help: "FILE" */
    const char *help;
    bool required;
};

/* A named set of defaults: "option", "value", ... and NULL; a flag's value is "". Tables end with {0}. */
struct option_preset {
    const char *name;
    const char *const *settings;
};

/* A row of an option table: --memory-limit into an int64_t; 0 when not given. */
#define MEMORY_LIMIT_OPTION(at)                                                                              \
    {                                                                                                        \
        "memory-limit", 0, OPTION_BYTES, at, "0", 1 << 20, 1LL << 50,                                        \
            .help = "refuse, before it starts, what needs more: the network's buffers and, in training, "    \
                    "weights, "                                                                              \
                    "gradients and moments. Pictures do not count"                                           \
    }

/* A table and the struct that its offsets refer to. */
struct option_set {
    const struct option *table;
    void *values;
};

/* Sets every option to its default. */
enum status options_default(const struct option_set *sets, int set_count, struct error *err);

/* Reads argv[0..argc): options into their places, everything else into operands (room for argc), in order;
 * "--" ends the options. Texts point into argv or the arena. All mistakes are reported together, one a line,
 * ERR_USAGE. */
enum status options_parse(const struct option_set *sets, int set_count, int argc, char **argv,
                          char **operands, int *operand_count, struct error *err);

/* ERR_USAGE naming every required option that has no value. */
enum status options_require(const struct option_set *sets, int set_count, struct error *err);

/* Sets one option from text; the message starts with "--name: ". */
enum status option_set_text(const struct option *option, void *values, const char *text, struct error *err);

/* Sets the options of a preset. A wrong name or value in it is a caller's mistake. */
void options_apply(const struct option_set *set, const struct option_preset *preset);

/* True when a number, choice, list, size or text holds a value (see the top of the file); flags always do. */
bool option_given(const struct option *option, const void *values);

/* Puts a member for every value that is given into the object that is open. */
void options_json(struct json_writer *out, const struct option_set *set);

/* The reverse. Texts are copied into the arena. Unknown names are ERR_INPUT. */
enum status options_restore(const struct option_set *set, const struct json *object, struct arena *arena,
                            struct error *err);

/* Whether a name before this one in the table has the same value. */
bool option_choice_is_alias(const struct option_choice *table, const struct option_choice *choice);

/* The name nearest to word by edit distance, or NULL when none is near. */
const char *nearest_name(const char *word, const char *const *names, int count);

/* Help texts. One line an option, wrapped to 80 columns. */
void options_help(struct text *out, const struct option *table);
void text_wrap(struct text *out, const char *words, int indent,
               int column); /* starts at column, later lines at indent */
void options_man(struct text *out, const struct option *table);
void man_escape(struct text *out, const char *words);

#endif
