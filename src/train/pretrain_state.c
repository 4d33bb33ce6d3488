#include "train/pretrain_state.h"

#include "nn/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARRAYS = 3, FIELDS = 7, FIELD_LENGTH = 80 };
#define FORMAT "retort-pretrain-1"

enum status pretrain_state_make(struct pretrain_state *state, struct arena *arena,
                                const struct params *params, struct error *err)
{
    const size_t n = params->trainable;
    *state = (struct pretrain_state){.clock = OPTIM_CLOCK_START, .items = {NAN, NAN}};
    state->gradient = arena_alloc(arena, n, sizeof *state->gradient);
    state->m = arena_alloc(arena, n, sizeof *state->m);
    state->v = arena_alloc(arena, n, sizeof *state->v);
    if (!state->gradient || !state->m || !state->v)
        return fail_memory(err, "gradient and moments", 3 * n * sizeof(float));
    return OK;
}

void pretrain_recipe(char recipe[SHA256_HEX], const struct pretrain_options *o, const struct views *views)
{
    const double numbers[] = {o->dim,      o->depth,           o->pairs,
                              o->moments,  o->steps,           o->warmup,
                              o->rate,     o->weight_decay,    o->temperature,
                              o->clip,     (double)o->seed,    net_plan_number(o->plan),
                              views->side, o->checkpoint_every};
    struct sha256 hash;
    sha256_init(&hash);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) sha256_add_number(&hash, numbers[i]);
    for (int i = 0; i < views->camera_count; i++) sha256_add_number(&hash, views->cameras[i].count);
    for (int i = 0; i < views->count; i++)
        sha256_add(&hash, views->list[i].pixels, image_bytes(views->list + i));
    sha256_hex(&hash, recipe);
}

static void arrays_of(const struct pretrain_state *state, const struct params *params,
                      struct safetensors_item items[ARRAYS])
{
    const char *const names[ARRAYS] = {"weights", "m", "v"};
    const float *const values[ARRAYS] = {params->values, state->m, state->v};
    for (int i = 0; i < ARRAYS; i++)
        items[i] = (struct safetensors_item){
            .name = names[i], .dims = 1, .shape = {(int64_t)params->trainable}, .values = values[i]};
}

enum status pretrain_state_write(const char *path, const struct pretrain_state *state,
                                 const struct params *params, struct error *err)
{
    char text[5][FIELD_LENGTH];
    struct safetensors_item items[ARRAYS];
    snprintf(text[0], FIELD_LENGTH, "%d", state->steps);
    snprintf(text[1], FIELD_LENGTH, "%a", state->clock.power1); /* every bit survives */
    snprintf(text[2], FIELD_LENGTH, "%a", state->clock.power2);
    snprintf(text[3], FIELD_LENGTH, "%a", state->items.loss);
    snprintf(text[4], FIELD_LENGTH, "%a", state->items.found);
    const struct weight_text fields[FIELDS] = {
        {"format", FORMAT},  {"recipe", state->recipe}, {"steps", text[0]}, {"power1", text[1]},
        {"power2", text[2]}, {"loss", text[3]},         {"found", text[4]}};
    arrays_of(state, params, items);
    return safetensors_write(path, items, ARRAYS, fields, FIELDS, err);
}

enum status pretrain_state_restore(const struct weights *file, struct pretrain_state *state,
                                   struct params *params, struct error *err)
{
    const char *format = weights_metadata(file, "format"), *recipe = weights_metadata(file, "recipe");
    int64_t steps;
    if (!format || strcmp(format, FORMAT) || !recipe || strcmp(recipe, state->recipe))
        return fail(err, ERR_INPUT,
                    "%s: belongs to a run with other options or pictures; give the same ones or train "
                    "without --resume",
                    file->path);
    TRY(weights_metadata_count(&steps, file, "steps", 0, err));
    TRY(weights_metadata_real(&state->clock.power1, file, "power1", err));
    TRY(weights_metadata_real(&state->clock.power2, file, "power2", err));
    TRY(weights_metadata_real(&state->items.loss, file, "loss", err));
    TRY(weights_metadata_real(&state->items.found, file, "found", err));
    state->steps = (int)steps;
    state->clock.step = state->steps;
    TRY(weights_read_row(params->values, file, "weights", params->trainable, err));
    TRY(weights_read_row(state->m, file, "m", params->trainable, err));
    return weights_read_row(state->v, file, "v", params->trainable, err);
}

enum status pretrain_state_read(const char *path, struct pretrain_state *state, struct params *params,
                                struct error *err)
{
    struct weights file;
    TRY(weights_open(&file, path, err));
    const enum status status = pretrain_state_restore(&file, state, params, err);
    weights_close(&file);
    return status;
}
