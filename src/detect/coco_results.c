#include "detect/coco_results.h"

#include "detect/class_names.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_DIGITS = 18, MAX_STEM = 1000 };

static bool is_number(const char *text, size_t n)
{
    if (!n || n > MAX_DIGITS) return false;
    for (size_t i = 0; i < n; i++)
        if (text[i] < '0' || text[i] > '9') return false;
    return true;
}

static void put_image_id(struct json_writer *out, const char *picture)
{
    const char *const slash = strrchr(picture, '/'), *const name = slash ? slash + 1 : picture;
    const char *const hash = strrchr(name, '#'), *const dot = strrchr(name, '.');
    if (hash && is_number(hash + 1, strlen(hash + 1))) {
        json_put_int(out, "image_id", strtoll(hash + 1, NULL, 10));
        return;
    }
    const size_t n = dot && dot > name ? (size_t)(dot - name) : strlen(name);
    if (is_number(name, n)) {
        json_put_int(out, "image_id", strtoll(name, NULL, 10));
        return;
    }
    char stem[MAX_STEM];
    const size_t kept = n < sizeof stem ? n : sizeof stem - 1;
    memcpy(stem, name, kept);
    stem[kept] = 0;
    json_put_text(out, "image_id", stem);
}

enum status coco_results_begin(struct coco_results *results, const char *path, const char *const *names,
                               int classes, struct error *err)
{
    *results = (struct coco_results){.coco = names && classes == CLASS_NAMES_COCO};
    for (int c = 0; results->coco && c < classes; c++) results->coco = !strcmp(names[c], class_names_coco(c));
    TRY(file_create(&results->file, path, err));
    results->open = true;
    results->out = (struct json_writer){.stream = results->file.stream};
    json_open(&results->out, NULL, '[');
    return OK;
}

void coco_results_add(struct coco_results *results, const char *picture, const struct detection *found,
                      int count)
{
    struct json_writer *const out = &results->out;
    for (int i = 0; i < count; i++) {
        const struct detection *const d = found + i;
        const float box[4] = {d->box.x1, d->box.y1, d->box.x2 - d->box.x1, d->box.y2 - d->box.y1};
        json_open(out, NULL, '{');
        put_image_id(out, picture);
        json_put_int(out, "category_id",
                     results->coco ? class_names_coco_category(d->class_id) : d->class_id + 1);
        json_open(out, "bbox", '[');
        for (int k = 0; k < 4; k++) json_put_float(out, NULL, box[k]);
        json_close(out);
        json_put_float(out, "score", d->confidence);
        json_close(out);
    }
}

enum status coco_results_end(struct coco_results *results, struct error *err)
{
    json_close(&results->out);
    putc('\n', results->file.stream);
    results->open = false;
    return file_commit(&results->file, err);
}

void coco_results_discard(struct coco_results *results)
{
    if (results->open) file_discard(&results->file);
    results->open = false;
}
