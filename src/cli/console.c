#include "cli/console.h"

#include "base/clock.h"
#include "base/pages.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BAR = 24, LINE = 79, LINE_WITH_BAR = 60 };
static const double bar_interval = 0.1, line_interval = 5;

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
    (void)signal;
    interrupted = 1;
}

void console_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is found when standard output is flushed */
}

void console_open(struct console *console, bool quiet, bool json)
{
    const char *kind = getenv("TERM");
    *console = (struct console){.quiet = quiet, .json = json, .opened = clock_seconds()};
    console->terminal = isatty(STDERR_FILENO) && !(kind && !strcmp(kind, "dumb"));
    sha256_init(&console->results);
}

static void clear_bar(struct console *console)
{
    if (console->shown) fprintf(stderr, "\r%*s\r", console->shown, "");
    console->shown = 0;
}

void console_message(struct console *console, const char *format, ...)
{
    if (console->quiet) return;
    clear_bar(console);
    va_list args;
    va_start(args, format);
    fputs("retort: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

void console_error(struct console *console, const char *message)
{
    clear_bar(console);
    while (*message) {
        const int n = (int)strcspn(message, "\n");
        fprintf(stderr, "retort: %.*s\n", n, message);
        message += n + (message[n] != 0);
    }
}

static void print(struct console *console, const char *text, size_t n)
{
    sha256_add(&console->results, text, n);
    console->result_bytes += n;
    if (console->silent) return;
    if (isatty(STDOUT_FILENO)) clear_bar(console);
    fwrite(text, 1, n, stdout);
}

void console_print_text(struct console *console, const char *text) { print(console, text, strlen(text)); }

void console_print(struct console *console, const char *format, ...)
{
    char small[512];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int n = vsnprintf(small, sizeof small, format, args);
    char *large = n >= (int)sizeof small ? malloc((size_t)n + 1) : NULL;
    if (large) vsnprintf(large, (size_t)n + 1, format, again);
    if (n < 0 || (n >= (int)sizeof small && !large))
        console->incomplete = true;
    else
        print(console, large ? large : small, (size_t)n);
    free(large);
    va_end(again);
    va_end(args);
}

enum status console_print_buffer(struct console *console, struct text *text, struct error *err)
{
    const enum status status = text_check(text, "the result", err);
    if (status == OK && text->size) print(console, text->data, text->size);
    text_free(text);
    return status;
}

enum status console_print_json(struct console *console, struct json_buffer *json, struct error *err)
{
    TRY(json_buffer_end(json, err));
    print(console, json->text, json->size);
    free(json->text);
    return OK;
}

static int put_duration(char *out, size_t room, double seconds)
{
    const long whole = (long)(seconds + 0.5);
    if (whole >= 3600)
        return snprintf(out, room, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
    return snprintf(out, room, "%ld:%02ld", whole / 60, whole % 60);
}

/* One less than the terminal has, so that nothing wraps. */
static int line_width(const struct console *console)
{
    struct winsize size;
    const bool known = console->terminal && !ioctl(STDERR_FILENO, TIOCGWINSZ, &size) && size.ws_col > 1;
    return known && size.ws_col <= LINE ? size.ws_col - 1 : LINE;
}

/* "embed [####----] 12/100  3.1/s  0:28 left  note", the bar on wide terminals only; no "/100" while the end
 * is not known. */
static void describe(const struct console *console, char line[LINE + 1], int64_t done, int64_t total,
                     double seconds, const char *note)
{
    char bar[BAR + 4] = "", rate[32] = "", left[48] = "", all[24] = "", duration[32];
    const int width = line_width(console);
    if (console->terminal && total > 0 && width >= LINE_WITH_BAR) {
        const int filled = (int)((double)BAR * (double)done / (double)total);
        bar[0] = '[';
        for (int i = 0; i < BAR; i++) bar[1 + i] = i < filled ? '#' : '-';
        memcpy(bar + 1 + BAR, "] ", 3);
    }
    const double finished = (double)(done - console->first_done);
    if (finished > 0 && seconds > 0) {
        const double speed = finished / seconds;
        snprintf(rate, sizeof rate, "  %.*f/s", speed < 10 ? 2 : speed < 100 ? 1 : 0, speed);
        if (total > done) {
            put_duration(duration, sizeof duration, (double)(total - done) / speed);
            snprintf(left, sizeof left, "  %s left", duration);
        }
    }
    if (total > 0) snprintf(all, sizeof all, "/%lld", (long long)total);
    const int n = snprintf(line, (size_t)width + 1, "%s %s%lld%s%s%s%s%s", console->stage, bar,
                           (long long)done, all, rate, left, *note ? "  " : "", note);
    if (n < 0) *line = 0; /* longer lines are cut */
}

static bool report(void *context, const char *stage, int64_t done, int64_t total, const char *note)
{
    struct console *console = context;
    const double time = clock_seconds();
    if (strncmp(console->stage, stage, sizeof console->stage - 1)) {
        clear_bar(console);
        snprintf(console->stage, sizeof console->stage, "%s", stage);
        console->first_done = done;
        console->stage_start = time;
        console->last_shown = console->terminal ? 0 : time;
    }
    const double interval = console->terminal ? bar_interval : line_interval;
    const bool last = done == total && console->terminal;
    if (!console->quiet && (last || time - console->last_shown >= interval)) {
        char line[LINE + 1];
        describe(console, line, done, total, time - console->stage_start, note ? note : "");
        const int n = (int)strlen(line);
        if (console->terminal)
            fprintf(stderr, "\r%s%*s", line, console->shown > n ? console->shown - n : 0, "");
        else
            fprintf(stderr, "retort: %s\n", line);
        console->shown = console->terminal ? n : 0;
        console->last_shown = time;
    }
    return !interrupted;
}

struct progress console_progress(struct console *console)
{
    return (struct progress){.report = report, .context = console};
}

void console_tell_cost(struct console *console)
{
    enum { WORTH_TELLING = 10 };
    const double seconds = clock_seconds() - console->opened;
    char took[32];
    if (console->silent || seconds < WORTH_TELLING) return;
    put_duration(took, sizeof took, seconds);
    console_message(console, "took %s and at most %zu MiB of memory", took, pages_peak() >> 20);
}

enum status console_close(struct console *console, struct error *err)
{
    clear_bar(console);
    errno = 0;
    const bool failed = fflush(stdout) || ferror(stdout);
    if (failed)
        return fail(err, ERR_SYSTEM, "cannot write standard output: %s", strerror(errno ? errno : EIO));
    if (console->incomplete) return fail(err, ERR_SYSTEM, "a result is missing: memory was short for it");
    return OK;
}
