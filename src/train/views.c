#include "train/views.h"

#include "base/rng.h"
#include "image/hsv.h"
#include "image/letterbox.h"
#include "image/orient.h"
#include "image/resize.h"
#include "image/warp.h"
#include "select/embed.h"

#include <assert.h>
#include <stdlib.h>

/* Largest changes of colour. */
#define HUE 0.02
#define SATURATION 0.2
#define VALUE 0.1
#define SAME_MOMENT 0.5 /* share of the pairs that are one picture twice */

void views_free(struct views *views)
{
    for (int i = 0; i < views->count; i++) image_free(views->list + i);
    free(views->list);
    free(views->cameras);
    *views = (struct views){0};
}

static enum status reserve(struct views *views, struct error *err)
{
    if (views->count < views->capacity) return OK;
    const int capacity = views->capacity ? 2 * views->capacity : 256;
    const size_t bytes = (size_t)capacity * sizeof *views->list;
    struct image *list = realloc(views->list, bytes);
    if (!list) return fail_memory(err, "the list of pictures", bytes);
    views->list = list;
    struct views_camera *cameras = realloc(views->cameras, (size_t)capacity * sizeof *cameras);
    if (!cameras) return fail_memory(err, "the list of cameras", (size_t)capacity * sizeof *cameras);
    views->cameras = cameras;
    views->capacity = capacity;
    return OK;
}

enum status views_add(struct views *views, const struct image *image, bool new_camera, struct error *err)
{
    const int side = views_stored(views->side);
    struct image stored = {0};
    TRY(reserve(views, err));
    const enum status status = resize_antialias(&stored, image, side, side, RESIZE_HORIZONTAL_FIRST, err);
    if (status != OK) {
        image_free(&stored);
        return status;
    }
    if (new_camera || !views->camera_count)
        views->cameras[views->camera_count++] = (struct views_camera){views->count, 0};
    views->cameras[views->camera_count - 1].count++;
    views->list[views->count++] = stored;
    return OK;
}

/* Pair j of `moments` from one camera: its j-th stretch of time, so that moments lie apart. */
static struct views_pair choose_moment(const struct views_camera *camera, uint64_t key, int pair, int j,
                                       int moments)
{
    const uint64_t draws = rng_step(key, (uint64_t)pair);
    const int from = (int)((int64_t)camera->count * j / moments);
    const int to = (int)((int64_t)camera->count * (j + 1) / moments);
    const int at = from + rng_int(draws, 0, to > from ? to - from : 1);
    int other = at;
    if (rng_real(draws, 1) >= SAME_MOMENT) other = at + 1 < camera->count ? at + 1 : at - 1;
    return (struct views_pair){{camera->first + at, camera->first + other}};
}

void views_choose(const struct views *views, uint64_t seed, int step, int count, int moments,
                  struct views_pair *pairs)
{
    const uint64_t key = rng_step(rng_key(seed, "moments"), (uint64_t)step);
    const int cameras = count / moments, all = views->camera_count;
    assert(count % moments == 0 && all >= 1);
    for (int k = 0; k < cameras; k++) {
        /* Camera k of a cycle through all of them that every step begins elsewhere, with another stride. */
        int stride = 1 + rng_int(key, 1, all), a = stride, b = all;
        while (b) {
            const int rest = a % b;
            a = b;
            b = rest;
        }
        if (a != 1) stride = 1;
        const int which = (int)((rng_int(key, 0, all) + (int64_t)k * stride) % all);
        for (int j = 0; j < moments; j++)
            pairs[k * moments + j] =
                choose_moment(views->cameras + which, rng_step(key, 1), k * moments + j, j, moments);
    }
}

enum status views_make(const struct views *views, int picture, uint64_t seed, int step, int row,
                       struct image *result, float *input, struct error *err)
{
    enum { ZOOM, LEFT, TOP, FLIP, COLOUR };
    const uint64_t key = rng_step(rng_step(rng_key(seed, "view"), (uint64_t)step), (uint64_t)row);
    const int side = views->side;
    const double stored = views_stored(side), least = side / stored;
    const double zoom = least + (1 - least) * rng_real(key, ZOOM), room = stored - side / zoom;
    const double matrix[2][3] = {{zoom, 0, -zoom * room * rng_real(key, LEFT)},
                                 {0, zoom, -zoom * room * rng_real(key, TOP)}};
    double colour[3];
    for (uint64_t i = 0; i < 3; i++) colour[i] = 2 * rng_real(key, COLOUR + i) - 1;
    TRY(warp_affine(result, views->list + picture, matrix, side, side, LETTERBOX_BORDER, err));
    hsv_jitter(result, HUE * colour[0], SATURATION * colour[1], VALUE * colour[2]);
    if (rng_real(key, FLIP) < 0.5) orient_mirror(result);
    embed_input(input, result);
    return OK;
}
