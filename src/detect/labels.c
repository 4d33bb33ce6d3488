#include "detect/labels.h"

#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_TOKEN = 64 };

/* Where parsing stands: [at, end) is the rest of the current line. */
struct reader {
    const char *at, *end;
    const char *name;
    size_t line;
    struct error *err;
};

static enum status bad(const struct reader *r, const char *expected, const char *found)
{
    return fail(r->err, ERR_INPUT, "%s:%zu: expected %s, found %.64s", r->name, r->line, expected, found);
}

static enum status bad_value(const struct reader *r, const char *expected, double found)
{
    char text[32];
    snprintf(text, sizeof text, "%.8g", found);
    return bad(r, expected, text);
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; }

static void skip_blanks(struct reader *r)
{
    while (r->at < r->end && is_blank(*r->at)) r->at++;
}

/* One plain decimal number. strtod would also take hexadecimal, infinities and NaN. */
static enum status read_number(double *value, struct reader *r)
{
    char token[MAX_TOKEN + 1], shown[TEXT_SHOWN];
    size_t n = 0;
    while (r->at < r->end && !is_blank(*r->at) && n < MAX_TOKEN) token[n++] = *r->at++;
    token[n] = 0;
    if (strspn(token, "+-.0123456789eE") != n || (r->at < r->end && !is_blank(*r->at)))
        return bad(r, "a decimal number", text_shown(shown, token, n));
    char *end;
    *value = strtod(token, &end);
    if (!n || end != token + n || !(*value > -1e30 && *value < 1e30))
        return bad(r, "a decimal number", token);
    return OK;
}

static enum status check_row(const struct reader *r, const struct label *l)
{
    const float v[4] = {l->cx, l->cy, l->w, l->h};
    for (int i = 0; i < 4; i++) {
        if (v[i] > 1.01f) return bad_value(r, "coordinates up to 1 (fractions of the picture)", v[i]);
        if (v[i] < (i < 2 ? -0.01f : 0.f)) return bad_value(r, "coordinates from 0", v[i]);
    }
    if (l->confidence > 1) return bad_value(r, "a confidence in [0, 1]", l->confidence);
    return OK;
}

/* Numbers on the rest of the line. */
static size_t count_tokens(const struct reader *r)
{
    size_t tokens = 0;
    for (const char *at = r->at; at < r->end; at++)
        tokens += !is_blank(*at) && (at + 1 == r->end || is_blank(at[1]));
    return tokens;
}

/* The polygon of `have` numbers in v and what follows, and the box around it. */
static enum status read_polygon(struct label *label, struct reader *r, struct arena *arena, const double *v,
                                size_t have)
{
    const size_t n = have + count_tokens(r);
    if (n % 2 || n >= LABELS_MAX_COLUMNS)
        return fail(r->err, ERR_INPUT,
                    "%s:%zu: expected pairs of polygon coordinates, at most %d, found %zu values", r->name,
                    r->line, LABELS_MAX_COLUMNS / 2, n);
    float *const points = arena_alloc(arena, n, sizeof *points);
    if (!points) return fail_memory(r->err, "a polygon", n * sizeof *points);
    float low[2] = {(float)v[0], (float)v[1]}, high[2] = {(float)v[0], (float)v[1]};
    for (size_t i = 0; i < n; i++) {
        double value = 0;
        skip_blanks(r);
        if (i >= have) TRY(read_number(&value, r));
        const float x = points[i] = (float)(i < have ? v[i] : value);
        if (x < low[i % 2]) low[i % 2] = x;
        if (x > high[i % 2]) high[i % 2] = x;
    }
    label->points = points;
    label->point_count = (int)(n / 2);
    label->cx = (low[0] + high[0]) / 2, label->w = high[0] - low[0];
    label->cy = (low[1] + high[1]) / 2, label->h = high[1] - low[1];
    return OK;
}

static enum status read_row(struct label *label, struct reader *r, struct arena *arena, int classes)
{
    double class_id, v[6];
    TRY(read_number(&class_id, r));
    if (!(class_id >= 0 && class_id < classes && class_id == (int)class_id))
        return fail(r->err, ERR_INPUT, "%s:%zu: expected a class number from 0 to %d, found %.10g", r->name,
                    r->line, classes - 1, class_id);
    size_t n = 0;
    for (; n < 6; n++) {
        skip_blanks(r);
        if (r->at == r->end) break;
        TRY(read_number(&v[n], r));
    }
    if (n < 4)
        return fail(r->err, ERR_INPUT, "%s:%zu: expected class cx cy w h, found %zu columns", r->name,
                    r->line, n + 1);
    *label = (struct label){(int)class_id, (float)v[0], (float)v[1], (float)v[2], (float)v[3], -1, NULL, 0};
    if (n == 5) {
        if (v[4] < 0) return bad_value(r, "a confidence in [0, 1]", v[4]);
        label->confidence = (float)v[4];
    }
    if (n == 6) TRY(read_polygon(label, r, arena, v, n));
    return check_row(r, label);
}

/* Class, cx, cy, w, h. */
static int compare_rows(const struct label *a, const struct label *b)
{
    if (a->class_id != b->class_id) return a->class_id < b->class_id ? -1 : 1;
    const float x[4] = {a->cx, a->cy, a->w, a->h}, y[4] = {b->cx, b->cy, b->w, b->h};
    for (int i = 0; i < 4; i++)
        if (x[i] != y[i]) return x[i] < y[i] ? -1 : 1;
    return 0;
}

struct placed {
    struct label row;
    size_t place;
};

static int compare_placed(const void *a, const void *b)
{
    const struct placed *const x = a, *const y = b;
    const int order = compare_rows(&x->row, &y->row);
    return order ? order : (x->place > y->place) - (x->place < y->place);
}

