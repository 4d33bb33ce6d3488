/* SELECT: which frames of a stream become candidates [D-SBAD].
 *
 * Here over a stored stream of n frames; select/stream.h takes one frame at a time. All comparisons with the
 * threshold are strict, all lists are in stream order, ties go to the lower index. */
#ifndef RETORT_SELECT_SELECT_H
#define RETORT_SELECT_SELECT_H

#include "base/arena.h"
#include "base/status.h"
#include "kernels/kernels.h"
#include "select/draws.h"
#include "select/embeddings.h"

#include <stdbool.h>

enum select_rule {
    SELECT_TOP_CONFIDENCE,   /* above the quantile 1 - alpha of a warm-up */
    SELECT_LEAST_CONFIDENCE, /* below its quantile alpha */
    SELECT_N_FIRST,
    SELECT_UNIFORM, /* one draw a frame: taken when u >= 1 - rate */
    SELECT_INTERVAL,
    SELECT_CHUNK_DIVERSITY, /* one frame a chunk, the least similar to those before */
    SELECT_ALL,             /* every frame, whatever was wanted */
    SELECT_RULES
};

/* What happens when the stream ends before all wanted frames are found. */
enum end_policy {
    END_CLOSE, /* return what there is; the next window gets a threshold that is easier to pass */
    END_SHORT, /* return what there is */
    END_RELAX, /* lower the threshold by steps of 0.05 and start again; needs the stored stream */
};

struct select_options {
    enum select_rule rule;
    int wanted;         /* n = gamma * B, at least 1 */
    int warmup;         /* frames with a confidence that only set the threshold, never selected */
    double alpha;       /* in [0, 1] */
    double rate;        /* of SELECT_UNIFORM, in (0, 1] */
    int reserve_last;   /* SELECT_N_FIRST: frames at the end that are not there */
    bool empty_is_zero; /* frames without boxes count as confidence 0; otherwise they are invisible */
    enum end_policy policy;
    int window; /* streams with END_CLOSE: most frames with a confidence after the warm-up; sizes the memory
                 */
};

struct select_options select_defaults(void);

/* "top-confidence", "least-confidence", "n-first", "uniform", "interval", "chunk-diversity", "all". ERR_USAGE for
 * other names; the message lists them. */
const char *select_rule_name(enum select_rule rule);
enum status select_rule_parse(enum select_rule *rule, const char *name, struct error *err);

/* ERR_USAGE naming the option that is out of range. */
enum status select_check(const struct select_options *options, struct error *err);

/* The quantile of the warm-up that sets the threshold after `steps` steps of 0.05, not clamped to [0, 1]. */
double select_level(const struct select_options *options, int steps);

/* END_CLOSE: the quantile for a window that follows so many short ones; it stops at the median. */
double select_window_level(const struct select_options *options, int short_windows);

/* A stored stream. What a rule does not need may be missing. */
struct select_bank {
    int frames;
    const double
        *confidence; /* [frames], CONFIDENCE_NONE without boxes: confidence rules; chunks, where NULL = all */
    const float *embeddings; /* [frames][width], rows embedding_stride apart: chunks */
    ptrdiff_t embedding_stride;
    int width;
    struct draws draws;            /* uniform: draw i is frame i's */
    const struct kernels *kernels; /* chunks */
};

struct selection {
    int *frames; /* [count], ascending */
    int count;
    bool incomplete; /* fewer than wanted */
    bool relaxed;    /* the threshold or rate was lowered */
    /* Confidence rules. */
    bool warm;         /* the warm-up was complete; only then tau is a threshold */
    double tau, alpha; /* those of the last round */
    double next_tau;   /* END_CLOSE: for the next window, when incomplete */
    double rate;       /* uniform: that of the last round */
    int bad;           /* chunks: embeddings that were zero or not finite */
};

/* Memory of the selection is the arena's. ERR_USAGE for options, ERR_INPUT for a bank with fewer than wanted
 * frames or one that END_RELAX cannot satisfy. */
enum status select_run(struct selection *selection, const struct select_options *options,
                       const struct select_bank *bank, struct arena *arena, struct error *err);

#endif
