/* The reading half of the manifest. A manifest may come from anywhere: every member is checked. */
#include "cli/manifest.h"

#include <string.h>

#if HAVE_JANSSON
#include "base/file.h"

#include <jansson.h>

enum { MANIFEST_MAX_BYTES = 1 << 28 };

static enum status missing(const char *path, const char *member, const char *expected, struct error *err)
{
    return fail(err, ERR_INPUT, "%s: %s: expected %s", path, member, expected);
}

static enum status read_file(struct manifest_file *file, json_t *value, const char *source, struct error *err)
{
    const char *hash = json_string_value(json_object_get(value, "sha256"));
    const json_t *bytes = json_object_get(value, "bytes");
    if (!hash || strlen(hash) != SHA256_HEX - 1 || strspn(hash, "0123456789abcdef") != SHA256_HEX - 1)
        return missing(source, "sha256", "64 hexadecimal digits", err);
    if (!json_is_integer(bytes) || json_integer_value(bytes) < 0)
        return missing(source, "bytes", "a size", err);
    file->bytes = (uint64_t)json_integer_value(bytes);
    memcpy(file->sha256, hash, SHA256_HEX);
    return OK;
}

static enum status read_entry(struct manifest_entry *entry, json_t *value, const char *source,
                              struct arena *arena, struct error *err)
{
    entry->role = json_string_value(json_object_get(value, "role"));
    entry->path = json_string_value(json_object_get(value, "path"));
    if (!entry->role || !entry->path || !*entry->path)
        return missing(source, "path", "a role and a path", err);
    json_t *files = json_object_get(value, "files");
    entry->folder = json_is_array(files);
    const size_t count = entry->folder ? json_array_size(files) : 1;
    if (count > MANIFEST_MAX_FILES) return missing(source, "files", "fewer files", err);
    entry->file_count = (int)count;
    entry->files = arena_alloc(arena, count, sizeof *entry->files);
    if (!entry->files) return fail_memory(err, source, count * sizeof *entry->files);
    entry->files[0].path = "";
    if (!entry->folder) return read_file(&entry->files[0], value, source, err);
    for (size_t i = 0; i < count; i++) {
        json_t *file = json_array_get(files, i);
        entry->files[i].path = json_string_value(json_object_get(file, "path"));
        if (!entry->files[i].path) return missing(source, "files", "a path in each", err);
        if (i && strcmp(entry->files[i - 1].path, entry->files[i].path) >= 0)
            return missing(source, "files", "paths in ascending order", err);
        TRY(read_file(&entry->files[i], file, source, err));
    }
    return OK;
}

static enum status read_list(struct manifest_list *list, json_t *value, const char *source,
                             struct arena *arena, struct error *err)
{
    if (!json_is_array(value) || json_array_size(value) > MANIFEST_MAX_ENTRIES)
        return missing(source, "inputs and outputs", "two lists", err);
    list->count = (int)json_array_size(value);
    list->entries = arena_alloc(arena, (size_t)list->count, sizeof *list->entries);
    if (!list->entries) return fail_memory(err, source, (size_t)list->count * sizeof *list->entries);
    for (int i = 0; i < list->count; i++)
        TRY(read_entry(&list->entries[i], json_array_get(value, (size_t)i), source, arena, err));
    return OK;
}

static enum status read_operands(struct manifest *manifest, json_t *value, const char *source,
                                 struct arena *arena, struct error *err)
{
    if (!json_is_array(value) || json_array_size(value) > MANIFEST_MAX_ENTRIES)
        return missing(source, "operands", "a list", err);
    manifest->operand_count = (int)json_array_size(value);
    const char **operands = arena_alloc(arena, (size_t)manifest->operand_count, sizeof *operands);
    if (!operands) return fail_memory(err, source, (size_t)manifest->operand_count * sizeof *operands);
    for (int i = 0; i < manifest->operand_count; i++) {
        operands[i] = json_string_value(json_array_get(value, (size_t)i));
        if (!operands[i]) return missing(source, "operands", "texts", err);
    }
    manifest->operands = operands;
    return OK;
}

static enum status read_members(struct manifest *manifest, json_t *root, const char *source,
                                struct arena *arena, struct error *err)
{
    struct manifest_file printed;
    manifest->version = json_string_value(json_object_get(root, "retort"));
    manifest->command = json_string_value(json_object_get(root, "command"));
    manifest->options = json_object_get(root, "options");
    if (!manifest->version || !manifest->command) return missing(source, "retort, command", "two texts", err);
    if (!json_is_object((const json_t *)manifest->options))
        return missing(source, "options", "an object", err);
    TRY(read_operands(manifest, json_object_get(root, "operands"), source, arena, err));
    TRY(read_list(&manifest->inputs, json_object_get(root, "inputs"), source, arena, err));
    TRY(read_list(&manifest->outputs, json_object_get(root, "outputs"), source, arena, err));
    TRY(read_file(&printed, json_object_get(root, "stdout"), source, err));
    manifest->result_bytes = printed.bytes;
    memcpy(manifest->result_sha256, printed.sha256, SHA256_HEX);
    return OK;
}

enum status manifest_open(struct manifest *manifest, const char *path, struct arena *arena, struct error *err)
{
    struct file_view view;
    json_error_t where;
    *manifest = (struct manifest){0};
    TRY(file_map(&view, path, err));
    const bool large = view.size > MANIFEST_MAX_BYTES;
    json_t *root =
        large ? NULL : json_loadb((const char *)view.data, view.size, JSON_REJECT_DUPLICATES, &where);
    file_unmap(&view);
    if (large) return fail(err, ERR_INPUT, "%s: larger than %d bytes", path, MANIFEST_MAX_BYTES);
    if (!root)
        return fail(err, ERR_INPUT, "%s: line %d, column %d: %s", path, where.line, where.column, where.text);
    manifest->document = root;
    const enum status status = read_members(manifest, root, path, arena, err);
    if (status != OK) manifest_close(manifest);
    return status;
}

void manifest_close(struct manifest *manifest)
{
    json_decref(manifest->document);
    *manifest = (struct manifest){0};
}
#else
enum status manifest_open(struct manifest *manifest, const char *path, struct arena *arena, struct error *err)
{
    (void)manifest, (void)arena;
    return fail(err, ERR_SYSTEM, "%s: this build has no JSON reader (jansson)", path);
}

void manifest_close(struct manifest *manifest) { *manifest = (struct manifest){0}; }
#endif
