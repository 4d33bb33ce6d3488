#include "select/ledger.h"

#include "base/file.h"
#include "base/json.h"
#include "base/json_write.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define FORMAT "retort-selection"
enum { VERSION = 1, NAME_LIMIT = 400 };

/* The shortest row, {"frame":0,"reason":"warm-up"} and its newline. */
enum { SHORTEST_ROW = 31 };

static const char *const reason_names[LEDGER_REASONS] = {
    "selected",        "filtered out", "warm-up",       "no vehicle", "below threshold",
    "above threshold", "not chosen",   "window closed", "validation", "unreadable"};

const char *ledger_reason_name(enum ledger_reason reason) { return reason_names[reason]; }

static bool by_confidence(enum select_rule rule)
{
    return rule == SELECT_TOP_CONFIDENCE || rule == SELECT_LEAST_CONFIDENCE;
}

/* Why a frame was not taken; warmed counts the frames with a confidence before it. */
static enum ledger_reason refusal(const struct select_options *options, const struct selection *selection,
                                  double confidence, int warmed, int taken)
{
    if (options->rule == SELECT_INTERVAL || options->rule == SELECT_CHUNK_DIVERSITY) {
        const bool skipped =
            options->rule == SELECT_CHUNK_DIVERSITY && confidence < 0 && !options->empty_is_zero;
        return skipped ? LEDGER_NO_VEHICLE : LEDGER_NOT_CHOSEN;
    }
    if (taken == options->wanted) return LEDGER_WINDOW_CLOSED;
    if (!by_confidence(options->rule)) return LEDGER_NOT_CHOSEN;
    if (!(confidence >= 0) && !options->empty_is_zero) return LEDGER_NO_VEHICLE;
    if (!selection->warm || warmed < options->warmup) return LEDGER_WARM_UP;
    return options->rule == SELECT_TOP_CONFIDENCE ? LEDGER_BELOW_THRESHOLD : LEDGER_ABOVE_THRESHOLD;
}

enum status ledger_explain(struct ledger *ledger, const struct select_options *options,
                           const struct select_bank *bank, const struct selection *selection,
                           enum filter_rule filter, const struct filter_result *filtered, struct arena *arena,
                           struct error *err)
{
    const size_t n = (size_t)bank->frames;
    *ledger =
        (struct ledger){options->rule, filter, arena_alloc(arena, n, sizeof *ledger->rows), bank->frames};
    if (!ledger->rows) return fail_memory(err, "selection ledger", n * sizeof *ledger->rows);
    int taken = 0, kept = 0, warmed = 0;
    for (int i = 0; i < bank->frames; i++) {
        const double confidence = bank->confidence ? bank->confidence[i] : NAN;
        struct ledger_row row = {
            .frame = i, .time = NAN, .confidence = NAN, .tau = NAN, .rank = -1, .score = NAN};
        if (confidence >= 0) row.confidence = confidence;
        if (taken < selection->count && selection->frames[taken] == i) {
            row.reason = LEDGER_FILTERED_OUT;
            if (!filtered) {
                row.reason = LEDGER_SELECTED;
            } else if (kept < filtered->count && filtered->frames[kept] == taken) {
                row.reason = LEDGER_SELECTED;
                row.rank = filtered->ranks[kept];
                row.score = filtered->scores[kept++];
            }
            taken++;
        } else {
            row.reason = refusal(options, selection, confidence, warmed, taken);
        }
        warmed += confidence >= 0 || options->empty_is_zero;
        if (by_confidence(options->rule) && selection->warm && row.reason != LEDGER_WARM_UP)
            row.tau = selection->tau;
        ledger->rows[i] = row;
    }
    return OK;
}

static void put_number(struct json_writer *out, const char *key, double value)
{
    if (isfinite(value)) json_put_double(out, key, value);
}

static void put_row(struct json_writer *out, const struct ledger_row *row)
{
    json_open(out, NULL, '{');
    json_put_int(out, "frame", row->frame);
    if (row->file) json_put_text(out, "file", row->file);
    put_number(out, "time", row->time);
    put_number(out, "confidence", row->confidence);
    put_number(out, "tau", row->tau);
    json_put_text(out, "reason", reason_names[row->reason]);
    if (row->rank >= 0) json_put_int(out, "rank", row->rank);
    put_number(out, "score", row->score);
    json_close(out);
    fputc('\n', out->stream);
}

enum status ledger_write(const char *path, const struct ledger *ledger, struct error *err)
{
    struct file_writer file;
    TRY(file_create(&file, path, err));
    struct json_writer out = {.stream = file.stream};
    json_open(&out, NULL, '{');
    json_put_text(&out, "format", FORMAT);
    json_put_int(&out, "version", VERSION);
    json_put_text(&out, "select", select_rule_name(ledger->select));
    json_put_text(&out, "filter", filter_rule_name(ledger->filter));
    json_close(&out);
    fputc('\n', out.stream);
    for (int i = 0; i < ledger->count; i++) put_row(&out, ledger->rows + i);
    return file_commit(&file, err);
}

