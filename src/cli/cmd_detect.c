/* retort detect: objects in pictures and videos. */
#include "base/file.h"
#include "cli/frames.h"
#include "cli/plan_option.h"
#include "detect/coco_results.h"
#include "detect/detector.h"
#include "detect/labels.h"
#include "image/draw.h"
#include "image/encode.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdio.h>

struct values {
    const char *model, *frames, *images, *labels, *results;
    double confidence, iou;
    int64_t size, most, memory_limit;
    int plan;
    struct option_ints classes;
    bool square, agnostic;
};

#define AT(member) offsetof(struct values, member)
static const struct option options[] = {
    {"model", 'm', OPTION_INPUT, AT(model), .required = true, .help = "weights of the detector"},
    {"frames", 'f', OPTION_SOURCE, AT(frames),
     .help = "a folder, a list (.txt), a picture, Y4M or motion JPEG, or - for standard input"},
    {"labels", 'l', OPTION_OUTPUT_FOLDER, AT(labels), .help = "write a label file a frame: class cx cy w h"},
    {"save-images", 'i', OPTION_OUTPUT_FOLDER, AT(images),
     .help = "write the pictures with their objects drawn in"},
    {"coco-results", 0, OPTION_OUTPUT, AT(results),
     .help = "write all objects in COCO's results format, for other tools"},
    {"confidence", 'c', OPTION_REAL, AT(confidence), "0.25", 0, 1,
     .help = "objects are more confident than this"},
    {"iou", 0, OPTION_REAL, AT(iou), "0.7", 0, 1, .help = "overlap above which the weaker box is dropped"},
    {"size", 's', OPTION_INT, AT(size), "640", 32, 8192,
     .help = "longer side of the network input, a multiple of 32"},
    {"square", 0, OPTION_FLAG, AT(square), .help = "square network input, with a border"},
    {"classes", 0, OPTION_INTS, AT(classes), NULL, 0, 65535, .help = "show these classes only"},
    {"agnostic", 0, OPTION_FLAG, AT(agnostic), .help = "boxes of different classes suppress each other, too"},
    {"max-detections", 0, OPTION_INT, AT(most), "300", 1, 30000, .help = "objects of one frame, at most"},
    PLAN_OPTION(AT(plan)),
    MEMORY_LIMIT_OPTION(AT(memory_limit)),
    {0},
};
#undef AT

struct job {
    struct run *run;
    const struct values *values;
    struct model model;
    struct detector detector;
    struct detection *found;
    struct label *rows;
    int64_t objects;
    /* With --save-images, each for as many objects as found. */
    struct draw_object *shown;
    struct plate *plates;
    char (*texts)[80];
    struct coco_results results;
};

static enum status print_json(struct job *job, const struct frame *frame, int count, struct error *err)
{
    struct json_buffer json;
    TRY(json_buffer_begin(&json, false, err));
    struct json_writer *const out = &json.out;
    json_open(out, NULL, '{');
    json_put_text(out, "file", frame->name);
    if (!isnan(frame->time)) json_put_double(out, "time", frame->time);
    json_put_int(out, "width", frame->image.width);
    json_put_int(out, "height", frame->image.height);
    json_open(out, "detections", '[');
    for (int i = 0; i < count; i++) {
        const struct detection *const d = &job->found[i];
        const float box[4] = {d->box.x1, d->box.y1, d->box.x2, d->box.y2};
        json_open(out, NULL, '{');
        json_put_int(out, "class_id", d->class_id);
        json_put_text(out, "class", job->model.names[d->class_id]);
        json_put_float(out, "confidence", d->confidence);
        json_open(out, "box", '[');
        for (int k = 0; k < 4; k++) json_put_float(out, NULL, box[k]);
        json_close(out);
        json_close(out);
    }
    json_close(out);
    json_close(out);
    return console_print_json(&job->run->console, &json, err);
}

static void print_lines(const struct job *job, const struct frame *frame, int count)
{
    struct console *const console = &job->run->console;
    if (!count) console_print(console, "%s: nothing\n", frame->name);
    for (int i = 0; i < count; i++) {
        const struct detection *const d = &job->found[i];
        console_print(console, "%s: %s %.3f  %.1f %.1f %.1f %.1f\n", frame->name,
                      job->model.names[d->class_id], d->confidence, d->box.x1, d->box.y1, d->box.x2,
                      d->box.y2);
    }
}

static enum status save_labels(const struct job *job, const struct frame *frame, int count, struct error *err)
{
    struct arena arena = {0};
    const char *path;
    for (int i = 0; i < count; i++) {
        job->rows[i] =
            label_of_detection(&job->found[i], (float)frame->image.width, (float)frame->image.height);
        job->rows[i].confidence = -1;
    }
    enum status status = frames_output(&path, &arena, job->values->labels, frame, "txt", err);
    if (status == OK) status = labels_write(path, job->rows, (size_t)count, err);
    arena_free(&arena);
    return status;
}

