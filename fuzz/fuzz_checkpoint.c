/* Checkpoints of a learner with four weights and two moments. */
/* Parser: src/train/checkpoint.c -checkpoint_write -checkpoint_read -put -put_int -put_real */
#include "nn/safetensors.h"
#include "train/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TOTAL = 4, MOVING = 2 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    float values[2][TOTAL], moments[3][MOVING];
    struct model model = {.params = {.values = values[0], .total = TOTAL}};
    struct learner learner = {.model = &model,
                              .average = {.params = {.values = values[1], .total = TOTAL}},
                              .coordinates = MOVING,
                              .gradient = moments[0],
                              .m = moments[1],
                              .v = moments[2]};
    struct checkpoint state = {.recipe = "0"};
    struct weights file;
    struct error err;
    if (safetensors_parse(&file, data, size, "input", &err) != OK) return 0;
    checkpoint_restore(&file, &learner, &state, &err);
    arena_free(&learner.arena);
    weights_close(&file);
    return 0;
}
