/* One run of a command: defaults, checks, the command, its manifest. */
#include "base/file.h"
#include "base/par.h"
#include "cli/command.h"
#include "cli/manifest.h"
#include "cli/plan_option.h"
#include "image/source_list.h"
#include "kernels/kernels.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_EXTRA_INPUTS = 1024 };

const struct option common_option_table[] = {
    {"threads", 't', OPTION_INT, offsetof(struct common_options, threads), "0", 0, PAR_MAX_THREADS,
     .help = "threads to use; results do not depend on it; 0: OMP_NUM_THREADS, else all CPUs of the process"},
    {"manifest", 0, OPTION_OUTPUT, offsetof(struct common_options, manifest),
     .help = "write what ran, with the hashes of all inputs and outputs, for retort verify and retort rerun"},
    {"json", 'j', OPTION_FLAG, offsetof(struct common_options, json), .help = "print the result as JSON"},
    {"quiet", 'q', OPTION_FLAG, offsetof(struct common_options, quiet),
     .help = "no progress, no messages but errors"},
    {"help", 'h', OPTION_FLAG, offsetof(struct common_options, help), .help = "show this page"},
    {0},
};

static const struct option no_options[] = {{0}};

static const struct option *table_of(const struct command *command)
{
    return command->options ? command->options : no_options;
}

enum status run_prepare(struct run *run, const struct command *command, void **values, struct error *err)
{
    *run = (struct run){.command = command};
    *values = arena_alloc(&run->arena, 1, command->values_size);
    if (!*values) return fail_memory(err, "options", command->values_size);
    run->values = *values;
    const struct option_set sets[] = {{table_of(command), *values}, {common_option_table, &run->common}};
    return options_default(sets, 2, err);
}

/* The preset that was asked for, or NULL. */
static const struct option_preset *preset_of(const struct command *command, const void *values)
{
    const struct option *option = command->options;
    while (strcmp(option->name, "preset")) option++;
    const int chosen = *(const int *)((const char *)values + option->offset);
    const struct option_choice *choice = option->choices;
    while (choice->value != chosen) choice++;
    for (const struct option_preset *preset = command->presets; preset->name; preset++)
        if (!strcmp(preset->name, choice->name)) return preset;
    return NULL;
}

enum status run_parse(struct run *run, void *values, int argc, char **argv, struct error *err)
{
    const struct option_set sets[] = {{table_of(run->command), values}, {common_option_table, &run->common}};
    run->operands = arena_alloc(&run->arena, (size_t)argc + 1, sizeof *run->operands);
    if (!run->operands) return fail_memory(err, "operands", (size_t)argc * sizeof *run->operands);
    TRY(options_parse(sets, 2, argc, argv, run->operands, &run->operand_count, err));
    const struct option_preset *preset = run->command->presets ? preset_of(run->command, values) : NULL;
    if (!preset) return OK;
    options_apply(&sets[0], preset);
    return options_parse(sets, 2, argc, argv, run->operands, &run->operand_count, err);
}

void run_free(struct run *run)
{
    arena_free(&run->arena);
    *run = (struct run){0};
}

enum status run_add_input(struct run *run, const char *path, struct error *err)
{
    for (int i = 0; i < run->extra_count; i++)
        if (!strcmp(run->extra_inputs[i], path)) return OK;
    if (!run->extra_inputs)
        run->extra_inputs = arena_alloc(&run->arena, MAX_EXTRA_INPUTS, sizeof *run->extra_inputs);
    const char *copy = arena_strdup(&run->arena, path);
    if (!run->extra_inputs || !copy) return fail_memory(err, "a list of inputs", strlen(path));
    if (run->extra_count == MAX_EXTRA_INPUTS)
        return fail(err, ERR_INPUT, "%s: more than %d inputs", path, MAX_EXTRA_INPUTS);
    run->extra_inputs[run->extra_count++] = copy;
    return OK;
}

