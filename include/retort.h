/* retort: detectors that learn on the machine that runs them.
 *
 * A model is opened from a weight file; a detector finds objects in pictures with it; its confidences pick
 * frames from a stream (the selector), an embedder and the filter thin those out, and retort_adapt fine-tunes
 * the model on what was kept, once it is labelled. The same weights, pictures and options give the same bits
 * on every machine, instruction set and number of threads.
 *
 * Conventions
 *   - Handles are opaque. A function that opens one sets *handle to NULL when it fails. Closing NULL does
 *     nothing.
 *   - Calls that can fail return a status and, where err is not NULL and the status is not RETORT_OK, a
 *     message there that names the file, the place in it, what was expected and what was found. Outputs are
 *     then not written, unless the call says otherwise. A null pointer where none is allowed is the caller's bug.
 *   - Option structures come from their _defaults function; NULL stands for the defaults.
 *   - threads: 0 means OMP_NUM_THREADS, else as many as there are CPUs for the process.
 *   - There are no globals: different handles may be used from different threads at the same time, one handle
 *     from one thread at a time. A model may serve several detectors at once.
 *   - Nothing is printed, no signal is handled, and the process is never ended. */
#ifndef RETORT_H
#define RETORT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The values are also the exit statuses of the retort command. */
enum retort_status {
    RETORT_OK = 0,
    RETORT_CHECK = 1,       /* a check did not hold: a number that must be finite is not */
    RETORT_USAGE = 2,       /* an option out of its range */
    RETORT_INPUT = 3,       /* a file is missing, damaged or over a limit; a picture is too large */
    RETORT_SYSTEM = 4,      /* memory or disk */
    RETORT_INTERRUPTED = 5, /* the progress callback asked to stop */
};

struct retort_error {
    enum retort_status status;
    char message[600]; /* one line, NUL-terminated */
};

/* "1.2.3"; static. */
const char *retort_version(void);

/* ---- Pictures ---- */

/* Eight-bit RGB: row-major, three bytes a pixel (R, G, B), rows without gaps. May point at the caller's
 * memory. */
struct retort_picture {
    int width, height; /* 1 to 16384, at most 2^27 pixels */
    const uint8_t *pixels;
};

/* Reads a JPEG, PNG, PPM or PGM file, turned upright as its EXIF says. The caller ends with
 * retort_picture_free; a picture of the caller's own memory must not be given to that. RETORT_INPUT for
 * anything else; the picture is then empty and needs no end. */
enum retort_status retort_picture_read(struct retort_picture *picture, const char *path,
                                       struct retort_error *err);
void retort_picture_free(struct retort_picture *picture);

/* ---- Models ---- */

struct retort_model;

/* Reads a YOLO11 detector from a safetensors file or a PyTorch checkpoint (nothing in it is executed). */
enum retort_status retort_model_open(struct retort_model **model, const char *path, struct retort_error *err);

/* After every detector of it is closed. */
void retort_model_close(struct retort_model *model);

/* Number of classes, and the name of class 0 <= i < classes, owned by the model. */
int retort_model_classes(const struct retort_model *model);
const char *retort_model_class_name(const struct retort_model *model, int i);

/* Writes a safetensors file in one atomic step, as float16 when half is not 0, which says nothing of a quantised
 * model. RETORT_INPUT when a weight does not fit float16. */
enum retort_status retort_model_save(const struct retort_model *model, const char *path, int half,
                                     struct retort_error *err);

/* ---- Plans ---- */

/* Which algorithms compute a network. Each gives the same bits on every machine; they differ from one another in the
 * last digits. */
enum retort_plan {
    RETORT_FAST = 0,     /* convolutions with fewer multiplications where that is faster */
    RETORT_EXACT = 1,    /* every sum in the order of its definition */
    RETORT_FAST_0_1 = 2, /* as RETORT_FAST chose in version 0.1: for repeating what it made */
};

/* ---- Detection ---- */

struct retort_detector;

struct retort_detector_options {
    double confidence; /* in [0, 1): detections are strictly above; 0.25 */
    double overlap; /* in [0, 1]: of two boxes with a larger intersection over union the less confident goes;
                       0.7 */
    int max_detections; /* 1 to 30000 a picture; 300 */
    int size;           /* longer side of the network's input, pixels, a multiple of 32 up to 8192; 640 */
    int threads;
    enum retort_plan plan; /* RETORT_FAST */
};

struct retort_detection {
    float x1, y1, x2, y2; /* corners in pixels of the picture, inside it */
    float confidence;     /* in (0, 1] */
    int class_id;
};

struct retort_detector_options retort_detector_defaults(void);

/* The model must stay open as long as the detector. RETORT_USAGE names the option out of range. */
enum retort_status retort_detector_open(struct retort_detector **detector, const struct retort_model *model,
                                        const struct retort_detector_options *options,
                                        struct retort_error *err);
void retort_detector_close(struct retort_detector *detector);

/* Finds objects, most confident first: *count <= options.max_detections of them at *found, owned by the
 * detector and valid until its next call. Memory is planned anew when the shape of the network's input
 * changes; pictures of one size after the other take no more of it. */
enum retort_status retort_detect(struct retort_detector *detector, const struct retort_picture *picture,
                                 const struct retort_detection **found, int *count, struct retort_error *err);

/* ---- Selection: which frames of a stream are worth a label ---- */

struct retort_selector;

struct retort_selector_options {
    double alpha; /* in [0, 1]: share of the warm-up's confidences above the threshold; 0.1 */
    int warmup;   /* frames with a detection that only set the threshold, >= 1; 720 */
    int count;    /* frames wanted in a window, >= 1; 128 */
    int window;   /* frames of a window after the warm-up, at most, >= 1; sizes the memory; 262144 */
};

