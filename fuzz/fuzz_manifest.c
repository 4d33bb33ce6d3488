/* Run manifests; what is accepted is compared with itself. */
/* Parser: src/cli/manifest_read.c -manifest_open */
#include "cli/manifest.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct manifest manifest;
    struct error err;
    if (manifest_parse(&manifest, data, size, "input", &arena, &err) == OK) {
        struct text differences = {0};
        for (int i = 0; i < manifest.inputs.count; i++) {
            const struct manifest_entry *const entry = &manifest.inputs.entries[i];
            if (manifest_compare(entry, entry, &differences) != 0) abort();
        }
        text_free(&differences);
        manifest_close(&manifest);
    }
    arena_free(&arena);
    return 0;
}
