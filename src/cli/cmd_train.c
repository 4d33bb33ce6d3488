/* retort train: train or fine-tune a detector on labelled pictures. */
#include "cli/command.h"
#include "cli/data_inputs.h"
#include "cli/training_options.h"
#include "detect/dataset.h"
#include "kernels/kernels.h"
#include "nn/load.h"
#include "train/scored_set.h"

#include <math.h>

struct values {
    const char *model, *data, *out, *validation;
    int scale; /* + 1; 0: not given */
    struct option_ints label_classes, vehicles;
    struct training_values training;
    int64_t classes, checkpoint_every;
    bool resume;
};

static const struct option_choice scales[] = {
    {"pico", YOLO11_PICO + 1}, {"n", YOLO11_N + 1}, {"nplus", YOLO11_NPLUS + 1}, {"s", YOLO11_S + 1},
    {"m", YOLO11_M + 1},       {"l", YOLO11_L + 1}, {"x", YOLO11_X + 1},         {0}};

#define AT(member) offsetof(struct values, member)
static const struct option options[] = {
    {"model", 'm', OPTION_INPUT, AT(model), .help = "weights to start from"},
    {"scale", 0, OPTION_CHOICE, AT(scale), .choices = scales,
     .help = "instead of --model: a YOLO11 of this size with random weights"},
    {"classes", 0, OPTION_INT, AT(classes), "0", 1, LABELS_MAX_CLASSES,
     .help = "with --scale: the number of classes; not given: as many as the data names"},
    {"data", 'd', OPTION_INPUT, AT(data), .required = true,
     .help = "folder with images/ and labels/, or a data.yaml"},
    {"val", 0, OPTION_INPUT, AT(validation), .place = "DIR",
     .help = "data set that chooses the best epoch and ends training with --patience; without, the last "
             "weights are the result"},
    {"out", 'o', OPTION_OUTPUT_FOLDER, AT(out), .required = true,
     .help = "gets weights.safetensors, train.jsonl and checkpoints"},
    {"label-classes", 0, OPTION_INTS, AT(label_classes), NULL, 0, 65535,
     .help =
         "label classes that become the one class; the others are dropped. Not given: labels as they are"},
    {"vehicle-classes", 0, OPTION_INTS, AT(vehicles), "1,2,3,5,7", 0, 65535,
     .help =
         "classes of the start weights that --head keep averages, and that count where merged labels score "
         "them (--guard)"},
    TRAINING_OPTIONS(AT(training)),
    {"checkpoint-every", 0, OPTION_INT, AT(checkpoint_every), "5", 0, 10000, .help = "epochs; 0: never"},
    {"resume", 'r', OPTION_FLAG, AT(resume), .help = "go on from the checkpoint in the output folder"},
    {0},
};
#undef AT

/* Everything that must be freed. */
struct job {
    const struct values *values;
    struct dataset data;
    struct model source, student;
    struct pictures pictures;
    struct scored_set validation, guard;
};

/* Classes have the names that the data gives them. source: the start weights that know some of them, or NULL.
 */
static enum status name_classes(struct job *job, const struct model *source, struct error *err)
{
    if (job->values->label_classes.count || !job->data.names) return OK;
    if (job->student.config.classes > job->data.classes) return OK;
    return model_name_classes(&job->student, job->data.names, source, err);
}

static enum status make_student(struct job *job, struct error *err)
{
    const struct values *v = job->values;
    const bool merged = v->label_classes.count > 0;
    const int classes = merged ? 1 : v->classes ? (int)v->classes : job->data.classes;
    if (!classes) return fail(err, ERR_USAGE, "%s names no classes; --classes tells their number", v->data);
    const struct yolo11_config config = {
        .scale = (enum yolo11_scale)(v->scale - 1), .classes = classes, .freeze = (int)v->training.freeze};
    TRY(model_fresh(&job->student, config, (uint64_t)v->training.seed, err));
    return name_classes(job, NULL, err);
}

static enum status open_student(struct job *job, struct error *err)
{
    const struct values *v = job->values;
    if (v->scale) return make_student(job, err);
    TRY(model_open(&job->source, v->model, err));
    TRY(model_check_trainable(&job->source, v->model, err));
    const int named = job->data.classes ? job->data.classes : job->source.config.classes;
    const int classes = v->label_classes.count ? 1 : named;
    const enum head_start head = (enum head_start)v->training.head;
    TRY(model_restart(&job->student, &job->source, classes, head, v->vehicles.values,
                      head == HEAD_KEEP ? v->vehicles.count : 0, (int)v->training.freeze,
                      (uint64_t)v->training.seed, err));
    return name_classes(job, head == HEAD_REBUILD ? NULL : &job->source, err);
}

