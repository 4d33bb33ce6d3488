#include "train/report_words.h"

#include <string.h>

const char *words_kept(struct words *words, const char *text)
{
    if (!text) words->failed = true;
    return text ? text : "";
}

void *words_alloc(struct words *words, size_t count, size_t size)
{
    void *memory = arena_alloc(&words->arena, count, size);
    if (!memory) words->failed = true;
    return memory;
}

const char *words_size(struct words *words, size_t bytes)
{
    if (bytes < 1000) return WORDS(words, "%zu B", bytes);
    if (bytes < 1000000) return WORDS(words, "%.1f kB", (double)bytes / 1e3);
    return WORDS(words, "%.1f MB", (double)bytes / 1e6);
}

const char *words_share(struct words *words, double part, double whole)
{
    return whole > 0 ? WORDS(words, "%.1f %%", 100 * part / whole) : "";
}

const char *report_name(const char *path)
{
    size_t end = strlen(path), start;
    while (end > 1 && path[end - 1] == '/') end--;
    for (start = end; start > 0 && path[start - 1] != '/';) start--;
    return path + start;
}

const char *words_folder(struct words *words, const char *path)
{
    const char *const name = report_name(path);
    const int n = (int)strcspn(name, "/");
    if ((strncmp(name, "images", (size_t)n) && strncmp(name, "labels", (size_t)n)) || n != 6 || name == path)
        return WORDS(words, "%.*s", n ? n : 1, name);
    const char *const parent = arena_strndup(&words->arena, path, (size_t)(name - path));
    return WORDS(words, "%s%.*s", parent ? report_name(parent) : "", n, name);
}
