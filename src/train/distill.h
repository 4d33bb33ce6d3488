/* The main job [D-SBAD]: watch a stream with the student, SELECT candidate frames, FILTER them to the
 * budget, let a teacher label them, fine-tune the student on them, and show what it gained.
 *
 * All files go into one folder:
 *
 * - set/images, set/labels: the chosen frames as they would be uploaded and the teacher's labels, a data set
 * - candidates/: the candidate frames that were not chosen
 * - validation/images, validation/labels: with DISTILL_EXTRA, the frames that choose the best epoch
 * - selection.jsonl: the ledger, every frame of the stream with the reason why it was taken or not
 * - train/: log, checkpoint and best weights of the training
 * - weights.safetensors: the distilled student
 * - report.html: pictures, curves and tables of the run
 * - recipe: a hash of what decides selection, labels and training, and one of the pictures in set and validation
 *
 * A folder that holds an earlier run is refused without resume, and on resume one of another recipe, before
 * anything in it is touched. On resume watching and choosing are repeated and give the same bits; the teacher's
 * labels are recorded inputs and stay where the pictures are the same, so that it is asked only for what is
 * missing (but for its confidences in candidates, which are asked again); the training goes on. */
#ifndef RETORT_TRAIN_DISTILL_H
#define RETORT_TRAIN_DISTILL_H

#include "detect/evaluate.h"
#include "select/filter.h"
#include "select/ledger.h"
#include "select/select.h"
#include "train/teacher.h"
#include "train/trainer.h"

enum distill_validation {
    DISTILL_HOLDOUT, /* a tenth of the chosen frames, at least 4, at even distances; none below 8 frames */
    DISTILL_EXTRA,   /* the last extra_frames of the stream, labelled by the teacher, never candidates */
    DISTILL_FOLDER,  /* frames that the user names */
    DISTILL_NO_VALIDATION
};

struct distill_options {
    const char *student, *frames, *folder; /* weights, frame source, output */
    /* One of these three labels the chosen frames. */
    const char *teacher_weights, *teacher_labels, *teacher_command;
    struct teacher_options teacher;
    bool merge_before; /* student and detector as teacher: merge the classes before suppression [D-SBAD];
                        * the teacher's own does not count */
    int budget, gamma;
    struct select_options select; /* policy: END_SHORT, or END_RELAX for sources that can be read twice */
    struct filter_options filter; /* its aggregation makes SELECT's confidences, too */
    bool teacher_confidence;      /* the filters least- and top-confidence go by the teacher's, asked of all
                                     candidates */
    bool label_original; /* the teacher sees the frame's own file, not the uploaded JPEG; frames must be files
                          */
    const char *embedder; /* weights of a vision transformer; NULL: the student's own backbone */
    const int *vehicles;  /* classes of the student that count, merged to the one class that is learned */
    int vehicle_count;
    enum head_start head;
    int size; /* of the student's input while it watches, and of the training pictures */
    struct trainer_options trainer;
    int freeze;
    bool half; /* store the result as float16 */
    enum distill_validation validation;
    const char *validation_folder;
    int extra_frames;
    bool ship_better;  /* weights are written only when the score on the validation frames rose; always where
                        * there are none */
    const char *guard; /* data set against forgetting, or NULL; trainer.guard.loss is its limit */
    const char *test;  /* data set that scores student, result and a teacher's weights, or NULL */
    bool as_coded; /* student and teacher also as the paper's code scores them: only boxes above confidence
                    * 0.4, of any class [D-SBAD] */
    struct evaluate_options scoring;
    enum net_plan plan; /* of every network here; those of teacher, trainer and scoring do not count */
    const struct kernels *kernels;
    int threads;
};

/* One frame of the stream. */
struct distill_frame {
    const char *name;
    double time;       /* seconds from the start of the stream; NaN: not known */
    double confidence; /* of the student's best vehicle; CONFIDENCE_NONE */
    enum ledger_reason reason;
    int candidate; /* its number among the candidates, or -1 */
};

/* A frame that SELECT took. */
struct distill_candidate {
    int frame;        /* index in the stream */
    const char *file; /* the stored picture */
    size_t bytes;
    int rank;     /* of its pick by FILTER; -1: filtered out */
    double score; /* FILTER's, as in the ledger */
    int labels;   /* of the teacher; chosen frames only */
    struct filter_box *boxes;
    int box_count;
};

struct distill_result {
    struct distill_frame *frames;
    int frame_count;
    int unreadable;                       /* frames that were passed over because they are broken ... */
    const char *first_broken;             /* ... and what is wrong with the first; NULL: none is */
    struct distill_candidate *candidates; /* in stream order */
    int candidate_count, chosen_count;
    int *chosen;                     /* [chosen_count] candidate numbers, in stream order */
    struct distill_candidate *extra; /* validation frames beside the candidates, in stream order */
    int extra_count;
    size_t extra_bytes;
    bool relaxed;         /* END_RELAX lowered the threshold or raised the chance */
    double rate;          /* of SELECT_UNIFORM then */
    double tau;           /* NaN: the rule has no threshold, or the warm-up was never complete */
    int warmup_end;       /* first frame after the warm-up; 0: none */
    bool short_of_budget; /* fewer than the budget were found */
    size_t uploaded_bytes, candidate_bytes;
    int validation_frames; /* of the chosen ones, held out */
    struct trainer_result training;
    double validation_before, validation_after; /* as guard_before, where ship_better asks for them */
    double guard_before;      /* mAP50-95 of the student on the guard set; NaN: none */
    /* On the test frames; not defined: none. */
    struct metric_result before, after, teacher, before_as_coded, teacher_as_coded;
    char student_hash[65], weights_hash[65]; /* of the weights before, and after as they are delivered */
    const char *weights_file;
    const char *withheld; /* why ship_better wrote no weights; NULL: it wrote them */
};

/* Runs all of it. The result's memory is the arena's. Statuses as those of the parts; ERR_INPUT when the
 * stream gives no candidate, a frame of the stream, the validation or the guard set is also a test frame (by
 * its pixels), or the teacher finds nothing in any frame. A frame that cannot be read is passed over. */
enum status distill_run(struct distill_result *result, const struct distill_options *options,
                        const struct progress *progress, struct arena *arena, struct error *err);

/* The report of a run (distill_report.c). before and after are the weights that were compared; pictures that
 * show both are taken from the test frames, or else, where there are none, from the chosen ones. */
enum status distill_report(const char *path, const struct distill_options *options,
                           const struct distill_result *result, const struct dataset *test,
                           const struct model *before, const struct model *after, struct error *err);

#endif
