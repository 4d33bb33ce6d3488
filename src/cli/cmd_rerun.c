/* retort rerun: the command of a manifest once more, into another folder, and a comparison of the hashes. */
#define _GNU_SOURCE
#include "base/file.h"
#include "base/temporary.h"
#include "cli/command.h"
#include "cli/manifest.h"
#include "cli/plan_option.h"

#include <ftw.h>
#include <string.h>
#include <unistd.h>

struct values {
    const char *out;
    bool resume;
};

static const struct option options[] = {
    {"out", 'o', OPTION_OUTPUT_FOLDER, offsetof(struct values, out),
     .help =
         "folder for the new outputs, which are kept (without: a temporary one, removed when all is equal)"},
    {"resume", 'r', OPTION_FLAG, offsetof(struct values, resume),
     .help = "go on with an interrupted rerun in the folder of --out"},
    {0},
};

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info, (void)type, (void)place;
    return remove(path);
}

/* Where output number n goes: its last name, with the number in front so that equal names stay apart. */
static const char *moved(const char *folder, const char *path, int n, struct arena *arena)
{
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/') end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/') start--;
    return arena_printf(arena, "%s/%d-%.*s", folder, n, (int)(end - start), path + start);
}

/* Points every output of the run below folder; paths in the order of manifest's outputs go to moved_paths. */
static enum status move_outputs(struct run *run, void *values, const struct manifest *manifest,
                                const char *folder, const char **moved_paths, struct error *err)
{
    for (int i = 0; i < manifest->outputs.count; i++) {
        const struct manifest_entry *entry = &manifest->outputs.entries[i];
        const char *path = moved(folder, entry->path, i + 1, &run->arena);
        bool found = false;
        int operand;
        if (!path) return fail_memory(err, "a path", strlen(entry->path));
        moved_paths[i] = path;
        const struct option *option = run->command->options;
        for (; option && option->name && !found; option++)
            if (!strncmp(entry->role, "--", 2) && !strcmp(entry->role + 2, option->name) &&
                (option->type == OPTION_OUTPUT || option->type == OPTION_OUTPUT_FOLDER)) {
                *(const char **)((char *)values + option->offset) = path;
                found = true;
            }
        if (!found && sscanf(entry->role, "operand %d", &operand) == 1 && operand >= 1 &&
            operand <= run->operand_count) {
            run->operands[operand - 1] = (char *)path;
            found = true;
        }
        if (!found)
            return fail(err, ERR_INPUT, "output %s: %s does not name an output of the command", entry->path,
                        entry->role);
    }
    return OK;
}

/* What was named fast in version 0.1 is now fast-0.1. */
static void restore_plan(struct run *run, const struct command *command, void *values,
                         const struct manifest *manifest)
{
    const struct option *const option = plan_option_find(command->options);
    int *const plan = option ? (int *)((char *)values + option->offset) : NULL;
    if (!plan || *plan != PLAN_FAST || !manifest_of_series(manifest, "0.1")) return;
    *plan = PLAN_FAST_0_1;
    console_message(&run->console, "the manifest is of version %.60s: its plan fast is now %s",
                    manifest->version, net_plan_name(PLAN_FAST_0_1));
}

/* Options and operands of the manifest into a run of its own. */
static enum status restore(struct run *run, struct run *again, void *values, const struct manifest *manifest,
                           struct error *err)
{
    const struct option *table = again->command->options;
    if (table) {
        const struct option_set set = {table, values};
        TRY(options_restore(&set, manifest->options, &again->arena, err));
        restore_plan(run, again->command, values, manifest);
    }
    again->operand_count = manifest->operand_count;
    again->operands =
        arena_alloc(&again->arena, (size_t)manifest->operand_count + 1, sizeof *again->operands);
    if (!again->operands)
        return fail_memory(err, "operands", (size_t)manifest->operand_count * sizeof(char *));
    for (int i = 0; i < manifest->operand_count; i++) again->operands[i] = (char *)manifest->operands[i];
    return OK;
}

/* The option that lets the command go on where it was interrupted, or NULL. */
static bool *resume_of(const struct command *command, void *values)
{
    for (const struct option *option = command->options; option && option->name; option++)
        if (!strcmp(option->name, "resume") && option->type == OPTION_FLAG)
            return (bool *)((char *)values + option->offset);
    return NULL;
}

/* Inputs must be what they were, else the comparison would say nothing. */
static enum status check_inputs(const struct manifest *manifest, struct run *run, struct error *err)
{
    for (int i = 0; i < manifest->inputs.count; i++) {
        const struct manifest_entry *entry = &manifest->inputs.entries[i];
        struct manifest_entry found;
        struct text lines = {0};
        TRY(manifest_hash(&found, entry->role, entry->path, run->threads, &run->arena, err));
        const int count = manifest_compare(entry, &found, &lines);
        if (count) {
            if (!lines.failed) lines.data[strcspn(lines.data, "\n")] = 0;
            fail(err, ERR_CHECK, "the input is not the one of the manifest: %s",
                 lines.failed ? "" : lines.data);
        }
        text_free(&lines);
        if (count) return ERR_CHECK;
    }
    return OK;
}

