/* What a command is, and what it gets when it runs.
 *
 * One file per command defines a `const struct command` and main.c lists it. A command that writes files is
 * repeatable for free: its inputs and outputs are known from the option and operand types, and so are its
 * values. */
#ifndef RETORT_CLI_COMMAND_H
#define RETORT_CLI_COMMAND_H

#include "base/arena.h"
#include "base/progress.h"
#include "base/status.h"
#include "cli/console.h"
#include "cli/options.h"

struct run;

struct command {
    const char *name, *summary; /* summary: one line, no full stop */
    const char *description;    /* paragraphs with \n between, or NULL */
    const char *operands;       /* "IN OUT" for the usage line, or NULL */
    const char *roles; /* per operand 'i' read, 'o' written, '-' neither; the last goes for all behind it */
    int min_operands, max_operands;      /* max -1: any number */
    const struct option *options;        /* or NULL; offsets into the values */
    const struct option_preset *presets; /* of its choice option "preset", which has their names; or NULL */
    size_t values_size;
    const char *example; /* command lines with \n between */
    enum status (*run)(struct run *run, struct error *err);
};

/* Options of every command. */
struct common_options {
    bool help, quiet, json;
    int64_t threads; /* 0 until resolved */
    const char *manifest;
};

struct run {
    const struct command *command;
    const void *values; /* the command's own struct */
    struct common_options common;
    int threads; /* resolved */
    char **operands;
    int operand_count;
    struct console console;
    struct progress progress;
    struct arena arena; /* everything of this run; freed behind it */
    const char **extra_inputs;
    int extra_count;
    bool whole; /* set by a command whose status is not OK although all its outputs are there: frames were
                 * passed over, or a check did not hold. They get their manifest. */
};

/* Notes a file or folder that the command reads without an option naming it (a data.yaml's folders). */
enum status run_add_input(struct run *run, const char *path, struct error *err);

/* The table of commands, in the order of the help. */
extern const struct command *const commands[];
extern const int command_count;
const struct command *command_find(const char *name);

/* A run of `command` with every option at its default: run->values is writable through *values. */
enum status run_prepare(struct run *run, const struct command *command, void **values, struct error *err);

/* Reads the command line. A preset's values stand below what is given, wherever --preset stands. */
enum status run_parse(struct run *run, void *values, int argc, char **argv, struct error *err);

/* Runs with the options and operands set: checks, the command itself, standard output flushed, the manifest.
 */
enum status run_execute(struct run *run, struct error *err);
void run_free(struct run *run);

extern const struct option common_option_table[];

extern const struct command command_convert, command_detect, command_distill, command_embed, command_eval,
    command_filter, command_help, command_info, command_label, command_pretrain, command_profile,
    command_quantize, command_rerun, command_select, command_train, command_verify, command_world;

#endif
