#include "base/file.h"
#include "base/version.h"
#include "train/distill_report_pictures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Words live in the arena; a missing one is noticed once, by the flag. */
struct words {
    struct arena arena;
    bool failed;
};

#define WORDS(words, ...) words_kept((words), arena_printf(&(words)->arena, __VA_ARGS__))

static const char *words_kept(struct words *words, const char *text)
{
    if (!text) words->failed = true;
    return text ? text : "";
}

static void *words_alloc(struct words *words, size_t count, size_t size)
{
    void *memory = arena_alloc(&words->arena, count, size);
    if (!memory) words->failed = true;
    return memory;
}

static const char *size_words(struct words *words, size_t bytes)
{
    if (bytes < 1000) return WORDS(words, "%zu B", bytes);
    if (bytes < 1000000) return WORDS(words, "%.1f kB", (double)bytes / 1e3);
    return WORDS(words, "%.1f MB", (double)bytes / 1e6);
}

static const char *share_words(struct words *words, double part, double whole)
{
    return whole > 0 ? WORDS(words, "%.1f %%", 100 * part / whole) : "";
}

/* A folder's name; with the one above it where the name says nothing. */
static const char *folder_words(struct words *words, const char *path)
{
    const char *const name = report_name(path);
    const int n = (int)strcspn(name, "/");
    if ((strncmp(name, "images", (size_t)n) && strncmp(name, "labels", (size_t)n)) || n != 6 || name == path)
        return WORDS(words, "%.*s", n ? n : 1, name);
    const char *const parent = arena_strndup(&words->arena, path, (size_t)(name - path));
    return WORDS(words, "%s%.*s", parent ? report_name(parent) : "", n, name);
}

/* ---- What the reader should see first ---- */

static struct report_fact gain(struct words *words, const struct distill_result *r)
{
    if (!r->before.defined || !r->after.defined)
        return (struct report_fact){"mAP50-95", "not scored", "no labelled test frames"};
    return (struct report_fact){
        "mAP50-95 after", WORDS(words, "%.3f", r->after.map50_95),
        WORDS(words, "%.3f before, gain %+.3f", r->before.map50_95, r->after.map50_95 - r->before.map50_95)};
}

static void head(struct report *report, struct words *words, const struct distill_options *o,
                 const struct distill_result *r)
{
    const struct report_fact facts[] = {
        gain(words, r),
        {"Frames chosen", WORDS(words, "%d", r->chosen_count),
         WORDS(words, "of %d candidate%s in %d frame%s", r->candidate_count, text_plural(r->candidate_count),
               r->frame_count, text_plural(r->frame_count))},
        {"Upload", size_words(words, r->uploaded_bytes),
         WORDS(words, "%s for all candidates", size_words(words, r->candidate_bytes))},
        {"Optimiser steps", WORDS(words, "%lld", (long long)r->training.steps),
         WORDS(words, "in at most %d epoch%s", o->trainer.epochs, text_plural(o->trainer.epochs))},
    };
    report_facts(report, facts, sizeof facts / sizeof *facts);
    if (r->withheld)
        report_paragraph(report, WORDS(words, "The weights were not delivered: %s.", r->withheld));
    if (r->unreadable)
        report_paragraph(report, WORDS(words, "%d frame%s could not be read. The first: %s", r->unreadable,
                                       text_plural(r->unreadable), r->first_broken));
    if (r->relaxed)
        report_paragraph(report, "The stream gave too few candidates: the threshold was lowered.");
    if (r->short_of_budget)
        report_paragraph(report, WORDS(words, "The budget of %d frames was not reached: the stream gave %d.",
                                       o->budget, r->chosen_count));
    report_paragraph(report, "SHA-256 of the student's weights:");
    report_code(report, r->weights_hash);
}

static void guard(struct report *report, struct words *words, const struct distill_result *r)
{
    const double before = r->guard_before, after = trainer_guard_after(&r->training);
    if (isnan(before) || isnan(after)) return;
    const char *const heads[] = {"", "before", "after", "change"};
    const char *const cells[] = {"mAP50-95", WORDS(words, "%.4f", before), WORDS(words, "%.4f", after),
                                 WORDS(words, "%+.4f", after - before)};
    const int refused = r->training.refused;
    const char *const lost = refused ? WORDS(words, " Epochs refused because they lost too much: %d of %d.",
                                             refused, r->training.count)
                                     : "";
    const struct report_table table = {
        WORDS(words, "On the guard set, pictures of what must not be forgotten.%s", lost),
        4,
        1,
        "lrrr",
        heads,
        cells};
    report_table(report, &table);
}

