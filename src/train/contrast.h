/* The contrastive loss: each row should be nearer to its partner than to any other row.
 *
 * Rows 2k and 2k + 1 are partners. With unit rows z, similarities s_ij = z_i . z_j / temperature and
 * p_ij = exp(s_ij) / sum over k != i of exp(s_ik), the loss is the mean over i of -log p_i,partner(i): the
 * NT-Xent form of InfoNCE (Chen et al., "A simple framework for contrastive learning", 2020). The gradient
 * goes through the division by the length:
 *
 *   c_ij = (p_ij + p_ji - 2 [partners]) / (temperature * rows),  g_i = sum over j of c_ij z_j,
 *   dx_i = (g_i - (g_i . z_i) z_i) / |x_i|
 *
 * All in double, every sum over ascending indices; threads share rows. */
#ifndef RETORT_TRAIN_CONTRAST_H
#define RETORT_TRAIN_CONTRAST_H

#include "base/arena.h"
#include "base/status.h"

#include <stddef.h>

struct contrast {
    int rows, dim, threads; /* rows even */
    double temperature;
    double *unit, *length; /* [rows][dim], [rows] */
    double *share;         /* p, [rows][rows] */
    double *loss;          /* [rows] */
    double *along;         /* scratch: [rows][dim] */
};

struct contrast_items {
    double loss;
    double found; /* share of the rows whose nearest row is their partner; on a tie it is not */
};

/* Memory for so many rows, owned by the arena. */
enum status contrast_init(struct contrast *contrast, struct arena *arena, int rows, int dim,
                          double temperature, int threads, struct error *err);

/* values: row i at values + i * stride. gradient likewise, or NULL; gets scale * dx, magnitudes below 2^-40
 * as +0. ERR_CHECK naming the row that is zero or not finite; nothing is written then. */
enum status contrast_run(struct contrast *contrast, struct contrast_items *items, float *gradient,
                         ptrdiff_t gradient_stride, const float *values, ptrdiff_t stride, double scale,
                         struct error *err);

#endif
