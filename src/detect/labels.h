/* YOLO label files [YOLO11, D-SBAD]: one object a line, "class cx cy w h [confidence]", the four
 * numbers divided by the size of the picture. More than six columns are "class x1 y1 x2 y2 ..." of a polygon;
 * its box is what counts, but for the pictures that training cuts out of pictures.
 *
 * Refused, with "file:line": anything but plain decimal numbers, a class that is not an integer in [0,
 * classes), coordinates above 1.01, negative ones (down to -0.01 is tolerated unless it is a width or
 * height), confidences outside [0, 1], files over the limits. Exact duplicates are removed, and then the rows
 * come sorted by class, cx, cy, w, h; without duplicates the order of the file is kept. */
#ifndef RETORT_DETECT_LABELS_H
#define RETORT_DETECT_LABELS_H

#include "base/arena.h"
#include "base/hash.h"
#include "base/status.h"
#include "detect/box.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LABELS_MAX_BYTES = 16 << 20,
    LABELS_MAX_ROWS = 100000,
    LABELS_MAX_COLUMNS = 4001,
    LABELS_MAX_CLASSES = 65536
};

struct label {
    int class_id;
    float cx, cy, w, h; /* fractions of the picture */
    float confidence;   /* < 0: not stated */
    /* Corners x, y of the polygon around the object; NULL: a box was given. In the arena of the rows. */
    const float *points;
    int point_count;
};

struct labels {
    struct label *rows; /* in the arena given */
    size_t count;
};

/* classes: class ids must be below it; 0 allows any below LABELS_MAX_CLASSES. name stands for the data in
 * messages. */
enum status labels_parse(struct labels *labels, struct arena *arena, const void *data, size_t n,
                         const char *name, int classes, struct error *err);

/* The same from a file. A missing or empty file means no object: a background picture. */
enum status labels_read(struct labels *labels, struct arena *arena, const char *path, int classes,
                        struct error *err);

/* Nine significant digits, so that reading gives the same floats; polygons as such; atomic. */
enum status labels_write(const char *path, const struct label *rows, size_t count, struct error *err);

/* Adds all that the rows say to a hash. confidences: those, too, which count for soft labels only. */
void labels_hash(struct sha256 *hash, const struct labels *labels, bool confidences);

/* Replaces each class c by map[c] and drops rows where that is < 0 or c >= map_size; keeps the order. */
void labels_map(struct labels *labels, const int *map, int map_size);

/* A map in the arena with a number for each class in list, its own or, to make them one, 0, and -1 for the others,
 * which are dropped. ERR_USAGE, with the name of the list in front, for a class outside [0, map_size). */
enum status labels_make_map(int **map, struct arena *arena, int map_size, const int *list, size_t list_size,
                            bool merge, const char *name, struct error *err);

/* Between fractions and corners in pixels of a width x height picture. */
struct box label_box(const struct label *label, float width, float height);
struct label label_of_detection(const struct detection *detection, float width, float height);

#endif