static void scores(struct report *report, struct words *words, const struct distill_result *r)
{
    if (!r->before.defined || !r->after.defined) return;
    const struct metric_result *b = &r->before, *a = &r->after;
    const char *const heads[] = {"", "before", "after", "gain"};
    const char *const cells[] = {
        "mAP50",
        WORDS(words, "%.4f", b->map50),
        WORDS(words, "%.4f", a->map50),
        WORDS(words, "%+.4f", a->map50 - b->map50),
        "mAP50-95",
        WORDS(words, "%.4f", b->map50_95),
        WORDS(words, "%.4f", a->map50_95),
        WORDS(words, "%+.4f", a->map50_95 - b->map50_95),
    };
    const struct report_table table = {
        WORDS(words, "On %zu test frame%s with %zu label%s, which took no part in the training.", a->images,
              text_plural((int64_t)a->images), a->labels, text_plural((int64_t)a->labels)),
        4,
        2,
        "lrrr",
        heads,
        cells};
    report_section(report, "Score");
    report_table(report, &table);
}

/* ---- Selection ---- */

static void timeline(struct report *report, struct words *words, const struct distill_result *r)
{
    double *values = words_alloc(words, (size_t)r->frame_count, sizeof *values);
    int *chosen = words_alloc(words, (size_t)r->chosen_count, sizeof *chosen);
    if (!values || !chosen) return;
    for (int i = 0; i < r->frame_count; i++)
        values[i] = r->frames[i].confidence >= 0 ? r->frames[i].confidence : NAN;
    for (int i = 0; i < r->chosen_count; i++) chosen[i] = r->candidates[r->chosen[i]].frame;
    const struct svg_timeline line = {
        .title = "Confidence of every frame, threshold and chosen frames",
        .x_label = "frame",
        .y_label = "confidence",
        .values = values,
        .count = r->frame_count,
        .high = 1,
        .threshold = r->tau,
        .threshold_label = WORDS(words, "threshold %.3f", r->tau),
        .warmup = r->warmup_end,
        .chosen = chosen,
        .chosen_count = r->chosen_count,
    };
    report_timeline(
        report,
        "The student's confidence in its best vehicle, frame by frame. Gaps are frames in which it "
        "found none; dots and marks at the top are the chosen frames.",
        &line);
}

static void reasons(struct report *report, struct words *words, const struct distill_result *r)
{
    int counts[LEDGER_REASONS] = {0}, rows = 0;
    const char *cells[LEDGER_REASONS * 3], *const heads[] = {"reason", "frames", "share"};
    for (int i = 0; i < r->frame_count; i++) counts[r->frames[i].reason]++;
    for (int i = 0; i < LEDGER_REASONS; i++) {
        if (!counts[i]) continue;
        cells[rows * 3] = ledger_reason_name((enum ledger_reason)i);
        cells[rows * 3 + 1] = WORDS(words, "%d", counts[i]);
        cells[rows * 3 + 2] = share_words(words, counts[i], r->frame_count);
        rows++;
    }
    const struct report_table table = {
        "Why frames were taken or not; selection.jsonl says it of each one.", 3, rows, "lrr", heads, cells};
    report_table(report, &table);
}

static void upload(struct report *report, struct words *words, const struct distill_result *r)
{
    const char *const heads[] = {"pictures", "frames", "bytes", "share"};
    const char *const cells[] = {
        "chosen, uploaded",
        WORDS(words, "%d", r->chosen_count),
        WORDS(words, "%zu", r->uploaded_bytes),
        share_words(words, (double)r->uploaded_bytes, (double)r->candidate_bytes),
        "all candidates",
        WORDS(words, "%d", r->candidate_count),
        WORDS(words, "%zu", r->candidate_bytes),
        share_words(words, 1, 1),
        "validation frames, uploaded, too",
        WORDS(words, "%d", r->extra_count),
        WORDS(words, "%zu", r->extra_bytes),
        share_words(words, (double)r->extra_bytes, (double)r->candidate_bytes),
    };
    const struct report_table table = {"What goes to the teacher, against sending every candidate.",
                                       4,
                                       r->extra_count ? 3 : 2,
                                       "lrrr",
                                       heads,
                                       cells};
    report_table(report, &table);
}

/* ---- Training ---- */

enum { CURVES = 5, LOSSES = 3 };

