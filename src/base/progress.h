/* How long-running library functions show progress and are interrupted: they never print. */
#ifndef RETORT_BASE_PROGRESS_H
#define RETORT_BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* Called between units of work from the thread that made the call. stage names the work ("embed", "train"), done of
 * total units are finished, note is a short text for the line (losses) or "". Returning false asks the callee to
 * stop at the next safe place with ERR_INTERRUPTED. */
struct progress {
    bool (*report)(void *context, const char *stage, int64_t done, int64_t total, const char *note);
    void *context;
};

/* true = go on; a NULL progress or callback always goes on. */
static inline bool progress_report(const struct progress *progress, const char *stage, int64_t done, int64_t total,
                                   const char *note)
{
    return !progress || !progress->report || progress->report(progress->context, stage, done, total, note);
}

#endif