static char role_of(const struct command *command, int operand)
{
    const char *roles = command->roles;
    if (!roles || !*roles) return '-';
    const size_t last = strlen(roles) - 1;
    return roles[(size_t)operand < last ? (size_t)operand : last];
}

static const char *text_at(const struct option *option, const void *values)
{
    return *(const char *const *)((const char *)values + option->offset);
}

static enum status add(struct manifest_list *list, const char *role, const char *path, struct run *run,
                       struct error *err)
{
    assert(list->count < MANIFEST_MAX_ENTRIES);
    if (!role) return fail_memory(err, "a manifest", 0);
    return manifest_hash(&list->entries[list->count++], role, path, run->threads, &run->arena, err);
}

/* The pictures in it, if it is a list of frames. */
static enum status add_listed(struct manifest_list *list, const char *path, struct run *run,
                              struct error *err)
{
    return source_list_is_file(path) ? add(list, MANIFEST_LISTED, path, run, err) : OK;
}

static bool is_input(enum option_type type) { return type == OPTION_INPUT || type == OPTION_SOURCE; }
static bool is_output(enum option_type type) { return type == OPTION_OUTPUT || type == OPTION_OUTPUT_FOLDER; }

/* Hashes what the options and operands name: inputs or outputs. */
static enum status collect(struct manifest_list *list, struct run *run, bool outputs, struct error *err)
{
    if (run->operand_count > MANIFEST_MAX_OPERANDS)
        return fail(err, ERR_USAGE, "a manifest holds at most %d operands", MANIFEST_MAX_OPERANDS);
    list->entries = arena_alloc(&run->arena, MANIFEST_MAX_ENTRIES, sizeof *list->entries);
    if (!list->entries) return fail_memory(err, "a manifest", MANIFEST_MAX_ENTRIES * sizeof *list->entries);
    for (const struct option *option = table_of(run->command); option->name; option++) {
        if (!(outputs ? is_output(option->type) : is_input(option->type))) continue;
        const char *path = text_at(option, run->values);
        if (path && !outputs && !strcmp(path, "-")) continue; /* standard input leaves nothing to check */
        if (path) TRY(add(list, arena_printf(&run->arena, "--%s", option->name), path, run, err));
        if (path && option->type == OPTION_SOURCE) TRY(add_listed(list, path, run, err));
    }
    for (int i = 0; i < run->operand_count; i++) {
        if (role_of(run->command, i) != (outputs ? 'o' : 'i')) continue;
        TRY(add(list, arena_printf(&run->arena, "operand %d", i + 1), run->operands[i], run, err));
        if (!outputs) TRY(add_listed(list, run->operands[i], run, err));
    }
    return OK;
}

/* --manifest, else manifest.json in the folder that the command fills, else NULL. */
static enum status manifest_path(const char **path, struct run *run, struct error *err)
{
    *path = run->common.manifest;
    for (const struct option *option = table_of(run->command); !*path && option->name; option++) {
        const char *folder = option->type == OPTION_OUTPUT_FOLDER ? text_at(option, run->values) : NULL;
        if (folder && !(*path = arena_printf(&run->arena, "%s/manifest.json", folder)))
            return fail_memory(err, folder, strlen(folder));
    }
    return OK;
}

/* What could not be written at the end fails before the work. */
static enum status check_output(const char *path, bool folders, struct run *run, struct error *err)
{
    const char *const slash = strrchr(path, '/');
    const char *const folder = slash ? arena_printf(&run->arena, "%.*s/", (int)(slash - path), path) : ".";
    if (!folder) return fail_memory(err, path, strlen(path));
    TRY(file_check_target(path, err));
    return access(folder, W_OK | X_OK) && !(folders && errno == ENOENT) ? fail_errno(err, "write", path) : OK;
}

