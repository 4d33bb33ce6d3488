/* Frames as JSON lines, one object a frame in stream order:
 *
 *     {"file": "0017.jpg", "time": 0.68, "confidence": 0.93}      confidence null or absent: no object
 *     {"file": "0017.jpg", "width": 1280, "height": 720, "detections": [{"class_id": 2, "confidence": 0.93,
 *      "box": [x1, y1, x2, y2]}]}                                  as retort detect --json prints them
 *
 * Other members are ignored. */
#ifndef RETORT_CLI_FRAME_LINES_H
#define RETORT_CLI_FRAME_LINES_H

#include "base/arena.h"
#include "base/status.h"
#include "select/confidence.h"
#include "select/filter.h"

enum { FRAME_LINES_MAX = 1 << 24, FRAME_LINE_BYTES = 1 << 20, FRAME_BOXES_MAX = 1 << 26 };

struct frame_lines {
    int count;
    const char **files;       /* [count], NULL where none is named */
    double *times;            /* [count], NaN: none */
    double *confidences;      /* [count], CONFIDENCE_NONE without boxes */
    struct filter_box *boxes; /* of the classes wanted */
    int *first_box;           /* [count + 1] */
    int box_count;
};

/* Memory is the arena's. ERR_INPUT naming the line. */
enum status frame_lines_read(struct frame_lines *frames, const char *path, const struct class_set *classes,
                             enum aggregation aggregation, struct arena *arena, struct error *err);

/* The same from memory; name stands for it in messages. */
enum status frame_lines_parse(struct frame_lines *frames, const void *data, size_t n, const char *name,
                              const struct class_set *classes, enum aggregation aggregation,
                              struct arena *arena, struct error *err);

#endif
