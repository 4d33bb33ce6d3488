#include "detect/coco_metric.h"

#include "base/rank.h"
#include "detect/box.h"

#include <string.h>

enum { THRESHOLDS = 10, RECALLS = 101, RANGES = 4, LIMITS = 3, MAX_FOUND = 100 };

static const double ranges[RANGES][2] = {{0, 1e10}, {0, 1024}, {1024, 9216}, {9216, 1e10}};
static const int limits[LIMITS] = {1, 10, MAX_FOUND};

const char *coco_metric_name(enum coco_figure figure)
{
    static const char *const names[COCO_FIGURES] = {"AP",        "AP50",     "AP75",      "AP_small",
                                                    "AP_medium", "AP_large", "AR1",       "AR10",
                                                    "AR100",     "AR_small", "AR_medium", "AR_large"};
    return names[figure];
}

/* What became of one detection under one area range. */
struct outcome {
    double score;
    int place;              /* among the image's detections of the category, best first */
    unsigned hits, ignored; /* bit t */
};

struct category_run {
    struct outcome *outcomes; /* of all images, image by image */
    size_t count;
    size_t counted; /* labels that are not ignored */
};

/* Space for the largest image and for one category of the whole set. */
struct workspace {
    struct rank *order;               /* [largest found or all outcomes] */
    const struct coco_truth **truths; /* [largest] counted ones first */
    unsigned *claimed;                /* [largest] bit t */
    double *iou;                      /* [largest] of one detection */
    struct outcome *outcomes;
    double *recall, *precision; /* [all outcomes] */
};

static bool outside(double area, const double range[2]) { return area < range[0] || area > range[1]; }

static bool ignores(const struct coco_truth *t, const double range[2])
{
    return t->crowd || outside(t->area, range);
}

/* Labels of the category, those that count first; returns how many count, *all their total. */
static size_t list_truths(const struct coco_truth **list, size_t *all, const struct coco_image *image,
                          int category, const double range[2])
{
    size_t n = 0, counted = 0;
    for (int ignored = 0; ignored < 2; ignored++) {
        for (size_t i = 0; i < image->truth_count; i++) {
            const struct coco_truth *const t = &image->truths[i];
            if (t->category == category && ignores(t, range) == ignored) list[n++] = t;
        }
        if (!ignored) counted = n;
    }
    *all = n;
    return counted;
}

/* The label that a detection takes at threshold t, or n. Later labels of equal overlap win; an ignored one is
 * taken only where no counted one fits. */
static size_t pick(const struct workspace *w, size_t counted, size_t n, int t)
{
    double best = 0.5 + t * ((0.95 - 0.5) / 9);
    if (best > 1 - 1e-10) best = 1 - 1e-10;
    size_t place = n;
    for (size_t g = 0; g < n; g++) {
        if (w->claimed[g] >> t & 1 && !w->truths[g]->crowd) continue;
        if (place < counted && g >= counted) break;
        if (w->iou[g] < best) continue;
        best = w->iou[g];
        place = g;
    }
    return place;
}

static void match_image(struct category_run *run, struct workspace *w, const struct coco_image *image,
                        int category, const double range[2])
{
    size_t n, m = 0;
    const size_t counted = list_truths(w->truths, &n, image, category, range);
    run->counted += counted;
    memset(w->claimed, 0, n * sizeof *w->claimed);
    for (size_t i = 0; i < image->found_count; i++)
        if (image->found[i].category == category)
            w->order[m++] = (struct rank){image->found[i].score, (uint32_t)i};
    rank_sort(w->order, m);
    for (size_t i = 0; i < m && i < MAX_FOUND; i++) {
        const struct coco_found *const d = &image->found[w->order[i].index];
        struct outcome o = {.score = d->score, .place = (int)i};
        for (size_t g = 0; g < n; g++)
            w->iou[g] = box_iou_coco(d->box, w->truths[g]->box, w->truths[g]->crowd);
        for (int t = 0; t < THRESHOLDS; t++) {
            const size_t g = pick(w, counted, n, t);
            if (g < n) {
                w->claimed[g] |= 1u << t;
                o.hits |= 1u << t;
            }
            if (g < n ? g >= counted : outside(d->box[2] * d->box[3], range)) o.ignored |= 1u << t;
        }
        run->outcomes[run->count++] = o;
    }
}

/* Mean precision at the 101 recalls, and the last recall, at one threshold with at most `limit` detections an
 * image. */
