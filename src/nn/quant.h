/* Quantised convolutions: their parameters, and a graph rewritten to use them.
 *
 * A layer reads bytes and multiplies them with weights of -127..127. Byte q of input channel c stands for
 * (q - input_zero[c]) * input_scale[c]; weight q of output o and input c stands for
 * q * weight_scale[o] / input_scale[c], so that weight_scale[o] turns a sum of products into a real number
 * and inputs of one layer may have scales of their own (concatenations). Weights themselves stay floats in
 * struct params, exact multiples up to rounding; packing finds the integers again.
 *
 * Rule of the sums: kernels/kernels.h, struct int8_finish. File: docs/formats.md. */
#ifndef RETORT_NN_QUANT_H
#define RETORT_NN_QUANT_H

#include "nn/graph.h"
#include "nn/weights.h"

struct quant_layer {
    const char *name; /* of the convolution: "model.0.conv" */
    int in, out;
    float *input_scale; /* [in], from 2^-40 to 2^40 */
    uint8_t *input_zero;
    float *weight_scale; /* [out], likewise */
};

/* No layers: everything is float. */
struct quant {
    struct arena arena;
    struct quant_layer *layers;
    int count, capacity;
};

/* The layer of a name, and the one whose tensor NAME.weight is; NULL: float. */
const struct quant_layer *quant_find(const struct quant *quant, const char *name);
const struct quant_layer *quant_find_weight(const struct quant *quant, const char *tensor);

/* Room for one more layer with arrays to fill, or NULL when memory is short. The caller knows that there is
 * no such layer yet. */
struct quant_layer *quant_add(struct quant *quant, const char *name, int in, int out);
void quant_free(struct quant *quant);

/* The integer of a weight of output o and input c of its layer. */
int quant_weight(const struct quant_layer *layer, int o, int c, float weight);

/* Rewrites a finished graph for inference: convolutions with a layer become OP_CONV_INT8 (kernel, stride and
 * padding any; groups 1 or depthwise; a bias, not a batch norm), storages become bytes where every reader and
 * writer agrees on the scales, sums are fused into the convolution before them, and floats become bytes and
 * bytes floats where the two meet. Outputs and the input stay floats. The graph then points into quant, which must
 * outlive it. */
enum status quant_apply(struct graph *graph, const struct quant *quant, struct error *err);

/* A node that moves bytes and keeps their scales. */
static inline bool quant_moves(const struct node *node)
{
    return node->op == OP_COPY || node->op == OP_MAX_POOL || node->op == OP_UPSAMPLE;
}

/* Whether a file's tensor holds quantised weights: I8 and called NAME.weight, with NAME.weight_scale. */
bool quant_is_weight(const struct weights *weights, const struct weight_tensor *tensor);
/* Whether the name is NAME.weight_scale, NAME.input_scale or NAME.input_zero of such a tensor. */
bool quant_is_part(const struct weights *weights, const char *name);

/* Reads the layers of a file; none for a file without. ERR_INPUT for wrong shapes, types and values. */
enum status quant_read(struct quant *quant, const struct weights *weights, struct error *err);
/* What the weights of a layer stand for, [out][in / groups][taps]. */
void quant_weights(float *values, const struct quant_layer *layer, const struct weight_tensor *tensor);

struct params;
/* Writes parameters and layers. Atomic. The metadata should say what architecture it is. */
enum status quant_save(const struct quant *quant, const struct params *params, const char *path,
                       const struct weight_text *metadata, size_t metadata_count, struct error *err);

#endif
