/* Status values and error messages.
 *
 * Two kinds of failure. A caller's bug is an assert. The world (a file, memory, the network) is a status, and
 * the place that finds it writes one message naming the file, the place in it, what was expected and what was
 * found:
 *
 *     return fail(err, ERR_INPUT, "%s: byte %zu: expected %s, found %s", path, offset, "...", "...");
 *
 * Fallible functions return enum status and take a struct error * as their last argument; it may be NULL
 * where the caller does not want the text. A message is complete where it is written: callers forward it with
 * TRY. */
#ifndef RETORT_BASE_STATUS_H
#define RETORT_BASE_STATUS_H

/* The values are the exit statuses of the commands. */
enum status {
    OK = 0,
    ERR_CHECK = 1,       /* a check asked for did not hold (hash differs, update rejected) */
    ERR_USAGE = 2,       /* options or arguments that make no sense */
    ERR_INPUT = 3,       /* a file or stream is missing, malformed or over a limit */
    ERR_SYSTEM = 4,      /* memory, disk, processes */
    ERR_INTERRUPTED = 5, /* the caller's progress callback asked to stop */
};

struct error {
    enum status status;
    char message[600];
};

/* Stores status and message in *err (when err is not NULL) and returns status. */
enum status fail(struct error *err, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ERR_INPUT where the path is wrong (missing, forbidden, of another kind), ERR_SYSTEM for anything else in
 * errno, with "action path: reason". */
enum status fail_errno(struct error *err, const char *action, const char *path);

/* ERR_SYSTEM: so many bytes for this purpose could not be had. */
enum status fail_memory(struct error *err, const char *purpose, unsigned long long bytes);

#define TRY(expression)                                                                                      \
    do {                                                                                                     \
        const enum status try_status_ = (expression);                                                        \
        if (try_status_ != OK) return try_status_;                                                           \
    } while (0)

#endif
