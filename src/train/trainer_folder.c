#include "train/trainer_inner.h"

#include "base/file.h"
#include "nn/load.h"
#include "train/earlier_run.h"
#include "train/train_log.h"

const char *trainer_path(struct trainer *t, const char *name)
{
    return arena_printf(t->arena, "%s/%s", t->options->folder, name);
}

enum status trainer_write_log(struct trainer *t, struct error *err)
{
    if (!t->options->folder) return OK;
    const struct trainer_epoch *e = t->now;
    TRY(json_log_begin(&t->log, err));
    struct json_writer *line = &t->log.line.out;
    json_put_int(line, "epoch", e->epoch);
    json_put_int(line, "steps", e->steps);
    json_put_double(line, "rate", e->rate);
    json_put_double(line, "box", e->loss.box);
    json_put_double(line, "cls", e->loss.classes);
    json_put_double(line, "dfl", e->loss.distribution);
    json_put_double(line, "norm", e->norm);
    json_put_double(line, "score", e->score);
    json_put_double(line, "guard", e->guard);
    return json_log_end(&t->log, err);
}

enum status trainer_write_checkpoint(struct trainer *t, struct error *err)
{
    const int every = t->options->checkpoint_every, next = t->state.epoch;
    if (!t->options->folder || !every || (next % every && next < t->schedule.epochs)) return OK;
    const char *path = trainer_path(t, "checkpoint.safetensors");
    TRY(json_log_sync(&t->log, err)); /* no checkpoint is ahead of its log */
    return path ? checkpoint_write(path, &t->learner, &t->state, err) : fail_memory(err, "a path", 1);
}

static enum status restore(struct trainer *t, struct error *err)
{
    const char *best = trainer_path(t, "best.safetensors"), *path = trainer_path(t, "checkpoint.safetensors");
    if (!best || !path) return fail_memory(err, "a path", 1);
    if (!file_exists(path)) return OK;
    TRY(checkpoint_read(path, &t->learner, &t->state, err));
    if (t->state.epoch > t->schedule.epochs || t->state.best_epoch >= t->state.epoch)
        return fail(err, ERR_INPUT, "%s: metadata: next epoch %d, best epoch %d of a run of %d", path,
                    t->state.epoch, t->state.best_epoch, t->schedule.epochs);
    if (t->state.best_epoch < 0) return OK;
    struct weights file;
    TRY(weights_open(&file, best, err));
    const enum status status = params_load(&t->best.params, &file, err);
    weights_close(&file);
    return status;
}

enum status trainer_open_folder(struct trainer *t, struct error *err)
{
    if (!t->options->folder) return OK;
    static const char *const made[] = {"checkpoint.safetensors", "best.safetensors", "train.jsonl", NULL};
    TRY(file_make_folder(t->options->folder, err));
    TRY(t->options->resume ? restore(t, err) : earlier_run_refuse(t->options->folder, made, err));
    const char *log = trainer_path(t, "train.jsonl");
    if (!log) return fail_memory(err, "a path", 1);
    TRY(train_log_resume(t->result->epochs, &t->result->count, log, t->state.epoch, err));
    if (HAVE_JANSSON && t->result->count < t->state.epoch)
        return fail(err, ERR_INPUT, "%s: expected a line for each of the checkpoint's %d epochs, found %d",
                    log, t->state.epoch, t->result->count);
    t->result->iterations = (int64_t)t->state.epoch * t->schedule.batches;
    return json_log_open(&t->log, log, err);
}
