/* What the parts of the benchmark share: a case is something that is timed, run by run. */
#ifndef RETORT_BENCH_BENCH_H
#define RETORT_BENCH_BENCH_H

#include "base/status.h"
#include "detect/model.h"
#include "kernels/kernels.h"
#include "nn/npy.h"
#include "train/loss_detect.h"

#include <stdbool.h>

enum {
    BENCH_SIZE = 640,
    BENCH_MAX_RUNS = 1000,
    BENCH_LAYER_TURNS = 4,
    BENCH_COLD_TURNS = 2,
    BENCH_MAX_TARGETS = 1024
};

/* Files that the cases work on. Cases without their file take made-up values, or are not there. */
struct bench_setup {
    const char *weights; /* a detector's file, or NULL: YOLO11n with synthetic values */
    const char *int8;    /* the same as integers, or NULL: no such case */
    const char *vit;     /* a ViT-S/14, or NULL: synthetic values */
    const char *picture; /* of the whole way from a file to boxes, or NULL: no such case */
    const struct kernels *kernels;
    struct npy input;       /* [images * 640 * 640, 3] in [0, 1]; without rows: noise */
    struct npy small_input; /* the same at 320 */
    struct npy targets;     /* [n, 6]: image, class, cx, cy, w, h, images ascending; without rows: made up */
    struct npy patches;     /* [224 * 224, 3], the transformer's input; without rows: noise */
    struct npy random_rows; /* embeddings to choose from; without rows: noise */
    struct npy frame_rows;  /* of real frames; without rows: no such case */
};

struct bench_case {
    char name[40];
    const struct bench_kind *kind;
    int size, batch, threads;
    enum net_plan plan;
    void *state;
    float *pixels; /* the input, copied before each run */
    size_t pixel_bytes;
    double wall[BENCH_MAX_RUNS], cpu[BENCH_MAX_RUNS]; /* seconds; cpu sums over the threads */
    int count;                                        /* timed runs */
    double last_wall, last_cpu;
    bool ran;
    struct loss_items first; /* training steps: the loss of the first one, and its gradient's norm */
    double first_norm;
};

struct bench_kind {
    enum status (*start)(struct bench_case *c, const struct bench_setup *setup, struct error *err);
    void (*before)(struct bench_case *c); /* not timed; may be NULL */
    enum status (*run)(struct bench_case *c, struct error *err);
    void (*stop)(struct bench_case *c); /* releases what state holds, also after a start that failed */
    /* What the last run made, as .npy, to be compared; NULL: nothing. */
    enum status (*write)(const struct bench_case *c, const struct bench_setup *setup, const char *path,
                         struct error *err);
    bool (*ready)(const struct bench_setup *setup); /* whether its files are given; NULL: needs none */
};
extern const struct bench_kind bench_forward, bench_int8, bench_step, bench_vit, bench_frame, bench_farthest,
    bench_farthest_frames;

/* All cases; those of one group take turns. */
struct bench_row {
    const char *name;
    const struct bench_kind *kind;
    int group, size, batch;
};
enum { BENCH_GROUPS = 8 };
extern const struct bench_row bench_table[];
extern const int bench_rows;

void bench_case_make(struct bench_case *c, const struct bench_row *row, enum net_plan plan, int threads);
enum status bench_case_start(struct bench_case *c, const struct bench_setup *setup, struct error *err);
enum status bench_case_run(struct bench_case *c, bool timed, struct error *err);
void bench_case_stop(struct bench_case *c);

/* The detector of the setup. */
enum status bench_open_model(struct model *model, const struct bench_setup *setup, struct error *err);

void bench_fill_uniform(float *values, const char *stream, size_t n, double low, double high);

/* Pixels of the case into c->pixels: rows of `given`, noise where it has none. */
enum status bench_keep_pixels(struct bench_case *c, const struct npy *given, struct error *err);

/* Answers the names of cases on stdin, one run each, with a JSON line: another program decides whose turn it
 * is. "NAME > FILE" runs and writes the output, "-NAME" ends a case: its last answer again. */
enum status bench_serve(struct bench_case *cases, int room, const struct bench_setup *setup,
                        struct error *err);

double bench_peak_megabytes(void); /* of this process, since the last reset where the kernel allows one */

double bench_wall(void); /* seconds */
double bench_cpu(void);  /* seconds of CPU time of this process, all threads */
double bench_minimum(const double *values, int n);
double bench_median(const double *values, int n);

/* Times every layer of the detector at 640 in place, in rounds over the whole network, and prints one row per
 * convolution shape and one per other operation. */
enum status bench_layers(const struct bench_setup *setup, enum net_plan plan, int threads, int rounds,
                         bool json, struct error *err);

/* Times processes of the retort command beside this program, with one picture and with some more. The picture
 * is 640 x 360, the network input square. */
enum status bench_cold(const struct bench_setup *setup, int threads, int rounds, bool json,
                       struct error *err);

#endif