static double curve_of(const struct trainer_epoch *epoch, int curve)
{
    const struct loss_items *l = &epoch->loss;
    const double all[CURVES] = {l->box, l->classes, l->distribution, epoch->score, epoch->guard};
    return all[curve];
}

static void score_chart(struct report *report, struct words *words, const struct distill_result *r,
                        const struct svg_series *series, int count)
{
    const bool validated = !isnan(r->training.best_score);
    const struct svg_chart chart = {.title = "Score by epoch",
                                    .x_label = "epoch",
                                    .y_label = "mAP50-95",
                                    .series = series,
                                    .series_count = count};
    const char *const kept = r->training.best_epoch < 0 ? ""
                                                        : WORDS(words, " The weights of epoch %d are kept.",
                                                                r->training.best_epoch + 1);
    report_chart(report,
                 WORDS(words, "Score on the %s.%s",
                       !validated   ? "guard set"
                       : count == 2 ? "validation frames and on the guard set"
                                    : "validation frames",
                       kept),
                 &chart);
}

static void curves(struct report *report, struct words *words, const struct distill_result *r)
{
    static const char *const names[CURVES] = {"box", "class", "dfl", "validation", "guard"};
    const int count = r->training.count;
    struct svg_series series[CURVES];
    bool there[CURVES] = {false};
    if (count < 1) return;
    double *x = words_alloc(words, (CURVES + 1) * (size_t)count, sizeof *x);
    if (!x) return;
    for (int i = 0; i < count; i++) {
        x[i] = r->training.epochs[i].epoch + 1;
        for (int k = 0; k < CURVES; k++) {
            x[(k + 1) * count + i] = curve_of(&r->training.epochs[i], k);
            there[k] = there[k] || isfinite(x[(k + 1) * count + i]);
        }
    }
    for (int k = 0; k < CURVES; k++)
        series[k] = (struct svg_series){.label = names[k], .x = x, .y = x + (k + 1) * count, .count = count};
    const struct svg_chart losses = {.title = "Loss by epoch",
                                     .x_label = "epoch",
                                     .y_label = "loss",
                                     .series = series,
                                     .series_count = LOSSES};
    report_section(report, "Training");
    guard(report, words, r);
    report_chart(report, "Loss by epoch, with gains: boxes, classes, and the distributions of box sides.",
                 &losses);
    const int scored = there[LOSSES] + there[LOSSES + 1];
    if (scored) score_chart(report, words, r, series + LOSSES + !there[LOSSES], scored);
}

/* ---- Settings ---- */

enum { SETTINGS_MOST = 40 };

struct settings {
    struct words *words;
    const char *cells[SETTINGS_MOST * 2];
    int rows;
};

static void set(struct settings *settings, const char *name, const char *value)
{
    if (settings->rows == SETTINGS_MOST) return;
    settings->cells[settings->rows * 2] = name;
    settings->cells[settings->rows++ * 2 + 1] = value;
}

static void teacher_settings(struct settings *s, const struct distill_options *o)
{
    struct words *const words = s->words;
    if (o->teacher_weights) {
        set(s, "teacher", report_name(o->teacher_weights));
        set(s, "teacher's input size", WORDS(words, "%d", o->teacher.size));
    } else {
        set(s, "teacher",
            o->teacher_labels ? WORDS(words, "label files in %s", folder_words(words, o->teacher_labels))
                              : o->teacher_command);
    }
}

static void selection_settings(struct settings *s, const struct distill_options *o)
{
    const struct select_options *select = &o->select;
    struct words *const words = s->words;
    set(s, "selection", select->rule == SELECT_ALL ? "every frame" : select_rule_name(select->rule));
    if (select->rule == SELECT_TOP_CONFIDENCE || select->rule == SELECT_LEAST_CONFIDENCE) {
        set(s, "warm-up frames", WORDS(words, "%d", select->warmup));
        set(s, "alpha", WORDS(words, "%g", select->alpha));
    }
    if (select->rule == SELECT_UNIFORM) set(s, "rate", WORDS(words, "%g", select->rate));
    if (select->rule != SELECT_ALL) set(s, "candidates for each chosen frame", WORDS(words, "%d", o->gamma));
    set(s, "filter", filter_rule_name(o->filter.rule));
    set(s, "budget", WORDS(words, "%d", o->budget));
    if (filter_needs_embeddings(o->filter.rule))
        set(s, "embeddings", o->embedder ? report_name(o->embedder) : "the student's own features");
}

