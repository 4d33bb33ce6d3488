/* The log of a training run that goes on. */
/* Parser: src/train/train_log.c -train_log_cut -train_log_resume */
#include "train/train_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { KEEP = 5 };
    struct trainer_epoch epochs[KEEP];
    struct error err;
    int count;
    train_log_parse(epochs, &count, data, size, "input", KEEP, &err);
    return 0;
}
