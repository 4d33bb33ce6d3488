/* Embedders: a picture becomes a unit vector, by a vision transformer's class token or by the mean of a
 * detector's backbone features. Which of the two is decided by the weight file. */
#ifndef RETORT_SELECT_EMBED_H
#define RETORT_SELECT_EMBED_H

#include "detect/yolo11.h"
#include "image/letterbox.h"
#include "nn/net.h"
#include "select/vit.h"

#include <stdbool.h>

enum embedder_kind {
    EMBEDDER_VIT,      /* a square, aspect ignored [ViT] */
    EMBEDDER_DETECTOR, /* letterbox of at most 640 x 640; features of layer 10 */
};

enum { EMBEDDER_VIT_SIDE = 224 }; /* where the file does not say "image_size" */

/* Must not move while it is open: its graph points into it. */
struct embedder {
    enum embedder_kind kind;
    int dim;  /* floats of an embedding */
    int side; /* of a transformer's input, pixels */
    const struct kernels *kernels;
    int threads;
    enum net_plan plan; /* fast, unless the caller sets another before the first picture */
    size_t memory_limit; /* of a plan, as in struct net_options; may be set likewise */
    union {
        struct vit_config vit;
        struct yolo11_config detector;
    } config;
    struct params params;
    struct graph graph;
    struct net net; /* planned for inputs of this size; 0 x 0: not yet */
    int width, height;
    int features; /* tensor whose first row is the embedding before normalisation */
    struct image canvas;
    struct letterbox_scratch letterbox;
};

/* Reads the weights; the plan is made with the first picture. ERR_INPUT for a file of neither kind. After an
 * error nothing is held. */
enum status embedder_open(struct embedder *embedder, const char *weights_path, const struct kernels *kernels,
                          int threads, struct error *err);
void embedder_close(struct embedder *embedder);

/* Writes dim floats of unit length into out; *zero (may be NULL) says that the features were all zero, and
 * then out is zeros. The detector's net is planned anew when the letterbox has another size than before. */
enum status embed_image(struct embedder *embedder, const struct image *image, float *out, bool *zero,
                        struct error *err);

/* The transformer's input: (v / 255 - mean) / std, height x width x 3. */
void embed_input(float *out, const struct image *image);

/* Divides by the Euclidean norm, which is summed in double in ascending order; false for a zero vector. */
bool embed_normalise(float *values, int n);

#endif
