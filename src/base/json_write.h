/* JSON out: a deterministic stream writer and append-only logs of one object a line.
 *
 * Members appear in the order of the calls. Doubles are written with the fewest of 15, 16 or 17 significant
 * digits that read back as the same double, floats with the fewest of 6 to 9; NaN and infinities have no JSON
 * form and become null. Text must be UTF-8; bytes that are not become U+FFFD. For a file, write to a
 * file_writer's stream:
 *
 *     struct file_writer file;
 *     TRY(file_create(&file, path, err));
 *     struct json_writer out = {.stream = file.stream, .pretty = true};
 *     json_open(&out, NULL, '{');
 *     json_put_int(&out, "version", 1);
 *     json_close(&out);
 *     TRY(file_commit(&file, err)); */
#ifndef RETORT_BASE_JSON_WRITE_H
#define RETORT_BASE_JSON_WRITE_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { JSON_WRITE_DEPTH = 32 };

struct json_writer {
    FILE *stream;    /* failures stay in the stream: ferror, file_commit */
    bool pretty;     /* two spaces a level and a final newline; otherwise one line without any space */
    int depth, flat; /* flat: the level whose values stay on one line, 0 when none does */
    char closing[JSON_WRITE_DEPTH];
    bool filled[JSON_WRITE_DEPTH]; /* something precedes at this level: a comma is due */
};

/* key names the value inside an object and is NULL inside an array or at the top. bracket is '{' or '['. */
void json_open(struct json_writer *out, const char *key, char bracket);
void json_open_flat(struct json_writer *out, const char *key, char bracket); /* on one line, pretty or not */
void json_close(struct json_writer *out);

void json_put_text(struct json_writer *out, const char *key, const char *text); /* NULL text: null */
void json_put_int(struct json_writer *out, const char *key, int64_t value);
void json_put_double(struct json_writer *out, const char *key, double value);
void json_put_float(struct json_writer *out, const char *key, float value);
void json_put_bool(struct json_writer *out, const char *key, bool value);
void json_put_null(struct json_writer *out, const char *key);

/* JSON in memory. After json_buffer_begin came back with OK, write to buffer->out and call json_buffer_end: with
 * OK text holds size bytes, the last a newline, and is the caller's to free. */
struct json_buffer {
    struct json_writer out;
    char *text;
    size_t size;
};

enum status json_buffer_begin(struct json_buffer *buffer, bool pretty, struct error *err);
enum status json_buffer_end(struct json_buffer *buffer, struct error *err);

/* A log: each line leaves in one write and is flushed, so a reader or a kill sees whole lines. */
struct json_log {
    struct json_buffer line; /* put members into its out between json_log_begin and json_log_end */
    FILE *file;
    char *path;
};

enum status json_log_open(struct json_log *log, const char *path, struct error *err); /* appends */
enum status json_log_begin(struct json_log *log, struct error *err); /* opens the line's object */
enum status json_log_end(struct json_log *log, struct error *err);
enum status json_log_sync(struct json_log *log, struct error *err); /* waits for the disk */
enum status json_log_close(struct json_log *log, struct error *err);

#endif
