/* Trains a small vision transformer without labels, as an embedder for fixed cameras (train/contrast.h,
 * train/views.h): AdamW, the rate rising in a line and falling in a half cosine. */
#ifndef RETORT_TRAIN_PRETRAIN_H
#define RETORT_TRAIN_PRETRAIN_H

#include "base/progress.h"
#include "nn/net.h"
#include "select/vit.h"
#include "train/contrast.h"
#include "train/views.h"

struct pretrain_options {
    int dim, depth;     /* of the transformer; its table of positions is as large as a picture's grid */
    int pairs, moments; /* in a mini-batch; of each camera in it, a divisor of pairs */
    int steps, warmup;
    double rate, weight_decay, temperature, clip;
    uint64_t seed;
    int threads;
    enum net_plan plan;
    const char *folder;   /* gets train.jsonl and checkpoint.safetensors; NULL: nothing is written */
    int checkpoint_every; /* steps, also of the lines in the log; 0: never */
    bool resume;
};

struct pretrain_options pretrain_defaults(void);

struct pretrain_result {
    struct contrast_items items; /* means over the steps since the last line of the log */
    size_t weights;
};

/* params are empty; they get the trained weights, and the caller frees them in any case. A resumed run ends
 * with the same bits. ERR_USAGE when a camera has fewer pictures than moments, or the folder holds another
 * run; ERR_CHECK when something is not finite. */
enum status pretrain_run(struct pretrain_result *result, struct params *params, const struct views *views,
                         const struct kernels *kernels, const struct pretrain_options *options,
                         const struct progress *progress, struct error *err);

#endif
