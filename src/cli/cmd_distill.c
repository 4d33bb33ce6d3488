/* retort distill: the main job, from a stream of frames to a better student. */
#include "base/file.h"
#include "cli/command.h"
#include "cli/data_inputs.h"
#include "cli/evaluation_json.h"
#include "cli/selection_choices.h"
#include "cli/training_options.h"
#include "cli/views_option.h"
#include "kernels/kernels.h"
#include "train/distill.h"

#include <math.h>
#include <string.h>

struct values {
    const char *student, *frames, *out, *teacher, *teacher_labels, *teacher_command, *embedder, *validation,
        *test;
    struct option_ints vehicles, label_classes;
    int preset, select, filter, confidence_source, at_end, label_source, ship, aggregation, teacher_views;
    int64_t budget, gamma, warmup, teacher_size, validation_frames;
    double alpha, rate, timeout, ignore_above, teacher_confidence, teacher_iou;
    struct filter_values details;
    struct training_values training;
    int64_t checkpoint_every;
    bool resume, fair_only, empty_is_zero, merge_first;
};

static const struct option_choice preset_names[] = {
    {"none", 0}, {"paper", 1}, {"as_coded", 2}, {"field", 3}, {"fixed", 4}, {0}};
/* Stands for weights that only the user has. */
static const char vit[] = "ViT-S/14";
/* Presets [D-SBAD]. What they list and this command does not have stands in docs/guide.md, section 4. */
static const char *const paper[] = {"embedder", vit,          "gamma",        "8",    "val",
                                    "extra",    "val-frames", "300",          "head", "rebuild",
                                    "ship",     "always",     "warmup-floor", "100",  NULL};
static const char *const as_coded[] = {"embedder",
                                       vit,
                                       "vehicle-classes",
                                       "2,5,7",
                                       "gamma",
                                       "8",
                                       "at-end",
                                       "relax",
                                       "mark-duplicates",
                                       "",
                                       "confidence-source",
                                       "teacher",
                                       "label-source",
                                       "original",
                                       "val",
                                       "extra",
                                       "val-frames",
                                       "300",
                                       "head",
                                       "rebuild",
                                       "ship",
                                       "always",
                                       "warmup-floor",
                                       "100",
                                       NULL};
static const char *const field[] = {"ship", "better", NULL};
/* Of this project, not of the paper: weights/README.md has what it brings. */
static const char *const fixed[] = {"mosaic",
                                    "0",
                                    "nominal-batch",
                                    "16",
                                    "augment-scale",
                                    "0.1",
                                    "augment-translate",
                                    "0.05",
                                    "augment-flip",
                                    "0",
                                    "soft-labels",
                                    "",
                                    NULL};
static const struct option_preset presets[] = {
    {"paper", paper}, {"as_coded", as_coded}, {"field", field}, {"fixed", fixed}, {0}};
static const struct option_choice ends[] = {
    {"close", END_SHORT}, {"relax", END_RELAX}, {"short", END_SHORT}, {0}};
static const struct option_choice label_sources[] = {{"uploaded", 0}, {"original", 1}, {0}};
static const struct option_choice confidence_sources[] = {{"student", 0}, {"teacher", 1}, {0}};
static const struct option_choice shipping[] = {{"always", 0}, {"better", 1}, {0}};

static const struct option_choice select_rules[] = {SELECTION_RULES, {"all", SELECT_ALL}, {0}};

