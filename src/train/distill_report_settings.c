#include "train/distill_report_settings.h"

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
        if (o->teacher.views > 1) set(s, "teacher's views of a frame", WORDS(words, "%d", o->teacher.views));
    } else {
        set(s, "teacher",
            o->teacher_labels ? WORDS(words, "label files in %s", words_folder(words, o->teacher_labels))
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
    if (o->filter.aggregation != AGGREGATE_MAX)
        set(s, "confidence of a frame",
            WORDS(words, "%s of its vehicles'", aggregation_name(o->filter.aggregation)));
    if (select->empty_is_zero) set(s, "frames without a vehicle", "confidence 0");
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
    set(s, "scaled, moved, mirrored",
        WORDS(words, "%g, %g, %g", t->augment.scale, t->augment.translate, t->augment.flip));
    set(s, "labels", t->augment.soft ? "as sure as the teacher is" : "all as sure");
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
        o->validation == DISTILL_FOLDER ? words_folder(words, o->validation_folder)
        : r->extra_count                ? WORDS(words, "the last %d frames of the stream", r->extra_count)
        : r->validation_frames          ? WORDS(words, "%d of the chosen frames", r->validation_frames)
                                        : "none: the last weights are kept");
    if (o->guard) {
        set(s, "guard set", words_folder(words, o->guard));
        if (o->trainer.guard.loss >= 0)
            set(s, "loss allowed on it", WORDS(words, "%g", o->trainer.guard.loss));
    }
    if (o->test) {
        set(s, "test frames", words_folder(words, o->test));
        if (o->scoring.ignore_above >= 0)
            set(s, "scored below line", WORDS(words, "%g px", (double)o->scoring.ignore_above));
    }
}

void distill_report_settings(struct report *report, struct words *words, const struct distill_options *o,
                             const struct distill_result *r)
{
    struct settings s = {.words = words};
    set(&s, "student", report_name(o->student));
    set(&s, "frames", words_folder(words, o->frames));
    teacher_settings(&s, o);
    selection_settings(&s, o);
    training_settings(&s, o);
    validation_settings(&s, o, r);
    const char *const heads[] = {"setting", "value"};
    const struct report_table table = {NULL, 2, s.rows, "ll", heads, s.cells};
    report_section(report, "Settings");
    report_table(report, &table);
}
