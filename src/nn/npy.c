#include "nn/npy.h"

#include "base/file.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { PREFIX = 10, ALIGNMENT = 64, MAX_HEADER = 1000 };
static const char MAGIC[] = "\x93NUMPY\x01";

/* The text behind 'key': in the header, or NULL. */
static const char *find(const char *header, const char *key)
{
    char quoted[40];
    snprintf(quoted, sizeof quoted, "'%s':", key);
    const char *place = strstr(header, quoted);
    return place ? place + strlen(quoted) + strspn(place + strlen(quoted), " ") : NULL;
}

static bool starts(const char *text, const char *with)
{
    return text && strncmp(text, with, strlen(with)) == 0;
}

/* A decimal number of at most 15 digits at *text, moved behind it and any spaces; -1 when there is none. */
static int64_t take_number(const char **text)
{
    const char *digit = *text;
    int64_t value = 0;
    while (*digit >= '0' && *digit <= '9' && digit - *text < 15) value = 10 * value + (*digit++ - '0');
    if (digit == *text) return -1;
    *text = digit + strspn(digit, " ");
    return value;
}

static enum status read_header(struct npy *npy, const char *header, const char *name, struct error *err)
{
    if (!starts(find(header, "descr"), "'<f4'"))
        return fail(err, ERR_INPUT, "%s: header: expected 'descr': '<f4' (little-endian float32)", name);
    if (!starts(find(header, "fortran_order"), "False"))
        return fail(err, ERR_INPUT, "%s: header: expected 'fortran_order': False", name);
    const char *shape = find(header, "shape");
    bool good = starts(shape, "(");
    if (good) {
        shape++;
        npy->rows = take_number(&shape);
        good = npy->rows >= 0 && *shape++ == ',';
    }
    if (good) {
        shape += strspn(shape, " ");
        npy->columns = take_number(&shape);
        good = npy->columns >= 0 && *shape == ')';
    }
    return good ? OK : fail(err, ERR_INPUT, "%s: header: expected 'shape': (rows, columns)", name);
}

enum status npy_parse(struct npy *npy, const void *data, size_t n, const char *name, struct error *err)
{
    *npy = (struct npy){0};
    const uint8_t *bytes = data;
    if (n < PREFIX || memcmp(bytes, MAGIC, sizeof MAGIC) != 0) /* the terminator is the minor version, 0 */
        return fail(err, ERR_INPUT, "%s: byte 0: expected a .npy file of version 1.0", name);
    const size_t length = bytes[8] | (size_t)bytes[9] << 8;
    if (length > MAX_HEADER || length > n - PREFIX)
        return fail(err, ERR_INPUT, "%s: byte 8: header of %zu bytes, at most %zu expected", name, length,
                    n - PREFIX < MAX_HEADER ? n - PREFIX : (size_t)MAX_HEADER);
    char header[MAX_HEADER + 1];
    memcpy(header, bytes + PREFIX, length);
    header[length] = 0;
    TRY(read_header(npy, header, name, err));
    const size_t room = n - PREFIX - length;
    const int64_t limit = (int64_t)(room / sizeof(float));
    if ((npy->columns && npy->rows > limit / npy->columns) ||
        (size_t)(npy->rows * npy->columns) * sizeof(float) != room)
        return fail(err, ERR_INPUT, "%s: %zu bytes of values do not match the shape (%lld, %lld)", name, room,
                    (long long)npy->rows, (long long)npy->columns);
    npy->owned = malloc(room ? room : 1);
    if (!npy->owned) return fail_memory(err, name, room);
    memcpy(npy->owned, bytes + PREFIX + length, room);
    npy->values = npy->owned;
    return OK;
}

enum status npy_read(struct npy *npy, const char *path, struct error *err)
{
    *npy = (struct npy){0};
    struct file_view view;
    TRY(file_map(&view, path, err));
    const enum status status = npy_parse(npy, view.data, view.size, path, err);
    file_unmap(&view);
    return status;
}

void npy_close(struct npy *npy)
{
    free(npy->owned);
    *npy = (struct npy){0};
}

enum status npy_write(const char *path, const float *values, int64_t rows, int64_t columns, struct error *err)
{
    assert(rows >= 0 && columns >= 0);
    char header[4 * ALIGNMENT];
    memcpy(header, MAGIC, sizeof MAGIC);
    int n = PREFIX + snprintf(header + PREFIX, sizeof header - PREFIX,
                              "{'descr': '<f4', 'fortran_order': False, 'shape': (%lld, %lld), }",
                              (long long)rows, (long long)columns);
    while ((n + 1) % ALIGNMENT) header[n++] = ' ';
    header[n++] = '\n';
    header[8] = (char)(n - PREFIX);
    header[9] = 0;
    struct file_writer file;
    TRY(file_create(&file, path, err));
    fwrite(header, 1, (size_t)n, file.stream);
    fwrite(values, sizeof *values, (size_t)(rows * columns), file.stream);
    return file_commit(&file, err);
}
