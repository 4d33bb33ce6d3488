#include "train/distill_watch.h"

#include "base/file.h"
#include "base/rng.h"
#include "detect/detector.h"
#include "image/decode.h"
#include "image/encode.h"
#include "image/source.h"
#include "select/confidence.h"
#include "select/embed.h"
#include "select/stream.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_FRAMES = 1024, CANDIDATE_QUALITY = 95 };

struct watch {
    struct distill_result *result;
    const struct distill_options *options;
    const struct progress *progress;
    struct arena *arena;
    struct detector detector;
    struct detection found[NMS_MAX_DETECTIONS];
    struct select_stream stream;
    const bool *at_interval; /* SELECT_INTERVAL: per frame, of those that the source counts */
    int64_t counted;
    uint64_t key; /* of the uniform rule's draws */
    int capacity, candidate_capacity;
};

static bool is_jpeg_name(const char *name)
{
    const char *end = strrchr(name, '.');
    return end && (!strcmp(end, ".jpg") || !strcmp(end, ".jpeg") || !strcmp(end, ".JPG"));
}

/* Room for one more element of a growing array in the arena. */
static void *grow(struct arena *arena, void *list, int count, int *capacity, size_t size)
{
    if (count < *capacity) return list;
    const int wanted = *capacity ? 2 * *capacity : FIRST_FRAMES;
    void *larger = arena_alloc(arena, (size_t)wanted, size);
    if (!larger) return NULL;
    if (count) memcpy(larger, list, (size_t)count * size);
    *capacity = wanted;
    return larger;
}

/* The picture as it would be uploaded: "candidates/000017.jpg". */
static enum status store(struct watch *w, const struct frame *frame, struct distill_candidate *candidate,
                         struct error *err)
{
    candidate->file =
        arena_printf(w->arena, "%s/candidates/%06lld.jpg", w->options->folder, (long long)frame->id);
    if (!candidate->file) return fail_memory(err, "a path", 1);
    uint8_t *encoded = NULL;
    struct file_view view = {0};
    enum status status;
    if (is_jpeg_name(frame->name) && file_exists(frame->name)) {
        TRY(file_map(&view, frame->name, err));
        candidate->bytes = view.size;
        status = file_write(candidate->file, view.data, view.size, err);
        file_unmap(&view);
        return status;
    }
    TRY(image_encode(&encoded, &candidate->bytes, &frame->image, IMAGE_JPEG, CANDIDATE_QUALITY, err));
    status = file_write(candidate->file, encoded, candidate->bytes, err);
    free(encoded);
    return status;
}

/* Keeps the vehicles among the detections: their boxes for the filters, their confidence for SELECT. */
static enum status vehicles(struct watch *w, const struct frame *frame, int count,
                            struct distill_candidate *seen, double *confidence, struct error *err)
{
    struct confidence best = {.aggregation = AGGREGATE_MAX};
    seen->boxes = arena_alloc(w->arena, (size_t)count, sizeof *seen->boxes);
    if (!seen->boxes) return fail_memory(err, "boxes of a frame", (size_t)count * sizeof *seen->boxes);
    for (int i = 0; i < count; i++) {
        const struct detection *d = w->found + i;
        seen->boxes[seen->box_count++] =
            (struct filter_box){(d->box.x2 - d->box.x1) / frame->image.width,
                                (d->box.y2 - d->box.y1) / frame->image.height, d->confidence};
        confidence_add(&best, d->confidence);
    }
    *confidence = confidence_result(&best);
    return OK;
}

static enum ledger_reason decide(struct watch *w, double confidence)
{
    const enum select_rule rule = w->options->select.rule;
    const int frame = w->result->frame_count;
    if (rule == SELECT_INTERVAL)
        return frame < w->counted && w->at_interval[frame] ? LEDGER_SELECTED : LEDGER_NOT_CHOSEN;
    switch (select_stream_push(&w->stream, confidence)) {
    case VERDICT_EMPTY:
        return LEDGER_NO_VEHICLE;
    case VERDICT_WARMING:
        return LEDGER_WARM_UP;
    case VERDICT_SELECTED:
        return LEDGER_SELECTED;
    case VERDICT_CLOSED:
        return LEDGER_WINDOW_CLOSED;
    default:
        break;
    }
    return rule == SELECT_TOP_CONFIDENCE     ? LEDGER_BELOW_THRESHOLD
           : rule == SELECT_LEAST_CONFIDENCE ? LEDGER_ABOVE_THRESHOLD
                                             : LEDGER_NOT_CHOSEN;
}

static enum status watch_frame(struct watch *w, const struct frame *frame, struct error *err)
{
    struct distill_result *r = w->result;
    struct distill_candidate seen = {.frame = r->frame_count, .rank = -1, .score = NAN};
    int count = 0;
    TRY(detector_predict(&w->detector, &frame->image, w->options->size, true, w->found, &count, err));
    struct distill_frame *frames = grow(w->arena, r->frames, r->frame_count, &w->capacity, sizeof *frames);
    if (!frames) return fail_memory(err, "the list of frames", (size_t)w->capacity * sizeof *frames);
    r->frames = frames;
    struct distill_frame *f = frames + r->frame_count;
    *f = (struct distill_frame){.name = arena_strdup(w->arena, frame->name), .candidate = -1};
    if (!f->name) return fail_memory(err, "a frame's name", strlen(frame->name));
    TRY(vehicles(w, frame, count, &seen, &f->confidence, err));
    f->reason = decide(w, f->confidence);
    if (f->reason == LEDGER_WARM_UP) r->warmup_end = r->frame_count + 1;
    r->frame_count++;
    if (f->reason != LEDGER_SELECTED) return OK;
    struct distill_candidate *list =
        grow(w->arena, r->candidates, r->candidate_count, &w->candidate_capacity, sizeof *list);
    if (!list) return fail_memory(err, "the candidates", (size_t)w->candidate_capacity * sizeof *list);
    r->candidates = list;
    TRY(store(w, frame, &seen, err));
    f->candidate = r->candidate_count;
    list[r->candidate_count++] = seen;
    r->candidate_bytes += seen.bytes;
    return OK;
}