#define AT(member) offsetof(struct values, member)
static const struct option options[] = {
    {"student", 'm', OPTION_INPUT, AT(student), .required = true,
     .help = "weights of the detector to improve"},
    {"frames", 'f', OPTION_SOURCE, AT(frames), .required = true,
     .help = "the stream: a folder, a list, a Y4M or motion JPEG file, or - for a pipe"},
    {"out", 'o', OPTION_OUTPUT_FOLDER, AT(out), .required = true,
     .help = "gets weights.safetensors, report.html, selection.jsonl and the chosen frames"},
    {"teacher", 'T', OPTION_INPUT, AT(teacher),
     .help = "weights of the detector that labels the chosen frames"},
    {"teacher-labels", 0, OPTION_INPUT, AT(teacher_labels),
     .help = "folder of label files instead, FRAME.txt for FRAME.jpg"},
    {"teacher-command", 0, OPTION_TEXT, AT(teacher_command),
     .help = "program instead: reads a picture's path a line, answers each with a line of JSON as detect "
             "--json does"},
    {"teacher-size", 0, OPTION_INT, AT(teacher_size), "640", 32, 4096, .help = "side of the teacher's input"},
    {"teacher-confidence", 0, OPTION_REAL, AT(teacher_confidence), "0.25", 0, 1,
     .help = "what the teacher labels is more confident than this; label files are taken as they are"},
    {"teacher-iou", 0, OPTION_REAL, AT(teacher_iou), "0.7", 0, 1,
     .help = "--teacher: overlap above which the weaker box is dropped"},
    VIEWS_OPTION("teacher-views", AT(teacher_views)),
    {"merge-first", 0, OPTION_FLAG, AT(merge_first),
     .help = "student and --teacher: merge the classes before overlapping boxes are dropped, so that one "
             "vehicle seen as two classes is one"},
    {"timeout", 0, OPTION_REAL, AT(timeout), "60", 0.1, 86400,
     .help = "seconds for an answer of the teacher's program"},
    {"label-source", 0, OPTION_CHOICE, AT(label_source), "uploaded", .choices = label_sources,
     .help = "what the teacher sees: the JPEG as it is uploaded, or the frame's own file"},
    {"preset", 0, OPTION_CHOICE, AT(preset), "none", .choices = preset_names,
     .help =
         "sets defaults, which options given override: the paper's, those of its published code, those for "
         "a camera in service (--ship better), or those for few pictures of a view that never moves"},
    {"budget", 'B', OPTION_INT, AT(budget), "64", 1, 1000000, .help = "frames that are uploaded"},
    {"gamma", 'g', OPTION_INT, AT(gamma), "2", 1, 1000,
     .help = "candidates that are collected for each of them"},
    {"select", 0, OPTION_CHOICE, AT(select), "top-confidence", .choices = select_rules,
     .help = "how candidates are taken from the stream"},
    {"warmup", 'w', OPTION_INT, AT(warmup), "720", 1, 10000000,
     .help = "frames with a vehicle that only set the threshold"},
    {"alpha", 'a', OPTION_REAL, AT(alpha), "0.1", 0, 1, .help = "share of frames beyond the threshold"},
    {"aggregate", 0, OPTION_CHOICE, AT(aggregation), "max", .choices = selection_aggregations,
     .help = "confidence of a frame from those of its vehicles"},
    {"empty-is-zero", 0, OPTION_FLAG, AT(empty_is_zero),
     .help = "frames without a vehicle have confidence 0, instead of being passed over"},
    {"select-rate", 0, OPTION_REAL, AT(rate), "0.1", 1e-9, 1, .help = "uniform: chance of a frame"},
    {"at-end", 0, OPTION_CHOICE, AT(at_end), "close", .choices = ends,
     .help =
         "when the stream ends before all candidates are found: take what there is, or lower the threshold "
         "(uniform: raise the chance) by steps of 0.05 and read the stream again; the other rules have "
         "nothing to relax"},
    {"filter", 0, OPTION_CHOICE, AT(filter), "farthest-first", .choices = selection_filters,
     .help = "how the budget is chosen from the candidates"},
    {"confidence-source", 0, OPTION_CHOICE, AT(confidence_source), "student", .choices = confidence_sources,
     .help = "whose confidences the filters least- and top-confidence go by; the teacher's need it on all "
             "candidates"},
    FILTER_OPTIONS(AT(details)),
    {"embedder", 0, OPTION_TEXT, AT(embedder), "detector",
     .help = "weights of a vision transformer, or detector: the student's own features"},
    {"vehicle-classes", 0, OPTION_INTS, AT(vehicles), "1,2,3,5,7", 0, 65535,
     .help = "classes of student and teacher weights that count"},
    {"label-classes", 0, OPTION_INTS, AT(label_classes), NULL, 0, 65535,
     .help = "the same for label files (teacher's, validation, test). Not given: class 0 alone"},
    {"val", 0, OPTION_TEXT, AT(validation), "holdout",
     .help =
         "frames that choose the best epoch: holdout (a tenth of the chosen ones), extra (the last of the "
         "stream, labelled by the teacher), none, or a data set"},
    {"val-frames", 0, OPTION_INT, AT(validation_frames), "300", 1, 1000000,
     .help = "with --val extra: how many"},
    {"ship", 0, OPTION_CHOICE, AT(ship), "better", .choices = shipping,
     .help =
         "when the weights are written; better: when the score on the validation frames rose, else status 1; "
         "without validation frames always"},
    {"test", 0, OPTION_INPUT, AT(test),
     .help = "data set that scores the student before and after, and the teacher's weights"},
    {"fair-only", 0, OPTION_FLAG, AT(fair_only),
     .help =
         "test: leave out the scores by the rule of the paper's code for networks that were not trained on "
         "the camera (boxes above confidence 0.4 only, of any class)"},
    {"ignore-above", 0, OPTION_REAL, AT(ignore_above), "-1", 0, 16384,
     .help = "test: labels and boxes that end at or above this line do not count"},
    TRAINING_OPTIONS(AT(training)),
    {"checkpoint-every", 0, OPTION_INT, AT(checkpoint_every), "5", 0, 10000, .help = "epochs; 0: never"},
    {"resume", 'r', OPTION_FLAG, AT(resume), .help = "go on with the training in the output folder"},
    {0},
};
#undef AT

