/* retort quantize: 8-bit weights and activations, calibrated on frames of the user's own camera. */
#include "cli/command.h"
#include "cli/data_inputs.h"
#include "cli/evaluation_json.h"
#include "cli/frames.h"
#include "cli/plan_option.h"
#include "detect/quantise.h"
#include "image/decode.h"
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

enum { MAX_FRAMES = 4096, MAX_KEEP = 256 };

struct values {
    const char *model, *frames, *data, *out, *keep, *test, *licence, *origin;
    double percentile, max_drop;
    int64_t size, limit, compare, worst;
    int method, plan;
};

static const struct option_choice methods[] = {
    {"min-max", QUANTISE_MIN_MAX}, {"percentile", QUANTISE_PERCENTILE}, {"mse", QUANTISE_MSE}, {0}};

#define AT(member) offsetof(struct values, member)
static const struct option options[] = {
    {"model", 'm', OPTION_INPUT, AT(model), .required = true, .help = "weights of the detector, as floats"},
    {"frames", 'f', OPTION_SOURCE, AT(frames),
     .help = "frames to calibrate on: a folder, a list (.txt), a picture, Y4M or motion JPEG, or -"},
    {"data", 'd', OPTION_INPUT, AT(data), .help = "or the pictures of a data set (its labels are not used)"},
    {"out", 'o', OPTION_OUTPUT, AT(out), .required = true, .help = "the quantised weights, .safetensors"},
    {"method", 0, OPTION_CHOICE, AT(method), "mse", .choices = methods,
     .help = "how the range of an activation is chosen"},
    {"percentile", 0, OPTION_REAL, AT(percentile), "99.99", 50, 100,
     .help = "share of the values that fit, per cent, with --method percentile"},
    {"keep", 'k', OPTION_TEXT, AT(keep), .place = "LAYER,...",
     .help = "convolutions that stay floats, by name or its beginning (model.0,model.23.cv3)"},
    {"limit", 'n', OPTION_INT, AT(limit), "64", 1, MAX_FRAMES,
     .help = "frames to use at most, evenly spread over what there is"},
    {"size", 's', OPTION_INT, AT(size), "640", 32, 8192,
     .help = "side of the network input, a multiple of 32"},
    {"test", 0, OPTION_INPUT, AT(test), .help = "labelled pictures: average precision before and after"},
    {"max-drop", 0, OPTION_REAL, AT(max_drop), "-1", 0, 1,
     .help = "write nothing, exit status 1, when mAP50-95 on --test falls by more than this"},
    {"compare", 0, OPTION_INT, AT(compare), "2", 0, MAX_FRAMES,
     .help = "frames on which each layer alone is compared with floats; 0: no list of layers"},
    {"worst", 0, OPTION_INT, AT(worst), "10", 1, 100000, .help = "layers to list, those that lose most"},
    PLAN_OPTION(AT(plan)),
    {"licence", 0, OPTION_TEXT, AT(licence), .help = "note the licence of the weights"},
    {"origin", 0, OPTION_TEXT, AT(origin), .help = "note where the weights come from"},
    {0},
};
#undef AT

struct job {
    struct run *run;
    const struct values *values;
    const struct kernels *kernels;
    struct model model, quantised;
    struct image *canvas;
    struct letterbox_scratch letterbox;
    int count;
    struct frame_count frames;
    int64_t seen, stride; /* every stride-th frame is kept */
    const char *keep[MAX_KEEP];
    int keep_count;
    struct quantise_loss *losses;
    double decibel;
    struct evaluation before, after;
};

/* ---- Frames ---- */

/* When the room is full every second picture goes and the stride doubles. */
static void thin_out(struct job *job)
{
    int kept = 0;
    for (int i = 0; i < job->count; i++) {
        if (i % 2)
            image_free(job->canvas + i);
        else
            job->canvas[kept++] = job->canvas[i];
        if (kept <= i) job->canvas[i] = (struct image){0};
    }
    job->count = kept;
    job->stride *= 2;
}

static enum status take(struct job *job, const struct image *image, struct error *err)
{
    const struct values *const v = job->values;
    if (job->seen % job->stride == 0 && job->count == v->limit && job->count > 1) thin_out(job);
    if (job->seen++ % job->stride || job->count == v->limit) return OK;
    const struct letterbox box =
        letterbox_detect(image->width, image->height, (int)v->size, (int)v->size, true);
    TRY(letterbox_apply(job->canvas + job->count, image, &box, &job->letterbox, err));
    job->count++;
    return OK;
}

static enum status take_frame(void *context, const struct frame *frame, struct error *err)
{
    return take(context, &frame->image, err);
}