static enum status watch_stream(struct watch *w, struct source *source, struct frame *frame,
                                struct error *err)
{
    bool end = false;
    for (;;) {
        TRY(source_next(source, frame, &end, err));
        if (end) return OK;
        TRY(watch_frame(w, frame, err));
        char note[64];
        snprintf(note, sizeof note, "%d candidates", w->result->candidate_count);
        if (!progress_report(w->progress, "watch", frame->id + 1, source_count(source), note))
            return fail(err, ERR_INTERRUPTED, "interrupted while watching the stream");
    }
}

/* Evenly spread frames need to know how many there are. */
static enum status plan_interval(struct watch *w, const struct select_options *select, int64_t frames,
                                 struct error *err)
{
    struct selection selection;
    if (frames < 0 || frames > INT32_MAX)
        return fail(err, ERR_USAGE,
                    "%s: the interval rule needs a source of known length: a folder or a list",
                    w->options->frames);
    const struct select_bank bank = {.frames = (int)frames};
    TRY(select_run(&selection, select, &bank, w->arena, err));
    bool *taken = arena_alloc(w->arena, (size_t)frames, sizeof *taken);
    if (!taken) return fail_memory(err, "the list of frames", (size_t)frames);
    for (int i = 0; i < selection.count; i++) taken[selection.frames[i]] = true;
    w->at_interval = taken;
    w->counted = frames;
    return OK;
}

static enum status open_stream(struct watch *w, int64_t frames, struct error *err)
{
    struct select_options select = w->options->select;
    select.wanted = w->options->budget * w->options->gamma;
    if (select.rule == SELECT_INTERVAL) return plan_interval(w, &select, frames, err);
    return select_stream_open(&w->stream, &select, draws_of_key(&w->key), w->arena, err);
}

/* Classes that count keep their number, the others are dropped; one class is what it is. */
static enum status begin_detector(struct watch *w, const struct model *student, struct error *err)
{
    const struct distill_options *o = w->options;
    struct nms_options nms = nms_predict_options();
    if (student->config.classes > 1) {
        int *map = arena_alloc(w->arena, (size_t)student->config.classes, sizeof *map);
        if (!map) return fail_memory(err, "the class map", (size_t)student->config.classes * sizeof *map);
        for (int i = 0; i < student->config.classes; i++) map[i] = -1;
        for (int i = 0; i < o->vehicle_count; i++) {
            if (o->vehicles[i] < 0 || o->vehicles[i] >= student->config.classes)
                return fail(err, ERR_USAGE, "vehicle class %d: the student has classes 0 to %d",
                            o->vehicles[i], student->config.classes - 1);
            map[o->vehicles[i]] = o->vehicles[i];
        }
        nms.class_map = map;
    }
    detector_begin(&w->detector, student, o->kernels, o->threads, &nms);
    return OK;
}

enum status distill_watch(struct distill_result *result, const struct distill_options *options,
                          const struct model *student, const struct progress *progress, struct arena *arena,
                          struct error *err)
{
    struct watch w = {.result = result, .options = options, .progress = progress, .arena = arena};
    struct source *source = NULL;
    struct frame frame = {0};
    const char *folder = arena_printf(arena, "%s/candidates", options->folder);
    if (!folder) return fail_memory(err, "a path", 1);
    w.key = rng_key(options->trainer.seed, "uniform_select");
    TRY(begin_detector(&w, student, err));
    enum status status = source_open(&source, options->frames, err);
    if (status == OK) status = file_make_folder(folder, err);
    if (status == OK) status = open_stream(&w, source_count(source), err);
    if (status == OK) status = watch_stream(&w, source, &frame, err);
    const bool thresholded =
        options->select.rule == SELECT_TOP_CONFIDENCE || options->select.rule == SELECT_LEAST_CONFIDENCE;
    result->tau = thresholded && w.stream.warm ? w.stream.tau : NAN;
    image_free(&frame.image);
    source_close(source);
    detector_end(&w.detector);
    if (status == OK && !result->candidate_count) {
        int seen = 0;
        for (int i = 0; i < result->frame_count; i++) seen += result->frames[i].confidence != CONFIDENCE_NONE;
        if (thresholded && !w.stream.warm)
            return fail(err, ERR_INPUT,
                        "%s: a vehicle was seen in %d of %d frames; the warm-up alone takes %d (--warmup)",
                        options->frames, seen, result->frame_count, options->select.warmup);
        return fail(err, ERR_INPUT, "%s: none of %d frames was selected", options->frames,
                    result->frame_count);
    }
    return status;
}

/* ---- FILTER ---- */

static enum status embed_candidates(float **rows, int *width, const struct distill_result *result,
                                    const struct distill_options *options, const struct progress *progress,
                                    struct arena *arena, struct error *err)
{
    struct embedder embedder;
    TRY(embedder_open(&embedder, options->embedder ? options->embedder : options->student, options->kernels,
                      options->threads, err));
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
                                .time = NAN,
                                .confidence = f->confidence == CONFIDENCE_NONE ? NAN : f->confidence,
                                .tau = judged ? result->tau : NAN,
                                .reason = c && c->rank < 0 ? LEDGER_FILTERED_OUT : f->reason,
                                .rank = c ? c->rank : -1,
                                .score = c ? c->score : NAN};
    }
    const enum status status = ledger_write(path, &ledger, err);
    free(ledger.rows);
    return status;
}