static enum status check(const struct values *v, struct error *err)
{
    TRY(training_check(&v->training, err));
    const int teachers = !!v->teacher + !!v->teacher_labels + !!v->teacher_command;
    if (teachers != 1)
        return fail(err, ERR_USAGE,
                    "expected one of --teacher, --teacher-labels and --teacher-command, found %s",
                    teachers ? "more" : "none");
    if (v->teacher_size % 32)
        return fail(err, ERR_USAGE, "--teacher-size: expected a multiple of 32, found %lld",
                    (long long)v->teacher_size);
    if (v->at_end == END_RELAX && !strcmp(v->frames, "-"))
        return fail(err, ERR_USAGE, "--at-end relax reads the frames twice, which a pipe does not allow");
    if (!strcmp(v->embedder, vit) && filter_needs_embeddings((enum filter_rule)v->filter))
        return fail(err, ERR_USAGE,
                    "--preset: the papers compare frames by a DINOv2 %s: give its weights as --embedder, or "
                    "--embedder detector",
                    vit);
    if (v->budget * v->gamma > 10000000)
        return fail(err, ERR_USAGE, "--budget times --gamma: expected at most 10000000, found %lld",
                    (long long)(v->budget * v->gamma));
    return OK;
}

static const int class_zero[1] = {0};

static struct distill_options translate(const struct values *v, const struct kernels *kernels, int threads)
{
    const bool by_labels = v->teacher_labels != NULL;
    const int *label_list = v->label_classes.count ? v->label_classes.values : class_zero;
    const size_t label_count = v->label_classes.count ? (size_t)v->label_classes.count : 1;
    struct distill_options o = {.student = v->student,
                                .frames = v->frames,
                                .folder = v->out,
                                .teacher_weights = v->teacher,
                                .teacher_labels = v->teacher_labels,
                                .teacher_command = v->teacher_command,
                                .teacher = teacher_default_options(),
                                .budget = (int)v->budget,
                                .gamma = (int)v->gamma,
                                .select = select_defaults(),
                                .filter = filter_defaults(),
                                .embedder = strcmp(v->embedder, "detector") ? v->embedder : NULL,
                                .vehicles = v->vehicles.values,
                                .vehicle_count = v->vehicles.count,
                                .head = (enum head_start)v->training.head,
                                .size = (int)v->training.size,
                                .trainer = training_trainer(&v->training, threads),
                                .freeze = (int)v->training.freeze,
                                .half = v->training.half,
                                .guard = v->training.guard,
                                .test = v->test,
                                .scoring = evaluate_default_options(),
                                .plan = (enum net_plan)v->training.plan,
                                .kernels = kernels,
                                .threads = threads};
    o.teacher.size = (int)v->teacher_size;
    o.teacher.timeout = v->timeout;
    o.teacher.confidence = (float)v->teacher_confidence;
    o.teacher.iou = v->teacher_iou;
    o.teacher.views = v->teacher_views;
    o.merge_before = v->merge_first;
    o.teacher.class_list = by_labels ? label_list : v->vehicles.values;
    o.teacher.class_count = by_labels ? label_count : (size_t)v->vehicles.count;
    o.select.rule = (enum select_rule)v->select;
    o.select.warmup = (int)v->warmup;
    o.select.alpha = v->alpha;
    o.select.rate = v->rate;
    o.select.policy = (enum end_policy)v->at_end;
    o.filter.rule = (enum filter_rule)v->filter;
    filter_values_take(&o.filter, &v->details);
    o.filter.aggregation = (enum aggregation)v->aggregation;
    o.select.empty_is_zero = v->empty_is_zero;
    o.teacher_confidence = v->confidence_source != 0;
    o.trainer.checkpoint_every = (int)v->checkpoint_every;
    o.trainer.resume = v->resume;
    o.validation = !strcmp(v->validation, "holdout") ? DISTILL_HOLDOUT
                   : !strcmp(v->validation, "extra") ? DISTILL_EXTRA
                   : !strcmp(v->validation, "none")  ? DISTILL_NO_VALIDATION
                                                     : DISTILL_FOLDER;
    o.validation_folder = v->validation;
    o.extra_frames = (int)v->validation_frames;
    o.ship_better = v->ship != 0;
    o.label_original = v->label_source != 0;
    o.as_coded = !v->fair_only;
    o.scoring.size = (int)v->training.size;
    o.scoring.ignore_above = (float)v->ignore_above;
    o.scoring.label_list = label_list;
    o.scoring.label_count = label_count;
    o.scoring.vehicle_list = v->vehicles.values;
    o.scoring.vehicle_count = (size_t)v->vehicles.count;
    return o;
}

