#include "cli/manifest.h"

#include "base/file.h"
#include "base/par.h"
#include "base/version.h"
#include "cli/options.h"
#include "image/source_list.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind { FOLDER, REGULAR, OTHER, ABSENT };

static enum kind kind_of(const char *path)
{
    struct stat info;
    if (stat(path, &info)) return ABSENT;
    return S_ISDIR(info.st_mode) ? FOLDER : S_ISREG(info.st_mode) ? REGULAR : OTHER;
}

static enum status hash_file(struct manifest_file *file, const char *path, struct error *err)
{
    struct file_view view;
    TRY(file_map(&view, path, err));
    file->bytes = view.size;
    sha256_bytes(view.data, view.size, file->sha256);
    file_unmap(&view);
    return OK;
}

struct listing {
    const char **paths;
    int count, capacity;
    struct arena *arena;
};

static enum status add_path(struct listing *list, const char *path, const char *root, struct error *err)
{
    if (list->count == MANIFEST_MAX_FILES)
        return fail(err, ERR_INPUT, "%s: more than %d files", root, MANIFEST_MAX_FILES);
    const char **paths = arena_grow(list->arena, list->paths, list->count, &list->capacity, sizeof *paths);
    if (!paths) return fail_memory(err, "a list of files", 2ull * (unsigned)list->count * sizeof *paths);
    list->paths = paths;
    list->paths[list->count++] = path;
    return OK;
}

