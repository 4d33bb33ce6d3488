/* Data sets: pictures and their label files.
 *
 * Either a folder with images/ and labels/ beside each other, or an Ultralytics data.yaml
 * (detect/data_yaml.h) whose train or val names a folder of pictures; there the label folder is found by
 * replacing the last "images" of that path by "labels". Pictures are those directly in the folder with a name
 * in .jpg, .jpeg, .png, .ppm, .pgm or .pnm, sorted by name (byte order). A label file need not exist: a
 * background picture. */
#ifndef RETORT_DETECT_DATASET_H
#define RETORT_DETECT_DATASET_H

#include "base/arena.h"
#include "base/status.h"

#include <stddef.h>

enum { DATASET_MAX_PICTURES = 10000000 };

enum dataset_split { DATASET_TRAIN, DATASET_VAL };

struct dataset_item {
    const char *image, *labels; /* paths */
};

struct dataset {
    struct arena arena; /* owns everything */
    const char *images, *labels; /* the folders */
    struct dataset_item *items;
    size_t count;
    int classes;        /* as the yaml says, else 0 */
    const char **names; /* [classes], or NULL */
};

/* ERR_INPUT naming the path when a folder is missing or holds no picture. After OK end with dataset_close. */
enum status dataset_open(struct dataset *dataset, const char *path, enum dataset_split split,
                         struct error *err);
void dataset_close(struct dataset *dataset);

#endif