/* The most confident come first, and lie on top. */
static void draw(const struct job *job, struct image *image, int count)
{
    for (int i = 0; i < count; i++) {
        const struct detection *const d = &job->found[i];
        snprintf(job->texts[i], sizeof job->texts[i], "%.60s %.2f", job->model.names[d->class_id],
                 d->confidence);
        job->shown[i] =
            (struct draw_object){{d->box.x1, d->box.y1, d->box.x2, d->box.y2}, d->class_id, job->texts[i]};
    }
    draw_detections(image, job->shown, job->plates, count);
}

static enum status save_image(const struct job *job, const struct frame *frame, int count, struct error *err)
{
    struct arena arena = {0};
    struct image drawn = {0};
    const char *path;
    enum status status = image_copy(&drawn, &frame->image, err);
    if (status == OK) draw(job, &drawn, count);
    if (status == OK) status = frames_output(&path, &arena, job->values->images, frame, "jpg", err);
    if (status == OK) status = image_write(path, &drawn, IMAGE_QUALITY, err);
    image_free(&drawn);
    arena_free(&arena);
    return status;
}

static enum status detect_frame(void *context, const struct frame *frame, struct error *err)
{
    struct job *const job = context;
    const struct values *const v = job->values;
    int count;
    TRY(detector_predict(&job->detector, &frame->image, (int)v->size, !v->square, job->found, &count, err));
    job->objects += count;
    if (v->labels) TRY(save_labels(job, frame, count, err));
    if (v->images) TRY(save_image(job, frame, count, err));
    if (v->results) coco_results_add(&job->results, frame->name, job->found, count);
    if (job->run->common.json) return print_json(job, frame, count, err);
    print_lines(job, frame, count);
    return OK;
}

static enum status prepare_drawing(struct job *job, struct error *err)
{
    const size_t most = (size_t)job->values->most;
    struct arena *const arena = &job->run->arena;
    job->shown = arena_alloc(arena, most, sizeof *job->shown);
    job->plates = arena_alloc(arena, most, sizeof *job->plates);
    job->texts = arena_alloc(arena, most, sizeof *job->texts);
    return job->shown && job->plates && job->texts ? OK
                                                   : fail_memory(err, "labels", most * sizeof *job->texts);
}

static enum status detect(struct job *job, struct error *err)
{
    struct run *const run = job->run;
    const struct values *const v = job->values;
    const struct kernels *kernels;
    struct frame_count count;
    TRY(frames_check_size(v->size, err));
    TRY(kernels_get(&kernels, NULL, err));
    TRY(model_open_mapped(&job->model, v->model, err));
    struct nms_options nms = nms_predict_options();
    nms.confidence = (float)v->confidence;
    nms.iou = v->iou;
    nms.agnostic = v->agnostic;
    nms.max_detections = (int)v->most;
    if (v->classes.count) {
        int *map;
        TRY(labels_make_map(&map, &run->arena, job->model.config.classes, v->classes.values,
                            (size_t)v->classes.count, false, "--classes", err));
        nms.class_map = map;
    }
    job->found = arena_alloc(&run->arena, (size_t)v->most, sizeof *job->found);
    job->rows = arena_alloc(&run->arena, (size_t)v->most, sizeof *job->rows);
    if (!job->found || !job->rows)
        return fail_memory(err, "detections", (size_t)v->most * sizeof *job->found);
    if (v->images) TRY(prepare_drawing(job, err));
    if (v->labels) TRY(file_make_folder(v->labels, err));
    if (v->images) TRY(file_make_folder(v->images, err));
    if (v->results)
        TRY(coco_results_begin(&job->results, v->results, job->model.names, job->model.config.classes, err));
    detector_begin(&job->detector, &job->model, kernels, run->threads, &nms);
    job->detector.plan = (enum net_plan)v->plan;
    job->detector.memory_limit = (size_t)v->memory_limit;
    TRY(frames_run(&count, run, v->frames, "detect", detect_frame, job, err));
    if (v->results) TRY(coco_results_end(&job->results, err));
    console_message(&run->console, "%lld frame%s, %lld object%s", (long long)count.done,
                    text_plural(count.done), (long long)job->objects, text_plural(job->objects));
    return frames_check(&count, run, err);
}

static enum status run_detect(struct run *run, struct error *err)
{
    struct job job = {.run = run, .values = run->values};
    const enum status status = detect(&job, err);
    coco_results_discard(&job.results);
    detector_end(&job.detector);
    model_free(&job.model);
    return status;
}

const struct command command_detect = {
    .name = "detect",
    .summary = "Finds objects in pictures and videos",
    .description = "Prints one line an object: file, class, confidence, left, top, right, bottom in pixels "
                   "of the picture; with --json one JSON object a frame, in the order of the frames. Files "
                   "written are called after the frame; a later frame of the same name replaces an earlier "
                   "one.\n"
                   "A frame or file that cannot be read is reported and passed over; the exit status is "
                   "then 3, at the end.",
    .operands = "[SOURCE]...",
    .roles = "i",
    .max_operands = -1,
    .options = options,
    .values_size = sizeof(struct values),
    .example = "retort detect --model yolo11n.safetensors --save-images seen/ street.jpg\n"
               "retort detect -m run/weights.safetensors --json -f frames/ >found.jsonl\n"
               "ffmpeg -i cam.mp4 -f yuv4mpegpipe - | retort detect -m yolo11n.pt -f -",
    .run = run_detect,
};
