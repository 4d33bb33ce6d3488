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
        *checked += manifest_entry_files(entry);
        if (manifest_hash(&found, entry->role, entry->path, run->threads, &run->arena, &why) == OK) {
            count += manifest_compare(entry, &found, differences);
        } else {
            add_missing(differences, entry, why.message);
            count++;
        }
    }
    return count;
}

static enum status print_result(struct run *run, int checked, int different, const char *differences,
                                struct error *err)
{
    if (!run->common.json) {
        console_print_text(&run->console, differences);
        console_print(&run->console, "%d file%s checked, %d different\n", checked, text_plural(checked),
                      different);
        return OK;
    }
    struct json_buffer json;
    TRY(json_buffer_begin(&json, false, err));
    json_open(&json.out, NULL, '{');
    json_put_int(&json.out, "checked", checked);
    json_put_int(&json.out, "different", different);
    json_put_text(&json.out, "differences", differences);
    json_close(&json.out);
    return console_print_json(&run->console, &json, err);
}

static enum status run_verify(struct run *run, struct error *err)
{
    struct manifest manifest;
    struct text differences = {0};
    int checked = 0;
    TRY(manifest_open(&manifest, run->operands[0], &run->arena, err));
    int different = check_list(&manifest.inputs, run, &differences, &checked);
    different += check_list(&manifest.outputs, run, &differences, &checked);
    manifest_close(&manifest);
    enum status status = text_check(&differences, "the result", err);
    if (status == OK)
        status = print_result(run, checked, different, differences.size ? differences.data : "", err);
    text_free(&differences);
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