/* As eval prints it; all classes are merged to one. */
static void score_json(struct json_writer *out, const char *name, const struct metric_result *score)
{
    const struct evaluation evaluation = {.result = *score, .classes = 1};
    if (score->defined)
        evaluation_json(out, name, &evaluation, NULL, false);
    else
        json_put_null(out, name);
}

static enum status print_json(struct run *run, const struct distill_result *r, struct error *err)
{
    struct json_buffer json;
    TRY(json_buffer_begin(&json, false, err));
    struct json_writer *const out = &json.out;
    json_open(out, NULL, '{');
    score_json(out, "before", &r->before);
    score_json(out, "after", &r->after);
    if (r->teacher.defined) score_json(out, "teacher", &r->teacher);
    if (r->before_as_coded.defined) score_json(out, "before_as_coded", &r->before_as_coded);
    if (r->teacher_as_coded.defined) score_json(out, "teacher_as_coded", &r->teacher_as_coded);
    json_put_int(out, "frames", r->frame_count);
    if (r->unreadable) json_put_int(out, "unreadable", r->unreadable);
    json_put_double(out, "tau", r->tau);
    json_put_bool(out, "threshold_relaxed", r->relaxed);
    json_put_bool(out, "short", r->short_of_budget);
    json_put_int(out, "candidates", r->candidate_count);
    json_put_int(out, "selected", r->chosen_count);
    if (r->frame_count) json_put_double(out, "selected_share", (double)r->chosen_count / r->frame_count);
    json_put_int(out, "validation", r->validation_frames);
    if (r->extra_count) {
        json_put_int(out, "validation_extra", r->extra_count);
        json_put_int(out, "validation_bytes", (int64_t)r->extra_bytes);
    }
    json_put_int(out, "uploaded_bytes", (int64_t)r->uploaded_bytes);
    json_put_int(out, "candidate_bytes", (int64_t)r->candidate_bytes);
    json_put_int(out, "epochs", r->training.count);
    json_put_int(out, "iterations", r->training.iterations);
    json_put_int(out, "steps", r->training.steps);
    if (r->training.best_epoch >= 0) json_put_int(out, "best_epoch", r->training.best_epoch);
    if (!isnan(r->guard_before)) {
        json_put_double(out, "guard_before", r->guard_before);
        json_put_double(out, "guard_after", trainer_guard_after(&r->training));
        json_put_int(out, "guard_refused", r->training.refused);
    }
    if (r->withheld) json_put_text(out, "withheld", r->withheld);
    json_put_text(out, "student_hash", r->student_hash);
    json_put_text(out, "weights_hash", r->weights_hash);
    json_close(out);
    return console_print_json(&run->console, &json, err);
}