static enum status take_data(struct job *job, struct error *err)
{
    struct dataset data;
    struct image picture = {0};
    TRY(dataset_open(&data, job->values->data, DATASET_TRAIN, err));
    enum status status = data_inputs_note(job->run, job->values->data, &data, err);
    for (size_t i = 0; i < data.count && status == OK; i++) {
        status = image_read(&picture, data.items[i].image, err);
        if (status == OK) status = take(job, &picture, err);
        if (status == OK &&
            !progress_report(&job->run->progress, "read", (int64_t)i + 1, (int64_t)data.count, ""))
            status = fail(err, ERR_INTERRUPTED, "interrupted");
    }
    image_free(&picture);
    dataset_close(&data);
    return status;
}

static enum status take_all(struct job *job, struct error *err)
{
    const struct values *const v = job->values;
    job->stride = 1;
    job->canvas = arena_alloc(&job->run->arena, (size_t)v->limit, sizeof *job->canvas);
    if (!job->canvas) return fail_memory(err, "frames", (size_t)v->limit * sizeof *job->canvas);
    if (v->data) {
        if (v->frames || job->run->operand_count)
            return fail(err, ERR_USAGE, "either --data or frames, not both");
        return take_data(job, err);
    }
    TRY(frames_run(&job->frames, job->run, v->frames, "read", take_frame, job, err));
    return job->count ? OK : frames_check(&job->frames, job->run, err); /* none was read */
}

/* ---- Work ---- */

static enum status split_keep(struct job *job, struct error *err)
{
    char *rest = job->values->keep ? arena_strdup(&job->run->arena, job->values->keep) : NULL;
    if (job->values->keep && !rest) return fail_memory(err, "a list of layers", strlen(job->values->keep));
    for (char *name = rest ? strtok_r(rest, ",", &rest) : NULL; name; name = strtok_r(NULL, ",", &rest)) {
        if (job->keep_count == MAX_KEEP) return fail(err, ERR_USAGE, "--keep: more than %d names", MAX_KEEP);
        job->keep[job->keep_count++] = name;
    }
    return OK;
}

static enum status compare_layers(struct job *job, struct error *err)
{
    const int64_t wanted = job->values->compare;
    const struct quantise_pictures pictures = {job->canvas, wanted < job->count ? (int)wanted : job->count};
    const size_t layers = (size_t)job->quantised.quant.count;
    if (!wanted) return OK;
    job->losses = arena_alloc(&job->run->arena, layers, sizeof *job->losses);
    if (!job->losses) return fail_memory(err, "the list of layers", layers * sizeof *job->losses);
    return quantise_losses(job->losses, &job->decibel, &job->quantised, &job->model, job->kernels, &pictures,
                           job->run->threads, (enum net_plan)job->values->plan, &job->run->progress, err);
}

static enum status test(struct job *job, struct error *err)
{
    const struct values *const v = job->values;
    if (!v->test) return OK;
    struct dataset data;
    struct evaluate_options o = evaluate_default_options();
    o.size = (int)v->size;
    o.rectangular = true;
    o.batch = 16;
    o.plan = (enum net_plan)v->plan;
    TRY(dataset_open(&data, v->test, DATASET_VAL, err));
    enum status status = data_inputs_note(job->run, v->test, &data, err);
    if (status == OK)
        status = evaluate_run(&job->before, &job->model, job->kernels, job->run->threads, data.items,
                              data.count, &o, &job->run->progress, err);
    if (status == OK)
        status = evaluate_run(&job->after, &job->quantised, job->kernels, job->run->threads, data.items,
                              data.count, &o, &job->run->progress, err);
    dataset_close(&data);
    TRY(status);
    if (!job->before.result.defined)
        return fail(err, ERR_INPUT, "%s: no label, so nothing can be scored", v->test);
    const double drop = job->before.result.map50_95 - job->after.result.map50_95;
    if (v->max_drop >= 0 && drop > v->max_drop)
        return fail(err, ERR_CHECK, "mAP50-95 falls from %.4f to %.4f, by more than %g; nothing was written",
                    job->before.result.map50_95, job->after.result.map50_95, v->max_drop);
    return OK;
}

/* ---- Report ---- */

static int listed(const struct job *job)
{
    if (!job->losses) return 0;
    return job->values->worst < job->quantised.quant.count ? (int)job->values->worst
                                                           : job->quantised.quant.count;
}

