/* retort eval: average precision on labelled pictures. */
#include "cli/command.h"
#include "cli/data_inputs.h"
#include "cli/evaluation_json.h"
#include "cli/frames.h"
#include "cli/plan_option.h"
#include "detect/coco_results.h"
#include "kernels/kernels.h"

struct values {
    const char *model, *data, *results;
    struct option_ints labels, vehicles;
    double ignore_above, confidence, iou;
    int64_t size, batch, memory_limit;
    int split, metric, plan;
    bool rectangular, coco;
};

static const struct option_choice splits[] = {{"val", DATASET_VAL}, {"train", DATASET_TRAIN}, {0}};
/* Not given: 0, which is as present. */
enum { PRESENT = 1, RULE_2024 };
static const struct option_choice metrics[] = {{"present", PRESENT}, {"2024", RULE_2024}, {0}};

#define AT(member) offsetof(struct values, member)
static const struct option options[] = {
    {"model", 'm', OPTION_INPUT, AT(model), .required = true, .help = "weights of the detector"},
    {"data", 'd', OPTION_INPUT, AT(data), .required = true,
     .help = "folder with images/ and labels/, or a data.yaml"},
    {"split", 0, OPTION_CHOICE, AT(split), "val", .choices = splits, .help = "which pictures of a data.yaml"},
    {"label-classes", 0, OPTION_INTS, AT(labels), NULL, 0, 65535,
     .help =
         "label classes that become the one class; the others are dropped. Not given: labels as they are"},
    {"vehicle-classes", 0, OPTION_INTS, AT(vehicles), NULL, 0, 65535,
     .help = "classes of the model that become the one class (1,2,3,5,7 where labels are merged); not for "
             "a model of one class"},
    {"ignore-above", 0, OPTION_REAL, AT(ignore_above), "-1", 0, 1e6,
     .help = "drop labels and detections that end at or above this row of the picture; each picture then has "
             "the shape that detect gives it, boxes are compared in pixels of the picture and matched as "
             "--metric 2024 does. Not with --rectangular, --batch or --metric present"},
    {"rectangular", 'r', OPTION_FLAG, AT(rectangular),
     .help = "batches of pictures of similar shape, not squares"},
    {"batch", 'b', OPTION_INT, AT(batch), "0", 1, 1024,
     .help = "with --rectangular: pictures of a batch; 16 unless given"},
    {"size", 's', OPTION_INT, AT(size), "640", 32, 8192,
     .help = "side of the network input, a multiple of 32"},
    {"confidence", 0, OPTION_REAL, AT(confidence), "0.001", 0, 1,
     .help = "objects are more confident than this"},
    {"iou", 0, OPTION_REAL, AT(iou), "0.7", 0, 1, .help = "overlap above which the weaker box is dropped"},
    {"metric", 0, OPTION_CHOICE, AT(metric), .choices = metrics,
     .help = "rule of matching and of the curve's end, present unless given"},
    {"coco", 0, OPTION_FLAG, AT(coco), .help = "also the twelve numbers of COCO's tool"},
    {"coco-results", 0, OPTION_OUTPUT, AT(results),
     .help = "write what was found in COCO's results format, for other tools"},
    PLAN_OPTION(AT(plan)),
    MEMORY_LIMIT_OPTION(AT(memory_limit)),
    {0},
};
#undef AT

struct job {
    struct run *run;
    const struct values *values;
    struct dataset data;
    struct model model;
    struct evaluation evaluation;
    const char *const *names; /* NULL: merged */
    struct coco_results results;
};

static enum status print_json(const struct job *job, struct error *err)
{
    struct json_buffer json;
    TRY(json_buffer_begin(&json, true, err));
    evaluation_json(&json.out, NULL, &job->evaluation, job->names, job->values->coco);
    return console_print_json(&job->run->console, &json, err);
}

static void print_table(const struct job *job)
{
    struct console *const console = &job->run->console;
    const struct metric_result *const r = &job->evaluation.result;
    console_print(console, "%-20s %8s %8s %9s %9s %9s %9s\n", "class", "labels", "found", "precision",
                  "recall", "mAP50", "mAP50-95");
    console_print(console, "%-20s %8zu %8zu %9.4f %9.4f %9.4f %9.4f\n", "all", r->labels, r->detections,
                  r->precision, r->recall, r->map50, r->map50_95);
    for (size_t c = 0; r->count > 1 && c < r->count; c++) {
        const struct metric_class *const class = &r->classes[c];
        console_print(console, "%-20.20s %8zu %8zu %9.4f %9.4f %9.4f %9.4f\n",
                      evaluation_class_name(&job->evaluation, job->names, class->class_id), class->labels,
                      class->detections, class->precision, class->recall, class->ap[0],
                      evaluation_class_ap(class));
    }
    for (enum coco_figure f = 0; job->values->coco && f < COCO_FIGURES; f++)
        console_print(console, "COCO %-15s %.4f\n", coco_metric_name(f), job->evaluation.coco[f]);
}

