#include "train/distill_label.h"

#include "base/file.h"
#include "base/hash.h"
#include "detect/labels.h"
#include "image/decode.h"

static enum status open_teacher(struct teacher **teacher, const struct distill_options *o, struct error *err)
{
    if (o->teacher_weights)
        return teacher_open_model(teacher, o->teacher_weights, o->kernels, o->threads, &o->teacher, err);
    if (o->teacher_labels) return teacher_open_folder(teacher, o->teacher_labels, &o->teacher, err);
    return teacher_open_command(teacher, o->teacher_command, &o->teacher, err);
}

/* The teacher, not opened before there is something to ask. Where it is asked of candidates, what it says is kept in a
 * folder, each answer under the hash of the picture, and not asked again: neither when the run is resumed nor of a
 * chosen frame. */
struct asking {
    const struct distill_options *options;
    struct arena *arena;
    struct teacher *teacher;
    const char *answers; /* folder, or NULL: nothing is kept */
};

bool distill_asks_of_candidates(const struct distill_options *options)
{
    const enum filter_rule rule = options->filter.rule;
    return options->teacher_confidence && (rule == FILTER_LEAST_CONFIDENCE || rule == FILTER_TOP_CONFIDENCE);
}

static enum status begin_asking(struct asking *asking, const struct distill_options *o, struct arena *arena,
                                struct error *err)
{
    *asking = (struct asking){.options = o, .arena = arena};
    if (!distill_asks_of_candidates(o) || o->teacher_labels) return OK;
    asking->answers = arena_printf(arena, "%s/answers", o->folder);
    return asking->answers ? file_make_folder(asking->answers, err) : fail_memory(err, "a path", 1);
}

/* status: of what was asked. */
static enum status end_asking(struct asking *asking, enum status status, struct error *err)
{
    if (status == OK && asking->teacher) status = teacher_finish(asking->teacher, err);
    teacher_close(asking->teacher);
    return status;
}

/* A folder of labels knows a frame by its own name, the other teachers by the picture that they see. */
static enum status ask_teacher(struct asking *asking, const char *original, const char *shown,
                               struct labels *labels, struct error *err)
{
    const struct distill_options *const o = asking->options;
    struct image picture = {0};
    if (!asking->teacher) TRY(open_teacher(&asking->teacher, o, err));
    TRY(image_read(&picture, shown, err));
    const enum status status = teacher_label(asking->teacher, o->teacher_labels ? original : shown, &picture,
                                             labels, asking->arena, err);
    image_free(&picture);
    return status;
}

/* One frame, by its own name and by the picture of it that is stored. */
static enum status ask(struct asking *asking, const char *original, const char *stored, struct labels *labels,
                       struct error *err)
{
    const struct distill_options *const o = asking->options;
    const char *const shown = o->label_original && !o->teacher_labels ? original : stored;
    char hash[SHA256_HEX];
    if (!asking->answers) return ask_teacher(asking, original, shown, labels, err);
    TRY(sha256_file(shown, hash, err));
    const char *const answer = arena_printf(asking->arena, "%s/%s.txt", asking->answers, hash);
    if (!answer) return fail_memory(err, "a path", sizeof hash);
    if (!file_exists(answer)) {
        TRY(ask_teacher(asking, original, shown, labels, err));
        TRY(labels_write(answer, labels->rows, labels->count, err));
    }
    return labels_read(labels, asking->arena, answer, 0, err);
}

/* ---- The labels that the student learns from ---- */

struct work {
    struct distill_result *result;
    const struct dataset_item *chosen, *extra;
    const struct progress *progress;
};

/* What the teacher has said once is an input that was recorded (D-SBAD 7): it is not asked again, since a program
 * may answer with other digits. */
static enum status label_frame(const struct work *work, struct asking *asking, struct distill_candidate *c,
                               const struct dataset_item *item, struct error *err)
{
    struct labels labels;
    if (!file_exists(item->labels)) {
        TRY(ask(asking, work->result->frames[c->frame].name, item->image, &labels, err));
        TRY(labels_write(item->labels, labels.rows, labels.count, err));
    }
    TRY(labels_read(&labels, asking->arena, item->labels, 0, err));
    c->labels = (int)labels.count;
    return OK;
}

static enum status label_list(const struct work *work, struct asking *asking, int64_t *total,
                              struct error *err)
{
    struct distill_result *const r = work->result;
    const int count = r->chosen_count + r->extra_count;
    for (int i = 0; i < count; i++) {
        const int k = i - r->chosen_count;
        struct distill_candidate *c = k < 0 ? r->candidates + r->chosen[i] : r->extra + k;
        TRY(label_frame(work, asking, c, k < 0 ? work->chosen + i : work->extra + k, err));
        if (k < 0) *total += c->labels;
        if (!progress_report(work->progress, "label", i + 1, count, ""))
            return fail(err, ERR_INTERRUPTED, "interrupted while the teacher labels");
    }
    return OK;
}

enum status distill_label(struct distill_result *result, const struct distill_options *options,
                          const struct dataset_item *chosen, const struct dataset_item *extra,
                          const struct progress *progress, struct arena *arena, struct error *err)
{
    const struct work work = {result, chosen, extra, progress};
    struct asking asking;
    int64_t total = 0;
    TRY(begin_asking(&asking, options, arena, err));
    TRY(end_asking(&asking, label_list(&work, &asking, &total, err), err));
    if (!total)
        return fail(err, ERR_INPUT,
                    "the teacher found nothing in any of the %d chosen frames: there is nothing to learn",
                    result->chosen_count);
    return OK;
}

/* ---- The teacher's confidences for the filters ---- */

static enum status teacher_boxes(struct distill_candidate *c, const char *name, const struct labels *labels,
                                 struct arena *arena, struct error *err)
{
    c->box_count = (int)labels->count;
    c->boxes = arena_alloc(arena, labels->count, sizeof *c->boxes);
    if (!c->boxes) return fail_memory(err, "boxes of a frame", labels->count * sizeof *c->boxes);
    for (int i = 0; i < c->box_count; i++) {
        const struct label *l = labels->rows + i;
        if (l->confidence < 0)
            return fail(err, ERR_INPUT,
                        "%s: expected the teacher's confidence in each object, to filter by it, found none",
                        name);
        c->boxes[i] = (struct filter_box){l->w, l->h, l->confidence};
    }
    return OK;
}

static enum status ask_of_candidates(struct distill_result *result, struct asking *asking,
                                     const struct progress *progress, struct error *err)
{
    for (int i = 0; i < result->candidate_count; i++) {
        struct distill_candidate *c = result->candidates + i;
        const char *const name = result->frames[c->frame].name;
        struct labels labels;
        TRY(ask(asking, name, c->file, &labels, err));
        TRY(teacher_boxes(c, name, &labels, asking->arena, err));
        if (!progress_report(progress, "ask the teacher", i + 1, result->candidate_count, ""))
            return fail(err, ERR_INTERRUPTED, "interrupted while asking the teacher");
    }
    return OK;
}

enum status distill_label_candidates(struct distill_result *result, const struct distill_options *options,
                                     const struct progress *progress, struct arena *arena, struct error *err)
{
    struct asking asking;
    TRY(begin_asking(&asking, options, arena, err));
    return end_asking(&asking, ask_of_candidates(result, &asking, progress, err), err);
}
