#include "image/source_list.h"

#include "base/file.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_PATH = 4096 };

bool source_list_ends_in(const char *name, const char *const *extensions, int count)
{
    const char *dot = strrchr(name, '.');
    for (int i = 0; dot && i < count; i++)
        if (!strcasecmp(dot, extensions[i])) return true;
    return false;
}

enum status source_list_add(struct source_list *list, struct arena *arena, const char *path,
                            struct error *err)
{
    if (list->count == list->capacity) {
        const int64_t capacity = list->capacity ? 2 * list->capacity : 64;
        const char **larger = arena_alloc(arena, (size_t)capacity, sizeof *larger);
        if (!larger) return fail_memory(err, "a list of files", (size_t)capacity * sizeof *larger);
        if (list->count) memcpy(larger, list->paths, (size_t)list->count * sizeof *larger);
        list->paths = larger;
        list->capacity = capacity;
    }
    const char *copy = arena_strdup(arena, path);
    if (!copy) return fail_memory(err, "a list of files", strlen(path));
    list->paths[list->count++] = copy;
    return OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum status add_entries(struct source_list *list, struct arena *arena, DIR *folder, const char *path,
                               struct error *err)
{
    static const char *const known[] = {".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".pnm"};
    const size_t n = strlen(path);
    for (;;) {
        const char *name;
        TRY(file_next_entry(&name, folder, path, err));
        if (!name) return OK;
        if (name[0] == '.' || !source_list_ends_in(name, known, sizeof known / sizeof *known)) continue;
        const char *full = arena_printf(arena, "%s%s%s", path, path[n - 1] == '/' ? "" : "/", name);
        if (!full) return fail_memory(err, "a list of files", n);
        TRY(source_list_add(list, arena, full, err));
    }
}

enum status source_list_folder(struct source_list *list, struct arena *arena, const char *path,
                               struct error *err)
{
    DIR *folder = opendir(path);
    if (!folder) return fail_errno(err, "open", path);
    const enum status status = add_entries(list, arena, folder, path, err);
    closedir(folder);
    TRY(status);
    if (!list->count)
        return fail(err, ERR_INPUT,
                    "%s: expected pictures (.jpg, .png, .ppm, .pgm), found none in the folder", path);
    qsort(list->paths, (size_t)list->count, sizeof *list->paths, by_name);
    return OK;
}

/* Adds a line that names a file from here or, failing that, from the folder of the list. */
static enum status add_line(struct source_list *list, struct arena *arena, const char *line,
                            const char *list_path, struct error *err)
{
    const char *slash = strrchr(list_path, '/');
    if (line[0] == '/' || !slash || file_exists(line)) return source_list_add(list, arena, line, err);
    const char *beside = arena_printf(arena, "%.*s/%s", (int)(slash - list_path), list_path, line);
    if (!beside) return fail_memory(err, "a list of files", MAX_PATH);
    return source_list_add(list, arena, file_exists(beside) ? beside : line, err);
}

static enum status add_lines(struct source_list *list, struct arena *arena, const char *at, size_t size,
                             const char *path, struct error *err)
{
    const char *const end = at + size;
    for (int64_t number = 1; at < end; number++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at)), *stop = newline ? newline : end;
        const char *next = newline ? newline + 1 : end;
        while (stop > at && (stop[-1] == '\r' || stop[-1] == ' ' || stop[-1] == '\t')) stop--;
        const size_t n = (size_t)(stop - at);
        if (n >= MAX_PATH || memchr(at, 0, n))
            return fail(err, ERR_INPUT, "%s: line %lld: expected the path of a picture", path,
                        (long long)number);
        char line[MAX_PATH];
        memcpy(line, at, n);
        line[n] = 0;
        if (n) TRY(add_line(list, arena, line, path, err));
        at = next;
    }
    return OK;
}

enum status source_list_parse(struct source_list *list, struct arena *arena, const void *data, size_t n,
                              const char *path, struct error *err)
{
    TRY(add_lines(list, arena, data, n, path, err));
    return list->count ? OK : fail(err, ERR_INPUT, "%s: expected one path a line, found none", path);
}

bool source_list_is_file(const char *path)
{
    static const char *const list[] = {".txt"};
    return source_list_ends_in(path, list, 1) && !file_is_folder(path);
}

enum status source_list_file(struct source_list *list, struct arena *arena, const char *path,
                             struct error *err)
{
    struct file_view view;
    TRY(file_map(&view, path, err));
    const enum status status = source_list_parse(list, arena, view.data, view.size, path, err);
    file_unmap(&view);
    return status;
}
