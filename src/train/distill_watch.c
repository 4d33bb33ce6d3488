#include "train/distill_watch.h"

#include "base/file.h"
#include "base/rng.h"
#include "detect/detector.h"
#include "detect/labels.h"
#include "image/source.h"
#include "select/confidence.h"
#include "select/stream.h"
#include "train/distill_folder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct watch {
    struct distill_result *result;
    const struct distill_options *options;
    const struct known_pictures *test;
    const char *candidates; /* folder */
    const struct progress *progress;
    struct arena *arena;
    struct detector detector;
    struct detection found[NMS_MAX_DETECTIONS];
    struct select_stream stream;
    const bool *at_interval; /* SELECT_INTERVAL: per frame, of those that the source counts */
    int64_t counted;
    int64_t extra_from; /* frames from here on validate and are no candidates; INT64_MAX: none */
    uint64_t key;       /* of the uniform rule's draws */
    int capacity, candidate_capacity, extra_capacity;
};

/* Keeps the vehicles among the detections: their boxes for the filters, their confidence for SELECT. */
static enum status vehicles(struct watch *w, const struct frame *frame, int count,
                            struct distill_candidate *seen, double *confidence, struct error *err)
{
    struct confidence best = {.aggregation = w->options->filter.aggregation};
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
    if (frame >= w->extra_from) return LEDGER_VALIDATION;
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

static enum status find_vehicles(struct watch *w, const struct frame *frame, struct distill_candidate *seen,
                                 double *confidence, struct error *err)
{
    int count = 0;
    TRY(detector_predict(&w->detector, &frame->image, w->options->size, true, w->found, &count, err));
    return vehicles(w, frame, count, seen, confidence, err);
}

static enum status add_candidate(struct watch *w, const struct frame *frame, struct distill_candidate *seen,
                                 struct error *err)
{
    struct distill_result *r = w->result;
    struct distill_candidate *list =
        arena_grow(w->arena, r->candidates, r->candidate_count, &w->candidate_capacity, sizeof *list);
    if (!list) return fail_memory(err, "the candidates", (size_t)w->candidate_capacity * sizeof *list);
    r->candidates = list;
    TRY(distill_store(seen, frame, w->candidates, w->test, w->arena, err));
    r->frames[seen->frame].candidate = r->candidate_count;
    list[r->candidate_count++] = *seen;
    r->candidate_bytes += seen->bytes;
    return OK;
}

static enum status add_extra(struct watch *w, const struct frame *frame, struct distill_candidate *seen,
                             struct error *err)
{
    struct distill_result *r = w->result;
    struct distill_candidate *list =
        arena_grow(w->arena, r->extra, r->extra_count, &w->extra_capacity, sizeof *list);
    if (!list) return fail_memory(err, "the validation frames", (size_t)w->extra_capacity * sizeof *list);
    r->extra = list;
    TRY(distill_store(seen, frame, w->candidates, w->test, w->arena, err));
    list[r->extra_count++] = *seen;
    r->extra_bytes += seen->bytes;
    return OK;
}

/* One more in the list, of which nothing but the name is known yet. */
static enum status list_frame(struct watch *w, const struct frame *frame, struct error *err)
{
    struct distill_result *r = w->result;
    struct distill_frame *frames =
        arena_grow(w->arena, r->frames, r->frame_count, &w->capacity, sizeof *frames);
    if (!frames) return fail_memory(err, "the list of frames", (size_t)w->capacity * sizeof *frames);
    r->frames = frames;
    struct distill_frame *f = frames + r->frame_count;
    *f = (struct distill_frame){.name = arena_strdup(w->arena, frame->name),
                                .time = frame->time,
                                .confidence = CONFIDENCE_NONE,
                                .reason = LEDGER_UNREADABLE,
                                .candidate = -1};
    return f->name ? OK : fail_memory(err, "a frame's name", strlen(frame->name));
}

/* It was never seen by the rules, as if the camera had skipped it. */
static enum status pass_over(struct watch *w, const struct frame *frame, const struct error *broken,
                             struct error *err)
{
    struct distill_result *r = w->result;
    TRY(list_frame(w, frame, err));
    r->frame_count++;
    if (r->unreadable++) return OK;
    r->first_broken = arena_strdup(w->arena, broken->message);
    return r->first_broken ? OK : fail_memory(err, "a message", strlen(broken->message));
}

static enum status watch_frame(struct watch *w, const struct frame *frame, struct error *err)
{
    struct distill_result *r = w->result;
    struct distill_candidate seen = {.frame = r->frame_count, .rank = -1, .score = NAN};
    const struct distill_options *const o = w->options;
    if (o->label_original && !o->teacher_labels && !file_exists(frame->name))
        return fail(err, ERR_USAGE, "%s: is no file, so only the uploaded picture can be labelled",
                    frame->name);
    TRY(distill_refuse_test_frame(w->test, &frame->image, frame->name, err));
    TRY(list_frame(w, frame, err));
    struct distill_frame *f = r->frames + r->frame_count;
    TRY(find_vehicles(w, frame, &seen, &f->confidence, err));
    f->reason = decide(w, f->confidence);
    if (f->reason == LEDGER_WARM_UP) r->warmup_end = r->frame_count + 1;
    r->frame_count++;
    if (f->reason == LEDGER_VALIDATION) return add_extra(w, frame, &seen, err);
    return f->reason == LEDGER_SELECTED ? add_candidate(w, frame, &seen, err) : OK;
}

static enum status watch_stream(struct watch *w, struct source *source, struct frame *frame,
                                struct error *err)
{
    bool end = false;
    for (;;) {
        struct error broken;
        const enum status status = source_next(source, frame, &end, &broken);
        if (status != OK && status != ERR_INPUT) return fail(err, status, "%s", broken.message);
        if (status == OK && end) return OK;
        TRY(status == OK ? watch_frame(w, frame, err) : pass_over(w, frame, &broken, err));
        char note[64];
        snprintf(note, sizeof note, "%d candidates", w->result->candidate_count);
        if (!progress_report(w->progress, "watch", frame->id + 1, source_count(source), note))
            return fail(err, ERR_INTERRUPTED, "interrupted while watching the stream");
    }
}

/* ---- The second pass of a threshold that was lowered, or a rate that was raised (END_RELAX) ---- */

/* Selects again among the frames that the rule saw, which broken ones are not; selection gets their numbers
 * in the stream. The draws are those of the first pass. */
static enum status select_again(struct watch *w, struct selection *selection, int frames, struct error *err)
{
    const struct distill_frame *const list = w->result->frames;
    struct select_options select = w->options->select;
    double *confidence = arena_alloc(w->arena, (size_t)frames, sizeof *confidence);
    int *number = arena_alloc(w->arena, (size_t)frames, sizeof *number);
    if (!confidence || !number) return fail_memory(err, "the confidences", (size_t)frames * 12);
    struct select_bank bank = {.confidence = confidence, .draws = draws_of_key(&w->key)};
    for (int i = 0; i < frames; i++) {
        if (list[i].reason == LEDGER_UNREADABLE) continue;
        number[bank.frames] = i;
        confidence[bank.frames++] = list[i].confidence;
    }
    select.wanted = w->options->budget * w->options->gamma;
    TRY(select_run(selection, &select, &bank, w->arena, err));
    for (int i = 0; i < selection->count; i++) selection->frames[i] = number[selection->frames[i]];
    return OK;
}

/* Forgets the candidates; frames of the selection become candidates when they come again. */
static enum status choose_again(struct watch *w, struct selection *selection, struct error *err)
{
    struct distill_result *r = w->result;
    const int frames = w->extra_from < r->frame_count ? (int)w->extra_from : r->frame_count;
    TRY(select_again(w, selection, frames, err));
    for (int i = 0; i < r->candidate_count; i++) {
        r->frames[r->candidates[i].frame].candidate = -1;
        if (remove(r->candidates[i].file)) return fail_errno(err, "remove", r->candidates[i].file);
    }
    r->candidate_count = 0;
    r->candidate_bytes = 0;
    r->relaxed = selection->relaxed;
    r->rate = selection->rate;
    w->stream.tau = selection->tau;
    /* Frames behind the last one taken were not needed. */
    const int last = selection->count ? selection->frames[selection->count - 1] : 0;
    for (int i = last + 1; i < frames; i++)
        if (r->frames[i].reason != LEDGER_UNREADABLE) r->frames[i].reason = LEDGER_WINDOW_CLOSED;
    return OK;
}

static enum status second_pass(struct watch *w, struct source *source, struct frame *frame, struct error *err)
{
    struct selection selection;
    bool end = false;
    TRY(choose_again(w, &selection, err));
    for (int next = 0; next < selection.count && !end;) {
        struct error broken;
        const enum status status = source_next(source, frame, &end, &broken);
        if (status == ERR_INPUT) continue; /* as the first time */
        if (status != OK) return fail(err, status, "%s", broken.message);
        if (end || frame->id != selection.frames[next]) continue;
        struct distill_candidate seen = {.frame = selection.frames[next++], .rank = -1, .score = NAN};
        struct distill_frame *f = w->result->frames + seen.frame;
        TRY(find_vehicles(w, frame, &seen, &f->confidence, err));
        f->reason = LEDGER_SELECTED;
        TRY(add_candidate(w, frame, &seen, err));
        if (!progress_report(w->progress, "watch again", next, selection.count, ""))
            return fail(err, ERR_INTERRUPTED, "interrupted while watching the stream");
    }
    return OK;
}

static enum status relax(struct watch *w, struct frame *frame, struct error *err)
{
    const struct distill_options *o = w->options;
    const bool enough = w->result->candidate_count >= o->budget * o->gamma;
    const bool can = o->select.rule == SELECT_UNIFORM || w->stream.warm;
    struct source *source = NULL;
    if (o->select.policy != END_RELAX || !can || enough) return OK;
    TRY(source_open(&source, o->frames, err));
    const enum status status = second_pass(w, source, frame, err);
    source_close(source);
    return status;
}

/* ---- The rule ---- */

/* The last frames of the stream, which must tell how many it has. */
static enum status reserve_extra(struct watch *w, int64_t frames, struct error *err)
{
    const struct distill_options *o = w->options;
    w->extra_from = INT64_MAX;
    if (o->validation != DISTILL_EXTRA) return OK;
    if (frames < 0)
        return fail(err, ERR_USAGE,
                    "%s: extra validation frames need a source of known length: a folder or a list",
                    o->frames);
    if (frames <= o->extra_frames)
        return fail(err, ERR_INPUT, "%s: has %lld frames, of which %d are to validate (--val-frames)",
                    o->frames, (long long)frames, o->extra_frames);
    w->extra_from = frames - o->extra_frames;
    return OK;
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
    TRY(reserve_extra(w, frames, err));
    select.wanted = w->options->budget * w->options->gamma;
    if (select.rule == SELECT_INTERVAL)
        return plan_interval(w, &select, w->extra_from < frames ? w->extra_from : frames, err);
    if (select.policy == END_RELAX) select.policy = END_SHORT; /* the first pass */
    return select_stream_open(&w->stream, &select, draws_of_key(&w->key), w->arena, err);
}

/* Classes that count keep their number or are one, the others are dropped; one class is what it is. */
static enum status begin_detector(struct watch *w, const struct model *student, struct error *err)
{
    const struct distill_options *o = w->options;
    struct nms_options nms = nms_predict_options();
    if (student->config.classes > 1) {
        int *map;
        TRY(labels_make_map(&map, w->arena, student->config.classes, o->vehicles, (size_t)o->vehicle_count,
                            o->merge_before, "vehicle classes of the student", err));
        nms.class_map = map;
        nms.merge_before = o->merge_before;
    }
    detector_begin(&w->detector, student, o->kernels, o->threads, &nms);
    w->detector.plan = o->plan;
    w->detector.memory_limit = o->trainer.memory_limit;
    return OK;
}

/* Why nothing was selected. */
static enum status fail_empty(const struct watch *w, bool thresholded, struct error *err)
{
    const struct distill_options *o = w->options;
    const struct distill_result *r = w->result;
    int seen = 0;
    for (int i = 0; i < r->frame_count; i++) seen += r->frames[i].confidence != CONFIDENCE_NONE;
    if (thresholded && !w->stream.warm)
        return fail(err, ERR_INPUT,
                    "%s: a vehicle was seen in %d of %d frames; the warm-up alone takes %d (--warmup)",
                    o->frames, seen, r->frame_count, o->select.warmup);
    return fail(err, ERR_INPUT, "%s: none of %d frames was selected", o->frames, r->frame_count);
}

static enum status watch(struct watch *w, const struct model *student, struct error *err)
{
    const struct distill_options *o = w->options;
    struct source *source = NULL;
    struct frame frame = {0};
    TRY(begin_detector(w, student, err));
    enum status status = source_open(&source, o->frames, err);
    if (status == OK) status = open_stream(w, source_count(source), err);
    if (status == OK) status = file_make_folder(w->candidates, err);
    if (status == OK) status = watch_stream(w, source, &frame, err);
    if (status == OK) status = relax(w, &frame, err);
    image_free(&frame.image);
    source_close(source);
    detector_end(&w->detector);
    return status;
}

enum status distill_watch(struct distill_result *result, const struct distill_options *options,
                          const struct model *student, const struct known_pictures *test,
                          const struct progress *progress, struct arena *arena, struct error *err)
{
    struct watch w = {
        .result = result, .options = options, .test = test, .progress = progress, .arena = arena};
    const enum select_rule rule = options->select.rule;
    const bool thresholded = rule == SELECT_TOP_CONFIDENCE || rule == SELECT_LEAST_CONFIDENCE;
    w.candidates = arena_printf(arena, "%s/candidates", options->folder);
    if (!w.candidates) return fail_memory(err, "a path", 1);
    w.key = rng_key(options->trainer.seed, "uniform_select");
    enum status status = watch(&w, student, err);
    result->tau = thresholded && w.stream.warm ? w.stream.tau : NAN;
    if (status == OK && !result->candidate_count) status = fail_empty(&w, thresholded, err);
    if (status != OK && status != ERR_INTERRUPTED) distill_leave_nothing(result, options->folder, arena);
    return status;
}
