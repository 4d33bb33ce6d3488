/* The terminal: results on standard output, messages and progress on standard error, Ctrl-C. */
#ifndef RETORT_CLI_CONSOLE_H
#define RETORT_CLI_CONSOLE_H

#include "base/hash.h"
#include "base/json_write.h"
#include "base/progress.h"
#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

struct console {
    bool quiet, json, terminal; /* terminal: standard error is one */
    bool incomplete;            /* memory was short for a result */
    bool silent;                /* results are hashed but not shown (rerun) */
    struct sha256 results;      /* of everything printed so far */
    uint64_t result_bytes;
    char stage[40]; /* of the progress shown last; "" = none */
    int64_t first_done;
    double opened, stage_start, last_shown; /* seconds, monotonic clock */
    int shown;                              /* characters of the bar on the line */
};

void console_open(struct console *console, bool quiet, bool json);

/* One line on standard error: "retort: ..." Messages are dropped under --quiet, errors never. */
void console_message(struct console *console, const char *format, ...) __attribute__((format(printf, 2, 3)));
void console_error(struct console *console, const char *message); /* may hold several lines */

/* Results, on standard output; console_close tells when memory was short for one. Must not hold times,
 * folders of outputs or anything else that a rerun would change. */
void console_print(struct console *console, const char *format, ...) __attribute__((format(printf, 2, 3)));
void console_print_text(struct console *console, const char *text);

/* Prints what text holds and frees it; ERR_SYSTEM when its memory ran out. */
enum status console_print_buffer(struct console *console, struct text *text, struct error *err);

/* The same for JSON that was begun and not ended. */
enum status console_print_json(struct console *console, struct json_buffer *json, struct error *err);

/* Shows a bar or lines and stops the callee after Ctrl-C. The console must outlive the result. */
struct progress console_progress(struct console *console);

/* Says on standard error what the command took, time and memory, if that was more than some seconds. */
void console_tell_cost(struct console *console);

/* Takes the bar off the line and flushes standard output: ERR_SYSTEM when something was not written. */
enum status console_close(struct console *console, struct error *err);

/* From now on the first SIGINT or SIGTERM sets a flag and the second kills. */
void console_catch_signals(void);

#endif
