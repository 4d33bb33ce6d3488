/* The pictures a student learns from, loaded once and augmented into mini-batches. */
#ifndef RETORT_TRAIN_PICTURES_H
#define RETORT_TRAIN_PICTURES_H

#include "base/progress.h"
#include "detect/dataset.h"
#include "detect/labels.h"
#include "image/image.h"
#include "train/augment.h"

/* The training form of a picture: its longer side is `size`, labels are mapped to the student's classes. */
struct picture {
    struct image image;
    struct labels labels;
};

struct pictures {
    struct arena arena;
    struct picture *list;
    int count, size;
    int most_labels; /* of one picture */
    int64_t all_labels;
    struct image *canvas; /* [threads] scratch of the mosaic */
    struct image *result; /* [threads] */
    int threads;
};

/* Reads and resizes `count` pictures. map: as labels_map, or NULL for labels as they are, whose classes must
 * then be below classes. ERR_INPUT for a broken picture or label file, and when no picture has a label:
 * nothing could be learned. */
enum status pictures_load(struct pictures *pictures, const struct dataset_item *items, size_t count,
                          int classes, const int *map, int map_size, int size, int threads,
                          const struct progress *progress, struct error *err);
void pictures_free(struct pictures *pictures);

/* Labels that a mini-batch can have at most. */
int pictures_most_targets(const struct pictures *pictures, int batch);

/* Fills input [images][size][size][3] and targets (grouped by image, in order) with the augmented pictures
 * which[0..images), whose positions in the epoch start at `position`. */
enum status pictures_batch(struct pictures *pictures, const int *which, int images, int position, int epoch,
                           uint64_t seed, const struct augment_options *options, float *input,
                           struct target *targets, int *count, struct error *err);

#endif
