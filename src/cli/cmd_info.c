/* retort info: what is in a weight file, and how its network is planned. */
#include "base/hash.h"
#include "cli/command.h"
#include "cli/frames.h"
#include "cli/info_plan.h"
#include "nn/weights.h"

#include <string.h>

struct values {
    bool brief, plan, train, frozen_norm, exact, fast_0_1;
    int64_t size, batch;
};

#define AT(member) offsetof(struct values, member)
static const struct option options[] = {
    {"brief", 'b', OPTION_FLAG, AT(brief), .help = "leave the list of tensors out"},
    {"plan", 'p', OPTION_FLAG, AT(plan),
     .help = "the network's plan instead: memory, and buffers and algorithm of every node"},
    {"size", 's', OPTION_INT, AT(size), "640", 32, 8192,
     .help = "--plan: side of a detector's input, a multiple of 32; vision transformers take 224"},
    {"batch", 0, OPTION_INT, AT(batch), "1", 1, 1024, .help = "--plan: pictures at a time"},
    {"train", 0, OPTION_FLAG, AT(train), .help = "--plan: for training"},
    {"frozen-norm", 0, OPTION_FLAG, AT(frozen_norm),
     .help = "--plan --train: batch norms keep their running statistics"},
    {"exact", 0, OPTION_FLAG, AT(exact),
     .help = "--plan: as under --plan exact of other commands, all convolutions direct"},
    {"fast-0.1", 0, OPTION_FLAG, AT(fast_0_1),
     .help = "--plan: as under --plan fast-0.1, as fast chose in version 0.1"},
    {0},
};
#undef AT

/* Texts from files on a terminal: control characters become '?', line breaks ", ". */
static void put_visible(struct text *out, const char *words)
{
    for (; *words; words++) {
        const unsigned char c = (unsigned char)*words;
        if (c == '\n')
            text_add(out, words[1] ? ", " : "");
        else
            text_format(out, "%c", c < 0x20 || c == 0x7F ? '?' : c);
    }
}

static long long count_values(const struct weights *weights)
{
    long long n = 0;
    for (size_t i = 0; i < weights->count; i++) n += weights->tensors[i].count;
    return n;
}

static void put_plain(struct text *out, const struct weights *weights, const char *hash, bool brief)
{
    put_visible(out, weights->path);
    text_format(out, ": %zu tensor%s, %lld values\nsha256 %s\n", weights->count,
                text_plural((int64_t)weights->count), count_values(weights), hash);
    for (size_t i = 0; i < weights->metadata_count; i++) {
        put_visible(out, weights->metadata[i].key);
        text_add(out, ": ");
        put_visible(out, weights->metadata[i].value);
        text_add(out, "\n");
    }
    for (size_t i = 0; !brief && i < weights->count; i++) {
        const struct weight_tensor *tensor = &weights->tensors[i];
        text_format(out, "  %-4s ", weights_type_name(tensor->type));
        put_visible(out, tensor->name);
        text_add(out, " [");
        for (int d = 0; d < tensor->dims; d++)
            text_format(out, "%s%lld", d ? " " : "", (long long)tensor->shape[d]);
        text_add(out, "]\n");
    }
}

static void put_json(struct json_writer *out, const struct weights *weights, const char *hash, bool brief)
{
    json_open(out, NULL, '{');
    json_put_text(out, "file", weights->path);
    json_put_text(out, "sha256", hash);
    json_put_int(out, "tensor_count", (int64_t)weights->count);
    json_put_int(out, "values", count_values(weights));
    json_open(out, "metadata", '{');
    for (size_t i = 0; i < weights->metadata_count; i++)
        json_put_text(out, weights->metadata[i].key, weights->metadata[i].value);
    json_close(out);
    if (!brief) json_open(out, "tensors", '[');
    for (size_t i = 0; !brief && i < weights->count; i++) {
        const struct weight_tensor *tensor = &weights->tensors[i];
        json_open(out, NULL, '{');
        json_put_text(out, "name", tensor->name);
        json_put_text(out, "type", weights_type_name(tensor->type));
        json_open(out, "shape", '[');
        for (int d = 0; d < tensor->dims; d++) json_put_int(out, NULL, tensor->shape[d]);
        json_close(out);
        json_close(out);
    }
    if (!brief) json_close(out);
    json_close(out);
}

static enum status show_weights(struct run *run, const struct weights *weights, bool brief, struct error *err)
{
    char hash[SHA256_HEX];
    sha256_bytes(weights->view.data, weights->view.size, hash);
    if (!run->common.json) {
        struct text out = {0};
        put_plain(&out, weights, hash, brief);
        return console_print_buffer(&run->console, &out, err);
    }
    struct json_buffer json;
    TRY(json_buffer_begin(&json, false, err));
    put_json(&json.out, weights, hash, brief);
    return console_print_json(&run->console, &json, err);
}

static enum status show_plans(struct run *run, struct error *err)
{
    const struct values *v = run->values;
    const struct info_plan_options o = {.size = (int)v->size,
                                        .batch = (int)v->batch,
                                        .threads = run->threads,
                                        .train = v->train,
                                        .frozen_norm = v->frozen_norm,
                                        .plan = v->exact      ? PLAN_EXACT
                                                : v->fast_0_1 ? PLAN_FAST_0_1
                                                              : PLAN_FAST};
    if (v->exact && v->fast_0_1) return fail(err, ERR_USAGE, "either --exact or --fast-0.1");
    TRY(frames_check_size(v->size, err));
    for (int i = 0; i < run->operand_count; i++)
        TRY(info_plan_show(run->operands[i], &o, &run->console, run->common.json, err));
    return OK;
}

static enum status run_info(struct run *run, struct error *err)
{
    const struct values *values = run->values;
    if (values->plan) return show_plans(run, err);
    if (values->train || values->frozen_norm || values->exact || values->fast_0_1)
        return fail(err, ERR_USAGE, "--train, --frozen-norm, --exact and --fast-0.1 go with --plan");
    for (int i = 0; i < run->operand_count; i++) {
        struct weights weights;
        TRY(weights_open(&weights, run->operands[i], err));
        const enum status status = show_weights(run, &weights, values->brief, err);
        weights_close(&weights);
        TRY(status);
    }
    return OK;
}

const struct command command_info = {
    .name = "info",
    .summary = "Shows the tensors, metadata and hash of weight files, or a network's plan",
    .description =
        "With --json one object a file and line.\n"
        "With --plan the memory that the network takes once its input size is known, which then stays the "
        "same from picture to picture: all buffers lie in one block, and share bytes where their lives do "
        "not meet. Each node is listed with its output's place in the block and the algorithm of its "
        "convolution. What it takes depends on threads and instruction set. Nothing of that size is "
        "allocated.",
    .operands = "FILE...",
    .roles = "i",
    .min_operands = 1,
    .max_operands = -1,
    .options = options,
    .values_size = sizeof(struct values),
    .example = "retort info yolo11n.safetensors\nretort info --brief --json *.safetensors\n"
               "retort info --plan --train --batch 16 yolo11n.safetensors",
    .run = run_info,
};
