/* YOLO11 detection networks (scales n, s, m, l, x, pico and nplus) as graphs.
 *
 * Channels of a layer are ceil(min(base, limit) * width / 8) * 8, blocks repeat max(round(2 * depth), 1)
 * times. pico is the n network at half its width, for the smallest boards; nplus is n at one and a half its
 * width. Names, shapes and order of the parameters are those of the PyTorch state dict. */
#ifndef RETORT_DETECT_YOLO11_H
#define RETORT_DETECT_YOLO11_H

#include "detect/head.h"
#include "nn/graph.h"
#include "nn/net.h"
#include "nn/weights.h"

#define YOLO11_NORM_EPS 1e-3f /* of every batch norm */

enum yolo11_scale {
    YOLO11_PICO,
    YOLO11_N,
    YOLO11_NPLUS,
    YOLO11_S,
    YOLO11_M,
    YOLO11_L,
    YOLO11_X,
    YOLO11_SCALES
};

struct yolo11_config {
    enum yolo11_scale scale;
    int classes;
    int class_width; /* hidden channels of the class branch; 0: what the scale and the class count give */
    bool folded;     /* convolutions carry a bias instead of a batch norm (inference-only files) */
    int freeze; /* layers 0 .. freeze-1 keep their weights; only when the graph is the first over its params
                 */
};

/* "yolo11n", ..., "yolo11pico"; yolo11_scale_by_name returns YOLO11_SCALES for an unknown name. */
const char *yolo11_name(enum yolo11_scale scale);
enum yolo11_scale yolo11_scale_by_name(const char *name);

/* The class branch's hidden width: max(ch0, min(classes, 100)), ch0 the channels of layer 16. */
int yolo11_class_width(enum yolo11_scale scale, int classes);

struct yolo11 {
    struct yolo11_config config;
    int boxes[HEAD_LEVELS], scores[HEAD_LEVELS]; /* tensors: raw logits of the levels 8, 16, 32 */
    int features;                                /* tensor: output of layer 10, the end of the backbone */
    int layer[23];                               /* tensor: output of every layer before the head */
};

/* Appends the network for inputs of height x width, both multiples of 32, to a graph that was only begun,
 * marks the head's tensors as outputs and finishes the graph. The input needs no gradient. */
enum status yolo11_build(struct yolo11 *model, struct graph *graph, struct yolo11_config config, int height,
                         int width, struct error *err);

/* The same up to layer 10, with the mean over its pixels as the only output (`features`). */
enum status yolo11_build_backbone(struct yolo11 *model, struct graph *graph, struct yolo11_config config,
                                  int height, int width, struct error *err);

/* What a weight file holds, from its metadata or else from names and shapes. ERR_INPUT when it is no YOLO11.
 */
enum status yolo11_identify(struct yolo11_config *config, const struct weights *weights, struct error *err);

/* The raw output of a net over the model's graph (values, or gradients to fill). */
struct head yolo11_head(const struct yolo11 *model, const struct net *net, bool gradients);

#endif
