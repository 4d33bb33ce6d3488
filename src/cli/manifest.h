/* Run manifests: what ran, on what, and what came out, with hashes, as JSON.
 *
 * A folder is its files (all depths, sorted by path), without manifest.json. Hidden files are left out, and what cannot
 * be read: commands pass over it. Those of a large folder are not listed: one hash stands for all. An input of the role
 * MANIFEST_LISTED stands for the pictures that a list names, each once, as a folder does for its files. */
#ifndef RETORT_CLI_MANIFEST_H
#define RETORT_CLI_MANIFEST_H

#include "base/arena.h"
#include "base/hash.h"
#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    MANIFEST_MAX_FILES = 1 << 20,
    MANIFEST_MAX_LISTED = 1000, /* files of a folder */
    MANIFEST_MAX_OPERANDS = 2048,
    MANIFEST_MAX_ENTRIES =
        8192, /* operands and what else is read, and for each that is a list its pictures */
    MANIFEST_MAX_DEPTH = 32,
};

#define MANIFEST_LISTED "listed"

struct json;
struct option_set;

struct manifest_file {
    const char *path; /* relative to the folder; "" for a single file, and for all of a large folder */
    uint64_t bytes;
    char sha256[SHA256_HEX];
};

struct manifest_entry {
    const char *role; /* "--model", "operand 1" */
    const char *path; /* as it was given */
    bool folder;      /* or the pictures of a list */
    int together; /* files of a large folder: files[0] has the sum of their sizes and the hash over all; else 0 */
    int file_count;
    struct manifest_file *files;
};

struct manifest_list {
    int count;
    struct manifest_entry *entries;
};

struct manifest {
    const char *version, *command;
    const char *plan;               /* of the networks that ran, or NULL: the command has none */
    const struct option_set *given; /* writing: the options */
    const struct json *options;     /* reading: an object, lives until manifest_close */
    const char *const *operands;
    int operand_count;
    struct manifest_list inputs, outputs;
    bool json;             /* what was printed is that of --json */
    uint64_t result_bytes; /* printed on standard output */
    char result_sha256[SHA256_HEX];
    int threads; /* informative, as is the ISA */
    const char *isa;
    struct json *document; /* of a manifest that was read */
};

static inline int manifest_entry_files(const struct manifest_entry *entry)
{
    return entry->together ? entry->together : entry->file_count;
}

/* Hashes a file, a folder or, by its role, what a list names into *entry; everything is in the arena. */
enum status manifest_hash(struct manifest_entry *entry, const char *role, const char *path, int threads,
                          struct arena *arena, struct error *err);

enum status manifest_write(const char *path, const struct manifest *manifest, struct error *err);

/* Reads and checks a manifest; its texts live until manifest_close, its lists as long as the arena. */
enum status manifest_open(struct manifest *manifest, const char *path, struct arena *arena,
                          struct error *err);
/* The same from memory; name stands for it in messages. */
enum status manifest_parse(struct manifest *manifest, const void *data, size_t n, const char *name,
                           struct arena *arena, struct error *err);
void manifest_close(struct manifest *manifest);

/* Was it written by a version SERIES.number, such as 0.1.0 of "0.1"? */
bool manifest_of_series(const struct manifest *manifest, const char *series);

/* Appends a line to differences for every file that is missing, new or different in found; returns their
 * number. */
int manifest_compare(const struct manifest_entry *expected, const struct manifest_entry *found,
                     struct text *differences);

#endif
