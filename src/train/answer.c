#include "train/answer.h"

#include "base/child.h"
#include "base/json.h"

#include <string.h>

enum status answer_labels(struct labels *labels, const struct detection *found, size_t count,
                          const struct image *picture, struct arena *arena, struct error *err)
{
    *labels = (struct labels){.rows = arena_alloc(arena, count, sizeof *labels->rows)};
    if (!labels->rows) return fail_memory(err, "labels", count * sizeof *labels->rows);
    for (size_t i = 0; i < count; i++) {
        const struct label l = label_of_detection(&found[i], (float)picture->width, (float)picture->height);
        if (l.w > 0 && l.h > 0) labels->rows[labels->count++] = l;
    }
    return OK;
}

static double clamp(double v, double limit) { return v > 0 ? (v < limit ? v : limit) : 0; }

/* One entry of "detections". */
static enum status read_detection(struct detection *d, const struct json *entry, const struct image *picture,
                                  const char *where, struct error *err)
{
    int64_t class_id;
    double confidence, v[4];
    const struct json *box;
    TRY(json_get_int(&class_id, entry, "class_id", 0, LABELS_MAX_CLASSES - 1, where, err));
    TRY(json_get_number(&confidence, entry, "confidence", where, err));
    TRY(json_get_array(&box, entry, "box", where, err));
    if (!(confidence >= 0 && confidence <= 1))
        return fail(err, ERR_INPUT, "%s: confidence: expected a number in [0, 1], found %g", where,
                    confidence);
    if (json_count(box) != 4)
        return fail(err, ERR_INPUT, "%s: box: expected 4 numbers, found %zu", where, json_count(box));
    for (size_t i = 0; i < 4; i++) {
        const enum json_kind kind = json_kind(json_item(box, i));
        if (kind != JSON_KIND_INT && kind != JSON_KIND_REAL)
            return fail(err, ERR_INPUT, "%s: box: expected 4 numbers, found something else", where);
        v[i] = clamp(json_number(json_item(box, i), 0), i % 2 ? picture->height : picture->width);
    }
    *d = (struct detection){
        {(float)v[0], (float)v[1], (float)v[2], (float)v[3]}, (float)confidence, (int)class_id, -1};
    return OK;
}

static enum status read_detections(struct labels *labels, const struct json *list,
                                   const struct image *picture, const struct answer_options *options,
                                   struct arena *arena, const char *where, struct error *err)
{
    const size_t listed = json_count(list);
    if (listed > LABELS_MAX_ROWS)
        return fail(err, ERR_INPUT, "%s: expected at most %d detections, found %zu", where, LABELS_MAX_ROWS,
                    listed);
    struct detection *const found = arena_alloc(arena, listed, sizeof *found);
    if (!found) return fail_memory(err, "detections", listed * sizeof *found);
    size_t count = 0;
    for (size_t i = 0; i < listed; i++) {
        struct detection *const d = &found[count];
        TRY(read_detection(d, json_item(list, i), picture, where, err));
        if (!(d->confidence > options->confidence)) continue;
        if (options->class_map) d->class_id = options->class_map[d->class_id];
        count += d->class_id >= 0;
    }
    return answer_labels(labels, found, count, picture, arena, err);
}

static enum status read_answer(struct labels *labels, const struct json *answer, const char *where,
                               const char *path, const struct image *picture,
                               const struct answer_options *options, struct arena *arena, struct error *err)
{
    const char *const file = json_text(json_member(answer, "file"));
    int64_t width, height;
    const struct json *list;
    if (file && strcmp(file, path))
        return fail(err, ERR_INPUT, "%s: expected the answer for %.150s, found %.150s", where, path, file);
    TRY(json_get_int(&width, answer, "width", 1, IMAGE_MAX_SIDE, where, err));
    TRY(json_get_int(&height, answer, "height", 1, IMAGE_MAX_SIDE, where, err));
    if (width != picture->width || height != picture->height)
        return fail(err, ERR_INPUT, "%s: expected %d x %d pixels, found %d x %d", where, picture->width,
                    picture->height, (int)width, (int)height);
    TRY(json_get_array(&list, answer, "detections", where, err));
    return read_detections(labels, list, picture, options, arena, where, err);
}

enum status answer_read(struct labels *labels, const void *text, size_t n, const char *where,
                        const char *path, const struct image *picture, const struct answer_options *options,
                        struct arena *arena, struct error *err)
{
    struct json *answer;
    *labels = (struct labels){0};
    TRY(json_read_bytes(&answer, text, n, where, CHILD_MAX_ANSWER, err));
    const enum status status = read_answer(labels, answer, where, path, picture, options, arena, err);
    json_free(answer);
    return status;
}
