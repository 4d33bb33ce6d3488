/* The paths of a folder or of a list file, for source.h. */
#ifndef RETORT_IMAGE_SOURCE_LIST_H
#define RETORT_IMAGE_SOURCE_LIST_H

#include "base/arena.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct source_list {
    const char **paths; /* all in the arena */
    int64_t count, capacity;
};

enum status source_list_add(struct source_list *list, struct arena *arena, const char *path,
                            struct error *err);

/* The pictures in a folder, sorted; none is ERR_INPUT. */
enum status source_list_folder(struct source_list *list, struct arena *arena, const char *path,
                               struct error *err);

/* Whether a path is that of a list file: it ends in .txt and is no folder. */
bool source_list_is_file(const char *path);

/* The lines of a text file; none is ERR_INPUT. */
enum status source_list_file(struct source_list *list, struct arena *arena, const char *path,
                             struct error *err);

/* The same from memory; path is the list's own, for messages and for files beside it. */
enum status source_list_parse(struct source_list *list, struct arena *arena, const void *data, size_t n,
                              const char *path, struct error *err);

/* Whether the name ends in one of `count` extensions, letters of either case. */
bool source_list_ends_in(const char *name, const char *const *extensions, int count);

#endif
