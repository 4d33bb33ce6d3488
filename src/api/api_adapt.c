/* The public call that fine-tunes. */
#include "api/call.h"
#include "train/trainer.h"

#include <stdlib.h>

enum { MAX_BATCH = 4096, MAX_FREEZE = 23 };

struct retort_adapt_options retort_adapt_defaults(void)
{
    const struct trainer_options o = trainer_defaults();
    return (struct retort_adapt_options){.epochs = o.epochs, .batch = o.batch, .size = o.augment.size};
}

/* What one call holds; released by release. */
struct job {
    const struct retort_adapt_options *options;
    int threads;
    struct arena arena;
    struct dataset data;
    struct pictures pictures;
    struct retort_model *student;
};

static void release(struct job *job)
{
    pictures_free(&job->pictures);
    dataset_close(&job->data);
    arena_free(&job->arena);
    retort_model_close(job->student);
}

static bool forward_progress(void *context, const char *stage, int64_t done, int64_t total, const char *note)
{
    (void)note;
    const struct retort_adapt_options *options = context;
    return options->progress(options->context, stage, done, total) != 0;
}

static enum status check(struct job *job, struct error *err)
{
    const struct retort_adapt_options *o = job->options;
    TRY(call_check_range("epochs", o->epochs, 1, INT32_MAX, err));
    TRY(call_check_range("batch", o->batch, 1, MAX_BATCH, err));
    TRY(call_check_size(o->size, err));
    TRY(call_check_range("plan", o->plan, RETORT_FAST, RETORT_FAST_0_1, err));
    TRY(call_check_range("freeze", o->freeze, 0, MAX_FREEZE, err));
    TRY(call_check_range("label_class_count", o->label_class_count, o->label_classes ? 1 : 0,
                         LABELS_MAX_CLASSES, err));
    return call_threads(&job->threads, o->threads, err);
}

static enum status load(struct job *job, const struct progress *progress, struct error *err)
{
    const struct retort_adapt_options *o = job->options;
    int *map = NULL;
    if (o->label_classes) {
        TRY(labels_make_map(&map, &job->arena, LABELS_MAX_CLASSES, o->label_classes,
                            (size_t)o->label_class_count, true, "label_classes", err));
    }
    return pictures_load(&job->pictures, job->data.items, job->data.count, job->student->model.config.classes,
                         map, LABELS_MAX_CLASSES, o->size, job->threads, progress, err);
}

static enum status adapt(struct job *job, const struct retort_model *model, const char *data,
                         struct error *err)
{
    const struct retort_adapt_options *o = job->options;
    const struct kernels *kernels;
    TRY(check(job, err));
    TRY(kernels_get(&kernels, NULL, err));
    TRY(dataset_open(&job->data, data, DATASET_TRAIN, err));
    const int named = job->data.classes ? job->data.classes : model->model.config.classes;
    job->student = calloc(1, sizeof *job->student);
    if (!job->student) return fail_memory(err, "a model", sizeof *job->student);
    TRY(model_restart(&job->student->model, &model->model, o->label_classes ? 1 : named, HEAD_TRANSFER, NULL,
                      0, o->freeze, o->seed, err));
    if (!o->label_classes && job->data.names)
        TRY(model_name_classes(&job->student->model, job->data.names, &model->model, err));
    const struct progress progress = {o->progress ? forward_progress : NULL, (void *)o};
    TRY(load(job, &progress, err));
    struct trainer_options trainer = trainer_defaults();
    struct trainer_result result;
    trainer.epochs = o->epochs;
    trainer.batch = o->batch;
    trainer.augment.size = o->size;
    trainer.seed = o->seed;
    trainer.threads = job->threads;
    trainer.plan = (enum net_plan)o->plan;
    trainer.checkpoint_every = 0;
    return trainer_run(&result, &job->student->model, &job->pictures, kernels, &trainer, &progress,
                       &job->arena, err);
}

enum retort_status retort_adapt(struct retort_model **adapted, const struct retort_model *model,
                                const char *data, const struct retort_adapt_options *options,
                                struct retort_error *err)
{
    struct call call;
    const struct retort_adapt_options defaults = retort_adapt_defaults();
    struct job job = {.options = options ? options : &defaults};
    *adapted = NULL;
    call_begin(&call);
    const enum status status = adapt(&job, model, data, &call.error);
    if (status == OK) {
        *adapted = job.student;
        job.student = NULL;
    }
    release(&job);
    return call_end(&call, status, err);
}
