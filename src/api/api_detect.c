/* The public calls that find objects. */
#include "api/call.h"
#include "detect/detector.h"

#include <stdlib.h>

struct retort_detector {
    struct detector detector;
    int size;
    struct detection *raw;          /* [max_detections] */
    struct retort_detection *found; /* [max_detections] */
};

struct retort_detector_options retort_detector_defaults(void)
{
    return (struct retort_detector_options){
        .confidence = 0.25, .overlap = 0.7, .max_detections = NMS_MAX_DETECTIONS, .size = LETTERBOX_SIZE};
}

static enum status open_detector(struct retort_detector *handle, const struct retort_model *model,
                                 const struct retort_detector_options *o, struct error *err)
{
    if (!(o->confidence >= 0 && o->confidence < 1))
        return fail(err, ERR_USAGE, "confidence: expected 0 to below 1, found %g", o->confidence);
    if (!(o->overlap >= 0 && o->overlap <= 1))
        return fail(err, ERR_USAGE, "overlap: expected 0 to 1, found %g", o->overlap);
    TRY(call_check_range("max_detections", o->max_detections, 1, NMS_MAX_CANDIDATES, err));
    TRY(call_check_size(o->size, err));
    TRY(call_check_range("plan", o->plan, RETORT_FAST, RETORT_FAST_0_1, err));
    int threads;
    const struct kernels *kernels;
    TRY(call_threads(&threads, o->threads, err));
    TRY(kernels_get(&kernels, NULL, err));
    const size_t room = (size_t)o->max_detections;
    handle->size = o->size;
    handle->raw = calloc(room, sizeof *handle->raw);
    handle->found = calloc(room, sizeof *handle->found);
    if (!handle->raw || !handle->found) return fail_memory(err, "detections", room * sizeof *handle->raw);
    struct nms_options nms = nms_predict_options();
    nms.confidence = (float)o->confidence;
    nms.iou = o->overlap;
    nms.max_detections = o->max_detections;
    detector_begin(&handle->detector, &model->model, kernels, threads, &nms);
    handle->detector.plan = (enum net_plan)o->plan;
    return OK;
}

enum retort_status retort_detector_open(struct retort_detector **detector, const struct retort_model *model,
                                        const struct retort_detector_options *options,
                                        struct retort_error *err)
{
    struct call call;
    const struct retort_detector_options defaults = retort_detector_defaults();
    *detector = NULL;
    call_begin(&call);
    struct retort_detector *handle = calloc(1, sizeof *handle);
    enum status status = handle ? open_detector(handle, model, options ? options : &defaults, &call.error)
                                : fail_memory(&call.error, "a detector", sizeof *handle);
    if (status == OK)
        *detector = handle;
    else
        retort_detector_close(handle);
    return call_end(&call, status, err);
}

void retort_detector_close(struct retort_detector *detector)
{
    if (!detector) return;
    detector_end(&detector->detector);
    free(detector->raw);
    free(detector->found);
    free(detector);
}

static enum status detect(struct retort_detector *handle, const struct retort_picture *picture, int *count,
                          struct error *err)
{
    struct image image;
    TRY(call_picture(&image, picture, err));
    TRY(detector_predict(&handle->detector, &image, handle->size, true, handle->raw, count, err));
    for (int i = 0; i < *count; i++) {
        const struct detection *d = handle->raw + i;
        handle->found[i] =
            (struct retort_detection){d->box.x1, d->box.y1, d->box.x2, d->box.y2, d->confidence, d->class_id};
    }
    return OK;
}

enum retort_status retort_detect(struct retort_detector *detector, const struct retort_picture *picture,
                                 const struct retort_detection **found, int *count, struct retort_error *err)
{
    struct call call;
    int n = 0;
    call_begin(&call);
    const enum status status = detect(detector, picture, &n, &call.error);
    if (status == OK) {
        *found = detector->found;
        *count = n;
    }
    return call_end(&call, status, err);
}
