/* Pictures known by their pixels, in whatever format and under whatever name their files are. */
#ifndef RETORT_TRAIN_KNOWN_PICTURES_H
#define RETORT_TRAIN_KNOWN_PICTURES_H

#include "base/progress.h"
#include "detect/dataset.h"
#include "image/image.h"

struct known_picture;

/* {0}: none. */
struct known_pictures {
    const struct known_picture *list;
    size_t count;
};

/* Reads the pictures of the items, whose names must outlive the arena, which holds the rest. ERR_INPUT for
 * one that cannot be read. */
enum status known_pictures_read(struct known_pictures *known, const struct dataset_item *items, size_t count,
                                const struct progress *progress, struct arena *arena, struct error *err);

/* The file of the picture with these pixels, or NULL. */
const char *known_pictures_find(const struct known_pictures *known, const struct image *image);

/* ERR_INPUT naming both files where a picture of a data set (as scored_set_open takes it) is known. */
enum status known_pictures_refuse(const struct known_pictures *known, const char *path,
                                  const struct progress *progress, struct error *err);

#endif
