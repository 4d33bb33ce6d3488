/* Zip archives whose entries are stored, not compressed, as PyTorch writes them (zip64 included).
 *
 * Read through the central directory; the place of the data comes from each entry's local header. Refused:
 * compressed or encrypted entries, more than ZIP_MAX_ENTRIES, duplicate names, anything outside the file. */
#ifndef RETORT_NN_ZIP_H
#define RETORT_NN_ZIP_H

#include "base/arena.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

enum { ZIP_MAX_ENTRIES = 1 << 18 };

struct zip_entry {
    const char *name; /* name_size bytes, no terminator */
    size_t name_size;
    const uint8_t *data;
    size_t size;
};

struct zip {
    struct zip_entry *entries; /* sorted by name; owned by the arena, names and data by the caller's bytes */
    size_t count;
};

enum status zip_read(struct zip *zip, struct arena *arena, const uint8_t *data, size_t n, const char *path,
                     struct error *err);

const struct zip_entry *zip_find(const struct zip *zip, const char *name); /* NULL: absent */

#endif
