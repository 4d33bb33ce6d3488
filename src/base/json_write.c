#include "base/json_write.h"

#include "base/json_text.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void put_string(FILE *stream, const char *text)
{
    char spelt[8];
    fputc('"', stream);
    while (*text) {
        json_text_character(spelt, &text);
        fputs(spelt, stream);
    }
    fputc('"', stream);
}

static void new_line(const struct json_writer *out)
{
    if (!out->pretty || out->flat) return;
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
    if (out->filled[level]) fputs(out->flat ? ", " : ",", out->stream);
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

void json_open_flat(struct json_writer *out, const char *key, char bracket)
{
    json_open(out, key, bracket);
    if (out->pretty && !out->flat) out->flat = out->depth;
}

void json_close(struct json_writer *out)
{
    assert(out->depth > 0);
    out->depth--;
    if (out->filled[out->depth]) new_line(out);
    if (out->flat > out->depth) out->flat = 0;
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
    char word[32];
    json_text_double(word, value);
    put_word(out, key, word);
}

void json_put_float(struct json_writer *out, const char *key, float value)
{
    char word[32];
    json_text_float(word, value);
    put_word(out, key, word);
}

void json_put_bool(struct json_writer *out, const char *key, bool value)
{
    put_word(out, key, value ? "true" : "false");
}

void json_put_null(struct json_writer *out, const char *key) { put_word(out, key, "null"); }

enum status json_buffer_begin(struct json_buffer *buffer, bool pretty, struct error *err)
{
    *buffer = (struct json_buffer){.out = {.pretty = pretty}};
    buffer->out.stream = open_memstream(&buffer->text, &buffer->size);
    return buffer->out.stream ? OK : fail_memory(err, "JSON", 1);
}

enum status json_buffer_end(struct json_buffer *buffer, struct error *err)
{
    assert(buffer->out.depth == 0);
    if (!buffer->out.pretty) fputc('\n', buffer->out.stream);
    const bool failed = ferror(buffer->out.stream) != 0;
    if (!fclose(buffer->out.stream) && !failed) return OK;
    free(buffer->text);
    return fail_memory(err, "JSON", buffer->size);
}

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
    assert(log->file);
    TRY(json_buffer_begin(&log->line, false, err));
    json_open(&log->line.out, NULL, '{');
    return OK;
}

enum status json_log_end(struct json_log *log, struct error *err)
{
    json_close(&log->line.out);
    TRY(json_buffer_end(&log->line, err));
    const bool written =
        fwrite(log->line.text, 1, log->line.size, log->file) == log->line.size && fflush(log->file) == 0;
    free(log->line.text);
    return written ? OK : fail(err, ERR_SYSTEM, "cannot write %s: %s", log->path, strerror(errno));
}

enum status json_log_sync(struct json_log *log, struct error *err)
{
    if (!fsync(fileno(log->file)) || errno == EINVAL) return OK; /* EINVAL: no file of a disk */
    return fail(err, ERR_SYSTEM, "cannot write %s: %s", log->path, strerror(errno));
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
