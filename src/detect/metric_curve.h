/* Precision-recall curves, their area, and the confidence of the best F1 [YOLO11]. */
#ifndef RETORT_DETECT_METRIC_CURVE_H
#define RETORT_DETECT_METRIC_CURVE_H

#include "detect/metric.h"

/* Area under one precision-recall curve, sampled at 101 recalls: recall[n] ascending with the precision at
 * each, n >= 1. scratch: 2 * (n + 3) doubles. */
double metric_curve_area(double *scratch, const double *recall, const double *precision, size_t n,
                         bool sloped_end);

/* Fills ap, precision, recall, f1 and detections of every class of result, and result->confidence.
 * records: of all classes, most confident first. */
enum status metric_curve_all(struct metric_result *result, const struct metric_record *records, size_t n,
                             bool sloped_end, struct error *err);

#endif
