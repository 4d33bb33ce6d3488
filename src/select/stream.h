/* SELECT on a live stream: one frame's confidence at a time [D-SBAD].
 *
 * Memory is the warm-up list; under END_CLOSE also the confidences of the window, because the next threshold
 * is their quantile. Over one window the frames taken are those of select_run with the same options. */
#ifndef RETORT_SELECT_STREAM_H
#define RETORT_SELECT_STREAM_H

#include "select/select.h"

#include <stdint.h>

/* What became of a frame; all but the last are final. */
enum select_verdict {
    VERDICT_EMPTY,   /* no box: invisible to the confidence rules */
    VERDICT_WARMING, /* only sets the threshold */
    VERDICT_REFUSED, /* on the wrong side of the threshold or draw */
    VERDICT_SELECTED,
    VERDICT_CLOSED, /* the window is over (all wanted frames found, or its memory is full); the frame counts
                       nowhere */
    VERDICTS
};

struct select_stream {
    struct select_options options;
    struct draws draws; /* SELECT_UNIFORM: draw i is for frame i since the start */
    double *seen;       /* [seen_limit]: the warm-up, then the window */
    double *sorted;     /* [seen_limit]: scratch */
    int seen_limit, seen_count;
    int selected; /* in this window; stays at INT32_MAX */
    int short_windows;
    int64_t frames; /* pushed since the start, closed ones excepted */
    double tau;     /* valid when warm */
    bool warm;
};

/* Options with SELECT_TOP_CONFIDENCE, SELECT_LEAST_CONFIDENCE, SELECT_N_FIRST, SELECT_UNIFORM or SELECT_ALL
 * (whose windows never close) and END_CLOSE or END_SHORT; ERR_USAGE for others, which need the stored stream.
 * Memory is the arena's. */
enum status select_stream_open(struct select_stream *stream, const struct select_options *options,
                               struct draws draws, struct arena *arena, struct error *err);

enum select_verdict select_stream_push(struct select_stream *stream, double confidence);

bool select_stream_closed(const struct select_stream *stream);

/* Ends the window and starts the next one. rewarm: forget the warm-up (a new student has another confidence
 * scale); otherwise the threshold becomes the quantile of everything seen under END_CLOSE, and stays under
 * END_SHORT. A window that ends during the warm-up just goes on with it. */
void select_stream_next_window(struct select_stream *stream, bool rewarm);

/* The state as bytes, to resume after a kill. */
size_t select_stream_size(const struct select_stream *stream);
void select_stream_save(const struct select_stream *stream, uint8_t *bytes); /* select_stream_size bytes */

/* Into an opened stream with the same options. ERR_INPUT, the stream unchanged, for other bytes. */
enum status select_stream_load(struct select_stream *stream, const uint8_t *bytes, size_t size,
                               struct error *err);

#endif
