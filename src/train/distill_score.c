#include "train/distill_score.h"

#include <string.h>

static const float AS_CODED_CONFIDENCE = 0.4f; /* [D-SBAD] */

static enum status any_class(struct evaluate_options *scoring, int classes, struct arena *arena,
                             struct error *err)
{
    int *const list = arena_alloc(arena, (size_t)classes, sizeof *list);
    if (!list) return fail_memory(err, "a list of classes", (size_t)classes * sizeof *list);
    for (int i = 0; i < classes; i++) list[i] = i;
    scoring->vehicle_list = list;
    scoring->vehicle_count = (size_t)classes;
    return OK;
}

/* A copy that outlives the evaluation. */
static enum status keep(struct metric_result *score, const struct metric_result *found, struct arena *arena,
                        struct error *err)
{
    const size_t bytes = found->count * sizeof *score->classes;
    *score = *found;
    score->classes = arena_alloc(arena, found->count, sizeof *score->classes);
    if (!score->classes) return fail_memory(err, "scores", bytes);
    if (bytes) memcpy(score->classes, found->classes, bytes);
    return OK;
}

enum status distill_score(struct metric_result *score, const struct distill_options *options,
                          const struct dataset *test, const struct model *model, int size, bool as_coded,
                          const struct progress *progress, struct arena *arena, struct error *err)
{
    struct evaluate_options scoring = options->scoring;
    scoring.size = size;
    if (as_coded) {
        scoring.confidence = AS_CODED_CONFIDENCE;
        TRY(any_class(&scoring, model->config.classes, arena, err));
    }
    struct evaluation evaluation;
    enum status status = evaluate_run(&evaluation, model, options->kernels, options->threads, test->items,
                                      test->count, &scoring, progress, err);
    if (status == OK) status = keep(score, &evaluation.result, arena, err);
    evaluate_free(&evaluation);
    return status;
}

static enum status score_teacher(struct distill_result *result, const struct distill_options *o,
                                 const struct dataset *test, const struct progress *progress,
                                 struct arena *arena, struct error *err)
{
    struct model teacher;
    const int size = o->teacher.size;
    TRY(model_open(&teacher, o->teacher_weights, err));
    enum status status =
        distill_score(&result->teacher, o, test, &teacher, size, false, progress, arena, err);
    if (status == OK && o->as_coded)
        status =
            distill_score(&result->teacher_as_coded, o, test, &teacher, size, true, progress, arena, err);
    model_free(&teacher);
    return status;
}

enum status distill_score_baselines(struct distill_result *result, const struct distill_options *options,
                                    const struct dataset *test, const struct model *before,
                                    const struct progress *progress, struct arena *arena, struct error *err)
{
    if (options->as_coded)
        TRY(distill_score(&result->before_as_coded, options, test, before, options->scoring.size, true,
                          progress, arena, err));
    return options->teacher_weights ? score_teacher(result, options, test, progress, arena, err) : OK;
}
