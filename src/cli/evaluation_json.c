#include "cli/evaluation_json.h"

const char *evaluation_class_name(const struct evaluation *evaluation, const char *const *names, int class_id)
{
    return names && class_id < evaluation->classes ? names[class_id] : "vehicle";
}

double evaluation_class_ap(const struct metric_class *class)
{
    double sum = 0;
    for (int t = 0; t < METRIC_THRESHOLDS; t++) sum += class->ap[t];
    return sum / METRIC_THRESHOLDS;
}

static void put_class(struct json_writer *out, const struct metric_class *class, const char *name)
{
    json_open(out, NULL, '{');
    json_put_int(out, "class_id", class->class_id);
    json_put_text(out, "class", name);
    json_put_int(out, "labels", (int64_t) class->labels);
    json_put_int(out, "detections", (int64_t) class->detections);
    json_put_double(out, "map50", class->ap[0]);
    json_put_double(out, "map50_95", evaluation_class_ap(class));
    json_put_double(out, "precision", class->precision);
    json_put_double(out, "recall", class->recall);
    json_close(out);
}

void evaluation_json(struct json_writer *out, const char *key, const struct evaluation *evaluation,
                     const char *const *names, bool coco)
{
    const struct metric_result *const r = &evaluation->result;
    json_open(out, key, '{');
    json_put_double(out, "map50", r->map50);
    json_put_double(out, "map50_95", r->map50_95);
    json_put_double(out, "map75", r->map75);
    json_put_double(out, "precision", r->precision);
    json_put_double(out, "recall", r->recall);
    json_put_double(out, "fitness", r->fitness);
    json_put_int(out, "images", (int64_t)r->images);
    json_put_int(out, "labels", (int64_t)r->labels);
    json_put_int(out, "detections", (int64_t)r->detections);
    json_open(out, "classes", '[');
    for (size_t c = 0; c < r->count; c++)
        put_class(out, &r->classes[c], evaluation_class_name(evaluation, names, r->classes[c].class_id));
    json_close(out);
    if (coco) {
        json_open(out, "coco", '{');
        for (enum coco_figure f = 0; f < COCO_FIGURES; f++)
            json_put_double(out, coco_metric_name(f), evaluation->coco[f]);
        json_close(out);
    }
    json_close(out);
}
