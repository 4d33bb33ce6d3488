#include "train/distill_report_pictures.h"

#include "image/decode.h"
#include "image/draw.h"
#include "image/encode.h"
#include "image/resize.h"
#include "train/report_words.h"

#include <stdlib.h>
#include <string.h>

enum { SHEET_MOST = 120, SHEET_LARGE = 48, SHEET_WIDTH = 320, SHEET_SMALL_WIDTH = 200 };
enum { PAIR_MOST = 6, PAIR_WIDTH = 480, QUALITY = 80 };

/* The picture at most `width` wide, in `small`. */
static enum status shrink(struct image *small, const struct image *picture, int width, struct error *err)
{
    if (picture->width <= width) return image_copy(small, picture, err);
    const int height = (int)(((int64_t)picture->height * width + picture->width / 2) / picture->width);
    return resize_antialias(small, picture, width, height > 0 ? height : 1, RESIZE_HORIZONTAL_FIRST, err);
}

static enum status encode(struct report_picture *shown, const struct image *image, struct error *err)
{
    uint8_t *jpeg;
    TRY(image_encode(&jpeg, &shown->size, image, IMAGE_JPEG, QUALITY, err));
    shown->jpeg = jpeg;
    return OK;
}

static void release(struct report_picture *pictures, int count)
{
    for (int i = 0; i < count; i++) free((uint8_t *)pictures[i].jpeg);
}

/* ---- The contact sheet ---- */

static int by_rank(const void *a, const void *b)
{
    const struct distill_candidate *x = *(const struct distill_candidate *const *)a;
    const struct distill_candidate *y = *(const struct distill_candidate *const *)b;
    if (x->rank != y->rank) return x->rank < y->rank ? -1 : 1;
    return x->frame < y->frame ? -1 : x->frame > y->frame;
}

/* Why FILTER kept a frame, with its score. */
static const char *reason(const struct distill_candidate *c, enum filter_rule rule, struct arena *arena)
{
    static const char *const score[FILTER_RULES] = {
        [FILTER_NONE] = "every candidate is kept",
        [FILTER_FARTHEST_FIRST] = "similarity to earlier picks %.3f",
        [FILTER_TFDP] = "shape complexity of its boxes %.2f",
        [FILTER_MODERATE] = "distance from the median %.4f",
        [FILTER_LEAST_CONFIDENCE] = "among the least confident, %.3f",
        [FILTER_TOP_CONFIDENCE] = "among the most confident, %.3f",
        [FILTER_ENTROPY] = "entropy %.3f",
        [FILTER_RANDOM] = "drawn at random",
        [FILTER_K_MEANS] = "squared distance from its cluster's centre %.4f",
        [FILTER_SPHERICAL_K_MEANS] = "similarity to its cluster's centre %.3f",
        [FILTER_K_MEDOIDS] = "centre of its cluster",
    };
    if (rule == FILTER_FARTHEST_FIRST && !c->rank) return "the most typical candidate";
    if (!strchr(score[rule], '%')) return score[rule];
    const char *const format = score[rule];
    return arena_printf(arena, format, c->score);
}

static enum status thumbnail(struct report_picture *shown, const struct distill_options *options,
                             const struct distill_result *result, const struct distill_candidate *c,
                             int width, struct arena *arena, struct error *err)
{
    const struct distill_frame *frame = &result->frames[c->frame];
    const char *const why = result->chosen_count == result->candidate_count
                                ? "every candidate is kept"
                                : reason(c, options->filter.rule, arena);
    const char *const name = report_name(frame->name);
    shown->caption =
        frame->confidence >= 0
            ? arena_printf(arena, "%s, confidence %.3f, pick %d", name, frame->confidence, c->rank + 1)
            : arena_printf(arena, "%s, no vehicle found, pick %d", name, c->rank + 1);
    shown->note =
        why ? arena_printf(arena, "%s; %d label%s", why, c->labels, c->labels == 1 ? "" : "s") : NULL;
    if (!shown->caption || !shown->note) return fail_memory(err, "a caption", 1);
    struct image picture = {0}, small = {0};
    enum status status = image_read(&picture, c->file, err);
    if (status == OK) status = shrink(&small, &picture, width, err);
    if (status == OK) status = encode(shown, &small, err);
    image_free(&small);
    image_free(&picture);
    return status;
}

enum status distill_report_sheet(struct report *report, const struct distill_options *options,
                                 const struct distill_result *result, struct arena *arena, struct error *err)
{
    if (!HAVE_JPEG) return OK;
    const int chosen = result->chosen_count, count = chosen < SHEET_MOST ? chosen : SHEET_MOST;
    const int width = count <= SHEET_LARGE ? SHEET_WIDTH : SHEET_SMALL_WIDTH;
    const struct distill_candidate **order = arena_alloc(arena, (size_t)chosen, sizeof *order);
    struct report_picture *pictures = arena_alloc(arena, (size_t)count, sizeof *pictures);
    if (!order || !pictures) return fail_memory(err, "the contact sheet", (size_t)chosen * sizeof *order);
    for (int i = 0; i < chosen; i++) order[i] = &result->candidates[result->chosen[i]];
    qsort(order, (size_t)chosen, sizeof *order, by_rank);
    enum status status = OK;
    for (int i = 0; status == OK && i < count; i++)
        status = thumbnail(&pictures[i], options, result, order[i], width, arena, err);
    if (status == OK) {
        report_section(report, "Chosen frames");
        const char *const words = arena_printf(
            arena, "%s %d chosen frames in the order in which they were picked. Labels are the teacher's.",
            count < chosen ? "The first" : "The", count);
        report_paragraph(report, words ? words : "");
        report_sheet(report, pictures, count);
    }
    release(pictures, count);
    return status;
}

