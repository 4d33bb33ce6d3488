/* A child process that answers lines: one line in, one line out, in order.
 *
 * Started by /bin/sh -c in a process group of its own; its standard error stays the caller's. The caller
 * ignores SIGPIPE. A child that ends, hangs or says more than it was asked is ERR_INPUT with the command in the
 * message. */
#ifndef RETORT_BASE_CHILD_H
#define RETORT_BASE_CHILD_H

#include "base/status.h"

#include <stddef.h>
#include <sys/types.h>

enum { CHILD_MAX_QUESTION = 4096, CHILD_MAX_ANSWER = 16 << 20 };

struct child {
    const char *command; /* the caller's */
    pid_t pid;           /* 0: not running */
    int in, out;         /* our ends of its standard input and output */
    char *buffer;        /* what was read since the last question; the first `answered` bytes were handed out */
    size_t used, capacity, answered;
};

/* After OK child_end must follow. */
enum status child_start(struct child *child, const char *command, struct error *err);

/* Writes the line and waits up to `seconds` for the answer, which stays valid until the next call. The line
 * holds no newline and fewer than CHILD_MAX_QUESTION bytes, else ERR_INPUT. After an error only child_end is
 * left. */
enum status child_ask(struct child *child, const char *line, double seconds, const char **answer,
                      size_t *size, struct error *err);

/* Closes its input and waits up to `seconds`: ERR_INPUT when it does not end, ends with another status than 0
 * or said more than it was asked. It is gone in any case. Stopping a child that no longer runs is OK. */
enum status child_stop(struct child *child, double seconds, struct error *err);

/* Kills what still runs and releases everything. */
void child_end(struct child *child);

#endif
