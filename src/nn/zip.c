#include "nn/zip.h"

#include <stdlib.h>
#include <string.h>

/* Sizes of the fixed parts of the records (APPNOTE 4.3). */
enum { END = 22, END64_LOCATOR = 20, END64 = 56, CENTRAL = 46, LOCAL = 30, MAX_COMMENT = 0xffff };
enum { EXTRA_ZIP64 = 1, FLAG_ENCRYPTED = 1 };

static uint64_t little(const uint8_t *bytes, int n)
{
    uint64_t value = 0;
    for (int i = n - 1; i >= 0; i--) value = value << 8 | bytes[i];
    return value;
}

static bool is_record(const uint8_t *data, char a, char b)
{
    return data[0] == 'P' && data[1] == 'K' && data[2] == (uint8_t)a && data[3] == (uint8_t)b;
}

struct directory {
    uint64_t offset, size, count;
};

static enum status find_directory(struct directory *directory, const uint8_t *data, size_t n,
                                  const char *path, struct error *err)
{
    size_t at = n;
    for (size_t comment = 0; comment <= MAX_COMMENT && comment + END <= n && at == n; comment++) {
        const uint8_t *end = data + n - END - comment;
        if (is_record(end, 5, 6) && little(end + 20, 2) == comment) at = n - END - comment;
    }
    if (at == n) return fail(err, ERR_INPUT, "%s: no end record of a zip archive (cut?)", path);
    const uint8_t *end = data + at;
    *directory = (struct directory){little(end + 16, 4), little(end + 12, 4), little(end + 10, 2)};
    if (at >= END64_LOCATOR && is_record(end - END64_LOCATOR, 6, 7)) {
        const uint64_t place = little(end - END64_LOCATOR + 8, 8);
        if (n < END64 || place > n - END64 || !is_record(data + place, 6, 6))
            return fail(err, ERR_INPUT, "%s: byte %zu: zip64 end record outside the file", path,
                        at - END64_LOCATOR);
        const uint8_t *end64 = data + place;
        *directory = (struct directory){little(end64 + 48, 8), little(end64 + 40, 8), little(end64 + 32, 8)};
    }
    if (directory->offset > n || directory->size > n - directory->offset)
        return fail(err, ERR_INPUT, "%s: zip directory outside the file", path);
    if (directory->count > ZIP_MAX_ENTRIES || directory->count > directory->size / CENTRAL)
        return fail(err, ERR_INPUT, "%s: zip directory of %llu bytes claims %llu entries", path,
                    (unsigned long long)directory->size, (unsigned long long)directory->count);
    return OK;
}

/* Replaces the fields that are all ones by those of the zip64 extra field, in its fixed order. */
static bool read_zip64(uint64_t *const fields[3], const uint8_t *extra, size_t n)
{
    for (size_t at = 0; at + 4 <= n;) {
        const size_t size = little(extra + at + 2, 2);
        const bool wanted = little(extra + at, 2) == EXTRA_ZIP64;
        at += 4;
        if (size > n - at) return false;
        size_t used = 0;
        for (int i = 0; wanted && i < 3; i++) {
            if (*fields[i] != UINT32_MAX) continue;
            if (size - used < 8) return false;
            *fields[i] = little(extra + at + used, 8);
            used += 8;
        }
        at += size;
    }
    return true;
}

/* The entry at *at of the directory; moves *at behind it. */
static enum status read_entry(struct zip_entry *entry, size_t *at, size_t end, const uint8_t *data, size_t n,
                              const char *path, struct error *err)
{
    const uint8_t *record = data + *at;
    if (end - *at < CENTRAL || !is_record(record, 1, 2))
        return fail(err, ERR_INPUT, "%s: byte %zu: expected a zip directory entry", path, *at);
    const size_t name = little(record + 28, 2), extra = little(record + 30, 2),
                 comment = little(record + 32, 2);
    if (name + extra + comment > end - *at - CENTRAL)
        return fail(err, ERR_INPUT, "%s: byte %zu: zip directory entry runs over the end", path, *at);
    uint64_t size = little(record + 24, 4), packed = little(record + 20, 4), place = little(record + 42, 4);
    uint64_t *const fields[3] = {&size, &packed, &place};
    if (!read_zip64(fields, record + CENTRAL + name, extra))
        return fail(err, ERR_INPUT, "%s: byte %zu: broken zip64 field", path, *at);
    entry->name = (const char *)record + CENTRAL;
    entry->name_size = name;
    if (little(record + 10, 2) != 0 || size != packed || little(record + 8, 2) & FLAG_ENCRYPTED)
        return fail(err, ERR_INPUT, "%s: entry %.*s: compressed or encrypted, expected stored", path,
                    (int)(name < 200 ? name : 200), entry->name);
    if (n < LOCAL || place > n - LOCAL || !is_record(data + place, 3, 4))
        return fail(err, ERR_INPUT, "%s: byte %zu: zip entry's header outside the file", path, *at);
    const uint64_t start = place + LOCAL + little(data + place + 26, 2) + little(data + place + 28, 2);
    if (start > n || size > n - start)
        return fail(err, ERR_INPUT, "%s: byte %zu: zip entry's data outside the file", path, *at);
    entry->data = data + start;
    entry->size = size;
    *at += CENTRAL + name + extra + comment;
    return OK;
}

static int compare(const char *a, size_t a_size, const char *b, size_t b_size)
{
    const int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
    return order ? order : (a_size > b_size) - (a_size < b_size);
}

static int compare_entries(const void *a, const void *b)
{
    const struct zip_entry *x = a, *y = b;
    const int order = compare(x->name, x->name_size, y->name, y->name_size);
    return order ? order : (x->name > y->name) - (x->name < y->name);
}

enum status zip_read(struct zip *zip, struct arena *arena, const uint8_t *data, size_t n, const char *path,
                     struct error *err)
{
    struct directory directory = {0};
    TRY(find_directory(&directory, data, n, path, err));
    *zip = (struct zip){arena_alloc(arena, directory.count, sizeof *zip->entries), directory.count};
    if (!zip->entries) return fail_memory(err, path, directory.count * sizeof *zip->entries);
    size_t at = directory.offset;
    for (size_t i = 0; i < zip->count; i++)
        TRY(read_entry(&zip->entries[i], &at, directory.offset + directory.size, data, n, path, err));
    qsort(zip->entries, zip->count, sizeof *zip->entries, compare_entries);
    for (size_t i = 1; i < zip->count; i++) {
        const struct zip_entry *a = &zip->entries[i - 1], *b = &zip->entries[i];
        if (compare(a->name, a->name_size, b->name, b->name_size) == 0)
            return fail(err, ERR_INPUT, "%s: entry %.*s: occurs twice", path,
                        (int)(a->name_size < 200 ? a->name_size : 200), a->name);
    }
    return OK;
}

const struct zip_entry *zip_find(const struct zip *zip, const char *name)
{
    size_t low = 0, high = zip->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const struct zip_entry *entry = &zip->entries[middle];
        const int order = compare(entry->name, entry->name_size, name, strlen(name));
        if (order == 0) return entry;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
