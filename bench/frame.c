/* From a picture's file to boxes, as retort detect does it: reading, letterbox, network, suppression. */
#include "bench.h"

#include "detect/detector.h"
#include "image/decode.h"

#include <stdlib.h>

struct frame_state {
    struct model model;
    struct detector detector;
    const char *path;
    struct image picture;
    struct detection found[NMS_MAX_DETECTIONS];
    int count;
};

static enum status frame_start(struct bench_case *c, const struct bench_setup *setup, struct error *err)
{
    struct frame_state *s = c->state = calloc(1, sizeof *s);
    if (!s) return fail_memory(err, "a case", sizeof *s);
    const struct nms_options options = nms_predict_options();
    s->path = setup->picture;
    detector_begin(&s->detector, &s->model, setup->kernels, c->threads, &options);
    s->detector.plan = c->plan;
    return bench_open_model(&s->model, setup, err);
}

static enum status frame_run(struct bench_case *c, struct error *err)
{
    struct frame_state *s = c->state;
    TRY(image_read(&s->picture, s->path, err));
    return detector_predict(&s->detector, &s->picture, c->size, false, s->found, &s->count, err);
}

/* [objects, 6]: left, top, right, bottom, confidence, class. */
static enum status frame_write(const struct bench_case *c, const struct bench_setup *setup, const char *path,
                               struct error *err)
{
    (void)setup;
    const struct frame_state *s = c->state;
    float rows[NMS_MAX_DETECTIONS][6];
    for (int i = 0; i < s->count; i++) {
        const struct detection *d = &s->found[i];
        const float row[6] = {d->box.x1, d->box.y1, d->box.x2, d->box.y2, d->confidence, (float)d->class_id};
        for (int k = 0; k < 6; k++) rows[i][k] = row[k];
    }
    return npy_write(path, rows[0], s->count, 6, err);
}

static void frame_stop(struct bench_case *c)
{
    struct frame_state *s = c->state;
    detector_end(&s->detector);
    image_free(&s->picture);
    model_free(&s->model);
}

static bool frame_ready(const struct bench_setup *setup) { return setup->picture != NULL; }

const struct bench_kind bench_frame = {
    .start = frame_start, .run = frame_run, .stop = frame_stop, .write = frame_write, .ready = frame_ready};
