/* Image confidence: one number for the boxes that a detector kept in a frame [D-SBAD]. */
#ifndef RETORT_SELECT_CONFIDENCE_H
#define RETORT_SELECT_CONFIDENCE_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

enum aggregation { AGGREGATE_MAX, AGGREGATE_MIN, AGGREGATE_MEAN, AGGREGATE_SUM, AGGREGATIONS };

/* The confidence of a frame without boxes. Every other one is at least 0. */
#define CONFIDENCE_NONE (-1.0)

const char *aggregation_name(enum aggregation aggregation); /* "max", "min", "mean", "sum" */

/* Takes the boxes of one frame in their order; start with {.aggregation = ...}. */
struct confidence {
    enum aggregation aggregation;
    int boxes;
    double value;
};

void confidence_add(struct confidence *confidence, double box);
double confidence_result(const struct confidence *confidence); /* CONFIDENCE_NONE without boxes */

/* The classes that count as vehicles; every class that a line about a frame can name. */
enum { CLASS_LIMIT = 65536 };
struct class_set {
    uint64_t bits[CLASS_LIMIT / 64];
};

/* COCO bicycle, car, motorcycle, bus, truck; without the two-wheelers it is "2,5,7". */
#define CLASSES_VEHICLES "1,2,3,5,7"

/* text: class numbers with commas between them, or "all". ERR_USAGE for anything else. */
enum status class_set_parse(struct class_set *set, const char *text, struct error *err);
bool class_set_has(const struct class_set *set, int class_number);

#endif
