/* The reading half of the manifest. A manifest may come from anywhere: every member is checked. */
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/manifest.h"

#include <stdio.h>
#include <string.h>

enum { MANIFEST_MAX_BYTES = 1 << 28 };

/* found: the value of the member, or what it is a part of. */
static enum status wrong(const char *path, const char *member, const char *expected, const struct json *found,
                         struct error *err)
{
    char shown[TEXT_SHOWN] = "";
    const char *const text = json_text(found);
    if (text) text_shown(shown, text, strlen(text));
    if (json_kind(found) == JSON_KIND_INT)
        snprintf(shown, sizeof shown, "%lld", (long long)json_int(found, 0));
    return fail(err, ERR_INPUT, "%s: %s: expected %s, found %s%s%s", path, member, expected,
                json_kind_name(found), *shown ? " " : "", shown);
}

static enum status read_file(struct manifest_file *file, const struct json *value, const char *source,
                             struct error *err)
{
    const char *hash = json_text(json_member(value, "sha256"));
    const int64_t bytes = json_int(json_member(value, "bytes"), -1);
    if (!hash || strlen(hash) != SHA256_HEX - 1 || strspn(hash, "0123456789abcdef") != SHA256_HEX - 1)
        return wrong(source, "sha256", "64 hexadecimal digits", json_member(value, "sha256"), err);
    if (bytes < 0) return wrong(source, "bytes", "a size", json_member(value, "bytes"), err);
    file->bytes = (uint64_t)bytes;
    memcpy(file->sha256, hash, SHA256_HEX);
    return OK;
}

static enum status read_entry(struct manifest_entry *entry, const struct json *value, const char *source,
                              struct arena *arena, struct error *err)
{
    entry->role = json_text(json_member(value, "role"));
    entry->path = json_text(json_member(value, "path"));
    if (!entry->role || !entry->path || !*entry->path)
        return wrong(source, entry->role ? "path" : "role", "a role and a path",
                     json_member(value, entry->role ? "path" : "role"), err);
    const struct json *files = json_member(value, "files");
    const bool listed = json_kind(files) == JSON_KIND_ARRAY;
    const int64_t together = json_int(json_member(value, "file_count"), 0);
    if (together < 0 || together > MANIFEST_MAX_FILES || (listed && together))
        return wrong(source, "file_count", "a count of files that are not listed",
                     json_member(value, "file_count"), err);
    entry->together = (int)together;
    entry->folder = listed || together;
    const size_t count = listed ? json_count(files) : 1;
    if (count > MANIFEST_MAX_FILES)
        return fail(err, ERR_INPUT, "%s: files: expected at most %d, found %zu", source, MANIFEST_MAX_FILES,
                    count);
    entry->file_count = (int)count;
    entry->files = arena_alloc(arena, count, sizeof *entry->files);
    if (!entry->files) return fail_memory(err, source, count * sizeof *entry->files);
    if (!listed) {
        entry->files[0].path = "";
        return read_file(&entry->files[0], value, source, err);
    }
    for (size_t i = 0; i < count; i++) {
        const struct json *file = json_item(files, i);
        entry->files[i].path = json_text(json_member(file, "path"));
        if (!entry->files[i].path)
            return wrong(source, "files", "a path in each", json_member(file, "path"), err);
        if (i && strcmp(entry->files[i - 1].path, entry->files[i].path) >= 0)
            return wrong(source, "files", "paths in ascending order", json_member(file, "path"), err);
        TRY(read_file(&entry->files[i], file, source, err));
    }
    return OK;
}

static enum status read_list(struct manifest_list *list, const struct json *value, const char *source,
                             struct arena *arena, struct error *err)
{
    if (json_kind(value) != JSON_KIND_ARRAY || json_count(value) > MANIFEST_MAX_ENTRIES)
        return wrong(source, "inputs and outputs", "two lists", value, err);
    list->count = (int)json_count(value);
    list->entries = arena_alloc(arena, (size_t)list->count, sizeof *list->entries);
    if (!list->entries) return fail_memory(err, source, (size_t)list->count * sizeof *list->entries);
    for (int i = 0; i < list->count; i++)
        TRY(read_entry(&list->entries[i], json_item(value, (size_t)i), source, arena, err));
    return OK;
}

static enum status read_operands(struct manifest *manifest, const struct json *value, const char *source,
                                 struct arena *arena, struct error *err)
{
    if (json_kind(value) != JSON_KIND_ARRAY || json_count(value) > MANIFEST_MAX_ENTRIES)
        return wrong(source, "operands", "a list", value, err);
    manifest->operand_count = (int)json_count(value);
    const char **operands = arena_alloc(arena, (size_t)manifest->operand_count, sizeof *operands);
    if (!operands) return fail_memory(err, source, (size_t)manifest->operand_count * sizeof *operands);
    for (int i = 0; i < manifest->operand_count; i++) {
        operands[i] = json_text(json_item(value, (size_t)i));
        if (!operands[i]) return wrong(source, "operands", "texts", json_item(value, (size_t)i), err);
    }
    manifest->operands = operands;
    return OK;
}

static enum status read_members(struct manifest *manifest, const struct json *root, const char *source,
                                struct arena *arena, struct error *err)
{
    struct manifest_file printed;
    manifest->version = json_text(json_member(root, "retort"));
    manifest->command = json_text(json_member(root, "command"));
    manifest->plan = json_text(json_member(root, "plan"));
    manifest->options = json_member(root, "options");
    if (!manifest->version || !manifest->command)
        return wrong(source, "retort, command", "two texts",
                     json_member(root, manifest->version ? "command" : "retort"), err);
    if (json_kind(manifest->options) != JSON_KIND_OBJECT)
        return wrong(source, "options", "an object", manifest->options, err);
    TRY(read_operands(manifest, json_member(root, "operands"), source, arena, err));
    TRY(read_list(&manifest->inputs, json_member(root, "inputs"), source, arena, err));
    TRY(read_list(&manifest->outputs, json_member(root, "outputs"), source, arena, err));
    const struct json *const out = json_member(root, "stdout");
    TRY(read_file(&printed, out, source, err));
    if (json_kind(json_member(out, "json")) != JSON_KIND_MISSING)
        TRY(json_get_bool(&manifest->json, out, "json", source, err));
    manifest->result_bytes = printed.bytes;
    memcpy(manifest->result_sha256, printed.sha256, SHA256_HEX);
    return OK;
}

enum status manifest_parse(struct manifest *manifest, const void *data, size_t n, const char *name,
                           struct arena *arena, struct error *err)
{
    *manifest = (struct manifest){0};
    TRY(json_read_bytes(&manifest->document, data, n, name, MANIFEST_MAX_BYTES, err));
    const enum status status = read_members(manifest, manifest->document, name, arena, err);
    if (status != OK) manifest_close(manifest);
    return status;
}

enum status manifest_open(struct manifest *manifest, const char *path, struct arena *arena, struct error *err)
{
    struct file_view view;
    *manifest = (struct manifest){0};
    TRY(file_map(&view, path, err));
    const enum status status = manifest_parse(manifest, view.data, view.size, path, arena, err);
    file_unmap(&view);
    return status;
}

bool manifest_of_series(const struct manifest *manifest, const char *series)
{
    const size_t length = strlen(series);
    if (strncmp(manifest->version, series, length) != 0 || manifest->version[length] != '.') return false;
    const char *const number = manifest->version + length + 1;
    return *number && !number[strspn(number, "0123456789")];
}

void manifest_close(struct manifest *manifest)
{
    json_free(manifest->document);
    *manifest = (struct manifest){0};
}