static void score_lines(struct text *out, const struct distill_result *r)
{
    if (!r->before.defined) return;
    text_format(out, "mAP50-95 %.4f -> %.4f, mAP50 %.4f -> %.4f on %zu test frame%s\n", r->before.map50_95,
                r->after.map50_95, r->before.map50, r->after.map50, r->before.images,
                text_plural((int64_t)r->before.images));
    if (r->teacher.defined)
        text_format(out, "teacher: mAP50-95 %.4f, mAP50 %.4f\n", r->teacher.map50_95, r->teacher.map50);
    if (!r->before_as_coded.defined) return;
    text_format(out, "as coded (confidence above 0.4, any class): student before %.4f",
                r->before_as_coded.map50_95);
    if (r->teacher_as_coded.defined) text_format(out, ", teacher %.4f", r->teacher_as_coded.map50_95);
    text_add(out, "\n");
}

static enum status print_result(struct run *run, const struct distill_result *r, struct error *err)
{
    struct text out = {0};
    if (run->common.json) return print_json(run, r, err);
    text_format(&out, "%d frame%s seen, %d candidate%s, %d chosen (%d held out for validation)%s\n",
                r->frame_count, text_plural(r->frame_count), r->candidate_count,
                text_plural(r->candidate_count), r->chosen_count, r->validation_frames,
                r->short_of_budget ? ", fewer than the budget" : "");
    text_format(&out, "uploaded %zu bytes of %zu bytes of candidates\n", r->uploaded_bytes,
                r->candidate_bytes);
    if (r->extra_count)
        text_format(&out, "uploaded %zu bytes of %d validation frames\n", r->extra_bytes, r->extra_count);
    training_effort(&out, &r->training);
    text_add(&out, "\n");
    training_guard_lines(&out, r->guard_before, &r->training);
    score_lines(&out, r);
    text_format(&out, "weights %s%s\n", r->weights_hash, r->withheld ? ", not delivered" : "");
    return console_print_buffer(&run->console, &out, err);
}

/* Everything is there; the status says what to look at. */
static enum status verdict(struct run *run, const struct distill_result *r, struct error *err)
{
    const struct values *v = run->values;
    run->whole = true;
    if (r->withheld) {
        if (r->unreadable)
            console_message(&run->console, "%d of %d frames could not be read; the first: %s", r->unreadable,
                            r->frame_count, r->first_broken);
        return fail(err, ERR_CHECK, "%s; its weights stay in %s/train/best.safetensors", r->withheld, v->out);
    }
    if (!r->unreadable) return OK;
    return fail(err, ERR_INPUT, "%d of %d frames could not be read; the first: %s", r->unreadable,
                r->frame_count, r->first_broken);
}

static enum status distill_command(struct run *run, struct error *err)
{
    const struct values *v = run->values;
    const struct kernels *kernels;
    struct distill_result result;
    TRY(check(v, err));
    TRY(kernels_get(&kernels, NULL, err));
    if (strcmp(v->embedder, "detector") && strcmp(v->embedder, vit))
        TRY(run_add_input(run, v->embedder, err));
    const struct distill_options o = translate(v, kernels, run->threads);
    if (o.validation == DISTILL_FOLDER) {
        TRY(run_add_input(run, v->validation, err));
        TRY(data_inputs_add(run, v->validation, DATASET_VAL, err));
    }
    TRY(data_inputs_add(run, v->test, DATASET_VAL, err));
    TRY(data_inputs_add(run, v->training.guard, DATASET_VAL, err));
    TRY(distill_run(&result, &o, &run->progress, &run->arena, err));
    console_message(&run->console, "report: %s/report.html", v->out);
    TRY(print_result(run, &result, err));
    return verdict(run, &result, err);
}

const struct command command_distill = {
    .name = "distill",
    .summary = "Improves a detector for one camera, from its own frames",
    .description =
        "Watches the stream with the student and takes candidate frames, chooses the diverse ones, lets the "
        "teacher label them, fine-tunes the student on them, scores it before and after, and writes a "
        "report. "
        "A frame that cannot be read is passed over and named at the end; the exit status is then 3. "
        "Each step is also a command of its own: detect, select, embed, filter, label, train, eval.",
    .options = options,
    .presets = presets,
    .values_size = sizeof(struct values),
    .example = "retort distill -m n.safetensors -T x.safetensors -f day/ -o run/\n"
               "ffmpeg -i a.mp4 -f yuv4mpegpipe - | retort distill -f - -m n -T x -o run",
    .run = distill_command,
};
