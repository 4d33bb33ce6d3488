/* Embeddings from a .npy file (nn/npy.h) with the limits of the selection rules. */
#ifndef RETORT_CLI_EMBEDDING_FILE_H
#define RETORT_CLI_EMBEDDING_FILE_H

#include "base/arena.h"
#include "base/status.h"

struct embedding_file {
    int rows, width;
    const float *values; /* [rows][width], in the arena */
};

enum status embedding_file_read(struct embedding_file *embeddings, const char *path, struct arena *arena,
                                struct error *err);

#endif
