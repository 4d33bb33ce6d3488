/* Timing a detector layer by layer: what retort profile measures (profile_run.c) and shows
 * (profile_print.c). */
#ifndef RETORT_CLI_PROFILE_H
#define RETORT_CLI_PROFILE_H

#include "base/arena.h"
#include "base/json_write.h"
#include "base/progress.h"
#include "base/text.h"
#include "detect/model.h"
#include "kernels/kernels.h"

enum { PROFILE_MAX_ROUNDS = 1000 };

struct profile_options {
    int size, batch, threads, rounds;
    bool train, frozen_norm;
    enum net_plan plan;
};

/* What a round consists of. An inference has the forward pass only. */
enum profile_phase {
    PROFILE_PACK,
    PROFILE_FORWARD,
    PROFILE_LOSS,
    PROFILE_BACKWARD,
    PROFILE_OPTIMISER,
    PROFILE_PHASES
};
extern const char *const profile_phase_names[PROFILE_PHASES];

struct profile_time {
    double minimum, median; /* seconds, over the rounds */
};

/* One node in one pass. */
struct profile_row {
    const char *layer, *algorithm; /* algorithm "" where there is but one */
    char text[64];                 /* what it computes */
    enum profile_phase phase;
    double flop, bytes;
    struct profile_time time;
    double begun, ended; /* in the last round, seconds since it began; for the trace */
};

struct profile {
    struct profile_options options;
    const char *isa;
    struct profile_row *rows; /* in the order of the run */
    int count;
    struct profile_time phases[PROFILE_PHASES], whole;
    double begun[PROFILE_PHASES], ended[PROFILE_PHASES]; /* as in the rows */
    struct profile_time plain;                           /* the same rounds with nobody watching */
    double peak_before, peak_after;                      /* FLOP/s */
    double bandwidth;                                    /* bytes/s, the better of before and after */
    size_t plan_bytes;                                   /* of the network's block */
};

/* Runs options.rounds rounds with the clock and as many without, taking turns, after one of each that is not
 * counted. The input is synthetic. The model's weights move when it trains. Everything lies in the arena. */
enum status profile_run(struct profile *profile, struct model *model, const struct kernels *kernels,
                        const struct profile_options *options, const struct progress *progress,
                        struct arena *arena, struct error *err);

/* Share of its time that watching costs; noise can make it negative. */
double profile_overhead(const struct profile *profile);

void profile_table(struct text *out, const struct profile *profile);
void profile_json(struct json_writer *out, const struct profile *profile);

/* The last round in the trace event format that chrome://tracing and Perfetto read. */
void profile_trace(struct json_writer *out, const struct profile *profile);

#endif