/* What becomes of a frame; final but for RETORT_CLOSED. */
enum retort_verdict {
    RETORT_EMPTY,    /* it has no detection: invisible to the rule */
    RETORT_WARMING,  /* it only sets the threshold */
    RETORT_REFUSED,  /* not above the threshold */
    RETORT_SELECTED, /* above it: keep this frame */
    RETORT_CLOSED,   /* the window is over; the frame counts nowhere */
};

struct retort_selector_options retort_selector_defaults(void);

/* The rule top-confidence over one frame at a time. */
enum retort_status retort_selector_open(struct retort_selector **selector,
                                        const struct retort_selector_options *options,
                                        struct retort_error *err);
void retort_selector_close(struct retort_selector *selector);

/* The next frame of the stream, by the most confident of what was found in it, in any order. found may be NULL
 * when count is 0. */
enum retort_verdict retort_select(struct retort_selector *selector, const struct retort_detection *found,
                                  int count);

/* Ends the window and starts the next one. rewarm != 0: with a new warm-up, as after the model changed;
 * otherwise the threshold is kept, or lowered when too few frames passed it. */
void retort_selector_next_window(struct retort_selector *selector, int rewarm);

/* Writes the selector's state to a file in one atomic step, for a program that starts again to go on with: warm-up,
 * threshold and counters, eight bytes for each confidence that the window keeps. RETORT_SYSTEM when the disk fails. */
enum retort_status retort_selector_save(const struct retort_selector *selector, const char *path,
                                        struct retort_error *err);

/* Into a selector that was opened with the same options, which then goes on as the saved one would have. RETORT_INPUT,
 * and the selector as it was, for a file that is missing or damaged or was written with other options. */
enum retort_status retort_selector_load(struct retort_selector *selector, const char *path,
                                        struct retort_error *err);

/* ---- Embedding and filtering: which of the selected frames differ ---- */

struct retort_embedder;

struct retort_embedder_options {
    int threads;
    enum retort_plan plan; /* RETORT_FAST */
};

struct retort_embedder_options retort_embedder_defaults(void);

/* From the weights of a vision transformer (DINOv2 layout) or of a YOLO11 detector, whose backbone is used.
 */
enum retort_status retort_embedder_open(struct retort_embedder **embedder, const char *path,
                                        const struct retort_embedder_options *options,
                                        struct retort_error *err);
void retort_embedder_close(struct retort_embedder *embedder);

/* Floats of an embedding. */
int retort_embedder_size(const struct retort_embedder *embedder);

/* Writes retort_embedder_size floats: a vector of length 1, or zeros where the network's features are all
 * zero. */
enum retort_status retort_embed(struct retort_embedder *embedder, const struct retort_picture *picture,
                                float *out, struct retort_error *err);

/* Farthest-first: writes *kept = min(budget, count) row numbers, ascending, to kept_rows, which has room for them.
 * embeddings: count >= 0 rows of size >= 1 floats without gaps. Rows are as similar as their product is large, so
 * their length must be 1, as retort_embed writes them; one that is zero or not finite has similarity 0 to all. Uses
 * the threads that 0 means elsewhere. RETORT_USAGE for a budget below 1, RETORT_SYSTEM when memory runs out. */
enum retort_status retort_filter(const float *embeddings, int count, int size, int budget, int *kept_rows,
                                 int *kept, struct retort_error *err);

/* ---- Adaptation ---- */

struct retort_adapt_options {
    /* Labels of these classes, each 0 to 65535, become the one class of the new model and all others are dropped.
     * Its name is "0", or that of a model's only class. NULL: labels as they are, below the number of classes of
     * the data's data.yaml, or else of the model. */
    const int *label_classes;
    int label_class_count; /* 1 to 65536; 0 with NULL */
    int epochs; /* >= 1; 100 */
    int batch;  /* pictures a mini-batch, 1 to 4096; 16 */
    int size;   /* side of the network's input, pixels, a multiple of 32 up to 8192; 640 */
    int freeze; /* layers from the front that keep their weights, 0 to 23 (all but the head); 0 */
    uint64_t seed;
    int threads;
    enum retort_plan plan; /* RETORT_FAST */
    /* Called between units of work, by the thread that called retort_adapt: `done` of `total` of the stage ("load",
     * "train") are finished. Returning 0 stops with RETORT_INTERRUPTED. NULL: not called. */
    int (*progress)(void *context, const char *stage, int64_t done, int64_t total);
    void *context;
};

struct retort_adapt_options retort_adapt_defaults(void);

/* Fine-tunes a copy of the model on labelled pictures and opens the result as a model of its own. data: a
 * folder with images/ and labels/ (YOLO txt), or a data.yaml. With another number of classes the last layer
 * of the class branch starts fresh, except for classes that data.yaml names as the model does. Classes that
 * stay apart get the names of data.yaml. Writes no file. RETORT_USAGE names the option out of range; RETORT_INPUT
 * for weights with folded batch norms, as quantised ones have (they cannot be trained), for damaged files, for a
 * label of a class that there is not, and when no picture has a label; RETORT_CHECK names the output, or the tensor
 * by its gradient, that stopped being finite; RETORT_SYSTEM when memory runs out. */
enum retort_status retort_adapt(struct retort_model **adapted, const struct retort_model *model,
                                const char *data, const struct retort_adapt_options *options,
                                struct retort_error *err);

#ifdef __cplusplus
}
#endif

#endif
