/* FILTER: which B of the M candidates are kept [D-SBAD].
 *
 * Results do not depend on threads or ISA: float products are the kernel table's, everything else is double
 * in index order. Zero or non-finite embeddings have similarity 0 to everything and are counted. */
#ifndef RETORT_SELECT_FILTER_H
#define RETORT_SELECT_FILTER_H

#include "base/arena.h"
#include "base/status.h"
#include "kernels/kernels.h"
#include "select/confidence.h"
#include "select/draws.h"

#include <stdbool.h>
#include <stddef.h>

enum filter_rule {
    FILTER_NONE,             /* keep all candidates */
    FILTER_FARTHEST_FIRST,   /* the densest frame, then always the one least similar to those picked; O(M B
                                width) */
    FILTER_TFDP,             /* highest sum of box shape complexities */
    FILTER_MODERATE,         /* distance from the centre nearest to the median distance */
    FILTER_LEAST_CONFIDENCE, /* without boxes: 0 */
    FILTER_TOP_CONFIDENCE,
    FILTER_ENTROPY, /* highest -p ln p */
    FILTER_RANDOM,
    FILTER_K_MEANS,
    FILTER_SPHERICAL_K_MEANS,
    FILTER_K_MEDOIDS, /* of 1 - cosine, started from farthest-first */
    FILTER_RULES
};

enum moderate_rule { MODERATE_VALUE, MODERATE_RANK };
enum moderate_center { CENTER_MEAN, CENTER_MEDIAN };

struct filter_options {
    enum filter_rule rule;
    int budget;                           /* B, at least 1 */
    bool allow_short;                     /* fewer than B candidates: all of them, instead of an error */
    enum aggregation aggregation;         /* of box confidences */
    enum aggregation entropy_aggregation; /* of box entropies */
    bool mark_duplicates; /* farthest-first: rows equal to a pick go with it; more than B can come out */
    double max_cosine; /* farthest-first: stop when all that is left is more similar than this; 1 = never */
    bool pixels;       /* tfdp: widths and heights in pixels; otherwise normalised by the image's */
    enum moderate_rule moderate_rule;
    enum moderate_center moderate_center;
};

struct filter_options filter_defaults(void);

/* "none", "farthest-first", "tfdp", "moderate", "least-confidence", "top-confidence", "entropy", "random",
 * "k-means", "spherical-k-means", "k-medoids". ERR_USAGE for other names; the message lists them. */
const char *filter_rule_name(enum filter_rule rule);
enum status filter_rule_parse(enum filter_rule *rule, const char *name, struct error *err);
bool filter_needs_embeddings(enum filter_rule rule);

struct filter_box {
    double width, height; /* fractions of the image's */
    double confidence;
};

/* The candidates in stream order. What a rule does not need may be missing. */
struct filter_frames {
    int count;
    const float *embeddings; /* [count][width], rows embedding_stride apart */
    ptrdiff_t embedding_stride;
    int width;
    const struct filter_box *boxes;
    const int *first_box; /* [count + 1]: boxes of frame i are first_box[i] to first_box[i + 1] - 1 */
    double image_width, image_height; /* tfdp in pixels */
    struct draws draws;               /* random and the k-means starts */
};

struct filter_result {
    int count;
    int *frames; /* [count], ascending */
    int *ranks; /* [count]: when frames[i] was picked, from 0; rows marked as duplicates share their pick's */
    /* [count], by rule: largest cosine to the frames picked before (0 for the first), complexity, distance
     * from the median distance (rank rule: distance from the centre), confidence, entropy, squared distance
     * from or cosine to the cluster's centre; 0 for none, random and k-medoids. 0 when all candidates were
     * kept without scoring. */
    double *scores;
    bool incomplete; /* fewer than B */
    bool stopped;    /* by max_cosine */
    int bad;         /* embeddings that were zero or not finite */
    int iterations;  /* of the clustering, the stopping one included */
    int *start;      /* [B]: its seeds in picking order; NULL for other rules */
};

/* B = M keeps all without looking at anything but the count. Memory of the result is the arena's. ERR_USAGE
 * for options, ERR_INPUT when M < B (see allow_short). */
enum status filter_run(struct filter_result *result, const struct filter_options *options,
                       const struct filter_frames *frames, const struct kernels *kernels, int threads,
                       struct arena *arena, struct error *err);

/* The shape complexity of one box, P / (2 sqrt(pi A)): 1.128 for a square; 0 when it has no area. */
double filter_shape_complexity(double width, double height);

#endif
