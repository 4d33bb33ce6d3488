#include "train/distill_report_pairs.h"

#include "detect/detector.h"
#include "detect/labels.h"
#include "detect/metric.h"
#include "image/decode.h"
#include "image/draw.h"
#include "train/report_image.h"
#include "train/report_words.h"

#include <math.h>

enum { PAIR_MOST = 6, PAIR_WIDTH = 640 };

/* Far apart from each other for most colour-blind readers, and from grass, asphalt and night. */
enum mark { MARK_FOUND, MARK_FALSE, MARK_MISSED, MARKS };
static const struct report_key keys[MARKS] = {
    [MARK_FOUND] = {"found", {0, 214, 255}, false},
    [MARK_FALSE] = {"false", {255, 74, 38}, false},
    [MARK_MISSED] = {"missed", {255, 221, 0}, true},
};

struct side {
    struct detector detector;
    const char *when;
};

struct pairs {
    const struct distill_options *options;
    bool labelled;      /* the frames have labels, against which boxes are judged */
    int *map;           /* [LABELS_MAX_CLASSES] of label classes, or NULL */
    struct side *sides; /* [2] before, after */
    struct arena *arena;
};

static enum status side_begin(struct side *side, const char *when, const struct model *model,
                              const struct metric_result *score, const struct pairs *pairs, struct error *err)
{
    const struct distill_options *const o = pairs->options;
    struct nms_options nms = nms_predict_options();
    const int classes = model->config.classes;
    side->when = when;
    if (pairs->labelled && score->recall > 0)
        nms.confidence = fmaxf((float)score->confidence, o->scoring.confidence);
    if (classes > 1) {
        int *map;
        TRY(labels_make_map(&map, pairs->arena, classes, o->vehicles, (size_t)o->vehicle_count, true,
                            "vehicle classes", err));
        nms.class_map = map;
        nms.agnostic = nms.merge_before = true;
    }
    detector_begin(&side->detector, model, o->kernels, o->threads, &nms);
    side->detector.plan = o->plan;
    side->detector.memory_limit = o->trainer.memory_limit;
    return OK;
}

/* ---- One frame ---- */

struct frame_view {
    const char *name;
    struct image picture, small; /* as it is, and as it is shown */
    struct truth *truths;
    size_t truth_count;
};

/* The scored part of a test frame ends at this line. */
static bool scored(const struct box *box, const struct distill_options *options)
{
    return !options->test || options->scoring.ignore_above < 0 || box->y2 > options->scoring.ignore_above;
}

static enum status read_truths(struct frame_view *view, const char *path, const struct pairs *pairs,
                               struct error *err)
{
    struct labels labels;
    TRY(labels_read(&labels, pairs->arena, path, pairs->map ? 0 : 1, err));
    if (pairs->map) labels_map(&labels, pairs->map, LABELS_MAX_CLASSES);
    view->truths = arena_alloc(pairs->arena, labels.count, sizeof *view->truths);
    if (!view->truths) return fail_memory(err, "labels", labels.count * sizeof *view->truths);
    for (size_t i = 0; i < labels.count; i++) {
        const struct box box =
            label_box(&labels.rows[i], (float)view->picture.width, (float)view->picture.height);
        if (scored(&box, pairs->options)) view->truths[view->truth_count++] = (struct truth){box, 0};
    }
    return OK;
}

static void draw(struct image *canvas, const struct frame_view *view, const struct box *b, enum mark mark)
{
    const double x = (double)view->small.width / view->picture.width,
                 y = (double)view->small.height / view->picture.height;
    draw_outline(canvas, (const double[]){b->x1 * x, b->y1 * y, b->x2 * x, b->y2 * y}, keys[mark].rgb,
                 keys[mark].dashed);
}

/* Draws what was missed, then what was found, the most confident last; returns how many labels were. */
static int draw_judged(struct image *canvas, const struct frame_view *view, const struct detection *found,
                       int count, const struct pairs *pairs, uint16_t *hits, uint16_t *claimed)
{
    metric_match(hits, claimed, view->truths, view->truth_count, found, (size_t)count,
                 evaluate_match_best_only(&pairs->options->scoring));
    int right = 0;
    for (size_t i = 0; i < view->truth_count; i++)
        if (!(claimed[i] & 1)) draw(canvas, view, &view->truths[i].box, MARK_MISSED);
    for (int i = count - 1; i >= 0; i--) {
        const bool hit = hits[i] & 1; /* bit 0: at an IoU of 0.5 */
        draw(canvas, view, &found[i].box, hit ? MARK_FOUND : MARK_FALSE);
        right += hit;
    }
    return right;
}

