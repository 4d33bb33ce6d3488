#include "train/checkpoint.h"

#include "nn/safetensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARRAYS = 6, FIELDS = 16, FIELD_LENGTH = 80 };
#define FORMAT "retort-checkpoint-1"

/* The flat arrays of a learner; those it does not have are NULL. */
struct array {
    const char *name;
    float *values;
    size_t n;
};

static void arrays_of(const struct learner *learner, struct array arrays[ARRAYS])
{
    const size_t n = learner->coordinates, total = learner->model->params.total;
    const struct array all[ARRAYS] = {
        {"weights", learner->model->params.values, total},
        {"average", learner->average.params.values, total},
        {"gradient", learner->gradient, n},
        {"m", learner->m, n},
        {"v", learner->v, n},
        {"u", learner->u, n},
    };
    memcpy(arrays, all, sizeof all);
}

/* The scalars, as text; reals in hexadecimal so that every bit survives. */
struct fields {
    char text[FIELDS][FIELD_LENGTH];
    struct weight_text list[FIELDS];
    size_t count;
};

static void put(struct fields *fields, const char *key, const char *text)
{
    snprintf(fields->text[fields->count], FIELD_LENGTH, "%s", text);
    fields->list[fields->count] = (struct weight_text){key, fields->text[fields->count]};
    fields->count++;
}
static void put_int(struct fields *fields, const char *key, int64_t value)
{
    char text[FIELD_LENGTH];
    snprintf(text, sizeof text, "%" PRId64, value);
    put(fields, key, text);
}
static void put_real(struct fields *fields, const char *key, double value)
{
    char text[FIELD_LENGTH];
    snprintf(text, sizeof text, "%a", value);
    put(fields, key, text);
}

enum status checkpoint_write(const char *path, const struct learner *learner, const struct checkpoint *state,
                             struct error *err)
{
    struct fields fields = {0};
    put(&fields, "format", FORMAT);
    put(&fields, "recipe", state->recipe);
    put_int(&fields, "epoch", state->epoch);
    put_int(&fields, "last", state->schedule.last);
    put_int(&fields, "steps", state->schedule.steps);
    put_int(&fields, "clock", learner->clock.step);
    put_real(&fields, "power1", learner->clock.power1);
    put_real(&fields, "power2", learner->clock.power2);
    put_int(&fields, "averaged", learner->averaged);
    put_real(&fields, "best_score", state->best_score);
    put_int(&fields, "best_epoch", state->best_epoch);
    put_int(&fields, "since_best", state->since_best);

    struct array arrays[ARRAYS];
    struct safetensors_item items[ARRAYS + 1];
    size_t count = 0;
    arrays_of(learner, arrays);
    for (int i = 0; i < ARRAYS; i++)
        if (arrays[i].values)
            items[count++] = (struct safetensors_item){.name = arrays[i].name,
                                                       .dims = 1,
                                                       .shape = {(int64_t)arrays[i].n},
                                                       .values = arrays[i].values};
    float *mask = NULL;
    if (learner->mask) {
        mask = malloc(learner->coordinates * sizeof *mask);
        if (!mask) return fail_memory(err, "the update mask", learner->coordinates * sizeof *mask);
        for (size_t i = 0; i < learner->coordinates; i++) mask[i] = learner->mask[i];
        items[count++] = (struct safetensors_item){
            .name = "mask", .dims = 1, .shape = {(int64_t)learner->coordinates}, .values = mask};
    }
    const enum status status = safetensors_write(path, items, count, fields.list, fields.count, err);
    free(mask);
    return status;
}

static enum status read_mask(const struct weights *file, struct learner *learner, struct error *err)
{
    const size_t n = learner->coordinates;
    float *values = malloc(n * sizeof *values);
    uint8_t *mask = malloc(n);
    enum status status = values && mask ? weights_read_row(values, file, "mask", n, err)
                                        : fail_memory(err, "the update mask", n * sizeof *values);
    if (status == OK) {
        for (size_t i = 0; i < n; i++) mask[i] = values[i] != 0;
        status = learner_set_mask(learner, mask, err);
    }
    free(values);
    free(mask);
    return status;
}

enum status checkpoint_restore(const struct weights *file, struct learner *learner, struct checkpoint *state,
                               struct error *err)
{
    const char *const format = weights_metadata(file, "format"), *const recipe =
                                                                     weights_metadata(file, "recipe");
    int64_t epoch, best_epoch, since_best;
    if (!format || strcmp(format, FORMAT))
        return fail(err, ERR_INPUT, "%s: metadata \"format\": expected %s, found %.40s", file->path, FORMAT,
                    format ? format : "nothing");
    if (!recipe || strcmp(recipe, state->recipe))
        return fail(err, ERR_INPUT,
                    "%s: belongs to a run with other options, data or start weights; give the same ones "
                    "or train without --resume",
                    file->path);
    TRY(weights_metadata_count(&epoch, file, "epoch", 0, err));
    TRY(weights_metadata_count(&state->schedule.last, file, "last", -1, err));
    TRY(weights_metadata_count(&state->schedule.steps, file, "steps", 0, err));
    TRY(weights_metadata_count(&learner->clock.step, file, "clock", 0, err));
    TRY(weights_metadata_real(&learner->clock.power1, file, "power1", err));
    TRY(weights_metadata_real(&learner->clock.power2, file, "power2", err));
    TRY(weights_metadata_count(&learner->averaged, file, "averaged", 0, err));
    TRY(weights_metadata_real(&state->best_score, file, "best_score", err));
    TRY(weights_metadata_count(&best_epoch, file, "best_epoch", -1, err));
    TRY(weights_metadata_count(&since_best, file, "since_best", 0, err));
    state->epoch = (int)epoch;
    state->best_epoch = (int)best_epoch;
    state->since_best = (int)since_best;
    struct array arrays[ARRAYS];
    arrays_of(learner, arrays);
    for (int i = 0; i < ARRAYS; i++)
        if (arrays[i].values) TRY(weights_read_row(arrays[i].values, file, arrays[i].name, arrays[i].n, err));
    return weights_find(file, "mask") ? read_mask(file, learner, err) : OK;
}

enum status checkpoint_read(const char *path, struct learner *learner, struct checkpoint *state,
                            struct error *err)
{
    struct weights file;
    TRY(weights_open(&file, path, err));
    const enum status status = checkpoint_restore(&file, learner, state, err);
    weights_close(&file);
    return status;
}