static enum status load_pictures(struct run *run, struct job *job, struct error *err)
{
    const struct values *v = job->values;
    int *map = NULL;
    if (v->label_classes.count) {
        TRY(labels_make_map(&map, &run->arena, LABELS_MAX_CLASSES, v->label_classes.values,
                            (size_t)v->label_classes.count, true, "--label-classes", err));
    }
    return pictures_load(&job->pictures, job->data.items, job->data.count, job->student.config.classes, map,
                         LABELS_MAX_CLASSES, (int)v->training.size, run->threads, &run->progress, err);
}

/* Labels count as those that are learned; the start weights may know more classes than the student. */
static enum status open_sets(struct run *run, struct job *job, struct trainer_options *trainer,
                             const struct kernels *kernels, struct error *err)
{
    const struct values *v = job->values;
    struct evaluate_options o = evaluate_default_options();
    o.size = (int)v->training.size;
    o.rectangular = true;
    o.plan = (enum net_plan)v->training.plan;
    o.memory_limit = (size_t)v->training.memory_limit;
    if (v->label_classes.count) {
        o.label_list = v->label_classes.values;
        o.label_count = (size_t)v->label_classes.count;
        o.vehicle_list = v->vehicles.values;
        o.vehicle_count = (size_t)v->vehicles.count;
    }
    if (v->validation) {
        TRY(scored_set_open(&job->validation, v->validation, &o, kernels, run->threads, err));
        TRY(data_inputs_note(run, v->validation, &job->validation.data, err));
        trainer->validation = scored_set_validation(&job->validation);
    }
    if (!v->training.guard) return OK;
    TRY(scored_set_open(&job->guard, v->training.guard, &o, kernels, run->threads, err));
    TRY(data_inputs_note(run, v->training.guard, &job->guard.data, err));
    trainer->guard.set = scored_set_validation(&job->guard);
    trainer->guard.start = NAN;
    if (o.vehicle_list || job->source.config.classes == job->student.config.classes)
        return scored_set_score(&job->guard, &job->source, &trainer->guard.start, &run->progress, err);
    if (v->training.guard_loss < 0) return OK;
    return fail(err, ERR_USAGE,
                "--guard-loss: the start weights have %d classes, the labels %d, so there is no score before "
                "training; --label-classes merges them",
                job->source.config.classes, job->student.config.classes);
}

static enum status print_json(struct run *run, const struct job *job, const struct trainer_options *trainer,
                              const struct trainer_result *result, const char *hash, struct error *err)
{
    struct json_buffer json;
    TRY(json_buffer_begin(&json, false, err));
    struct json_writer *const out = &json.out;
    json_open(out, NULL, '{');
    json_put_int(out, "pictures", job->pictures.count);
    json_put_int(out, "labels", job->pictures.all_labels);
    json_put_int(out, "epochs", result->count);
    json_put_int(out, "iterations", result->iterations);
    json_put_int(out, "steps", result->steps);
    json_put_int(out, "moved", (int64_t)result->moved);
    if (result->best_epoch >= 0) json_put_int(out, "best_epoch", result->best_epoch);
    if (trainer->validation.score) json_put_double(out, "map50_95", result->best_score);
    if (trainer->guard.set.score) {
        json_put_double(out, "guard_before", trainer->guard.start);
        json_put_double(out, "guard_after", trainer_guard_after(result));
        json_put_int(out, "guard_refused", result->refused);
    }
    json_put_text(out, "weights_hash", hash);
    json_close(out);
    return console_print_json(&run->console, &json, err);
}

