/* The public calls about models and pictures. */
#include "api/call.h"
#include "base/version.h"
#include "image/decode.h"

#include <assert.h>
#include <stdlib.h>

const char *retort_version(void) { return RETORT_VERSION; }

/* ---- pictures ---- */

enum retort_status retort_picture_read(struct retort_picture *picture, const char *path,
                                       struct retort_error *err)
{
    struct call call;
    struct image image = {0};
    call_begin(&call);
    const enum status status = image_read(&image, path, &call.error);
    if (status != OK) image_free(&image);
    *picture = (struct retort_picture){image.width, image.height, image.pixels};
    return call_end(&call, status, err);
}

void retort_picture_free(struct retort_picture *picture)
{
    struct image image = {picture->width, picture->height, (uint8_t *)picture->pixels};
    image_free(&image);
    *picture = (struct retort_picture){0};
}

/* ---- models ---- */

static enum status open_model(struct retort_model **handle, const char *path, struct error *err)
{
    struct retort_model *model = calloc(1, sizeof *model);
    if (!model) return fail_memory(err, "a model", sizeof *model);
    const enum status status = model_open(&model->model, path, err);
    if (status == OK)
        *handle = model;
    else
        free(model);
    return status;
}

enum retort_status retort_model_open(struct retort_model **model, const char *path, struct retort_error *err)
{
    struct call call;
    *model = NULL;
    call_begin(&call);
    return call_end(&call, open_model(model, path, &call.error), err);
}

void retort_model_close(struct retort_model *model)
{
    if (model) model_free(&model->model);
    free(model);
}

int retort_model_classes(const struct retort_model *model) { return model->model.config.classes; }

const char *retort_model_class_name(const struct retort_model *model, int i)
{
    assert(i >= 0 && i < model->model.config.classes);
    return model->model.names[i];
}

enum retort_status retort_model_save(const struct retort_model *model, const char *path, int half,
                                     struct retort_error *err)
{
    struct call call;
    call_begin(&call);
    return call_end(&call, model_save(&model->model, path, half != 0, NULL, NULL, &call.error), err);
}
