/* Post-training quantisation of a detector [survey].
 *
 * Batch norms are folded, the float network runs over pictures of the user's own camera, and every activation
 * gets one scale and zero from what was seen of it; what passes through copies, pooling and upsampling keeps
 * that of its writer. Weights are symmetric, one scale an output channel. Attention, its position layer and
 * the head's decoding stay float. Results depend on weights, pictures, their order and the options only. */
#ifndef RETORT_DETECT_QUANTISE_H
#define RETORT_DETECT_QUANTISE_H

#include "base/progress.h"
#include "detect/model.h"
#include "image/image.h"
#include "nn/net.h"

enum quantise_method {
    QUANTISE_MIN_MAX,    /* everything seen fits */
    QUANTISE_PERCENTILE, /* all but a share, half of it at either end */
    QUANTISE_MSE,        /* the range with the least mean squared error, from a histogram */
};

struct quantise_options {
    enum quantise_method method;
    double percentile;       /* in (50, 100]: the share that fits */
    const char *const *keep; /* names or their beginnings ("model.23") of convolutions that stay float */
    int keep_count;
    int threads;
    enum net_plan plan; /* of the float network */
};

/* Pictures on the network's input: canvases of multiples of 32, of any sizes. */
struct quantise_pictures {
    const struct image *canvas;
    int count;
};

/* Makes the quantised model. ERR_INPUT when it is quantised already, ERR_USAGE when a name of keep fits no
 * convolution or none is left to quantise, ERR_INTERRUPTED. */
enum status quantise_model(struct model *quantised, const struct model *model, const struct kernels *kernels,
                           const struct quantise_pictures *pictures, const struct quantise_options *options,
                           const struct progress *progress, struct error *err);

/* How far the raw head output lies from that of the float network with folded batch norms:
 * 10 log10(sum of squares / sum of squared differences), dB. */
struct quantise_loss {
    const char *name; /* of the layer, the quantised model's */
    double decibel;
};

/* Each layer alone as integers, all others as floats: losses[quantised->quant.count], the worst first; and
 * *all for the model as it is. `model` is the original; plan is that of the floats. */
enum status quantise_losses(struct quantise_loss *losses, double *all, const struct model *quantised,
                            const struct model *model, const struct kernels *kernels,
                            const struct quantise_pictures *pictures, int threads, enum net_plan plan,
                            const struct progress *progress, struct error *err);

#endif