static void put_plain(struct text *out, const struct job *job, const struct trainer_options *trainer,
                      const struct trainer_result *result, const char *hash)
{
    const struct trainer_epoch *last = result->count ? result->epochs + result->count - 1 : NULL;
    text_format(out, "%d picture%s with %lld label%s, ", job->pictures.count,
                text_plural(job->pictures.count), (long long)job->pictures.all_labels,
                text_plural(job->pictures.all_labels));
    training_effort(out, result);
    text_format(out, ", %zu weights could move\n", result->moved);
    if (last)
        text_format(out, "last epoch: box %.4f, cls %.4f, dfl %.4f\n", last->loss.box, last->loss.classes,
                    last->loss.distribution);
    if (result->best_epoch >= 0)
        text_format(out, "kept: epoch %d of %d", result->best_epoch + 1, result->count);
    if (trainer->validation.score) text_format(out, ", mAP50-95 %.4f", result->best_score);
    if (result->best_epoch >= 0) text_add(out, "\n");
    training_guard_lines(out, trainer->guard.start, result);
    text_format(out, "weights %s\n", hash);
}

static enum status report(struct run *run, const struct job *job, const struct trainer_options *trainer,
                          const struct trainer_result *result, struct error *err)
{
    char hash[SHA256_HEX];
    struct text out = {0};
    params_hash(&job->student.params, hash);
    if (run->common.json) return print_json(run, job, trainer, result, hash, err);
    put_plain(&out, job, trainer, result, hash);
    return console_print_buffer(&run->console, &out, err);
}

static enum status train(struct run *run, struct job *job, struct error *err)
{
    const struct values *v = job->values;
    const struct kernels *kernels;
    struct trainer_result result;
    TRY(kernels_get(&kernels, NULL, err));
    TRY(dataset_open(&job->data, v->data, DATASET_TRAIN, err));
    TRY(data_inputs_note(run, v->data, &job->data, err));
    TRY(open_student(job, err));
    struct trainer_options trainer = training_trainer(&v->training, run->threads);
    TRY(trainer_check_memory(&job->student, (int)job->data.count, kernels, &trainer, err));
    TRY(load_pictures(run, job, err));
    TRY(open_sets(run, job, &trainer, kernels, err));
    trainer.folder = v->out;
    trainer.checkpoint_every = (int)v->checkpoint_every;
    trainer.resume = v->resume;
    TRY(trainer_run(&result, &job->student, &job->pictures, kernels, &trainer, &run->progress, &run->arena,
                    err));
    if (v->training.half) params_round_half(&job->student.params); /* the hash is of what is written */
    const char *path = arena_printf(&run->arena, "%s/weights.safetensors", v->out);
    if (!path) return fail_memory(err, "a path", 1);
    TRY(model_save(&job->student, path, v->training.half, NULL, NULL, err));
    return report(run, job, &trainer, &result, err);
}

static enum status check_start(const struct values *v, struct error *err)
{
    if (!v->model == !v->scale) return fail(err, ERR_USAGE, "expected one of --model and --scale");
    if (v->classes && (!v->scale || v->label_classes.count))
        return fail(err, ERR_USAGE, "--classes goes with --scale and without --label-classes");
    if (v->scale && v->training.guard)
        return fail(err, ERR_USAGE, "--guard needs --model: random weights have nothing to forget");
    return OK;
}

static enum status train_command(struct run *run, struct error *err)
{
    struct job job = {.values = run->values};
    TRY(check_start(job.values, err));
    TRY(training_check(&job.values->training, err));
    const enum status status = train(run, &job, err);
    scored_set_close(&job.validation);
    scored_set_close(&job.guard);
    pictures_free(&job.pictures);
    model_free(&job.student);
    model_free(&job.source);
    dataset_close(&job.data);
    return status;
}

const struct command command_train = {
    .name = "train",
    .summary = "Trains or fine-tunes a detector on labelled pictures",
    .description =
        "Trains with mosaic, shift, scale, colour and mirror augmentation under the schedule of the "
        "reference trainer. The run can be interrupted and goes on with --resume to the same bits.\n"
        "With --val the averaged weights are scored after each epoch and the best ones are the result. A "
        "guard "
        "set (--guard) holds pictures of what the detector must not forget; its scores are printed and "
        "written to train.jsonl, and with --guard-loss an epoch that forgets too much is never the result.",
    .options = options,
    .values_size = sizeof(struct values),
    .example = "retort train --model yolo11n.safetensors --data set/ --epochs 50 --out run/\n"
               "retort train -m yolo11n.safetensors -d set/ --mask gradient --fraction 0.05 -o run/\n"
               "retort train --scale pico -d set/data.yaml --val val/ -E 200 -o run/\n"
               "retort train -m n.safetensors -d set/ --val val/ --guard old/ --guard-loss 0.02 -o run/",
    .run = train_command,
};
