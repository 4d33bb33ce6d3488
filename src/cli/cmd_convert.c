/* retort convert: weight files of other programs to safetensors. */
#include "base/file.h"
#include "base/hash.h"
#include "cli/command.h"
#include "nn/quant.h"
#include "nn/safetensors.h"

#include <string.h>

enum { OWN_METADATA = 3 };

struct values {
    bool half;
    const char *metadata[OWN_METADATA]; /* architecture, licence, origin */
};

static const char *const metadata_keys[OWN_METADATA] = {"architecture", "licence", "origin"};

static const struct option options[] = {
    {"half", 0, OPTION_FLAG, offsetof(struct values, half),
     .help = "store float16, rounded to nearest; refused when a value does not fit"},
    {"architecture", 0, OPTION_TEXT, offsetof(struct values, metadata[0]),
     .help = "note the architecture in the metadata (yolo11n)"},
    {"licence", 0, OPTION_TEXT, offsetof(struct values, metadata[1]),
     .help = "note the licence of the weights"},
    {"origin", 0, OPTION_TEXT, offsetof(struct values, metadata[2]),
     .help = "note where the weights come from"},
    {0},
};

static bool is_real(enum weight_type type)
{
    return type == WEIGHT_F32 || type == WEIGHT_F16 || type == WEIGHT_BF16 || type == WEIGHT_F64;
}

/* The tensors to write, in the order of the file; counters and other integers stay behind. */
static enum status gather(struct safetensors_item *items, size_t *count, const struct weights *weights,
                          const struct values *values, struct run *run, struct error *err)
{
    *count = 0;
    for (size_t i = 0; i < weights->count; i++) {
        const struct weight_tensor *tensor = &weights->tensors[i];
        if (quant_is_weight(weights, tensor))
            return fail(err, ERR_INPUT, "%s: quantised; convert the file that it was made from",
                        weights->path);
        if (!is_real(tensor->type)) continue;
        float *floats = arena_alloc(&run->arena, (size_t)tensor->count, sizeof *floats);
        if (!floats)
            return fail_memory(err, tensor->name, (unsigned long long)tensor->count * sizeof *floats);
        weights_read(floats, tensor);
        struct safetensors_item *item = &items[(*count)++];
        *item = (struct safetensors_item){
            .name = tensor->name, .dims = tensor->dims, .values = floats, .half = values->half};
        memcpy(item->shape, tensor->shape, sizeof item->shape);
        if (!progress_report(&run->progress, "convert", (int64_t)i + 1, (int64_t)weights->count, ""))
            return fail(err, ERR_INTERRUPTED, "interrupted, nothing was written");
    }
    return *count ? OK : fail(err, ERR_INPUT, "%s: no tensor of real numbers", weights->path);
}

/* The file's metadata with the options' values in their places, or behind when they are new. */
static size_t merge_metadata(struct weight_text *merged, const struct weights *weights,
                             const struct values *values)
{
    size_t n = weights->metadata_count;
    for (size_t i = 0; i < n; i++) merged[i] = weights->metadata[i];
    for (int k = 0; k < OWN_METADATA; k++) {
        if (!values->metadata[k]) continue;
        size_t i = 0;
        while (i < n && strcmp(merged[i].key, metadata_keys[k])) i++;
        merged[i] = (struct weight_text){metadata_keys[k], values->metadata[k]};
        n += i == n;
    }
    return n;
}

static enum status print_result(struct run *run, const struct safetensors_item *items, size_t count,
                                struct error *err)
{
    char hash[SHA256_HEX];
    int64_t parameters = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t n = 1;
        for (int d = 0; d < items[i].dims; d++) n *= items[i].shape[d];
        parameters += n;
    }
    TRY(sha256_file(run->operands[1], hash, err));
    const char *const type = items[0].half ? "F16" : "F32";
    if (!run->common.json) {
        console_print(&run->console, "%zu tensors, %lld values, %s, sha256 %s\n", count,
                      (long long)parameters, type, hash);
        return OK;
    }
    struct json_buffer json;
    TRY(json_buffer_begin(&json, false, err));
    json_open(&json.out, NULL, '{');
    json_put_int(&json.out, "tensors", (int64_t)count);
    json_put_int(&json.out, "values", parameters);
    json_put_text(&json.out, "type", type);
    json_put_text(&json.out, "sha256", hash);
    json_close(&json.out);
    return console_print_json(&run->console, &json, err);
}

static enum status convert(const struct weights *weights, struct run *run, struct error *err)
{
    const struct values *values = run->values;
    size_t count;
    struct safetensors_item *items = arena_alloc(&run->arena, weights->count + 1, sizeof *items);
    struct weight_text *metadata =
        arena_alloc(&run->arena, weights->metadata_count + OWN_METADATA, sizeof *metadata);
    if (!items || !metadata) return fail_memory(err, "a list of tensors", weights->count * sizeof *items);
    TRY(gather(items, &count, weights, values, run, err));
    if (count < weights->count)
        console_message(&run->console, "%zu tensors of integers left out", weights->count - count);
    const size_t metadata_count = merge_metadata(metadata, weights, values);
    TRY(safetensors_write(run->operands[1], items, count, metadata, metadata_count, err));
    return print_result(run, items, count, err);
}

static enum status run_convert(struct run *run, struct error *err)
{
    struct weights weights;
    TRY(weights_open(&weights, run->operands[0], err));
    const enum status status = convert(&weights, run, err);
    weights_close(&weights);
    return status;
}

const struct command command_convert = {
    .name = "convert",
    .summary = "Converts weights to safetensors",
    .description =
        "Reads the tensors of real numbers and the metadata of IN (its format is found from its bytes) and "
        "writes them to OUT as float32 or float16. Names and order stay as they are; integers "
        "(num_batches_tracked) are left out. Code in a file is never executed.",
    .operands = "IN OUT.safetensors",
    .roles = "io",
    .min_operands = 2,
    .max_operands = 2,
    .options = options,
    .values_size = sizeof(struct values),
    .example = "retort convert yolo11n.pt yolo11n.safetensors\n"
               "retort convert --half --licence MIT big.safetensors small.safetensors",
    .run = run_convert,
};
