#include "base/file.h"
#include "base/version.h"
#include "train/distill_report_pairs.h"
#include "train/distill_report_settings.h"
#include "train/distill_report_sheet.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

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
        {"Upload", words_size(words, r->uploaded_bytes),
         WORDS(words, "%s for all candidates", words_size(words, r->candidate_bytes))},
        {"Optimiser steps", WORDS(words, "%lld", (long long)r->training.steps),
         WORDS(words, "in at most %d epoch%s", o->trainer.epochs, text_plural(o->trainer.epochs))},
    };
    report_facts(report, facts, sizeof facts / sizeof *facts);
    if (r->withheld)
        report_paragraph(report, WORDS(words, "The weights were not delivered: %s.", r->withheld));
    if (r->unreadable)
        report_paragraph(report, WORDS(words, "%d frame%s could not be read; selection.jsonl says which.",
                                       r->unreadable, text_plural(r->unreadable)));
    if (r->relaxed)
        report_paragraph(
            report,
            o->select.rule == SELECT_UNIFORM
                ? WORDS(words, "The stream gave too few candidates: the chance of a frame was raised to %g.",
                        r->rate)
                : "The stream gave too few candidates: the threshold was lowered.");
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
    const struct {
        const char *name;
        const struct metric_result *score;
    } models[] = {{"student before", b},
                  {"student after", a},
                  {"teacher", &r->teacher},
                  {"student before, as coded", &r->before_as_coded},
                  {"teacher, as coded", &r->teacher_as_coded}};
    const char *const heads[] = {"", "mAP50", "mAP50-95", "gain in mAP50-95"};
    const char *cells[4 * sizeof models / sizeof *models];
    int rows = 0;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        const struct metric_result *score = models[i].score;
        if (!score->defined) continue;
        const char **row = cells + 4 * rows++;
        row[0] = models[i].name;
        row[1] = WORDS(words, "%.4f", score->map50);
        row[2] = WORDS(words, "%.4f", score->map50_95);
        row[3] = score == b ? "" : WORDS(words, "%+.4f", score->map50_95 - b->map50_95);
    }
    const struct report_table table = {
        WORDS(words, "On %zu test frame%s with %zu label%s, which took no part in the training.%s", a->images,
              text_plural((int64_t)a->images), a->labels, text_plural((int64_t)a->labels),
              r->before_as_coded.defined
                  ? " As coded: as the code of the method's paper scores networks that were not trained on "
                    "the camera, boxes above confidence 0.4 only and of any class."
                  : ""),
        4,
        rows,
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
        cells[rows * 3 + 2] = words_share(words, counts[i], r->frame_count);
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
        words_share(words, (double)r->uploaded_bytes, (double)r->candidate_bytes),
        "all candidates",
        WORDS(words, "%d", r->candidate_count),
        WORDS(words, "%zu", r->candidate_bytes),
        words_share(words, 1, 1),
        "validation frames, uploaded, too",
        WORDS(words, "%d", r->extra_count),
        WORDS(words, "%zu", r->extra_bytes),
        words_share(words, (double)r->extra_bytes, (double)r->candidate_bytes),
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
                           const struct distill_result *result, const struct dataset *test,
                           const struct model *before, const struct model *after, struct error *err)
{
    struct report report;
    struct words words = {0};
    report_begin(
        &report, "Distillation",
        WORDS(&words, "%s for %s", report_name(options->student), words_folder(&words, options->frames)));
    head(&report, &words, options, result);
    scores(&report, &words, result);
    enum status status =
        distill_report_pairs(&report, options, result, test, before, after, &words.arena, err);
    report_section(&report, "Selection");
    timeline(&report, &words, result);
    reasons(&report, &words, result);
    upload(&report, &words, result);
    if (status == OK) status = distill_report_sheet(&report, options, result, &words.arena, err);
    curves(&report, &words, result);
    distill_report_settings(&report, &words, options, result);
    if (status == OK && words.failed) status = fail_memory(err, "the report", words.arena.used);
    if (status == OK)
        status = write_report(&report, path, err);
    else
        text_free(&report.html);
    arena_free(&words.arena);
    return status;
}
