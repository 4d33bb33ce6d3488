/* retort pretrain: an embedder from pictures without labels. */
#include "cli/command.h"
#include "cli/plan_option.h"
#include "image/source.h"
#include "kernels/kernels.h"
#include "nn/load.h"
#include "train/pretrain.h"

#include <math.h>
#include <stdio.h>

struct values {
    const char *out;
    int64_t size, dim, depth, pairs, moments, steps, warmup, seed, checkpoint_every;
    double rate, temperature;
    int plan;
    bool half, resume;
};

#define AT(member) offsetof(struct values, member)
static const struct option options[] = {
    {"out", 'o', OPTION_OUTPUT_FOLDER, AT(out), .required = true,
     .help = "gets weights.safetensors, train.jsonl and checkpoints"},
    {"size", 0, OPTION_INT, AT(size), "112", 2 * VIT_PATCH, 448,
     .help = "side of the pictures, a multiple of 14; frames are squeezed to squares"},
    {"dim", 0, OPTION_INT, AT(dim), "192", 32, 1024, .help = "floats of an embedding, a multiple of 32"},
    {"depth", 0, OPTION_INT, AT(depth), "6", 1, VIT_MAX_DEPTH, .help = "blocks of the transformer"},
    {"pairs", 0, OPTION_INT, AT(pairs), "64", 2, 1024, .help = "pairs of views in a mini-batch"},
    {"moments", 0, OPTION_INT, AT(moments), "8", 1, 1024,
     .help = "pairs from one camera in a mini-batch; divides --pairs"},
    {"steps", 0, OPTION_INT, AT(steps), "3000", 1, 10000000, .help = "optimiser steps"},
    {"warmup", 0, OPTION_INT, AT(warmup), "150", 0, 1000000,
     .help = "steps in which the learning rate rises; it falls in a half cosine"},
    {"rate", 0, OPTION_REAL, AT(rate), "0.0005", 1e-9, 1, .help = "highest learning rate"},
    {"temperature", 0, OPTION_REAL, AT(temperature), "0.1", 0.01, 10,
     .help = "similarities are divided by it"},
    {"seed", 's', OPTION_INT, AT(seed), "0", 0, 9e15, .help = "of all random numbers"},
    PLAN_OPTION(AT(plan)),
    {"half", 0, OPTION_FLAG, AT(half), NULL, .help = "store the result as float16"},
    {"checkpoint-every", 0, OPTION_INT, AT(checkpoint_every), "50", 0, 1000000,
     .help = "steps, also between lines of the log; 0: never"},
    {"resume", 'r', OPTION_FLAG, AT(resume), .help = "go on from the checkpoint in the output folder"},
    {0},
};
#undef AT

static enum status check(const struct values *v, struct error *err)
{
    if (v->size % VIT_PATCH)
        return fail(err, ERR_USAGE, "--size: expected a multiple of %d, found %lld", VIT_PATCH,
                    (long long)v->size);
    if (v->dim % 32)
        return fail(err, ERR_USAGE, "--dim: expected a multiple of 32, found %lld", (long long)v->dim);
    if (v->pairs % v->moments)
        return fail(err, ERR_USAGE, "--moments: expected a divisor of %lld, found %lld", (long long)v->pairs,
                    (long long)v->moments);
    if (v->warmup >= v->steps)
        return fail(err, ERR_USAGE, "--warmup: expected less than the %lld steps, found %lld",
                    (long long)v->steps, (long long)v->warmup);
    return OK;
}

static enum status load_camera(struct run *run, struct views *views, int operand, struct error *err)
{
    struct source *source;
    struct frame frame = {0};
    bool end = false, first = true;
    TRY(source_open(&source, run->operands[operand], err));
    enum status status = source_next(source, &frame, &end, err);
    while (status == OK && !end) {
        status = views_add(views, &frame.image, first, err);
        first = false;
        if (status == OK) status = source_next(source, &frame, &end, err);
    }
    image_free(&frame.image);
    source_close(source);
    if (status == OK && !progress_report(&run->progress, "load", operand + 1, run->operand_count, ""))
        return fail(err, ERR_INTERRUPTED, "interrupted while loading pictures");
    return status;
}