static enum status draw_found(const char **caption, struct image *canvas, const struct frame_view *view,
                              const struct side *side, const struct detection *found, int count,
                              const struct pairs *pairs, struct error *err)
{
    if (pairs->labelled) {
        uint16_t *const hits = arena_alloc(pairs->arena, (size_t)count, sizeof *hits);
        uint16_t *const claimed = arena_alloc(pairs->arena, view->truth_count, sizeof *claimed);
        if (!hits || !claimed) return fail_memory(err, "matches", view->truth_count * sizeof *claimed);
        const int right = draw_judged(canvas, view, found, count, pairs, hits, claimed);
        *caption = arena_printf(pairs->arena, "%s, %s: %d of %zu found, %d false", view->name, side->when,
                                right, view->truth_count, count - right);
    } else {
        for (int i = count - 1; i >= 0; i--) draw(canvas, view, &found[i].box, MARK_FOUND);
        *caption = arena_printf(pairs->arena, "%s, %s: %d box%s", view->name, side->when, count,
                                count == 1 ? "" : "es");
    }
    return *caption ? OK : fail_memory(err, "a caption", 1);
}

static enum status draw_side(struct report_picture *shown, struct side *side, const struct frame_view *view,
                             const struct pairs *pairs, struct error *err)
{
    const struct distill_options *const options = pairs->options;
    struct detection found[NMS_MAX_DETECTIONS];
    struct image canvas = {0};
    int count, kept = 0;
    const bool rectangular = !pairs->labelled || options->scoring.ignore_above >= 0; /* as the score */
    TRY(detector_predict(&side->detector, &view->picture, options->size, rectangular, found, &count, err));
    for (int i = 0; i < count; i++)
        if (scored(&found[i].box, options)) found[kept++] = found[i];
    enum status status = image_copy(&canvas, &view->small, err);
    if (status == OK) status = draw_found(&shown->caption, &canvas, view, side, found, kept, pairs, err);
    if (status == OK) status = report_image_encode(shown, &canvas, err);
    image_free(&canvas);
    return status;
}

/* labels: the path of the label file, read where frames are judged. */
static enum status draw_pair(struct report_pair *pair, const char *path, const char *labels, const char *name,
                             const struct pairs *pairs, struct error *err)
{
    struct frame_view view = {.name = report_name(name)};
    enum status status = image_read(&view.picture, path, err);
    if (status == OK) status = report_image_shrink(&view.small, &view.picture, PAIR_WIDTH, err);
    if (status == OK && pairs->labelled) status = read_truths(&view, labels, pairs, err);
    if (status == OK) status = draw_side(&pair->before, &pairs->sides[0], &view, pairs, err);
    if (status == OK) status = draw_side(&pair->after, &pairs->sides[1], &view, pairs, err);
    image_free(&view.small);
    image_free(&view.picture);
    return status;
}

/* ---- All of them ---- */

/* Frame i of `shown`, in the middle of its share of `count`. */
static int spread(int i, int shown, size_t count)
{
    return (int)((2 * (size_t)i + 1) * count / (2 * (size_t)shown));
}

static enum status draw_pairs(struct report_pair *drawn, int shown, const struct pairs *pairs,
                              const struct dataset *test, const struct distill_result *result,
                              struct error *err)
{
    for (int i = 0; i < shown; i++) {
        if (test->count) {
            const struct dataset_item *item = &test->items[spread(i, shown, test->count)];
            TRY(draw_pair(&drawn[i], item->image, item->labels, item->image, pairs, err));
        } else {
            const int at = spread(i, shown, (size_t)result->chosen_count);
            const struct distill_candidate *c = &result->candidates[result->chosen[at]];
            TRY(draw_pair(&drawn[i], c->file, NULL, result->frames[c->frame].name, pairs, err));
        }
    }
    return OK;
}

