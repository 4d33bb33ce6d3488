/* A detector's weights: what every network over them shares. */
#ifndef RETORT_DETECT_MODEL_H
#define RETORT_DETECT_MODEL_H

#include "detect/yolo11.h"
#include "nn/quant.h"

struct model {
    struct arena arena;
    struct params params;
    struct yolo11_config config;
    struct quant quant; /* layers that detection computes in integers; params holds what they stand for */
    const char *const *names; /* [config.classes], owned by the arena */
    bool from_half;           /* every weight came from a float16 file */
    struct weights file;      /* open when the parameters are borrowed from it */
};

/* Reads a detector from a weight file of any supported format. Class names come from the file's metadata,
 * else 80 classes have COCO's names and others are called "0", "1", ... ERR_INPUT for anything that is no
 * whole YOLO11. On an error of any call that makes a model, *model is all zero. */
enum status model_open(struct model *model, const char *path, struct error *err);

/* The same for inference only, quicker and in half the memory: float32 values stay where they lie in the
 * mapped file, which must not be written to before model_free (replacing it as retort does, by renaming, is
 * fine). Nothing may change them. */
enum status model_open_mapped(struct model *model, const char *path, struct error *err);

/* Parameters of this configuration, all zero but variances, which are 1; layers below config.freeze are
 * frozen. */
enum status model_make(struct model *model, struct yolo11_config config, struct error *err);

/* Start values for training from nothing [YOLO11]: weights uniform in +-1/sqrt(fan_in) from the random
 * stream "init" of the tensor's name, box biases 2, class biases log(5 / classes / (640 / stride)^2), batch
 * norms that change nothing. */
enum status model_fresh(struct model *model, struct yolo11_config config, uint64_t seed, struct error *err);

/* The same configuration and values in memory of its own, without quantised layers: floats. */
enum status model_copy(struct model *to, const struct model *from, struct error *err);

/* The same with batch norms folded into the convolutions: equal bits in inference. */
enum status model_fold(struct model *to, const struct model *from, struct error *err);

/* Names as "classes" metadata hold them: one a line. Copies. */
enum status model_set_names(struct model *model, const char *lines, struct error *err);
/* Those of another model of as many classes. */
enum status model_copy_names(struct model *to, const struct model *from, struct error *err);

/* Writes weights with architecture, classes and, where they are not NULL, licence and origin as metadata;
 * quantised layers as such, and then `half` says nothing. Atomic. */
enum status model_save(const struct model *model, const char *path, bool half, const char *licence,
                       const char *origin, struct error *err);

/* Begins and finishes the graph of this model for inference on inputs of height x width, multiples of 32,
 * quantised layers as integers. The model must outlive it. */
enum status model_network(struct yolo11 *network, struct graph *graph, const struct model *model, int height,
                          int width, struct error *err);

void model_free(struct model *model);

/* How a model with another number of classes starts from this one (settled: transfer is the default). */
enum head_start {
    HEAD_TRANSFER, /* hidden layers keep the source's width and weights; only the last layer starts fresh */
    HEAD_REBUILD,  /* only tensors of equal name and shape are copied; the class branch has its own width */
    HEAD_KEEP,     /* as transfer, but the last layer's rows are the mean of the vehicle classes' rows */
};

/* ERR_INPUT with this name in front when batch norms are folded in: only models that have theirs are trained. */
enum status model_check_trainable(const struct model *model, const char *name, struct error *err);

/* A model of `classes` classes that starts from `source`, which is trainable, or else ERR_INPUT. Fresh
 * values are those of model_fresh. vehicles lists vehicle_count classes of the source for HEAD_KEEP. */
enum status model_restart(struct model *model, const struct model *source, int classes, enum head_start start,
                          const int *vehicles, int vehicle_count, int freeze, uint64_t seed,
                          struct error *err);

/* Gives a model that was started anew its classes' names [classes]. A class that source, unless it is NULL,
 * has under the same name, whatever the case and spaces around it, starts from source's rows of the last
 * layer [YOLO11]. Numbers are no names. */
enum status model_name_classes(struct model *model, const char *const *names, const struct model *source,
                               struct error *err);

#endif
