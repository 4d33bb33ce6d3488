#include "base/json_write.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The length of the UTF-8 sequence at text, or 0 when it is not one (RFC 3629: no overlong forms, no
 * surrogates). */
static int utf8_length(const unsigned char *text)
{
    static const struct {
        unsigned char first, last, low, high;
        int length;
    } forms[] = {{0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
                 {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
                 {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (text[0] < forms[i].first || text[0] > forms[i].last) continue;
        if (forms[i].length > 1 && (text[1] < forms[i].low || text[1] > forms[i].high)) return 0;
        for (int k = 2; k < forms[i].length; k++)
            if ((text[k] & 0xc0) != 0x80) return 0;
        return forms[i].length;
    }
    return 0;
}

static void put_string(FILE *stream, const char *text)
{
    fputc('"', stream);
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        const int n = utf8_length(p);
        if (!n)
            fputs("\\ufffd", stream);
        else if (*p == '"' || *p == '\\')
            fprintf(stream, "\\%c", *p);
        else if (*p == '\n')
            fputs("\\n", stream);
        else if (*p == '\t')
            fputs("\\t", stream);
        else if (*p < 0x20 || *p == 0x7f)
            fprintf(stream, "\\u%04x", *p);
        else
            fwrite(p, 1, (size_t)n, stream);
        p += n ? n : 1;
    }
    fputc('"', stream);
}

static void new_line(const struct json_writer *out)
{
    if (!out->pretty) return;
    fputc('\n', out->stream);
    for (int i = 0; i < out->depth; i++) fputs("  ", out->stream);
}

/* Everything that precedes a value: comma, line, key. */
static void begin_value(struct json_writer *out, const char *key)
{
    if (out->depth == 0) {
        assert(!key);
        return;
    }
    const int level = out->depth - 1;
    assert((key != NULL) == (out->closing[level] == '}'));
    if (out->filled[level]) fputc(',', out->stream);
    out->filled[level] = true;
    new_line(out);
    if (!key) return;
    put_string(out->stream, key);
    fputs(out->pretty ? ": " : ":", out->stream);
}

static void end_value(const struct json_writer *out)
{
    if (out->depth == 0 && out->pretty) fputc('\n', out->stream);
}

void json_open(struct json_writer *out, const char *key, char bracket)
{
    assert(out->depth < JSON_WRITE_DEPTH && (bracket == '{' || bracket == '['));
    begin_value(out, key);
    fputc(bracket, out->stream);
    out->filled[out->depth] = false;
    out->closing[out->depth++] = bracket == '{' ? '}' : ']';
}

void json_close(struct json_writer *out)
{
    assert(out->depth > 0);
    out->depth--;
    if (out->filled[out->depth]) new_line(out);
    fputc(out->closing[out->depth], out->stream);
    end_value(out);
}

void json_put_text(struct json_writer *out, const char *key, const char *text)
{
    begin_value(out, key);
    if (text)
        put_string(out->stream, text);
    else
        fputs("null", out->stream);
    end_value(out);
}

static void put_word(struct json_writer *out, const char *key, const char *word)
{
    begin_value(out, key);
    fputs(word, out->stream);
    end_value(out);
}

void json_put_int(struct json_writer *out, const char *key, int64_t value)
{
    char word[24];
    snprintf(word, sizeof word, "%lld", (long long)value);
    put_word(out, key, word);
}

void json_put_double(struct json_writer *out, const char *key, double value)
{
    char word[32] = "null";
    const bool finite = value - value == 0;
    for (int digits = 15; finite && digits <= 17; digits++) {
        snprintf(word, sizeof word, "%.*g", digits, value);
        if (strtod(word, NULL) == value) break;
    }
    put_word(out, key, word);
}

void json_put_float(struct json_writer *out, const char *key, float value)
{
    char word[32] = "null";
    const bool finite = value - value == 0;
    for (int digits = 6; finite && digits <= 9; digits++) {
        snprintf(word, sizeof word, "%.*g", digits, (double)value);
        if (strtof(word, NULL) == value) break;
    }
    put_word(out, key, word);
}

void json_put_bool(struct json_writer *out, const char *key, bool value)
{
    put_word(out, key, value ? "true" : "false");
}

void json_put_null(struct json_writer *out, const char *key) { put_word(out, key, "null"); }

enum status json_log_open(struct json_log *log, const char *path, struct error *err)
{
    *log = (struct json_log){.path = strdup(path)};
    if (!log->path) return fail_memory(err, path, strlen(path));
    log->file = fopen(path, "ab");
    if (log->file) return OK;
    const enum status status = fail_errno(err, "open", path);
    free(log->path);
    return status;
}

enum status json_log_begin(struct json_log *log, struct error *err)
{
    assert(log->file && !log->text);
    log->line = (struct json_writer){.stream = open_memstream(&log->text, &log->size)};
    if (!log->line.stream) return fail_memory(err, log->path, 1);
    json_open(&log->line, NULL, '{');
    return OK;
}

enum status json_log_end(struct json_log *log, struct error *err)
{
    json_close(&log->line);
    fputc('\n', log->line.stream);
    const bool short_memory = ferror(log->line.stream) != 0;
    if (fclose(log->line.stream) || short_memory) {
        free(log->text);
        log->text = NULL;
        return fail_memory(err, log->path, log->size);
    }
    const bool written = fwrite(log->text, 1, log->size, log->file) == log->size && fflush(log->file) == 0;
    free(log->text);
    log->text = NULL;
    return written ? OK : fail(err, ERR_SYSTEM, "cannot write %s: %s", log->path, strerror(errno));
}

enum status json_log_close(struct json_log *log, struct error *err)
{
    const bool closed = fclose(log->file) == 0;
    const enum status status =
        closed ? OK : fail(err, ERR_SYSTEM, "cannot write %s: %s", log->path, strerror(errno));
    free(log->path);
    *log = (struct json_log){0};
    return status;
}
