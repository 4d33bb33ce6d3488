#include "cli/frame_lines.h"

#include "base/file.h"
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PLACE = 480 };

struct reader {
    struct frame_lines *frames;
    const struct class_set *classes;
    enum aggregation aggregation;
    struct arena *arena;
    int box_limit;
    char place[PLACE]; /* "file:line" */
};

static enum status add_box(struct reader *reader, struct filter_box box, struct error *err)
{
    struct frame_lines *frames = reader->frames;
    if (frames->box_count == reader->box_limit) {
        const int limit = reader->box_limit ? 2 * reader->box_limit : 1024;
        if (limit > FRAME_BOXES_MAX)
            return fail(err, ERR_INPUT, "%s: more than %d boxes", reader->place, FRAME_BOXES_MAX);
        struct filter_box *boxes = arena_alloc(reader->arena, (size_t)limit, sizeof *boxes);
        if (!boxes) return fail_memory(err, "boxes", (size_t)limit * sizeof *boxes);
        if (frames->box_count) memcpy(boxes, frames->boxes, (size_t)frames->box_count * sizeof *boxes);
        frames->boxes = boxes;
        reader->box_limit = limit;
    }
    frames->boxes[frames->box_count++] = box;
    return OK;
}

static enum status read_detection(struct reader *reader, const struct json *item, double width, double height,
                                  struct confidence *confidence, struct error *err)
{
    double value, corner[4];
    int64_t class_id;
    const struct json *box;
    TRY(json_get_int(&class_id, item, "class_id", 0, CLASS_LIMIT - 1, reader->place, err));
    TRY(json_get_number(&value, item, "confidence", reader->place, err));
    TRY(json_get_array(&box, item, "box", reader->place, err));
    for (size_t i = 0; i < 4; i++) corner[i] = json_number(json_item(box, i), NAN);
    const bool good = corner[2] - corner[0] >= 0 && corner[3] - corner[1] >= 0 && json_count(box) == 4;
    if (!good) return fail(err, ERR_INPUT, "%s: box: expected x1 <= x2 and y1 <= y2", reader->place);
    if (!(value >= 0 && value <= 1))
        return fail(err, ERR_INPUT, "%s: confidence: expected 0 to 1, found %g", reader->place, value);
    if (!class_set_has(reader->classes, (int)class_id)) return OK;
    confidence_add(confidence, value);
    return add_box(
        reader, (struct filter_box){(corner[2] - corner[0]) / width, (corner[3] - corner[1]) / height, value},
        err);
}

static enum status read_detections(struct reader *reader, const struct json *line, double *confidence,
                                   struct error *err)
{
    struct confidence sum = {.aggregation = reader->aggregation};
    int64_t width, height;
    const struct json *list;
    TRY(json_get_array(&list, line, "detections", reader->place, err));
    TRY(json_get_int(&width, line, "width", 1, 1 << 24, reader->place, err));
    TRY(json_get_int(&height, line, "height", 1, 1 << 24, reader->place, err));
    for (size_t i = 0; i < json_count(list); i++)
        TRY(read_detection(reader, json_item(list, i), (double)width, (double)height, &sum, err));
    *confidence = confidence_result(&sum);
    return OK;
}

static enum status read_line(struct reader *reader, int frame, const struct json *line, struct error *err)
{
    struct frame_lines *frames = reader->frames;
    if (json_kind(line) != JSON_KIND_OBJECT)
        return fail(err, ERR_INPUT, "%s: expected an object", reader->place);
    const char *file = json_text(json_member(line, "file"));
    if (file && !(frames->files[frame] = arena_strdup(reader->arena, file)))
        return fail_memory(err, "a file's name", strlen(file));
    frames->times[frame] = json_number(json_member(line, "time"), NAN);
    frames->confidences[frame] = CONFIDENCE_NONE;
    frames->first_box[frame] = frames->box_count;
    if (json_member(line, "detections"))
        return read_detections(reader, line, &frames->confidences[frame], err);
    const struct json *value = json_member(line, "confidence");
    if (!value || json_kind(value) == JSON_KIND_NULL) return OK;
    TRY(json_get_number(&frames->confidences[frame], line, "confidence", reader->place, err));
    if (frames->confidences[frame] >= 0) return OK;
    return fail(err, ERR_INPUT, "%s: confidence: expected at least 0 or null, found %g", reader->place,
                frames->confidences[frame]);
}

static enum status read_lines(struct reader *reader, const char *at, size_t n, const char *path,
                              struct error *err)
{
    const char *const end = at + n;
    for (int line = 0; at < end; line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop) stop = end;
        struct json *root;
        snprintf(reader->place, sizeof reader->place, "%.400s:%d", path, line + 1);
        TRY(json_read_bytes(&root, at, (size_t)(stop - at), reader->place, FRAME_LINE_BYTES, err));
        const enum status status = read_line(reader, line, root, err);
        json_free(root);
        TRY(status);
        at = stop + 1;
    }
    reader->frames->first_box[reader->frames->count] = reader->frames->box_count;
    return OK;
}

static enum status allocate(struct frame_lines *frames, const char *text, size_t n, const char *path,
                            struct arena *arena, struct error *err)
{
    size_t lines = 0;
    for (size_t i = 0; i < n; i++) lines += text[i] == '\n' || i + 1 == n;
    if (lines == 0) return fail(err, ERR_INPUT, "%s: expected a frame a line, found an empty file", path);
    if (lines > FRAME_LINES_MAX) return fail(err, ERR_INPUT, "%s: more than %d lines", path, FRAME_LINES_MAX);
    frames->count = (int)lines;
    frames->files = arena_alloc(arena, lines, sizeof *frames->files);
    frames->times = arena_alloc(arena, lines, sizeof *frames->times);
    frames->confidences = arena_alloc(arena, lines, sizeof *frames->confidences);
    frames->first_box = arena_alloc(arena, lines + 1, sizeof *frames->first_box);
    if (!frames->files || !frames->times || !frames->confidences || !frames->first_box)
        return fail_memory(err, "frames", lines * 3 * sizeof(double));
    return OK;
}

enum status frame_lines_parse(struct frame_lines *frames, const void *data, size_t n, const char *name,
                              const struct class_set *classes, enum aggregation aggregation,
                              struct arena *arena, struct error *err)
{
    struct reader reader = {.frames = frames, .classes = classes, .aggregation = aggregation, .arena = arena};
    *frames = (struct frame_lines){0};
    TRY(allocate(frames, data, n, name, arena, err));
    return read_lines(&reader, data, n, name, err);
}

enum status frame_lines_read(struct frame_lines *frames, const char *path, const struct class_set *classes,
                             enum aggregation aggregation, struct arena *arena, struct error *err)
{
    struct file_view view;
    *frames = (struct frame_lines){0};
    TRY(file_map(&view, path, err));
    const enum status status =
        frame_lines_parse(frames, view.data, view.size, path, classes, aggregation, arena, err);
    file_unmap(&view);
    return status;
}