/* The files below root/inner ("" or ending in '/') in any order. */
static enum status walk(struct listing *list, const char *root, const char *inner, int depth,
                        struct error *err)
{
    const char *folder = arena_printf(list->arena, "%s/%s", root, inner);
    if (!folder) return fail_memory(err, root, strlen(root));
    if (depth > MANIFEST_MAX_DEPTH)
        return fail(err, ERR_INPUT, "%s: folders nested more than %d deep", folder, MANIFEST_MAX_DEPTH);
    DIR *stream = opendir(folder);
    if (!stream) return fail_errno(err, "open", folder);
    enum status status = OK;
    for (const char *name; (status = file_next_entry(&name, stream, folder, err)) == OK && name;) {
        if (name[0] == '.' || (!*inner && !strcmp(name, "manifest.json"))) continue;
        const char *path = arena_printf(list->arena, "%s%s", inner, name);
        const char *whole = path ? arena_printf(list->arena, "%s/%s", root, path) : NULL;
        const enum kind kind = whole ? kind_of(whole) : ABSENT;
        if (!whole)
            status = fail_memory(err, root, strlen(root));
        else if (kind == OTHER || access(whole, R_OK))
            continue; /* commands pass over it, too */
        else if (kind == REGULAR)
            status = add_path(list, path, root, err);
        else if ((path = arena_printf(list->arena, "%s/", path)))
            status = walk(list, root, path, depth + 1, err);
        else
            status = fail_memory(err, root, strlen(root));
        if (status != OK) break;
    }
    closedir(stream);
    return status;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* SHA-256 over "path NUL hash newline" of each. */
static void take_together(struct manifest_entry *entry)
{
    struct sha256 hash;
    uint64_t bytes = 0;
    sha256_init(&hash);
    for (int i = 0; i < entry->file_count; i++) {
        const struct manifest_file *file = &entry->files[i];
        sha256_add(&hash, file->path, strlen(file->path) + 1);
        sha256_add(&hash, file->sha256, SHA256_HEX - 1);
        sha256_add(&hash, "\n", 1);
        bytes += file->bytes;
    }
    entry->together = entry->file_count;
    entry->file_count = 1;
    entry->files[0] = (struct manifest_file){.path = "", .bytes = bytes};
    sha256_hex(&hash, entry->files[0].sha256);
}

struct hashing {
    struct manifest_file *files;
    const char **paths;
};

/* A file that cannot be read has no hash then. */
static void hash_files(void *context, int64_t begin, int64_t end, int worker)
{
    const struct hashing *hashing = context;
    (void)worker;
    for (int64_t i = begin; i < end; i++) {
        struct error why;
        if (hash_file(&hashing->files[i], hashing->paths[i], &why) != OK) hashing->files[i].sha256[0] = 0;
    }
}

/* The files of the entry, whose names are in ascending order; root stands before each, NULL: nothing does. */
static enum status hash_all(struct manifest_entry *entry, const struct listing *list, const char *root,
                            int threads, struct error *err)
{
    const size_t count = (size_t)list->count;
    const char **paths = arena_alloc(list->arena, count, sizeof *paths);
    entry->folder = true;
    entry->file_count = list->count;
    entry->files = arena_alloc(list->arena, count, sizeof *entry->files);
    if (!entry->files || !paths)
        return fail_memory(err, entry->path, count * (sizeof *entry->files + sizeof *paths));
    for (size_t i = 0; i < count; i++) {
        entry->files[i].path = list->paths[i];
        paths[i] = root ? arena_printf(list->arena, "%s/%s", root, list->paths[i]) : list->paths[i];
        if (!paths[i]) return fail_memory(err, entry->path, strlen(entry->path));
    }
    par_for(threads, list->count, 16, hash_files, &(struct hashing){entry->files, paths});
    for (size_t i = 0; i < count; i++)
        if (!entry->files[i].sha256[0]) TRY(hash_file(&entry->files[i], paths[i], err));
    if (entry->file_count > MANIFEST_MAX_LISTED) take_together(entry);
    return OK;
}

static enum status hash_folder(struct manifest_entry *entry, int threads, struct arena *arena,
                               struct error *err)
{
    struct listing list = {.arena = arena};
    TRY(walk(&list, entry->path, "", 0, err));
    if (list.count) qsort(list.paths, (size_t)list.count, sizeof *list.paths, by_text);
    return hash_all(entry, &list, entry->path, threads, err);
}

static enum status hash_listed(struct manifest_entry *entry, int threads, struct arena *arena,
                               struct error *err)
{
    struct source_list named = {0};
    struct listing list = {.arena = arena};
    const enum status status = source_list_file(&named, arena, entry->path, err);
    if (status != OK && status != ERR_INPUT) return status; /* a list without paths is passed over, too */
    if (named.count) qsort(named.paths, (size_t)named.count, sizeof *named.paths, by_text);
    for (int64_t i = 0; i < named.count; i++) {
        const char *const path = named.paths[i];
        const bool again = i && !strcmp(named.paths[i - 1], path);
        if (!again && kind_of(path) == REGULAR && access(path, R_OK) == 0)
            TRY(add_path(&list, path, entry->path, err));
    }
    return hash_all(entry, &list, NULL, threads, err);
}

enum status manifest_hash(struct manifest_entry *entry, const char *role, const char *path, int threads,
                          struct arena *arena, struct error *err)
{
    *entry = (struct manifest_entry){.role = role, .path = path};
    if (!strcmp(role, MANIFEST_LISTED)) return hash_listed(entry, threads, arena, err);
    const enum kind kind = kind_of(path);
    if (kind == FOLDER) return hash_folder(entry, threads, arena, err);
    if (kind == OTHER) /* reading a pipe here would take it from the command */
        return fail(err, ERR_INPUT, "%s: is a pipe or a device, a manifest needs files", path);
    entry->file_count = 1;
    entry->files = arena_alloc(arena, 1, sizeof *entry->files);
    if (!entry->files) return fail_memory(err, path, sizeof *entry->files);
    entry->files[0].path = "";
    return hash_file(&entry->files[0], path, err);
}

static void put_file(struct json_writer *out, const struct manifest_file *file)
{
    json_put_int(out, "bytes", (int64_t)file->bytes);
    json_put_text(out, "sha256", file->sha256);
}

static void put_folder(struct json_writer *out, const struct manifest_entry *entry)
{
    json_open(out, "files", '[');
    for (int i = 0; i < entry->file_count; i++) {
        json_open_flat(out, NULL, '{');
        json_put_text(out, "path", entry->files[i].path);
        put_file(out, &entry->files[i]);
        json_close(out);
    }
    json_close(out);
}

static void put_list(struct json_writer *out, const char *name, const struct manifest_list *list)
{
    json_open(out, name, '[');
    for (int i = 0; i < list->count; i++) {
        const struct manifest_entry *entry = &list->entries[i];
        const bool listed = entry->folder && !entry->together;
        (listed ? json_open : json_open_flat)(out, NULL, '{');
        json_put_text(out, "role", entry->role);
        json_put_text(out, "path", entry->path);
        if (entry->together) json_put_int(out, "file_count", entry->together);
        if (listed)
            put_folder(out, entry);
        else
            put_file(out, &entry->files[0]);
        json_close(out);
    }
    json_close(out);
}

static void put_manifest(struct json_writer *out, const struct manifest *manifest)
{
    json_open(out, NULL, '{');
    json_put_text(out, "retort", RETORT_VERSION);
    json_put_text(out, "command", manifest->command);
    if (manifest->plan) json_put_text(out, "plan", manifest->plan);
    json_open(out, "options", '{');
    options_json(out, manifest->given);
    json_close(out);
    json_open_flat(out, "operands", '[');
    for (int i = 0; i < manifest->operand_count; i++) json_put_text(out, NULL, manifest->operands[i]);
    json_close(out);
    put_list(out, "inputs", &manifest->inputs);
    put_list(out, "outputs", &manifest->outputs);
    json_open_flat(out, "stdout", '{');
    json_put_bool(out, "json", manifest->json);
    json_put_int(out, "bytes", (int64_t)manifest->result_bytes);
    json_put_text(out, "sha256", manifest->result_sha256);
    json_close(out);
    json_open_flat(out, "machine", '{');
    json_put_text(out, "isa", manifest->isa);
    json_put_int(out, "threads", manifest->threads);
    json_close(out);
    json_close(out);
}

enum status manifest_write(const char *path, const struct manifest *manifest, struct error *err)
{
    struct file_writer file;
    TRY(file_create(&file, path, err));
    struct json_writer out = {.stream = file.stream, .pretty = true};
    put_manifest(&out, manifest);
    return file_commit(&file, err);
}

static int differ(struct text *out, const struct manifest_entry *entry, const char *path, const char *how)
{
    const bool listed = !strcmp(entry->role, MANIFEST_LISTED) && *path;
    text_format(out, "%s%s%s: %s\n", listed ? "" : entry->path, *path && !listed ? "/" : "", path, how);
    return 1;
}

int manifest_compare(const struct manifest_entry *expected, const struct manifest_entry *found,
                     struct text *differences)
{
    int count = 0, i = 0, j = 0;
    if (expected->folder != found->folder)
        return differ(differences, found, "",
                      found->folder ? "is a folder, was a file" : "is a file, was a folder");
    if (expected->together != found->together) {
        char how[60];
        snprintf(how, sizeof how, "%d files, expected %d", manifest_entry_files(found),
                 manifest_entry_files(expected));
        return differ(differences, found, "", how);
    }
    while (i < expected->file_count || j < found->file_count) {
        const struct manifest_file *a = &expected->files[i], *b = &found->files[j];
        const int order = i == expected->file_count ? 1
                          : j == found->file_count  ? -1
                                                    : strcmp(a->path, b->path);
        if (order < 0)
            count += differ(differences, found, a->path, "is missing");
        else if (order > 0)
            count += differ(differences, found, b->path, "is new");
        else if (a->bytes != b->bytes || strcmp(a->sha256, b->sha256)) {
            char how[2 * SHA256_HEX + 60];
            snprintf(how, sizeof how, "sha256 %s, expected %s", b->sha256, a->sha256);
            count += differ(differences, found, b->path, how);
        }
        i += order <= 0;
        j += order >= 0;
    }
    return count;
}