static void training_settings(struct settings *s, const struct distill_options *o)
{
    static const char *const heads[] = {
        [HEAD_TRANSFER] = "transfer", [HEAD_REBUILD] = "rebuild", [HEAD_KEEP] = "keep"};
    static const char *const optimizers[] = {[OPTIMIZER_AUTO] = "auto",
                                             [OPTIMIZER_ADAMW] = "adamw",
                                             [OPTIMIZER_SGD] = "sgd",
                                             [OPTIMIZER_ADAM] = "adam"};
    const struct trainer_options *t = &o->trainer;
    struct words *const words = s->words;
    set(s, "head", heads[o->head]);
    set(s, "input size", WORDS(words, "%d", o->size));
    set(s, "epochs", WORDS(words, "%d", t->epochs));
    set(s, "batch", WORDS(words, "%d", t->batch));
    set(s, "optimizer", optimizers[t->schedule.optimizer]);
    if (t->schedule.optimizer != OPTIMIZER_AUTO)
        set(s, "learning rate", WORDS(words, "%g", t->schedule.rate));
    set(s, "mosaic", WORDS(words, "%g", t->augment.mosaic));
    if (t->mask != MASK_FULL)
        set(s, "weights that may move", WORDS(words, "%s, %g", mask_rule_name(t->mask), t->fraction));
    if (o->freeze) set(s, "frozen layers", WORDS(words, "%d", o->freeze));
    if (t->frozen_norm) set(s, "batch norms", "frozen");
    set(s, "plan", net_plan_name(o->plan));
    set(s, "seed", WORDS(words, "%llu", (unsigned long long)t->seed));
    if (o->half) set(s, "stored as", "float16");
}

static void validation_settings(struct settings *s, const struct distill_options *o,
                                const struct distill_result *r)
{
    struct words *const words = s->words;
    set(s, "validation",
        o->validation == DISTILL_FOLDER ? folder_words(words, o->validation_folder)
        : r->extra_count                ? WORDS(words, "the last %d frames of the stream", r->extra_count)
        : r->validation_frames          ? WORDS(words, "%d of the chosen frames", r->validation_frames)
                                        : "none: the last weights are kept");
    if (o->guard) {
        set(s, "guard set", folder_words(words, o->guard));
        if (o->trainer.guard.loss >= 0)
            set(s, "loss allowed on it", WORDS(words, "%g", o->trainer.guard.loss));
    }
    if (o->test) {
        set(s, "test frames", folder_words(words, o->test));
        if (o->scoring.ignore_above >= 0)
            set(s, "scored below line", WORDS(words, "%g px", (double)o->scoring.ignore_above));
    }
}

static void settings_section(struct report *report, struct words *words, const struct distill_options *o,
                             const struct distill_result *r)
{
    struct settings s = {.words = words};
    set(&s, "student", report_name(o->student));
    set(&s, "frames", folder_words(words, o->frames));
    teacher_settings(&s, o);
    selection_settings(&s, o);
    training_settings(&s, o);
    validation_settings(&s, o, r);
    const char *const heads[] = {"setting", "value"};
    const struct report_table table = {NULL, 2, s.rows, "ll", heads, s.cells};
    report_section(report, "Settings");
    report_table(report, &table);
}

/* ---- The whole ---- */

static enum status write_report(struct report *report, const char *path, struct error *err)
{
    TRY(report_end(report,
                   "retort " RETORT_VERSION ". The same weights, frames and settings give this page again.",
                   err));
    const enum status status = file_write(path, report->html.data, report->html.size, err);
    text_free(&report->html);
    return status;
}

enum status distill_report(const char *path, const struct distill_options *options,
                           const struct distill_result *result, const struct model *before,
                           const struct model *after, struct error *err)
{
    struct report report;
    struct words words = {0};
    report_begin(
        &report, "Distillation",
        WORDS(&words, "%s for %s", report_name(options->student), folder_words(&words, options->frames)));
    head(&report, &words, options, result);
    scores(&report, &words, result);
    enum status status = distill_report_pairs(&report, options, result, before, after, &words.arena, err);
    report_section(&report, "Selection");
    timeline(&report, &words, result);
    reasons(&report, &words, result);
    upload(&report, &words, result);
    if (status == OK) status = distill_report_sheet(&report, options, result, &words.arena, err);
    curves(&report, &words, result);
    settings_section(&report, &words, options, result);
    if (status == OK && words.failed) status = fail_memory(err, "the report", words.arena.used);
    if (status == OK)
        status = write_report(&report, path, err);
    else
        text_free(&report.html);
    arena_free(&words.arena);
    return status;
}
