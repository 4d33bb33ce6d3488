/* retort label: a teacher's labels for frames. */
#include "base/file.h"
#include "cli/frames.h"
#include "cli/plan_option.h"
#include "cli/views_option.h"
#include "kernels/kernels.h"
#include "train/teacher.h"

struct values {
    const char *weights, *command, *frames, *out;
    struct option_ints classes;
    double confidence, iou, timeout;
    int64_t size;
    int plan, views;
    bool keep_classes, merge_first, confidences;
};

#define AT(member) offsetof(struct values, member)
static const struct option options[] = {
    {"teacher", 'T', OPTION_INPUT, AT(weights), .help = "weights of a detector that labels"},
    {"teacher-command", 0, OPTION_TEXT, AT(command), .place = "COMMAND",
     .help = "program instead: reads a picture's path a line, answers each with a line of JSON as detect "
             "--json does"},
    {"frames", 'f', OPTION_SOURCE, AT(frames),
     .help = "a folder, a list (.txt), a picture, Y4M or motion JPEG, or - for standard input"},
    {"out", 'o', OPTION_OUTPUT_FOLDER, AT(out), .required = true, .help = "gets FRAME.txt for every frame"},
    {"classes", 0, OPTION_INTS, AT(classes), "1,2,3,5,7", 0, 65535,
     .help = "classes of the teacher that become class 0; the others are dropped. A detector of one class "
             "keeps it"},
    {"keep-classes", 0, OPTION_FLAG, AT(keep_classes), .help = "keep all classes as they are"},
    {"merge-first", 0, OPTION_FLAG, AT(merge_first),
     .help =
         "merge before overlapping boxes are dropped, so that one vehicle seen as two classes is one label"},
    {"confidence", 'c', OPTION_REAL, AT(confidence), "0.25", 0, 1,
     .help = "objects are more confident than this"},
    {"iou", 0, OPTION_REAL, AT(iou), "0.7", 0, 1, .help = "overlap above which the weaker box is dropped"},
    {"size", 's', OPTION_INT, AT(size), "640", 32, 8192,
     .help = "longer side of the detector's input, a multiple of 32"},
    VIEWS_OPTION("views", AT(views)),
    {"timeout", 0, OPTION_REAL, AT(timeout), "60", 0.1, 86400,
     .help = "seconds for an answer of the program"},
    {"confidences", 0, OPTION_FLAG, AT(confidences),
     .help = "write each label's confidence as a sixth column"},
    PLAN_OPTION(AT(plan)),
    {0},
};
#undef AT

struct job {
    struct run *run;
    const struct values *values;
    struct teacher *teacher;
    int64_t objects, backgrounds;
};

static enum status save(const struct job *job, const struct frame *frame, const struct labels *labels,
                        struct arena *arena, struct error *err)
{
    const char *path;
    if (!job->values->confidences)
        for (size_t i = 0; i < labels->count; i++) labels->rows[i].confidence = -1;
    TRY(frames_output(&path, arena, job->values->out, frame, "txt", err));
    return labels_write(path, labels->rows, labels->count, err);
}

static enum status label_frame(void *context, const struct frame *frame, struct error *err)
{
    struct job *const job = context;
    struct arena arena = {0};
    struct labels labels;
    enum status status = teacher_label(job->teacher, frame->name, &frame->image, &labels, &arena, err);
    if (status == OK) status = save(job, frame, &labels, &arena, err);
    if (status == OK) {
        job->objects += (int64_t)labels.count;
        job->backgrounds += !labels.count;
    }
    arena_free(&arena);
    return status;
}

static enum status open_teacher(struct job *job, struct error *err)
{
    const struct values *const v = job->values;
    struct teacher_options o = teacher_default_options();
    o.size = (int)v->size;
    o.confidence = (float)v->confidence;
    o.iou = v->iou;
    o.views = v->views;
    o.merge_before = v->merge_first;
    o.timeout = v->timeout;
    o.plan = (enum net_plan)v->plan;
    if (!v->keep_classes) {
        o.class_list = v->classes.values;
        o.class_count = (size_t)v->classes.count;
    }
    if (v->command) return teacher_open_command(&job->teacher, v->command, &o, err);
    const struct kernels *kernels;
    TRY(kernels_get(&kernels, NULL, err));
    return teacher_open_model(&job->teacher, v->weights, kernels, job->run->threads, &o, err);
}

static enum status print_result(const struct job *job, int64_t frames, struct error *err)
{
    struct console *const console = &job->run->console;
    if (!console->json) {
        console_print(console, "%lld frame%s, %lld label%s, %lld frame%s without an object\n",
                      (long long)frames, text_plural(frames), (long long)job->objects,
                      text_plural(job->objects), (long long)job->backgrounds, text_plural(job->backgrounds));
        return OK;
    }
    struct json_buffer json;
    TRY(json_buffer_begin(&json, false, err));
    json_open(&json.out, NULL, '{');
    json_put_int(&json.out, "frames", frames);
    json_put_int(&json.out, "labels", job->objects);
    json_put_int(&json.out, "backgrounds", job->backgrounds);
    json_close(&json.out);
    return console_print_json(console, &json, err);
}

static enum status label(struct job *job, struct error *err)
{
    struct run *const run = job->run;
    const struct values *const v = job->values;
    struct frame_count count;
    if (!v->weights == !v->command)
        return fail(err, ERR_USAGE, "expected one of --teacher and --teacher-command");
    TRY(frames_check_size(v->size, err));
    TRY(open_teacher(job, err));
    TRY(file_make_folder(v->out, err));
    TRY(frames_run(&count, run, v->frames, "label", label_frame, job, err));
    TRY(teacher_finish(job->teacher, err));
    TRY(print_result(job, count.done, err));
    return frames_check(&count, run, err);
}

static enum status run_label(struct run *run, struct error *err)
{
    struct job job = {.run = run, .values = run->values};
    const enum status status = label(&job, err);
    teacher_close(job.teacher);
    return status;
}

const struct command command_label = {
    .name = "label",
    .summary = "Labels frames with a teacher",
    .description =
        "Writes one label file a frame: class cx cy w h, fractions of the picture; an empty file where "
        "nothing was found. The teacher is a detector or any program that answers a line of JSON for every "
        "path: {\"width\", \"height\", \"detections\": [{\"class_id\", \"confidence\", \"box\": [x1, y1, "
        "x2, y2]}]}, boxes in pixels. A program that fails, is too slow or answers anything else ends the "
        "command with status 3.\n"
        "A frame that cannot be read is reported and passed over; the exit status is then 3, at the end.",
    .operands = "[SOURCE]...",
    .roles = "i",
    .max_operands = -1,
    .options = options,
    .values_size = sizeof(struct values),
    .example = "retort label --teacher yolo11x.safetensors --frames frames/ --out labels/\n"
               "retort label --teacher-command 'python3 teacher.py' -f frames/ -o labels/",
    .run = run_label,
};
