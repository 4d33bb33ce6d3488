/* The selection ledger: why every frame was taken or refused, as JSON lines.
 *
 * The first line names the format and the rules; then one object a frame, in stream order:
 *
 *     {"format":"retort-selection","version":1,"select":"top-confidence","filter":"farthest-first"}
 *     {"frame":17,"file":"0017.jpg","time":0.68,"confidence":0.93,"tau":0.87,"reason":"selected","rank":3,"score":0.41}
 *
 * A member that a frame does not have is left out. */
#ifndef RETORT_SELECT_LEDGER_H
#define RETORT_SELECT_LEDGER_H

#include "base/arena.h"
#include "base/status.h"
#include "select/filter.h"
#include "select/select.h"

#include <stddef.h>
#include <stdint.h>

enum ledger_reason {
    LEDGER_SELECTED,        /* "selected": taken by SELECT, kept by FILTER */
    LEDGER_FILTERED_OUT,    /* "filtered out": taken by SELECT only */
    LEDGER_WARM_UP,         /* "warm-up" */
    LEDGER_NO_VEHICLE,      /* "no vehicle" */
    LEDGER_BELOW_THRESHOLD, /* "below threshold": top-confidence; a tie with tau counts as below */
    LEDGER_ABOVE_THRESHOLD, /* "above threshold": least-confidence; likewise */
    LEDGER_NOT_CHOSEN,      /* "not chosen": the rules that look at no confidence */
    LEDGER_WINDOW_CLOSED,   /* "window closed": all wanted frames had been found */
    LEDGER_VALIDATION,      /* "validation": kept to choose the best epoch, no candidate */
    LEDGER_UNREADABLE,      /* "unreadable": a broken picture, passed over */
    LEDGER_REASONS
};

const char *ledger_reason_name(enum ledger_reason reason);

struct ledger_row {
    int64_t frame;     /* id, at least 0; ascending over the rows */
    const char *file;  /* NULL: none */
    double time;       /* seconds; NaN: none */
    double confidence; /* NaN: none */
    double tau;        /* threshold in force; NaN: none */
    enum ledger_reason reason;
    int rank;     /* of the pick by FILTER, from 0; -1: none */
    double score; /* what FILTER scored it with (filter.h); farthest-first: m_i at its pick; NaN: none */
};

struct ledger {
    enum select_rule select;
    enum filter_rule filter;
    struct ledger_row *rows; /* [count] */
    int count;
};

enum { LEDGER_MAX_LINE = 1 << 14, LEDGER_MAX_ROWS = 1 << 24 };

/* Rows for all frames of a stored stream, frame = index, without files and times. filtered holds positions in
 * selection->frames; NULL when no filter ran. Memory is the arena's. */
enum status ledger_explain(struct ledger *ledger, const struct select_options *options,
                           const struct select_bank *bank, const struct selection *selection,
                           enum filter_rule filter, const struct filter_result *filtered, struct arena *arena,
                           struct error *err);

enum status ledger_write(const char *path, const struct ledger *ledger, struct error *err);

/* Everything is copied into the arena. ERR_INPUT naming the line for anything that ledger_write would not
 * write. */
enum status ledger_read(struct ledger *ledger, const char *path, struct arena *arena, struct error *err);
enum status ledger_parse(struct ledger *ledger, const void *data, size_t n, const char *name,
                         struct arena *arena, struct error *err);

#endif
