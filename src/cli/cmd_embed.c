/* retort embed: pictures as unit vectors. */
#include "base/file.h"
#include "base/json_write.h"
#include "cli/frames.h"
#include "cli/plan_option.h"
#include "kernels/kernels.h"
#include "nn/npy.h"
#include "select/embed.h"

#include <stdlib.h>

struct values {
    const char *model, *frames, *out, *names;
    int plan;
};

#define AT(member) offsetof(struct values, member)
static const struct option options[] = {
    {"model", 'm', OPTION_INPUT, AT(model), .required = true,
     .help = "weights of a vision transformer, or of a detector, whose backbone is used"},
    {"frames", 'f', OPTION_SOURCE, AT(frames),
     .help = "a folder, a list (.txt), a picture, Y4M or motion JPEG, or - for standard input"},
    {"out", 'o', OPTION_OUTPUT, AT(out), .required = true,
     .help = "the vectors, .npy, float32, a row a frame"},
    {"names", 'n', OPTION_OUTPUT, AT(names), .help = "JSON lines {\"row\", \"file\"}, one for every row"},
    PLAN_OPTION(AT(plan)),
    {0},
};
#undef AT

struct job {
    struct run *run;
    struct embedder embedder;
    struct file_writer names;
    bool naming;
    float *rows;
    size_t count, capacity; /* rows */
};

static enum status reserve_row(struct job *job, struct error *err)
{
    if (job->count < job->capacity) return OK;
    const size_t capacity = job->capacity ? 2 * job->capacity : 256;
    const size_t bytes = capacity * (size_t)job->embedder.dim * sizeof *job->rows;
    float *const rows = realloc(job->rows, bytes);
    if (!rows) return fail_memory(err, "embeddings", bytes);
    job->rows = rows;
    job->capacity = capacity;
    return OK;
}

static enum status embed_frame(void *context, const struct frame *frame, struct error *err)
{
    struct job *const job = context;
    bool zero;
    TRY(reserve_row(job, err));
    float *const row = job->rows + job->count * (size_t)job->embedder.dim;
    TRY(embed_image(&job->embedder, &frame->image, row, &zero, err));
    if (zero) console_message(&job->run->console, "%s: no features, the row is zero", frame->name);
    if (job->naming) {
        struct json_writer line = {.stream = job->names.stream};
        json_open(&line, NULL, '{');
        json_put_int(&line, "row", (int64_t)job->count);
        json_put_text(&line, "file", frame->name);
        json_close(&line);
        putc('\n', job->names.stream);
    }
    job->count++;
    return OK;
}

static enum status print_result(struct job *job, struct error *err)
{
    struct console *const console = &job->run->console;
    if (!console->json) {
        console_print(console, "%zu frame%s, %d dimensions\n", job->count, text_plural((int64_t)job->count),
                      job->embedder.dim);
        return OK;
    }
    struct json_buffer json;
    TRY(json_buffer_begin(&json, false, err));
    json_open(&json.out, NULL, '{');
    json_put_int(&json.out, "frames", (int64_t)job->count);
    json_put_int(&json.out, "dimensions", job->embedder.dim);
    json_close(&json.out);
    return console_print_json(console, &json, err);
}

static enum status write_out(struct job *job, const struct values *v, struct error *err)
{
    TRY(npy_write(v->out, job->rows, (int64_t)job->count, job->embedder.dim, err));
    if (job->naming) {
        job->naming = false;
        TRY(file_commit(&job->names, err));
    }
    return print_result(job, err);
}

static enum status embed(struct job *job, struct error *err)
{
    const struct values *const v = job->run->values;
    struct frame_count count;
    if (v->names) {
        TRY(file_create(&job->names, v->names, err));
        job->naming = true;
    }
    TRY(frames_run(&count, job->run, v->frames, "embed", embed_frame, job, err));
    if (!job->count) return frames_check(&count, job->run, err); /* none was read */
    TRY(write_out(job, v, err));
    return frames_check(&count, job->run, err);
}

static enum status run_embed(struct run *run, struct error *err)
{
    const struct values *const v = run->values;
    const struct kernels *kernels;
    struct job job = {.run = run};
    TRY(kernels_get(&kernels, NULL, err));
    TRY(embedder_open(&job.embedder, v->model, kernels, run->threads, err));
    job.embedder.plan = (enum net_plan)v->plan;
    const enum status status = embed(&job, err);
    if (job.naming) file_discard(&job.names);
    embedder_close(&job.embedder);
    free(job.rows);
    return status;
}

const struct command command_embed = {
    .name = "embed",
    .summary = "Turns pictures into vectors",
    .description =
        "Writes one row of unit length for every frame, in the order of the frames: a vision transformer's "
        "class token, or the mean of a detector's backbone features. filter and select read the file.\n"
        "A frame that cannot be read is reported and has no row; the exit status is then 3, at the end.",
    .operands = "[SOURCE]...",
    .roles = "i",
    .max_operands = -1,
    .options = options,
    .values_size = sizeof(struct values),
    .example = "retort embed --model dino.safetensors --frames frames/ --out emb.npy --names names.jsonl",
    .run = run_embed,
};
