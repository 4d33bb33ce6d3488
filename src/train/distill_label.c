#include "train/distill_label.h"

#include "base/file.h"
#include "detect/labels.h"
#include "image/decode.h"

static enum status open_teacher(struct teacher **teacher, const struct distill_options *o, struct error *err)
{
    if (o->teacher_weights)
        return teacher_open_model(teacher, o->teacher_weights, o->kernels, o->threads, &o->teacher, err);
    if (o->teacher_labels) return teacher_open_folder(teacher, o->teacher_labels, &o->teacher, err);
    return teacher_open_command(teacher, o->teacher_command, &o->teacher, err);
}

/* One frame, by its own name and by the picture of it that is stored. A folder of labels knows it by the
 * name, the other teachers by the picture that they see. */
static enum status ask(struct teacher *teacher, const struct distill_options *o, const char *original,
                       const char *stored, struct labels *labels, struct arena *arena, struct error *err)
{
    const char *const shown = o->label_original && !o->teacher_labels ? original : stored;
    struct image picture = {0};
    TRY(image_read(&picture, shown, err));
    const enum status status =
        teacher_label(teacher, o->teacher_labels ? original : shown, &picture, labels, arena, err);
    image_free(&picture);
    return status;
}

/* ---- The labels that the student learns from ---- */

struct work {
    struct distill_result *result;
    const struct distill_options *options;
    const struct dataset_item *chosen, *extra;
    const struct progress *progress;
    struct arena *arena;
};

/* What the teacher has said once is an input that was recorded (D-SBAD 7): it is not asked again, since a program
 * may answer with other digits. */
static enum status label_frame(const struct work *work, struct teacher **teacher, struct distill_candidate *c,
                               const struct dataset_item *item, struct error *err)
{
    const struct distill_options *const o = work->options;
    struct labels labels;
    if (!file_exists(item->labels)) {
        if (!*teacher) TRY(open_teacher(teacher, o, err));
        TRY(ask(*teacher, o, work->result->frames[c->frame].name, item->image, &labels, work->arena, err));
        TRY(labels_write(item->labels, labels.rows, labels.count, err));
    }
    TRY(labels_read(&labels, work->arena, item->labels, 0, err));
    c->labels = (int)labels.count;
    return OK;
}

static enum status label_list(const struct work *work, struct teacher **teacher, int64_t *total,
                              struct error *err)
{
    struct distill_result *const r = work->result;
    const int count = r->chosen_count + r->extra_count;
    for (int i = 0; i < count; i++) {
        const int k = i - r->chosen_count;
        struct distill_candidate *c = k < 0 ? r->candidates + r->chosen[i] : r->extra + k;
        TRY(label_frame(work, teacher, c, k < 0 ? work->chosen + i : work->extra + k, err));
        if (k < 0) *total += c->labels;
        if (!progress_report(work->progress, "label", i + 1, count, ""))
            return fail(err, ERR_INTERRUPTED, "interrupted while the teacher labels");
    }
    return *teacher ? teacher_finish(*teacher, err) : OK;
}

enum status distill_label(struct distill_result *result, const struct distill_options *options,
                          const struct dataset_item *chosen, const struct dataset_item *extra,
                          const struct progress *progress, struct arena *arena, struct error *err)
{
    const struct work work = {result, options, chosen, extra, progress, arena};
    struct teacher *teacher = NULL;
    int64_t total = 0;
    const enum status status = label_list(&work, &teacher, &total, err);
    teacher_close(teacher);
    if (status == OK && !total)
        return fail(err, ERR_INPUT,
                    "the teacher found nothing in any of the %d chosen frames: there is nothing to learn",
                    result->chosen_count);
    return status;
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

static enum status ask_of_candidates(struct distill_result *result, const struct distill_options *options,
                                     struct teacher *teacher, const struct progress *progress,
                                     struct arena *arena, struct error *err)
{
    for (int i = 0; i < result->candidate_count; i++) {
        struct distill_candidate *c = result->candidates + i;
        const char *const name = result->frames[c->frame].name;
        struct labels labels;
        TRY(ask(teacher, options, name, c->file, &labels, arena, err));
        TRY(teacher_boxes(c, name, &labels, arena, err));
        if (!progress_report(progress, "ask the teacher", i + 1, result->candidate_count, ""))
            return fail(err, ERR_INTERRUPTED, "interrupted while asking the teacher");
    }
    return OK;
}

enum status distill_label_candidates(struct distill_result *result, const struct distill_options *options,
                                     const struct progress *progress, struct arena *arena, struct error *err)
{
    struct teacher *teacher;
    TRY(open_teacher(&teacher, options, err));
    enum status status = ask_of_candidates(result, options, teacher, progress, arena, err);
    if (status == OK) status = teacher_finish(teacher, err);
    teacher_close(teacher);
    return status;
}