/* The cells of a row: what the best F1 of a student is made of. */
static bool best_of(const char *cells[4], const char *when, const struct metric_result *score,
                    struct arena *arena)
{
    const bool any = score->recall > 0;
    cells[0] = when;
    cells[1] = any ? arena_printf(arena, "%.3f", score->confidence) : "";
    cells[2] = any ? arena_printf(arena, "%.0f %%", 100 * score->recall) : "none";
    cells[3] = any ? arena_printf(arena, "%.0f %%", 100 * (1 - score->precision)) : "";
    return cells[1] && cells[2] && cells[3];
}

static enum status explain_judged(struct report *report, const struct pairs *pairs,
                                  const struct distill_result *result, struct error *err)
{
    static const char *const heads[] = {"student", "confidence", "labels found", "false boxes"};
    const char *cells[2 * 4];
    if (!best_of(cells, "before", &result->before, pairs->arena) ||
        !best_of(cells + 4, "after", &result->after, pairs->arena))
        return fail_memory(err, "a table", sizeof cells);
    report_table(report, &(struct report_table){"In all test frames, at the confidence at which F1 is best.",
                                                4, 2, "lrrr", heads, cells});
    report_paragraph(report,
                     "Here are test frames at even distances, not picked by hand, with the boxes above these "
                     "confidences. A box that overlaps a label with an IoU of 0.5 or more has found it; a "
                     "second box on the same label is false.");
    report_keys(report, keys, MARKS);
    return OK;
}

static enum status section(struct report *report, const struct report_pair *drawn, int shown,
                           const struct pairs *pairs, const struct distill_result *result, bool test,
                           struct error *err)
{
    report_section(report, "Before and after");
    if (pairs->labelled)
        TRY(explain_judged(report, pairs, result, err));
    else
        report_paragraph(report,
                         test ? "Test frames at even distances, not picked by hand, with all boxes above "
                                "confidence 0.25."
                              : "Chosen frames at even distances, with all boxes above confidence "
                                "0.25. The student has learned from these very frames.");
    if (test && pairs->options->scoring.ignore_above >= 0)
        report_paragraph(
            report, "Boxes and labels that end above the line from which on frames are scored are left out.");
    report_pairs(report, drawn, shown);
    return OK;
}

static enum status begin(struct pairs *pairs, const struct distill_result *result, const struct model *before,
                         const struct model *after, struct error *err)
{
    const struct evaluate_options *const scoring = &pairs->options->scoring;
    pairs->sides = arena_alloc(pairs->arena, 2, sizeof *pairs->sides);
    if (!pairs->sides) return fail_memory(err, "two detectors", 2 * sizeof *pairs->sides);
    if (pairs->labelled && scoring->label_list)
        TRY(labels_make_map(&pairs->map, pairs->arena, LABELS_MAX_CLASSES, scoring->label_list,
                            scoring->label_count, true, "label classes", err));
    TRY(side_begin(&pairs->sides[0], "before", before, &result->before, pairs, err));
    return side_begin(&pairs->sides[1], "after", after, &result->after, pairs, err);
}

enum status distill_report_pairs(struct report *report, const struct distill_options *options,
                                 const struct distill_result *result, const struct dataset *test,
                                 const struct model *before, const struct model *after, struct arena *arena,
                                 struct error *err)
{
    if (!HAVE_JPEG) return OK;
    const bool labelled = test->count && result->before.defined && result->after.defined;
    struct pairs pairs = {.options = options, .labelled = labelled, .arena = arena};
    struct report_pair drawn[PAIR_MOST] = {0};
    const size_t count = test->count ? test->count : (size_t)result->chosen_count;
    const int shown = count < PAIR_MOST ? (int)count : PAIR_MOST;
    enum status status = begin(&pairs, result, before, after, err);
    if (status == OK) status = draw_pairs(drawn, shown, &pairs, test, result, err);
    if (status == OK) status = section(report, drawn, shown, &pairs, result, test->count, err);
    for (int i = 0; i < PAIR_MOST; i++) {
        report_image_release(&drawn[i].before, 1);
        report_image_release(&drawn[i].after, 1);
    }
    for (int i = 0; pairs.sides && i < 2; i++) detector_end(&pairs.sides[i].detector);
    return status;
}
