#include "detect/detector.h"

#include "detect/head_decode.h"

#include <assert.h>

void detector_begin(struct detector *detector, const struct model *model, const struct kernels *kernels,
                    int threads, const struct nms_options *options)
{
    *detector =
        (struct detector){.model = model, .kernels = kernels, .threads = threads, .options = *options};
}

static void forget_plan(struct detector *detector)
{
    net_free(&detector->net);
    graph_free(&detector->graph);
    arena_free(&detector->arena);
}

void detector_end(struct detector *detector)
{
    forget_plan(detector);
    image_free(&detector->canvas);
    letterbox_scratch_free(&detector->letterbox);
}

static enum status plan(struct detector *detector, int height, int width, struct error *err)
{
    const struct tensor *input =
        detector->net.memory ? detector->graph.tensors + detector->graph.input : NULL;
    if (input && input->height == height && input->width == width) return OK;
    assert(height % LETTERBOX_STRIDE == 0 && width % LETTERBOX_STRIDE == 0);
    forget_plan(detector);
    TRY(model_network(&detector->network, &detector->graph, detector->model, height, width, err));
    const struct net_options options = {.batch = 1,
                                        .threads = detector->threads,
                                        .mode = NET_INFERENCE,
                                        .plan = detector->plan,
                                        .memory_limit = detector->memory_limit};
    TRY(net_create(&detector->net, &detector->graph, detector->kernels, options, err));
    const struct head head = yolo11_head(&detector->network, &detector->net, false);
    TRY(nms_make(&detector->nms, &detector->arena, &detector->options, head.classes, head_anchors(&head),
                 err));
    detector->row = arena_alloc(&detector->arena, (size_t)head.classes, sizeof *detector->row);
    return detector->row ? OK : fail_memory(err, "class probabilities", (size_t)head.classes * sizeof(float));
}

enum status detector_run(struct detector *detector, const struct image *picture, const struct letterbox *box,
                         struct detection *found, int *count, struct error *err)
{
    const enum status status = plan(detector, box->height, box->width, err);
    if (status != OK) {
        forget_plan(detector);
        return status;
    }
    TRY(letterbox_apply(&detector->canvas, picture, box, &detector->letterbox, err));
    letterbox_input(net_value(&detector->net, detector->graph.input).data, &detector->canvas);
    net_forward(&detector->net);
    const struct head head = yolo11_head(&detector->network, &detector->net, false);
    head_decode_candidates(detector->kernels, &head, 0, detector->row, &detector->nms);
    *count = nms_run(&detector->nms, found);
    return OK;
}

void detector_to_picture(struct detection *found, int count, const struct letterbox *box)
{
    const struct box_mapping mapping = {.gain_x = (float)box->gain_x,
                                        .gain_y = (float)box->gain_y,
                                        .pad_x = (float)box->pad_x,
                                        .pad_y = (float)box->pad_y,
                                        .width = (float)box->source_width,
                                        .height = (float)box->source_height};
    for (int i = 0; i < count; i++) found[i].box = box_to_picture(found[i].box, &mapping);
}

enum status detector_predict(struct detector *detector, const struct image *picture, int size,
                             bool rectangular, struct detection *found, int *count, struct error *err)
{
    const struct letterbox box = letterbox_detect(picture->width, picture->height, size, size, rectangular);
    TRY(detector_run(detector, picture, &box, found, count, err));
    detector_to_picture(found, *count, &box);
    return OK;
}
