#include "cli/embedding_file.h"

#include "nn/npy.h"

#include <string.h>

enum { MAX_ROWS = 1 << 24, MAX_WIDTH = 1 << 16 };

static enum status convert(struct embedding_file *embeddings, const struct npy *npy, const char *path,
                           struct arena *arena, struct error *err)
{
    if (npy->rows < 1 || npy->rows > MAX_ROWS || npy->columns < 1 || npy->columns > MAX_WIDTH)
        return fail(err, ERR_INPUT, "%s: expected 1 to %d rows of 1 to %d numbers, found %lld rows of %lld",
                    path, MAX_ROWS, MAX_WIDTH, (long long)npy->rows, (long long)npy->columns);
    const size_t count = (size_t)npy->rows * (size_t)npy->columns;
    float *values = arena_alloc(arena, count, sizeof *values);
    if (!values) return fail_memory(err, path, (unsigned long long)count * sizeof *values);
    memcpy(values, npy->values, count * sizeof *values);
    *embeddings = (struct embedding_file){(int)npy->rows, (int)npy->columns, values};
    return OK;
}

enum status embedding_file_read(struct embedding_file *embeddings, const char *path, struct arena *arena,
                                struct error *err)
{
    struct npy npy;
    TRY(npy_read(&npy, path, err));
    const enum status status = convert(embeddings, &npy, path, arena, err);
    npy_close(&npy);
    return status;
}