/* Where the command fills a folder, others may lie in it and come with it. */
static enum status check_outputs(struct run *run, const char *manifest, struct error *err)
{
    const struct option *const table = table_of(run->command);
    bool folders = false;
    for (const struct option *option = table; option->name; option++)
        folders = folders || (option->type == OPTION_OUTPUT_FOLDER && text_at(option, run->values));
    for (const struct option *option = table; option->name; option++)
        if (option->type == OPTION_OUTPUT && text_at(option, run->values))
            TRY(check_output(text_at(option, run->values), folders, run, err));
    for (int i = 0; i < run->operand_count; i++)
        if (role_of(run->command, i) == 'o') TRY(check_output(run->operands[i], folders, run, err));
    return manifest ? check_output(manifest, folders, run, err) : OK;
}

/* The name of the plan that --plan chose, or NULL. */
static const char *plan_of(const struct run *run)
{
    const struct option *option = plan_option_find(table_of(run->command));
    if (!option) return NULL;
    const int chosen = *(const int *)((const char *)run->values + option->offset);
    const struct option_choice *choice = option->choices;
    while (choice->name && choice->value != chosen) choice++;
    return choice->name;
}

static enum status write_manifest(const char *path, struct manifest_list *inputs, struct run *run,
                                  struct error *err)
{
    struct manifest manifest = {
        .command = run->command->name,
        .plan = plan_of(run),
        .operands = (const char *const *)run->operands,
        .operand_count = run->operand_count,
        .json = run->common.json,
        .threads = run->threads,
    };
    const struct kernels *kernels;
    if (kernels_get(&kernels, NULL, NULL) == OK) manifest.isa = kernels->name;
    for (int i = 0; i < run->extra_count; i++) TRY(add(inputs, "read", run->extra_inputs[i], run, err));
    manifest.inputs = *inputs;
    TRY(collect(&manifest.outputs, run, true, err));
    struct sha256 results = run->console.results;
    sha256_hex(&results, manifest.result_sha256);
    manifest.result_bytes = run->console.result_bytes;
    const struct option_set given = {table_of(run->command), (void *)run->values};
    manifest.given = &given;
    return manifest_write(path, &manifest, err);
}

static enum status check_operands(const struct run *run, struct error *err)
{
    const struct command *command = run->command;
    const bool few = run->operand_count < command->min_operands;
    const bool many = command->max_operands >= 0 && run->operand_count > command->max_operands;
    if (!few && !many) return OK;
    if (!command->operands)
        return fail(err, ERR_USAGE, "takes no operands, found \"%.60s\"", run->operands[0]);
    if (many)
        return fail(err, ERR_USAGE, "expected %s, found \"%.60s\" after them", command->operands,
                    run->operands[command->max_operands]);
    return fail(err, ERR_USAGE, "expected %s, found %d operand%s", command->operands, run->operand_count,
                text_plural(run->operand_count));
}

enum status run_execute(struct run *run, struct error *err)
{
    const struct option_set sets[] = {{table_of(run->command), (void *)run->values}};
    TRY(options_require(sets, 1, err));
    TRY(check_operands(run, err));
    run->threads = run->common.threads > 0 ? (int)run->common.threads : par_default_threads();
    const bool silent = run->console.silent;
    console_open(&run->console, run->common.quiet, run->common.json);
    run->console.silent = silent;
    run->progress = console_progress(&run->console);

    const char *path;
    struct manifest_list inputs = {0};
    TRY(manifest_path(&path, run, err));
    TRY(check_outputs(run, path, err));
    if (path) TRY(collect(&inputs, run, false, err)); /* before: an output may replace an input */
    const enum status status = run->command->run(run, err);
    if (status == OK || run->whole) console_tell_cost(&run->console);
    struct error unwritten;
    const enum status closed = console_close(&run->console, &unwritten);
    if (status != OK && !run->whole) return status;
    if (closed != OK) return fail(err, closed, "%s", unwritten.message);
    if (!path) return status;
    const enum status written = write_manifest(path, &inputs, run, &unwritten);
    return written == OK ? status : fail(err, written, "%s", unwritten.message);
}
