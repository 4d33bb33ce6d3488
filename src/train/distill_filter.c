#include "base/rng.h"
#include "image/decode.h"
#include "select/confidence.h"
#include "select/embed.h"
#include "train/distill_label.h"
#include "train/distill_watch.h"

#include <math.h>
#include <stdlib.h>

static enum status embed_candidates(float **rows, int *width, const struct distill_result *result,
                                    const struct distill_options *options, const struct progress *progress,
                                    struct arena *arena, struct error *err)
{
    struct embedder embedder;
    TRY(embedder_open(&embedder, options->embedder ? options->embedder : options->student, options->kernels,
                      options->threads, err));
    embedder.plan = options->plan;
    embedder.memory_limit = options->trainer.memory_limit;
    enum status status = OK;
    *width = embedder.dim;
    *rows = arena_alloc(arena, (size_t)result->candidate_count * (size_t)embedder.dim, sizeof **rows);
    if (!*rows)
        status = fail_memory(err, "embeddings", (size_t)result->candidate_count * (size_t)embedder.dim * 4);
    for (int i = 0; status == OK && i < result->candidate_count; i++) {
        struct image image = {0};
        status = image_read(&image, result->candidates[i].file, err);
        if (status == OK)
            status = embed_image(&embedder, &image, *rows + (size_t)i * (size_t)*width, NULL, err);
        image_free(&image);
        if (status == OK && !progress_report(progress, "embed", i + 1, result->candidate_count, ""))
            status = fail(err, ERR_INTERRUPTED, "interrupted while embedding the candidates");
    }
    embedder_close(&embedder);
    return status;
}

static enum status collect_boxes(struct filter_frames *frames, const struct distill_result *result,
                                 struct arena *arena, struct error *err)
{
    size_t total = 0;
    for (int i = 0; i < result->candidate_count; i++) total += (size_t)result->candidates[i].box_count;
    struct filter_box *boxes = arena_alloc(arena, total, sizeof *boxes);
    int *first = arena_alloc(arena, (size_t)result->candidate_count + 1, sizeof *first);
    if (!boxes || !first) return fail_memory(err, "the candidates' boxes", total * sizeof *boxes);
    for (int i = 0, n = 0; i < result->candidate_count; i++) {
        const struct distill_candidate *c = result->candidates + i;
        first[i] = n;
        for (int k = 0; k < c->box_count; k++) boxes[n++] = c->boxes[k];
        first[i + 1] = n;
    }
    frames->boxes = boxes;
    frames->first_box = first;
    return OK;
}

enum status distill_filter(struct distill_result *result, const struct distill_options *options,
                           const struct progress *progress, struct arena *arena, struct error *err)
{
    struct filter_options filter = options->filter;
    filter.budget = options->budget;
    filter.allow_short = true;
    struct filter_frames frames = {.count = result->candidate_count};
    const uint64_t key = rng_key(options->trainer.seed, "random_filter");
    frames.draws = draws_of_key(&key);
    if (distill_asks_of_candidates(options) && result->candidate_count > options->budget)
        TRY(distill_label_candidates(result, options, progress, arena, err));
    TRY(collect_boxes(&frames, result, arena, err));
    if (filter_needs_embeddings(filter.rule) && result->candidate_count > options->budget) {
        float *rows = NULL;
        TRY(embed_candidates(&rows, &frames.width, result, options, progress, arena, err));
        frames.embeddings = rows;
        frames.embedding_stride = frames.width;
    }
    struct filter_result filtered;
    TRY(filter_run(&filtered, &filter, &frames, options->kernels, options->threads, arena, err));
    result->chosen = filtered.frames;
    result->chosen_count = filtered.count;
    result->short_of_budget = filtered.count < options->budget;
    for (int i = 0; i < filtered.count; i++) {
        struct distill_candidate *c = result->candidates + filtered.frames[i];
        c->rank = filtered.ranks[i];
        c->score = filtered.scores[i];
        result->uploaded_bytes += c->bytes;
    }
    for (int i = 0; i < result->candidate_count; i++) {
        const struct distill_candidate *c = &result->candidates[i];
        if (c->rank < 0) result->frames[c->frame].reason = LEDGER_FILTERED_OUT;
    }
    return OK;
}

/* ---- The ledger ---- */

enum status distill_ledger(const char *path, const struct distill_options *options,
                           const struct distill_result *result, struct error *err)
{
    struct ledger ledger = {
        .select = options->select.rule, .filter = options->filter.rule, .count = result->frame_count};
    ledger.rows = calloc((size_t)result->frame_count, sizeof *ledger.rows);
    if (!ledger.rows)
        return fail_memory(err, "the ledger", (size_t)result->frame_count * sizeof *ledger.rows);
    for (int i = 0; i < result->frame_count; i++) {
        const struct distill_frame *f = result->frames + i;
        const struct distill_candidate *c = f->candidate >= 0 ? result->candidates + f->candidate : NULL;
        const bool judged = i >= result->warmup_end;
        ledger.rows[i] =
            (struct ledger_row){.frame = i,
                                .file = f->name,
                                .time = f->time,
                                .confidence = f->confidence == CONFIDENCE_NONE ? NAN : f->confidence,
                                .tau = judged ? result->tau : NAN,
                                .reason = f->reason,
                                .rank = c ? c->rank : -1,
                                .score = c ? c->score : NAN};
    }
    const enum status status = ledger_write(path, &ledger, err);
    free(ledger.rows);
    return status;
}