static enum status compare(const struct manifest *manifest, const char *const *paths, struct run *run,
                           struct run *again, int *different, struct error *err)
{
    struct text lines = {0};
    char hash[SHA256_HEX];
    *different = 0;
    for (int i = 0; i < manifest->outputs.count; i++) {
        const struct manifest_entry *entry = &manifest->outputs.entries[i];
        struct manifest_entry found;
        const enum status status = manifest_hash(&found, entry->role, paths[i], run->threads, &run->arena, err);
        if (status != OK) {
            text_free(&lines);
            return status;
        }
        *different += manifest_compare(entry, &found, &lines);
    }
    sha256_hex(&again->console.results, hash);
    if (manifest->result_bytes != again->console.result_bytes || strcmp(manifest->result_sha256, hash)) {
        text_format(&lines, "standard output: sha256 %s, expected %s\n", hash, manifest->result_sha256);
        ++*different;
    }
    if (!run->common.json && lines.size) console_print_text(&run->console, lines.data);
    const enum status status = text_check(&lines, "the result", err);
    text_free(&lines);
    return status;
}

static enum status print_result(struct run *run, const struct manifest *manifest, int different,
                                struct error *err)
{
    int files = 1; /* standard output */
    for (int i = 0; i < manifest->outputs.count; i++) files += manifest_entry_files(manifest->outputs.entries + i);
    if (!run->common.json) {
        console_print(&run->console, "%d output%s compared, %d different\n", files, text_plural(files),
                      different);
        return OK;
    }
    struct json_buffer json;
    TRY(json_buffer_begin(&json, false, err));
    json_open(&json.out, NULL, '{');
    json_put_int(&json.out, "compared", files);
    json_put_int(&json.out, "different", different);
    json_close(&json.out);
    return console_print_json(&run->console, &json, err);
}

static enum status rerun(struct run *run, struct run *again, void *again_values,
                         const struct manifest *manifest, const char *folder, int *different,
                         struct error *err)
{
    const char **paths = arena_alloc(&run->arena, (size_t)manifest->outputs.count, sizeof *paths);
    if (!paths) return fail_memory(err, "paths", (size_t)manifest->outputs.count * sizeof *paths);
    TRY(restore(run, again, again_values, manifest, err));
    TRY(check_inputs(manifest, run, err));
    TRY(file_make_folder(folder, err));
    TRY(move_outputs(again, again_values, manifest, folder, paths, err));
    again->common.quiet = run->common.quiet;
    again->common.json = manifest->json;
    again->common.threads = run->common.threads;
    again->console.silent = true;
    bool *const resume = resume_of(again->command, again_values);
    if (resume) *resume = ((const struct values *)run->values)->resume;
    const enum status status = run_execute(again, err);
    if (status != OK && !again->whole) return status;
    TRY(compare(manifest, paths, run, again, different, err));
    return print_result(run, manifest, *different, err);
}

/* What an interrupted command says of going on is meant for itself. */
static enum status interrupted(const struct run *run, const char *folder, struct error *err)
{
    return fail(err, ERR_INTERRUPTED,
                "interrupted; go on with 'retort rerun --resume --out %s %s', or remove that folder", folder,
                run->operands[0]);
}

static enum status run_in(struct run *run, const struct command *command, const struct manifest *manifest,
                          struct error *err)
{
    const struct values *values = run->values;
    char *folder = (char *)values->out;
    struct run again;
    void *again_values;
    int different = 0;
    if (!folder) TRY(temporary_folder(&folder, &run->arena, err));
    enum status status = run_prepare(&again, command, &again_values, err);
    const bool resumes = status == OK && resume_of(command, again_values);
    if (status == OK) status = rerun(run, &again, again_values, manifest, folder, &different, err);
    run_free(&again);
    if (status == ERR_INTERRUPTED && resumes) return interrupted(run, folder, err);
    if (!values->out && !different) nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    if (status == OK && different)
        return fail(err, ERR_CHECK, "%s: %d output%s; the new ones are in %s", run->operands[0], different,
                    different == 1 ? " differs" : "s differ", folder);
    return status;
}

static enum status run_rerun(struct run *run, struct error *err)
{
    const struct values *values = run->values;
    struct manifest manifest;
    if (values->resume && !values->out) return fail(err, ERR_USAGE, "--resume needs --out");
    TRY(manifest_open(&manifest, run->operands[0], &run->arena, err));
    const struct command *command = command_find(manifest.command);
    const enum status status =
        command && command != &command_rerun
            ? run_in(run, command, &manifest, err)
            : fail(err, ERR_INPUT, "%s: command: expected a command of retort, found \"%.60s\"",
                   run->operands[0], manifest.command);
    manifest_close(&manifest);
    return status;
}

const struct command command_rerun = {
    .name = "rerun",
    .summary = "Repeats the run of a manifest and compares the outputs",
    .description =
        "Checks that the inputs are unchanged, runs the same command with the same options into another "
        "folder and compares the hash of every output and of standard output. Exit status 1 when one "
        "differs. Relative paths are taken from the current folder.\nA run of version 0.1 by plan fast is "
        "repeated by plan fast-0.1, which gives the same bits.\nA manifest can hold any command line "
        "of retort, external teacher commands included: rerun only manifests that you trust.",
    .operands = "MANIFEST",
    .roles = "i",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .values_size = sizeof(struct values),
    .example = "retort rerun run/manifest.json\nretort rerun --threads 1 --out again run/manifest.json",
    .run = run_rerun,
};