static enum status drop_duplicates(struct labels *labels, struct error *err)
{
    struct arena arena = {0};
    struct placed *const sorted = arena_alloc(&arena, labels->count, sizeof *sorted);
    if (!sorted) return fail_memory(err, "labels", labels->count * sizeof *sorted);
    for (size_t i = 0; i < labels->count; i++) sorted[i] = (struct placed){labels->rows[i], i};
    if (labels->count > 1) qsort(sorted, labels->count, sizeof *sorted, compare_placed);
    size_t n = 0;
    for (size_t i = 0; i < labels->count; i++)
        if (!n || compare_rows(&sorted[n - 1].row, &sorted[i].row)) sorted[n++] = sorted[i];
    if (n < labels->count) {
        labels->count = n;
        for (size_t i = 0; i < n; i++) labels->rows[i] = sorted[i].row;
    }
    arena_free(&arena);
    return OK;
}

static size_t count_lines(const char *data, size_t n)
{
    size_t lines = 1;
    for (size_t i = 0; i < n; i++) lines += data[i] == '\n';
    return lines;
}

enum status labels_parse(struct labels *labels, struct arena *arena, const void *data, size_t n,
                         const char *name, int classes, struct error *err)
{
    *labels = (struct labels){0};
    if (n > LABELS_MAX_BYTES)
        return fail(err, ERR_INPUT, "%s: expected at most %d bytes of labels, found %zu", name,
                    LABELS_MAX_BYTES, n);
    const char *at = data, *const end = at + n;
    const size_t lines = count_lines(at, n), room = lines < LABELS_MAX_ROWS ? lines : LABELS_MAX_ROWS;
    labels->rows = arena_alloc(arena, room, sizeof *labels->rows);
    if (!labels->rows) return fail_memory(err, "labels", room * sizeof *labels->rows);
    struct reader r = {.name = name, .err = err};
    while (at < end) {
        const char *const stop = memchr(at, '\n', (size_t)(end - at));
        r.at = at, r.end = stop ? stop : end;
        r.line++;
        at = stop ? stop + 1 : end;
        skip_blanks(&r);
        if (r.at == r.end) continue;
        if (labels->count == room) return bad(&r, "at most 100000 objects", "more");
        TRY(read_row(&labels->rows[labels->count++], &r, arena, classes ? classes : LABELS_MAX_CLASSES));
    }
    return drop_duplicates(labels, err);
}

enum status labels_read(struct labels *labels, struct arena *arena, const char *path, int classes,
                        struct error *err)
{
    *labels = (struct labels){0};
    if (access(path, F_OK)) /* there may be labels where a path cannot be followed */
        return errno == ENOENT || errno == ENOTDIR ? OK : fail_errno(err, "open", path);
    struct file_view view;
    TRY(file_map(&view, path, err));
    const enum status status = labels_parse(labels, arena, view.data, view.size, path, classes, err);
    file_unmap(&view);
    return status;
}

static void write_row(FILE *stream, const struct label *l)
{
    fprintf(stream, "%d", l->class_id);
    if (l->points) {
        for (int i = 0; i < 2 * l->point_count; i++) fprintf(stream, " %.9g", l->points[i]);
    } else {
        fprintf(stream, " %.9g %.9g %.9g %.9g", l->cx, l->cy, l->w, l->h);
        if (l->confidence >= 0) fprintf(stream, " %.9g", l->confidence);
    }
    putc('\n', stream);
}

enum status labels_write(const char *path, const struct label *rows, size_t count, struct error *err)
{
    struct file_writer w;
    TRY(file_create(&w, path, err));
    for (size_t i = 0; i < count; i++) write_row(w.stream, &rows[i]);
    return file_commit(&w, err);
}

void labels_hash(struct sha256 *hash, const struct labels *labels, bool confidences)
{
    for (size_t i = 0; i < labels->count; i++) {
        struct label l = labels->rows[i];
        if (!confidences) l.confidence = -1;
        sha256_add(hash, &l, offsetof(struct label, points));
        if (l.points) sha256_add(hash, l.points, (size_t)l.point_count * 2 * sizeof *l.points);
    }
}

void labels_map(struct labels *labels, const int *map, int map_size)
{
    size_t n = 0;
    for (size_t i = 0; i < labels->count; i++) {
        struct label l = labels->rows[i];
        if (l.class_id >= map_size || map[l.class_id] < 0) continue;
        l.class_id = map[l.class_id];
        labels->rows[n++] = l;
    }
    labels->count = n;
}

enum status labels_make_map(int **map, struct arena *arena, int map_size, const int *list, size_t list_size,
                            bool merge, const char *name, struct error *err)
{
    int *const m = *map = arena_alloc(arena, (size_t)map_size, sizeof *m);
    if (!m) return fail_memory(err, name, (size_t)map_size * sizeof *m);
    for (int c = 0; c < map_size; c++) m[c] = -1;
    for (size_t i = 0; i < list_size; i++) {
        if (list[i] < 0 || list[i] >= map_size)
            return fail(err, ERR_USAGE, "%s: expected numbers from 0 to %d, found %d", name, map_size - 1,
                        list[i]);
        m[list[i]] = merge ? 0 : list[i];
    }
    return OK;
}

struct box label_box(const struct label *l, float width, float height)
{
    return box_from_centre(l->cx * width, l->cy * height, l->w * width, l->h * height);
}

struct label label_of_detection(const struct detection *d, float width, float height)
{
    const struct box b = d->box;
    return (struct label){.class_id = d->class_id,
                          .cx = (b.x1 + b.x2) / 2 / width,
                          .cy = (b.y1 + b.y2) / 2 / height,
                          .w = (b.x2 - b.x1) / width,
                          .h = (b.y2 - b.y1) / height,
                          .confidence = d->confidence};
}