static void print_table(const struct job *job)
{
    struct console *const console = &job->run->console;
    console_print(console, "%d layers as integers, calibrated on %d frames\n", job->quantised.quant.count,
                  job->count);
    if (job->values->test) {
        console_print(console, "%-10s %9s %9s\n", "", "mAP50", "mAP50-95");
        console_print(console, "%-10s %9.4f %9.4f\n", "floats", job->before.result.map50,
                      job->before.result.map50_95);
        console_print(console, "%-10s %9.4f %9.4f\n", "integers", job->after.result.map50,
                      job->after.result.map50_95);
    }
    if (!job->losses) return;
    console_print(console,
                  "signal to error at the head's output: %.1f dB; of each layer alone, the worst first:\n",
                  job->decibel);
    for (int i = 0; i < listed(job); i++)
        console_print(console, "%8.1f  %s\n", job->losses[i].decibel, job->losses[i].name);
}

static void put_scores(struct json_writer *out, const char *name, const struct evaluation *evaluation)
{
    json_open(out, name, '{');
    json_put_double(out, "map50", evaluation->result.map50);
    json_put_double(out, "map50_95", evaluation->result.map50_95);
    json_close(out);
}

static enum status print_json(const struct job *job, struct error *err)
{
    struct json_buffer json;
    TRY(json_buffer_begin(&json, true, err));
    struct json_writer *const out = &json.out;
    json_open(out, NULL, '{');
    json_put_int(out, "layers", job->quantised.quant.count);
    json_put_int(out, "frames", job->count);
    if (job->values->test) put_scores(out, "floats", &job->before);
    if (job->values->test) put_scores(out, "integers", &job->after);
    if (job->losses) {
        json_put_double(out, "decibel", job->decibel);
        json_open(out, "worst", '[');
        for (int i = 0; i < listed(job); i++) {
            json_open(out, NULL, '{');
            json_put_text(out, "layer", job->losses[i].name);
            json_put_double(out, "decibel", job->losses[i].decibel);
            json_close(out);
        }
        json_close(out);
    }
    json_close(out);
    return console_print_json(&job->run->console, &json, err);
}

static enum status quantise(struct job *job, struct error *err)
{
    struct run *const run = job->run;
    const struct values *const v = job->values;
    TRY(frames_check_size(v->size, err));
    if (v->max_drop >= 0 && !v->test) return fail(err, ERR_USAGE, "--max-drop needs --test");
    TRY(split_keep(job, err));
    TRY(kernels_get(&job->kernels, NULL, err));
    TRY(model_open(&job->model, v->model, err));
    TRY(take_all(job, err));
    const struct quantise_options o = {.method = (enum quantise_method)v->method,
                                       .percentile = v->percentile,
                                       .keep = job->keep,
                                       .keep_count = job->keep_count,
                                       .threads = run->threads,
                                       .plan = (enum net_plan)v->plan};
    const struct quantise_pictures pictures = {job->canvas, job->count};
    TRY(quantise_model(&job->quantised, &job->model, job->kernels, &pictures, &o, &run->progress, err));
    TRY(test(job, err));
    TRY(compare_layers(job, err));
    TRY(model_save(&job->quantised, v->out, false, v->licence, v->origin, err));
    if (run->common.json)
        TRY(print_json(job, err));
    else
        print_table(job);
    return frames_check(&job->frames, run, err);
}

static enum status run_quantize(struct run *run, struct error *err)
{
    struct job job = {.run = run, .values = run->values};
    const enum status status = quantise(&job, err);
    for (int i = 0; i < job.count; i++) image_free(job.canvas + i);
    letterbox_scratch_free(&job.letterbox);
    evaluate_free(&job.before);
    evaluate_free(&job.after);
    model_free(&job.quantised);
    model_free(&job.model);
    return status;
}

const struct command command_quantize = {
    .name = "quantize",
    .summary = "Makes a detector's weights and activations 8-bit integers",
    .description =
        "Runs the network over frames of the camera that it will watch, gives every activation the range "
        "that it "
        "needs and writes weights of 8 bits; detect, eval, label and the library then compute in integers "
        "where "
        "they can, with the same bits on every machine. Attention stays float. Such a file cannot be "
        "trained.\n"
        "Lists the layers whose integers disturb the network's output most (each alone, signal to error in "
        "decibel, low is bad); --keep leaves them as floats. With --test the average precision of both is "
        "shown.",
    .operands = "[SOURCE]...",
    .roles = "i",
    .max_operands = -1,
    .options = options,
    .values_size = sizeof(struct values),
    .example =
        "retort quantize --model run/weights.safetensors --frames frames/ --out int8.safetensors\n"
        "retort quantize -m yolo11n.safetensors -d cam/ -o int8.safetensors --keep model.0 --test cam/",
    .run = run_quantize,
};
