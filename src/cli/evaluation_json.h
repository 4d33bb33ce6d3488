/* The figures of an evaluation as JSON, as eval and distill print them:
 *
 *   {"map50", "map50_95", "map75", "precision", "recall", "fitness", "images", "labels", "detections",
 *    "classes": [{"class_id", "class", "labels", "detections", "map50", "map50_95", "precision", "recall"}],
 *    "coco": {"AP", ...}}                                                        coco only where it was asked
 * for */
#ifndef RETORT_CLI_EVALUATION_JSON_H
#define RETORT_CLI_EVALUATION_JSON_H

#include "base/json_write.h"
#include "detect/evaluate.h"

/* names: one a class, or NULL when the classes are merged to one, called "vehicle". */
void evaluation_json(struct json_writer *out, const char *key, const struct evaluation *evaluation,
                     const char *const *names, bool coco);

const char *evaluation_class_name(const struct evaluation *evaluation, const char *const *names,
                                  int class_id);

/* Mean over the thresholds. */
double evaluation_class_ap(const struct metric_class *class);

#endif
