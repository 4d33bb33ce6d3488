/* A model's network over canvases of any size, with some layers as integers. Private to quantise*.c. */
#ifndef RETORT_DETECT_QUANTISE_RUN_H
#define RETORT_DETECT_QUANTISE_RUN_H

#include "detect/model.h"
#include "image/image.h"

/* Start with {.kernels, .threads, .plan}; end with quantise_end. */
struct quantise_runner {
    const struct kernels *kernels;
    int threads;
    enum net_plan plan;
    struct graph graph;
    struct yolo11 network;
    struct net net;
};

/* Makes the net for this size unless it is there; one runner serves one model and one quant. */
enum status quantise_plan(struct quantise_runner *runner, const struct model *model,
                          const struct quant *quant, int height, int width, struct error *err);
enum status quantise_run(struct quantise_runner *runner, const struct model *model, const struct quant *quant,
                         const struct image *canvas, const struct net_watch *watch, struct error *err);
void quantise_end(struct quantise_runner *runner);

#endif
