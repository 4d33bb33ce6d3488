#include "train/train_log.h"

#include "base/file.h"
#include "base/json.h"

#include <math.h>
#include <stdio.h>

enum { MAX_LINE = 4096 };

static enum status read_line(struct trainer_epoch *epoch, const uint8_t *line, size_t n, const char *path,
                             int number, struct error *err)
{
    struct json *root;
    char name[300];
    snprintf(name, sizeof name, "%.250s:%d", path, number);
    TRY(json_read_bytes(&root, line, n, name, MAX_LINE, err));
    *epoch = (struct trainer_epoch){.epoch = number - 1,
                                    .loss = {.box = json_number(json_member(root, "box"), NAN),
                                             .classes = json_number(json_member(root, "cls"), NAN),
                                             .distribution = json_number(json_member(root, "dfl"), NAN)},
                                    .rate = json_number(json_member(root, "rate"), NAN),
                                    .norm = json_number(json_member(root, "norm"), NAN),
                                    .steps = json_int(json_member(root, "steps"), 0),
                                    .score = json_number(json_member(root, "score"), NAN),
                                    .guard = json_number(json_member(root, "guard"), NAN)};
    json_free(root);
    return OK;
}

/* Behind the line that begins at byte `begin`. */
static size_t line_end(const uint8_t *bytes, size_t n, size_t begin)
{
    while (begin < n && bytes[begin] != '\n') begin++;
    return begin + (begin < n);
}

enum status train_log_parse(struct trainer_epoch *epochs, int *count, const void *data, size_t n,
                            const char *name, int keep, struct error *err)
{
    const uint8_t *const bytes = data;
    *count = 0;
    for (size_t begin = 0; HAVE_JANSSON && *count < keep && begin < n;) {
        const size_t end = line_end(bytes, n, begin), length = end - begin - (bytes[end - 1] == '\n');
        TRY(read_line(&epochs[*count], bytes + begin, length, name, *count + 1, err));
        ++*count;
        begin = end;
    }
    return OK;
}

enum status train_log_cut(const char *path, int keep, struct error *err)
{
    struct file_view view;
    size_t end = 0;
    if (!file_exists(path)) return OK;
    TRY(file_map(&view, path, err));
    for (int i = 0; i < keep; i++) end = line_end(view.data, view.size, end);
    const enum status status = file_write(path, view.data, end, err);
    file_unmap(&view);
    return status;
}

enum status train_log_resume(struct trainer_epoch *epochs, int *count, const char *path, int keep,
                             struct error *err)
{
    struct file_view view;
    *count = 0;
    if (!file_exists(path)) return OK;
    TRY(file_map(&view, path, err));
    const enum status status = train_log_parse(epochs, count, view.data, view.size, path, keep, err);
    file_unmap(&view);
    return status == OK ? train_log_cut(path, keep, err) : status;
}