static enum status save(const struct values *v, struct run *run, const struct params *params,
                        struct error *err)
{
    char side[24];
    snprintf(side, sizeof side, "%lld", (long long)v->size);
    const struct weight_text metadata[] = {{"architecture", "vit"}, {"image_size", side}};
    const char *path = arena_printf(&run->arena, "%s/weights.safetensors", v->out);
    return path ? params_save(params, path, v->half, metadata, 2, err) : fail_memory(err, "a path", 1);
}

static enum status print_json(struct run *run, const struct views *views,
                              const struct pretrain_result *result, const char *hash, struct error *err)
{
    struct json_buffer json;
    TRY(json_buffer_begin(&json, false, err));
    json_open(&json.out, NULL, '{');
    json_put_int(&json.out, "cameras", views->camera_count);
    json_put_int(&json.out, "pictures", views->count);
    json_put_int(&json.out, "weights", (int64_t)result->weights);
    json_put_double(&json.out, "loss", result->items.loss);
    json_put_double(&json.out, "found", result->items.found);
    json_put_text(&json.out, "weights_hash", hash);
    json_close(&json.out);
    return console_print_json(&run->console, &json, err);
}

static enum status report(struct run *run, const struct views *views, const struct pretrain_result *result,
                          const struct params *params, struct error *err)
{
    struct console *const console = &run->console;
    char hash[SHA256_HEX];
    params_hash(params, hash);
    if (run->common.json) return print_json(run, views, result, hash, err);
    console_print(console, "%d camera%s, %d pictures, %zu weights\n", views->camera_count,
                  text_plural(views->camera_count), views->count, result->weights);
    if (isfinite(result->items.loss))
        console_print(console, "last steps: loss %.4f, the partner found in %.1f %%\n", result->items.loss,
                      100 * result->items.found);
    console_print(console, "weights %s\n", hash);
    return OK;
}

static enum status pretrain(struct run *run, struct views *views, struct params *params, struct error *err)
{
    const struct values *v = run->values;
    const struct kernels *kernels;
    struct pretrain_options o = pretrain_defaults();
    struct pretrain_result result;
    TRY(kernels_get(&kernels, NULL, err));
    for (int i = 0; i < run->operand_count; i++) TRY(load_camera(run, views, i, err));
    o.dim = (int)v->dim;
    o.depth = (int)v->depth;
    o.pairs = (int)v->pairs;
    o.moments = (int)v->moments;
    o.steps = (int)v->steps;
    o.warmup = (int)v->warmup;
    o.rate = v->rate;
    o.temperature = v->temperature;
    o.seed = (uint64_t)v->seed;
    o.threads = run->threads;
    o.plan = (enum net_plan)v->plan;
    o.folder = v->out;
    o.checkpoint_every = (int)v->checkpoint_every;
    o.resume = v->resume;
    TRY(pretrain_run(&result, params, views, kernels, &o, &run->progress, err));
    TRY(save(v, run, params, err));
    return report(run, views, &result, params, err);
}

static enum status run_pretrain(struct run *run, struct error *err)
{
    const struct values *v = run->values;
    struct views views = {.side = (int)v->size};
    struct params params = {0};
    TRY(check(v, err));
    const enum status status = pretrain(run, &views, &params, err);
    params_free(&params);
    views_free(&views);
    return status;
}

const struct command command_pretrain = {
    .name = "pretrain",
    .summary = "Trains an embedder on pictures without labels",
    .description =
        "Trains a small vision transformer for embed, filter, select and distill. Each source is one fixed "
        "camera, its frames in the order of time and some minutes apart.\n"
        "Two views of one moment, or of neighbouring ones, shall be more alike than any two others, those of "
        "the same camera at other times among them: the embedding then tells light and traffic, not the "
        "place. The run can be interrupted and goes on with --resume to the same bits.",
    .operands = "CAMERA...",
    .roles = "i",
    .min_operands = 1,
    .max_operands = -1,
    .options = options,
    .values_size = sizeof(struct values),
    .example = "retort pretrain --steps 2000 --out embedder/ cameras/*\n"
               "retort embed --model embedder/weights.safetensors --frames frames/ --out emb.npy",
    .run = run_pretrain,
};
