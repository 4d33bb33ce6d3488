#include "train/distill_report_sheet.h"

#include "image/decode.h"
#include "train/report_image.h"
#include "train/report_words.h"

#include <stdlib.h>
#include <string.h>

enum { SHEET_MOST = 120, SHEET_LARGE = 48, SHEET_WIDTH = 320, SHEET_SMALL_WIDTH = 200 };

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
    if (status == OK) status = report_image_shrink(&small, &picture, width, err);
    if (status == OK) status = report_image_encode(shown, &small, err);
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
    report_image_release(pictures, count);
    return status;
}