/* ---- Before and after ---- */

struct side {
    struct detector detector;
    int *map;
    const char *when;
};

static enum status side_begin(struct side *side, const char *when, const struct model *model,
                              const struct distill_options *options, struct arena *arena, struct error *err)
{
    struct nms_options nms = nms_predict_options();
    const int classes = model->config.classes;
    side->when = when;
    if (classes > 1) {
        TRY(labels_make_map(&side->map, arena, classes, options->vehicles, (size_t)options->vehicle_count,
                            true, "vehicle classes", err));
        nms.class_map = side->map;
        nms.agnostic = nms.merge_before = true;
    }
    detector_begin(&side->detector, model, options->kernels, options->threads, &nms);
    side->detector.plan = options->plan;
    side->detector.memory_limit = options->trainer.memory_limit;
    return OK;
}

/* The scored part of a test frame ends at this line. */
static bool scored(const struct detection *d, const struct distill_options *options)
{
    return !options->test || options->scoring.ignore_above < 0 || d->box.y2 > options->scoring.ignore_above;
}

static enum status draw_side(struct report_picture *shown, struct side *side, const char *name,
                             const struct image *picture, const struct image *small,
                             const struct distill_options *options, struct arena *arena, struct error *err)
{
    struct detection found[NMS_MAX_DETECTIONS];
    struct image canvas = {0};
    int count, drawn = 0;
    TRY(detector_predict(&side->detector, picture, options->size, true, found, &count, err));
    enum status status = image_copy(&canvas, small, err);
    if (status != OK) return status;
    const double x = (double)small->width / picture->width, y = (double)small->height / picture->height;
    for (int i = count - 1; i >= 0; i--) {
        const struct box *b = &found[i].box;
        if (!scored(&found[i], options)) continue;
        drawn++;
        draw_detection(&canvas, (double[]){b->x1 * x, b->y1 * y, b->x2 * x, b->y2 * y}, 0, NULL);
    }
    shown->caption =
        arena_printf(arena, "%s, %s: %d %s", name, side->when, drawn, drawn == 1 ? "box" : "boxes");
    status = shown->caption ? encode(shown, &canvas, err) : fail_memory(err, "a caption", 1);
    image_free(&canvas);
    return status;
}

static enum status draw_pair(struct report_pair *pair, const char *path, const char *name,
                             struct side sides[2], const struct distill_options *options, struct arena *arena,
                             struct error *err)
{
    struct image picture = {0}, small = {0};
    enum status status = image_read(&picture, path, err);
    if (status == OK) status = shrink(&small, &picture, PAIR_WIDTH, err);
    if (status == OK)
        status = draw_side(&pair->before, &sides[0], name, &picture, &small, options, arena, err);
    if (status == OK)
        status = draw_side(&pair->after, &sides[1], name, &picture, &small, options, arena, err);
    image_free(&small);
    image_free(&picture);
    return status;
}

/* Frame i of `shown`, in the middle of its share of `count`. */
static int spread(int i, int shown, size_t count)
{
    return (int)((2 * (size_t)i + 1) * count / (2 * (size_t)shown));
}

static enum status draw_pairs(struct report_pair *pairs, int shown, struct side sides[2],
                              const struct dataset *test, const struct distill_options *options,
                              const struct distill_result *result, struct arena *arena, struct error *err)
{
    for (int i = 0; i < shown; i++) {
        if (test->count) {
            const char *const path = test->items[spread(i, shown, test->count)].image;
            TRY(draw_pair(&pairs[i], path, report_name(path), sides, options, arena, err));
        } else {
            const int at = spread(i, shown, (size_t)result->chosen_count);
            const struct distill_candidate *c = &result->candidates[result->chosen[at]];
            const char *const name = report_name(result->frames[c->frame].name);
            TRY(draw_pair(&pairs[i], c->file, name, sides, options, arena, err));
        }
    }
    return OK;
}

static void pairs_section(struct report *report, const struct report_pair *pairs, int shown, bool test,
                          const struct distill_options *options)
{
    report_section(report, "Before and after");
    report_paragraph(report,
                     test ? "Test frames at even distances, not picked by hand, with all boxes above "
                            "confidence 0.25."
                          : "Chosen frames at even distances, with all boxes above confidence 0.25. The "
                            "student has learned from these very frames.");
    if (test && options->scoring.ignore_above >= 0)
        report_paragraph(report,
                         "Boxes that end above the line from which on frames are scored are left out.");
    report_pairs(report, pairs, shown);
}

enum status distill_report_pairs(struct report *report, const struct distill_options *options,
                                 const struct distill_result *result, const struct dataset *test,
                                 const struct model *before, const struct model *after, struct arena *arena,
                                 struct error *err)
{
    if (!HAVE_JPEG) return OK;
    struct report_pair pairs[PAIR_MOST] = {0};
    struct side *sides = arena_alloc(arena, 2, sizeof *sides);
    if (!sides) return fail_memory(err, "two detectors", 2 * sizeof *sides);
    const size_t count = test->count ? test->count : (size_t)result->chosen_count;
    const int shown = count < PAIR_MOST ? (int)count : PAIR_MOST;
    enum status status = side_begin(&sides[0], "before", before, options, arena, err);
    if (status == OK) status = side_begin(&sides[1], "after", after, options, arena, err);
    if (status == OK) status = draw_pairs(pairs, shown, sides, test, options, result, arena, err);
    if (status == OK) pairs_section(report, pairs, shown, test->count, options);
    for (int i = 0; i < PAIR_MOST; i++) {
        release(&pairs[i].before, 1);
        release(&pairs[i].after, 1);
    }
    detector_end(&sides[0].detector);
    detector_end(&sides[1].detector);
    return status;
}
