/* Pairs of pictures for contrastive learning from fixed cameras.
 *
 * Partners show the same moment of one camera, or neighbouring ones, each cropped, mirrored and coloured
 * anew; colours and brightness change little, since light is what an embedding should tell. A mini-batch has
 * several moments of each of its cameras: to know the place is then not enough.
 *
 * All draws depend on seed, step and position only. */
#ifndef RETORT_TRAIN_VIEWS_H
#define RETORT_TRAIN_VIEWS_H

#include "base/arena.h"
#include "image/image.h"

#include <stdbool.h>

enum { VIEWS_MARGIN = 8 }; /* stored pictures have side + side / VIEWS_MARGIN pixels a side */

/* Pictures of one camera in order of time: list[first .. first + count). */
struct views_camera {
    int first, count;
};

struct views {
    struct image *list; /* squares, aspect ignored */
    int count, capacity;
    struct views_camera *cameras;
    int camera_count;
    int side; /* of a view */
};

/* What is drawn for one pair. */
struct views_pair {
    int picture[2];
};

static inline int views_stored(int side) { return side + side / VIEWS_MARGIN; }

/* Frees pictures and tables, which are malloced. */
void views_free(struct views *views);

/* Appends a picture, resized, to the last camera, or to a new one. */
enum status views_add(struct views *views, const struct image *image, bool new_camera, struct error *err);

/* Fills pairs[count]: `moments` (a divisor of count) from each of count / moments cameras, which differ as
 * far as there are so many, spread over the camera's time. Every camera has at least 2 pictures. */
void views_choose(const struct views *views, uint64_t seed, int step, int count, int moments,
                  struct views_pair *pairs);

/* Makes view `row` of a step (its own draws) as an input of a vision transformer: [side][side][3]. result is
 * scratch. */
enum status views_make(const struct views *views, int picture, uint64_t seed, int step, int row,
                       struct image *result, float *input, struct error *err);

#endif
