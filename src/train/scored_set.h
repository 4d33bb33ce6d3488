/* Labelled pictures that score weights while they train: a validation set or a guard set. */
#ifndef RETORT_TRAIN_SCORED_SET_H
#define RETORT_TRAIN_SCORED_SET_H

#include "base/hash.h"
#include "detect/evaluate.h"
#include "train/trainer.h"

struct scored_set {
    struct dataset data; /* where opened from a path; owns the items then */
    const struct dataset_item *items;
    size_t count, labels; /* labels: those that count */
    struct evaluate_options options;
    const struct kernels *kernels;
    int threads;
    char recipe[SHA256_HEX]; /* of the options that matter, pictures and labels; file names do not */
};

/* The items are the caller's and outlive the set. ERR_INPUT for a file that cannot be read. */
enum status scored_set_make(struct scored_set *set, const struct dataset_item *items, size_t count,
                            const struct evaluate_options *options, const struct kernels *kernels,
                            int threads, struct error *err);

/* The pictures of a folder or the val of a data.yaml; ERR_INPUT, too, when no label counts. Close it in any
 * case. */
enum status scored_set_open(struct scored_set *set, const char *path, const struct evaluate_options *options,
                            const struct kernels *kernels, int threads, struct error *err);
void scored_set_close(struct scored_set *set);

/* mAP50-95 of these weights; 0 where no label counts. */
enum status scored_set_score(const struct scored_set *set, const struct model *model, double *score,
                             const struct progress *progress, struct error *err);

/* As the trainer wants it. */
struct trainer_validation scored_set_validation(struct scored_set *set);

#endif
