/* retort profile: where the time of a detector goes. */
#include "base/file.h"
#include "cli/command.h"
#include "cli/frames.h"
#include "cli/plan_option.h"
#include "cli/profile.h"
#include "kernels/kernels.h"

struct values {
    const char *model, *trace;
    int64_t size, batch, rounds;
    bool train, frozen_norm;
    int plan;
};

#define AT(member) offsetof(struct values, member)
static const struct option options[] = {
    {"model", 'm', OPTION_INPUT, AT(model), .required = true, .help = "weights of the detector"},
    {"size", 's', OPTION_INT, AT(size), "640", 32, 2048,
     .help = "side of the network input, a multiple of 32"},
    {"batch", 'b', OPTION_INT, AT(batch), "1", 1, 1024, .help = "pictures at a time"},
    {"train", 0, OPTION_FLAG, AT(train),
     .help = "a training step instead of an inference: packing, forward, loss, backward, AdamW"},
    {"frozen-norm", 0, OPTION_FLAG, AT(frozen_norm),
     .help = "in the training step, batch norms keep their running statistics"},
    PLAN_OPTION(AT(plan)),
    {"rounds", 'r', OPTION_INT, AT(rounds), "10", 1, PROFILE_MAX_ROUNDS,
     .help = "runs that are timed, after one that is not; as many take turns with nobody watching"},
    {"trace", 0, OPTION_OUTPUT, AT(trace),
     .help = "write the last run as events for chrome://tracing or ui.perfetto.dev"},
    {0},
};
#undef AT

static enum status write_trace(const char *path, const struct profile *profile, struct error *err)
{
    struct file_writer file;
    TRY(file_create(&file, path, err));
    struct json_writer out = {.stream = file.stream};
    profile_trace(&out, profile);
    return file_commit(&file, err);
}

static enum status print(struct run *run, const struct profile *profile, struct error *err)
{
    if (run->common.json) {
        struct json_buffer json;
        TRY(json_buffer_begin(&json, true, err));
        profile_json(&json.out, profile);
        return console_print_json(&run->console, &json, err);
    }
    struct text out = {0};
    profile_table(&out, profile);
    return console_print_buffer(&run->console, &out, err);
}

static enum status profile(struct run *run, struct model *model, struct error *err)
{
    const struct values *v = run->values;
    const struct kernels *kernels;
    struct profile result;
    TRY(frames_check_size(v->size, err));
    TRY(kernels_get(&kernels, NULL, err));
    TRY(model_open(model, v->model, err));
    if (v->train) TRY(model_check_trainable(model, v->model, err));
    const struct profile_options chosen = {.size = (int)v->size,
                                           .batch = (int)v->batch,
                                           .threads = run->threads,
                                           .rounds = (int)v->rounds,
                                           .train = v->train,
                                           .frozen_norm = v->frozen_norm,
                                           .plan = (enum net_plan)v->plan};
    TRY(profile_run(&result, model, kernels, &chosen, &run->progress, &run->arena, err));
    if (v->trace) TRY(write_trace(v->trace, &result, err));
    return print(run, &result, err);
}

static enum status run_profile(struct run *run, struct error *err)
{
    struct model model = {0};
    const enum status status = profile(run, &model, err);
    model_free(&model);
    return status;
}

const struct command command_profile = {
    .name = "profile",
    .summary = "Shows where the time of a detector goes, layer by layer",
    .description =
        "Times every layer where it runs, on a synthetic picture: milliseconds, operations, share of this "
        "machine's multiply-add peak and of its memory bandwidth, both measured in the same run, and the "
        "bytes that the layer must move. More than 100 % of the bandwidth means that they stayed in cache.\n"
        "With --json one object. What is printed are times, so no two runs are alike.",
    .options = options,
    .values_size = sizeof(struct values),
    .example = "retort profile --model yolo11n.safetensors --threads 1\n"
               "retort profile -m yolo11n.safetensors --train --batch 4 --size 320 --trace step.json",
    .run = run_profile,
};
