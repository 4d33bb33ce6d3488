/* The .npy reader on any bytes. */
/* Parser: src/nn/npy.c -npy_read -npy_write */
#include "nn/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct npy npy;
    struct error err;
    if (npy_parse(&npy, data, size, "input", &err) == OK) npy_close(&npy);
    return 0;
}
