/* Words of a report, made as it is written: they live in the arena; memory that is short is noticed once, by
 * the flag, and the words are then "". */
#ifndef RETORT_TRAIN_REPORT_WORDS_H
#define RETORT_TRAIN_REPORT_WORDS_H

#include "base/arena.h"

#include <stdbool.h>

struct words {
    struct arena arena;
    bool failed;
};

#define WORDS(words, ...) words_kept((words), arena_printf(&(words)->arena, __VA_ARGS__))

const char *words_kept(struct words *words, const char *text);

/* NULL: memory is short. */
void *words_alloc(struct words *words, size_t count, size_t size);

/* "1.2 MB"; "12.5 %", or "" of nothing. */
const char *words_size(struct words *words, size_t bytes);
const char *words_share(struct words *words, double part, double whole);

/* The last name of a path: folders say where something ran, and a report does not. */
const char *report_name(const char *path);

/* A folder's name; with the one above it where the name says nothing. */
const char *words_folder(struct words *words, const char *path);

#endif
