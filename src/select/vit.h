/* Vision transformers of the DINOv2 layout [ViT] as graphs: the embedder of the selection.
 *
 * Names, shapes and order of the parameters are those of the PyTorch state dict; mask_token, which nothing
 * reads, is no parameter. */
#ifndef RETORT_SELECT_VIT_H
#define RETORT_SELECT_VIT_H

#include "nn/graph.h"
#include "nn/weights.h"

enum { VIT_PATCH = 14, VIT_MAX_DEPTH = 40 };

struct vit_config {
    int dim, depth, heads; /* dim a multiple of heads */
    int mlp;               /* hidden width of the two-layer perceptrons */
    int grid;              /* side of the stored position table */
    int registers;         /* register tokens */
    bool antialias;        /* how the position table is resampled: true for register models */
};

struct vit {
    struct vit_config config;
    int tokens;               /* tensor [1, N, dim]: class token, registers, patches with their positions */
    int block[VIT_MAX_DEPTH]; /* tensor: output of every block */
    int norm;                 /* tensor: all tokens after the final norm */
};

/* Appends the network for inputs of height x width, both multiples of 14, to a graph that was only begun,
 * marks `norm` as output and finishes the graph. The input's values are (v / 255 - mean) / std, R G B. */
enum status vit_build(struct vit *model, struct graph *graph, struct vit_config config, int height, int width,
                      bool input_gradient, struct error *err);

/* Start values for training: matrices uniform in +-sqrt(6 / (in + out)), tokens and positions uniform with
 * the deviation 0.02, from the random stream "init" of the tensor's name; norms and gammas 1, biases 0. */
void vit_fresh(struct params *params, uint64_t seed);

/* What a weight file holds, from its shapes; heads are 64 channels wide, or 32 where dim is no multiple
 * of 64. ERR_INPUT when it is no such network. */
enum status vit_identify(struct vit_config *config, const struct weights *weights, struct error *err);

#endif
