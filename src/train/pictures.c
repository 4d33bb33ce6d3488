#include "train/pictures.h"

#include "base/par.h"
#include "image/decode.h"
#include "image/letterbox.h"
#include "image/resize.h"

#include <stdlib.h>
#include <string.h>

enum { MOSAIC_PICTURES = 4 };

static enum status load_image(struct picture *picture, const char *path, int size, struct error *err)
{
    struct image original = {0};
    TRY(image_read(&original, path, err));
    int width, height;
    letterbox_load_size(original.width, original.height, size, &width, &height);
    if (width == original.width && height == original.height) {
        picture->image = original;
        return OK;
    }
    const enum status status = resize_bilinear(&picture->image, &original, width, height, err);
    image_free(&original);
    return status;
}

static enum status load_all(struct pictures *p, const struct dataset_item *items, size_t count, int classes,
                            const int *map, int map_size, const struct progress *progress, struct error *err)
{
    p->list = arena_alloc(&p->arena, count, sizeof *p->list);
    p->canvas = arena_alloc(&p->arena, (size_t)p->threads, sizeof *p->canvas);
    p->result = arena_alloc(&p->arena, (size_t)p->threads, sizeof *p->result);
    if (!p->list || !p->canvas || !p->result)
        return fail_memory(err, "the list of pictures", count * sizeof *p->list);
    for (size_t i = 0; i < count; i++) {
        struct picture *picture = p->list + i;
        p->count++; /* what resizing reserved is freed, too */
        TRY(load_image(picture, items[i].image, p->size, err));
        TRY(labels_read(&picture->labels, &p->arena, items[i].labels, map ? 0 : classes, err));
        if (map) labels_map(&picture->labels, map, map_size);
        p->all_labels += (int64_t)picture->labels.count;
        if ((int)picture->labels.count > p->most_labels) p->most_labels = (int)picture->labels.count;
        if (!progress_report(progress, "load", (int64_t)i + 1, (int64_t)count, ""))
            return fail(err, ERR_INTERRUPTED, "interrupted while loading pictures");
    }
    if (!p->all_labels)
        return fail(err, ERR_INPUT,
                    "%s and %zu more: no picture has a label of the classes asked for; check the label "
                    "folder and the list of classes",
                    items[0].labels, count - 1);
    return OK;
}

enum status pictures_load(struct pictures *pictures, const struct dataset_item *items, size_t count,
                          int classes, const int *map, int map_size, int size, int threads,
                          const struct progress *progress, struct error *err)
{
    *pictures = (struct pictures){.size = size, .threads = threads};
    const enum status status = load_all(pictures, items, count, classes, map, map_size, progress, err);
    if (status != OK) pictures_free(pictures);
    return status;
}

void pictures_free(struct pictures *pictures)
{
    for (int i = 0; i < pictures->count; i++) image_free(&pictures->list[i].image);
    for (int i = 0; pictures->canvas && pictures->result && i < pictures->threads; i++) {
        image_free(pictures->canvas + i);
        image_free(pictures->result + i);
    }
    arena_free(&pictures->arena);
    *pictures = (struct pictures){0};
}

int pictures_most_targets(const struct pictures *pictures, int batch)
{
    return batch * MOSAIC_PICTURES * (pictures->most_labels ? pictures->most_labels : 1);
}

struct batch {
    struct pictures *pictures;
    const int *which;
    int position, epoch;
    uint64_t seed;
    const struct augment_options *options;
    float *input;
    struct target *targets; /* each image writes at its own place, wide enough for a mosaic */
    int *counts;
    struct error *errors; /* [images] */
};

static struct augment_sample sample(const struct pictures *pictures, int i)
{
    const struct picture *picture = pictures->list + i;
    return (struct augment_sample){&picture->image, picture->labels.rows, (int)picture->labels.count};
}

static enum status make_one(struct batch *b, int image, int worker, struct error *err)
{
    struct pictures *p = b->pictures;
    double draws[AUGMENT_DRAWS];
    augment_draw(draws, b->seed, b->epoch, b->position + image);
    const struct augment_plan plan = augment_plan(b->options, draws, p->count);
    struct augment_sample samples[MOSAIC_PICTURES] = {sample(p, b->which[image])};
    for (int i = 1; i < MOSAIC_PICTURES; i++) samples[i] = sample(p, plan.others[i - 1]);
    const ptrdiff_t room = pictures_most_targets(p, 1);
    TRY(augment_apply(p->result + worker, b->targets + image * room, b->counts + image, p->canvas + worker,
                      b->options, &plan, samples, image, err));
    letterbox_input(b->input + (ptrdiff_t)image * p->size * p->size * 3, p->result + worker);
    return OK;
}

static void make_range(void *context, int64_t begin, int64_t end, int worker)
{
    struct batch *b = context;
    for (int64_t i = begin; i < end; i++) b->errors[i].status = make_one(b, (int)i, worker, b->errors + i);
}

enum status pictures_batch(struct pictures *pictures, const int *which, int images, int position, int epoch,
                           uint64_t seed, const struct augment_options *options, float *input,
                           struct target *targets, int *count, struct error *err)
{
    struct batch b = {pictures, which, position, epoch, seed, options, input, targets, NULL, NULL};
    b.counts = calloc((size_t)images, sizeof *b.counts);
    b.errors = calloc((size_t)images, sizeof *b.errors);
    enum status status = OK;
    if (!b.counts || !b.errors) {
        status = fail_memory(err, "a mini-batch", (size_t)images * sizeof *b.errors);
    } else {
        par_for(pictures->threads, images, 1, make_range, &b);
        const ptrdiff_t room = pictures_most_targets(pictures, 1);
        *count = 0;
        for (int i = 0; i < images && status == OK; i++) {
            status = b.errors[i].status;
            if (status != OK && err) *err = b.errors[i];
            memmove(targets + *count, targets + i * room, (size_t)b.counts[i] * sizeof *targets);
            *count += b.counts[i];
        }
    }
    free(b.counts);
    free(b.errors);
    return status;
}
