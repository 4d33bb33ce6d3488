/* retort verify: are the files of a manifest what they were? */
#include "cli/command.h"
#include "cli/manifest.h"

static void add_missing(struct text *differences, const struct manifest_entry *entry, const char *why)
{
    text_format(differences, "%s: %s\n", entry->path, why);
}

/* Counts differing files; a file that cannot be read is a difference, too. */
static int check_list(const struct manifest_list *list, struct run *run, struct text *differences,
                      int *checked)
{
    int count = 0;
    for (int i = 0; i < list->count; i++) {
        const struct manifest_entry *entry = &list->entries[i];
        struct manifest_entry found;
        struct error why;
        *checked += entry->file_count;
        if (manifest_hash(&found, entry->role, entry->path, &run->arena, &why) == OK) {
            count += manifest_compare(entry, &found, differences);
        } else {
            add_missing(differences, entry, why.message);
            count++;
        }
    }
    return count;
}

static void print_json(struct text *out, int checked, int different, const char *differences)
{
    text_format(out, "{\"checked\": %d, \"different\": %d, \"differences\": ", checked, different);
    text_json_string(out, differences);
    text_add(out, "}\n");
}

static enum status run_verify(struct run *run, struct error *err)
{
    struct manifest manifest;
    struct text differences = {0}, out = {0};
    int checked = 0;
    TRY(manifest_open(&manifest, run->operands[0], &run->arena, err));
    int different = check_list(&manifest.inputs, run, &differences, &checked);
    different += check_list(&manifest.outputs, run, &differences, &checked);
    manifest_close(&manifest);
    enum status status = text_check(&differences, "the result", err);
    const char *lines = differences.size ? differences.data : "";
    if (run->common.json)
        print_json(&out, checked, different, lines);
    else
        text_format(&out, "%s%d file%s checked, %d different\n", lines, checked, text_plural(checked),
                    different);
    text_free(&differences);
    const enum status printed = console_print_buffer(&run->console, &out, err);
    if (status == OK) status = printed;
    if (status == OK && different)
        status = fail(err, ERR_CHECK, "%s: %d of the files differ%s", run->operands[0], different,
                      different == 1 ? "s" : "");
    return status;
}

const struct command command_verify = {
    .name = "verify",
    .summary = "Checks the files of a manifest against its hashes",
    .description =
        "Hashes every input and output that the manifest names and lists the files that are missing, new or "
        "different. Nothing is run. Exit status 1 when a file differs.",
    .operands = "MANIFEST",
    .roles = "i",
    .min_operands = 1,
    .max_operands = 1,
    .example = "retort verify run/manifest.json",
    .run = run_verify,
};