static enum status header_of(struct ledger *ledger, const struct json *line, const char *where,
                             struct error *err)
{
    const char *format, *select, *filter;
    int64_t version;
    TRY(json_get_text(&format, line, "format", where, err));
    if (strcmp(format, FORMAT))
        return fail(err, ERR_INPUT, "%s: format: expected \"" FORMAT "\", found \"%.40s\"", where, format);
    TRY(json_get_int(&version, line, "version", VERSION, VERSION, where, err));
    TRY(json_get_text(&select, line, "select", where, err));
    TRY(json_get_text(&filter, line, "filter", where, err));
    if (select_rule_parse(&ledger->select, select, NULL) != OK)
        return fail(err, ERR_INPUT, "%s: select: unknown rule \"%.40s\"", where, select);
    if (filter_rule_parse(&ledger->filter, filter, NULL) != OK)
        return fail(err, ERR_INPUT, "%s: filter: unknown rule \"%.40s\"", where, filter);
    return OK;
}

static enum status optional_number(double *value, const struct json *line, const char *key, const char *where,
                                   struct error *err)
{
    *value = NAN;
    return json_member(line, key) ? json_get_number(value, line, key, where, err) : OK;
}

static enum status reason_of(enum ledger_reason *reason, const struct json *line, const char *where,
                             struct error *err)
{
    const char *name;
    TRY(json_get_text(&name, line, "reason", where, err));
    for (int i = 0; i < LEDGER_REASONS; i++)
        if (!strcmp(name, reason_names[i])) {
            *reason = (enum ledger_reason)i;
            return OK;
        }
    return fail(err, ERR_INPUT, "%s: reason: unknown \"%.40s\"", where, name);
}

/* least: the lowest frame id that may come here. */
static enum status row_of(struct ledger_row *row, const struct json *line, int64_t least, const char *where,
                          struct arena *arena, struct error *err)
{
    TRY(json_get_int(&row->frame, line, "frame", least, INT64_MAX - 1, where, err));
    TRY(reason_of(&row->reason, line, where, err));
    TRY(optional_number(&row->time, line, "time", where, err));
    TRY(optional_number(&row->confidence, line, "confidence", where, err));
    TRY(optional_number(&row->tau, line, "tau", where, err));
    TRY(optional_number(&row->score, line, "score", where, err));
    int64_t rank = -1;
    if (json_member(line, "rank")) TRY(json_get_int(&rank, line, "rank", 0, INT32_MAX, where, err));
    row->rank = (int)rank;
    row->file = NULL;
    if (!json_member(line, "file")) return OK;
    TRY(json_get_text(&row->file, line, "file", where, err));
    row->file = arena_strdup(arena, row->file);
    return row->file ? OK : fail_memory(err, where, LEDGER_MAX_LINE);
}

static enum status line_of(struct ledger *ledger, bool header, const char *text, size_t n, const char *where,
                           struct arena *arena, struct error *err)
{
    struct json *line;
    TRY(json_read_bytes(&line, text, n, where, LEDGER_MAX_LINE, err));
    enum status status;
    if (header) {
        status = header_of(ledger, line, where, err);
    } else {
        const int64_t least = ledger->count ? ledger->rows[ledger->count - 1].frame + 1 : 0;
        status = row_of(ledger->rows + ledger->count, line, least, where, arena, err);
        ledger->count += status == OK;
    }
    json_free(line);
    return status;
}

enum status ledger_parse(struct ledger *ledger, const void *data, size_t n, const char *name,
                         struct arena *arena, struct error *err)
{
    const char *text = data, *end = text + n;
    *ledger = (struct ledger){0};
    if (n / SHORTEST_ROW > LEDGER_MAX_ROWS)
        return fail(err, ERR_INPUT, "%s: expected at most %d rows, found %zu bytes", name, LEDGER_MAX_ROWS,
                    n);
    /* Rows are never shorter, so what a file can make this allocate is bounded by its size. */
    const size_t room = n / SHORTEST_ROW + 1;
    ledger->rows = arena_alloc(arena, room, sizeof *ledger->rows);
    if (!ledger->rows) return fail_memory(err, name, room * sizeof *ledger->rows);
    int number = 0;
    for (const char *next; text < end; text = next) {
        char where[NAME_LIMIT + 40];
        snprintf(where, sizeof where, "%.*s: line %d", NAME_LIMIT, name, ++number);
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        if (!stop) return fail(err, ERR_INPUT, "%s: expected a newline at its end, found none", where);
        next = stop + 1;
        if (number > 1 && next - text < SHORTEST_ROW)
            return fail(err, ERR_INPUT, "%s: expected a row, found %td characters", where, stop - text);
        TRY(line_of(ledger, number == 1, text, (size_t)(stop - text), where, arena, err));
    }
    return number ? OK : fail(err, ERR_INPUT, "%s: expected a selection ledger, found no line", name);
}

enum status ledger_read(struct ledger *ledger, const char *path, struct arena *arena, struct error *err)
{
    struct file_view view;
    TRY(file_map(&view, path, err));
    const enum status status = ledger_parse(ledger, view.data, view.size, path, arena, err);
    file_unmap(&view);
    return status;
}