static struct evaluate_options evaluation_options(const struct values *v)
{
    enum { USUAL_BATCH = 16 };
    static const int usual_vehicles[] = {1, 2, 3, 5, 7};
    struct evaluate_options o = evaluate_default_options();
    o.size = (int)v->size;
    o.rectangular = v->rectangular;
    o.batch = v->batch ? (int)v->batch : USUAL_BATCH;
    o.confidence = (float)v->confidence;
    o.iou = v->iou;
    o.ignore_above = (float)v->ignore_above;
    o.metric_2024 = v->metric == RULE_2024;
    o.coco = v->coco;
    o.plan = (enum net_plan)v->plan;
    o.memory_limit = (size_t)v->memory_limit;
    if (v->labels.count) {
        o.label_list = v->labels.values;
        o.label_count = (size_t)v->labels.count;
        o.vehicle_list = usual_vehicles;
        o.vehicle_count = sizeof usual_vehicles / sizeof *usual_vehicles;
    }
    if (v->vehicles.count) {
        o.vehicle_list = v->vehicles.values;
        o.vehicle_count = (size_t)v->vehicles.count;
    }
    return o;
}

static enum status keep(void *context, const struct dataset_item *item, const struct detection *found,
                        int count, struct error *err)
{
    (void)err;
    coco_results_add(context, item->image, found, count);
    return OK;
}

static enum status check(const struct values *v, struct error *err)
{
    TRY(frames_check_size(v->size, err));
    if (v->ignore_above >= 0 && v->rectangular)
        return fail(err, ERR_USAGE,
                    "--ignore-above gives each picture the shape that detect gives it, which --rectangular "
                    "contradicts");
    if (v->ignore_above >= 0 && v->metric == PRESENT)
        return fail(err, ERR_USAGE,
                    "--ignore-above matches as --metric 2024 does, which --metric present contradicts");
    if (v->batch && !v->rectangular) return fail(err, ERR_USAGE, "--batch needs --rectangular");
    return OK;
}

static enum status evaluate(struct job *job, struct error *err)
{
    struct run *const run = job->run;
    const struct values *const v = job->values;
    const struct kernels *kernels;
    TRY(check(v, err));
    TRY(kernels_get(&kernels, NULL, err));
    TRY(dataset_open(&job->data, v->data, (enum dataset_split)v->split, err));
    TRY(data_inputs_note(run, v->data, &job->data, err));
    TRY(model_open_mapped(&job->model, v->model, err));
    struct evaluate_options o = evaluation_options(v);
    job->names = o.vehicle_list && job->model.config.classes > 1 ? NULL : job->model.names;
    if (v->results) {
        TRY(coco_results_begin(&job->results, v->results, job->names, job->model.config.classes, err));
        o.observer = (struct evaluate_observer){keep, &job->results};
    }
    TRY(evaluate_run(&job->evaluation, &job->model, kernels, run->threads, job->data.items, job->data.count,
                     &o, &run->progress, err));
    if (!job->evaluation.result.defined)
        return fail(err, ERR_INPUT, "%s: no label of these classes, so nothing can be scored", v->data);
    if (v->results) TRY(coco_results_end(&job->results, err));
    if (run->common.json) return print_json(job, err);
    print_table(job);
    return OK;
}

static enum status run_eval(struct run *run, struct error *err)
{
    struct job job = {.run = run, .values = run->values};
    const enum status status = evaluate(&job, err);
    coco_results_discard(&job.results);
    evaluate_free(&job.evaluation);
    model_free(&job.model);
    dataset_close(&job.data);
    return status;
}

const struct command command_eval = {
    .name = "eval",
    .summary = "Scores a detector on labelled pictures",
    .description = "Average precision, precision and recall by the rule of the usual trainer: square or "
                   "rectangular letterbox, boxes compared on the network input. Labels and model may number "
                   "their classes differently: both lists of classes are merged to one and compared without "
                   "regard to class. A picture without a label file holds no object.",
    .options = options,
    .values_size = sizeof(struct values),
    .example =
        "retort eval --model yolo11n.safetensors --data coco128/ --rectangular --coco\n"
        "retort eval -m run/weights.safetensors -d cam/ --label-classes 0,1,2,4 --ignore-above 110 --json",
    .run = run_eval,
};