static double area_under(double *last_recall, const struct category_run *run, struct workspace *w,
                         size_t ordered, int t, int limit)
{
    size_t n = 0, hits = 0, misses = 0;
    for (size_t i = 0; i < ordered; i++) {
        const struct outcome *const o = &run->outcomes[w->order[i].index];
        if (o->place >= limit) continue;
        if (!(o->ignored >> t & 1)) (o->hits >> t & 1) ? hits++ : misses++;
        w->recall[n] = (double)hits / (double)run->counted;
        w->precision[n++] = (double)hits / ((double)(hits + misses) + 2.220446049250313e-16);
    }
    *last_recall = n ? w->recall[n - 1] : 0;
    for (size_t i = n; i-- > 1;)
        if (w->precision[i - 1] < w->precision[i]) w->precision[i - 1] = w->precision[i];
    double sum = 0;
    size_t i = 0;
    for (int q = 0; q < RECALLS; q++) {
        const double recall = q == RECALLS - 1 ? 1 : q * 0.01;
        while (i < n && w->recall[i] < recall) i++;
        if (i < n) sum += w->precision[i];
    }
    return sum / RECALLS;
}

/* Sums over categories and thresholds, and over how many categories. */
struct sums {
    double precision[RANGES][THRESHOLDS], recall[RANGES][LIMITS];
    int categories[RANGES];
};

static void add_category(struct sums *s, double *category_ap, const struct category_run *run,
                         struct workspace *w, int range)
{
    if (category_ap && !range) *category_ap = -1;
    if (!run->counted) return;
    s->categories[range]++;
    for (size_t i = 0; i < run->count; i++) w->order[i] = (struct rank){run->outcomes[i].score, (uint32_t)i};
    rank_sort(w->order, run->count);
    double ap = 0;
    for (int l = 0; l < LIMITS; l++)
        for (int t = 0; t < THRESHOLDS; t++) {
            double recall;
            const double area = area_under(&recall, run, w, run->count, t, limits[l]);
            s->recall[range][l] += recall / THRESHOLDS;
            if (l < LIMITS - 1) continue;
            s->precision[range][t] += area;
            ap += area / THRESHOLDS;
        }
    if (category_ap && !range) *category_ap = ap;
}

static double mean(double sum, double n) { return n > 0 ? sum / n : -1; }

static void summarise(double figures[COCO_FIGURES], const struct sums *s)
{
    static const enum coco_figure ap[RANGES] = {COCO_AP, COCO_AP_SMALL, COCO_AP_MEDIUM, COCO_AP_LARGE};
    static const enum coco_figure ar[RANGES] = {COCO_AR100, COCO_AR_SMALL, COCO_AR_MEDIUM, COCO_AR_LARGE};
    for (int r = 0; r < RANGES; r++) {
        double sum = 0;
        for (int t = 0; t < THRESHOLDS; t++) sum += s->precision[r][t];
        figures[ap[r]] = mean(sum, (double)s->categories[r] * THRESHOLDS);
        figures[ar[r]] = mean(s->recall[r][LIMITS - 1], s->categories[r]);
    }
    figures[COCO_AP50] = mean(s->precision[0][0], s->categories[0]);
    figures[COCO_AP75] = mean(s->precision[0][5], s->categories[0]);
    figures[COCO_AR1] = mean(s->recall[0][0], s->categories[0]);
    figures[COCO_AR10] = mean(s->recall[0][1], s->categories[0]);
}

static enum status make_workspace(struct workspace *w, struct arena *arena, const struct coco_image *images,
                                  size_t image_count, struct error *err)
{
    size_t found = 0, truths = 0;
    for (size_t i = 0; i < image_count; i++) {
        found += images[i].found_count;
        if (images[i].truth_count > truths) truths = images[i].truth_count;
    }
    w->order = arena_alloc(arena, found, sizeof *w->order);
    w->truths = arena_alloc(arena, truths, sizeof *w->truths);
    w->claimed = arena_alloc(arena, truths, sizeof *w->claimed);
    w->iou = arena_alloc(arena, truths, sizeof *w->iou);
    w->outcomes = arena_alloc(arena, found, sizeof *w->outcomes);
    w->recall = arena_alloc(arena, found, sizeof *w->recall);
    w->precision = arena_alloc(arena, found, sizeof *w->precision);
    if (!w->order || !w->truths || !w->claimed || !w->iou || !w->outcomes || !w->recall || !w->precision)
        return fail_memory(err, "matches", found * sizeof *w->outcomes);
    return OK;
}

enum status coco_metric_run(double figures[COCO_FIGURES], double *category_ap,
                            const struct coco_image *images, size_t image_count, int categories,
                            struct error *err)
{
    struct arena arena = {0};
    struct workspace w;
    struct sums sums = {0};
    const enum status status = make_workspace(&w, &arena, images, image_count, err);
    for (int c = 0; status == OK && c < categories; c++)
        for (int r = 0; r < RANGES; r++) {
            struct category_run run = {.outcomes = w.outcomes};
            for (size_t i = 0; i < image_count; i++) match_image(&run, &w, &images[i], c, ranges[r]);
            add_category(&sums, category_ap ? &category_ap[c] : NULL, &run, &w, r);
        }
    if (status == OK) summarise(figures, &sums);
    arena_free(&arena);
    return status;
}
