#include "train/teacher.h"

#include "base/child.h"
#include "base/file.h"
#include "base/temporary.h"
#include "image/encode.h"
#include "train/answer.h"
#include "train/teacher_views.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum teacher_kind { TEACHER_MODEL, TEACHER_FOLDER, TEACHER_COMMAND };

struct teacher {
    enum teacher_kind kind;
    struct teacher_options options;
    struct arena arena;
    int *class_map, class_map_size; /* NULL: classes as they are */
    const char *folder;
    struct model model;
    struct teacher_views views;
    struct child child;
    char *temporary, *frame; /* folder for frames of streams and the file in it, or NULL */
};

struct teacher_options teacher_default_options(void)
{
    const struct nms_options nms = nms_predict_options();
    return (struct teacher_options){
        .size = LETTERBOX_SIZE, .confidence = nms.confidence, .iou = nms.iou, .views = 1, .timeout = 60};
}

static enum status make_map(struct teacher *teacher, int size, struct error *err)
{
    const struct teacher_options *const o = &teacher->options;
    if (!o->class_list) return OK;
    teacher->class_map_size = size;
    return labels_make_map(&teacher->class_map, &teacher->arena, size, o->class_list, o->class_count, true,
                           "the teacher's classes", err);
}

static enum status open_model(struct teacher *teacher, const char *weights, const struct kernels *kernels,
                              int threads, struct error *err)
{
    TRY(model_open(&teacher->model, weights, err));
    if (teacher->model.config.classes > 1) TRY(make_map(teacher, teacher->model.config.classes, err));
    return teacher_views_begin(&teacher->views, &teacher->arena, &teacher->model, kernels, threads,
                               &teacher->options, teacher->class_map, err);
}

static enum status open_folder(struct teacher *teacher, const char *folder, struct error *err)
{
    if (!file_is_folder(folder)) return fail(err, ERR_INPUT, "%s: expected a folder of label files", folder);
    teacher->folder = arena_strdup(&teacher->arena, folder);
    if (!teacher->folder) return fail_memory(err, "a path", strlen(folder));
    return make_map(teacher, LABELS_MAX_CLASSES, err);
}

static enum status open_command(struct teacher *teacher, const char *command, struct error *err)
{
    TRY(make_map(teacher, LABELS_MAX_CLASSES, err));
    const char *const copy = arena_strdup(&teacher->arena, command);
    return copy ? child_start(&teacher->child, copy, err) : fail_memory(err, "a command", strlen(command));
}

static enum status open_kind(struct teacher **teacher, enum teacher_kind kind, const char *source,
                             const struct kernels *kernels, int threads,
                             const struct teacher_options *options, struct error *err)
{
    *teacher = calloc(1, sizeof **teacher);
    if (!*teacher) return fail_memory(err, "a teacher", sizeof **teacher);
    struct teacher *const t = *teacher;
    *t = (struct teacher){.kind = kind, .options = *options, .child = {.in = -1, .out = -1}};
    const enum status status = kind == TEACHER_MODEL    ? open_model(t, source, kernels, threads, err)
                               : kind == TEACHER_FOLDER ? open_folder(t, source, err)
                                                        : open_command(t, source, err);
    if (status == OK) return OK;
    teacher_close(t);
    *teacher = NULL;
    return status;
}

enum status teacher_open_model(struct teacher **teacher, const char *weights, const struct kernels *kernels,
                               int threads, const struct teacher_options *options, struct error *err)
{
    return open_kind(teacher, TEACHER_MODEL, weights, kernels, threads, options, err);
}

enum status teacher_open_folder(struct teacher **teacher, const char *folder,
                                const struct teacher_options *options, struct error *err)
{
    return open_kind(teacher, TEACHER_FOLDER, folder, NULL, 1, options, err);
}

enum status teacher_open_command(struct teacher **teacher, const char *command,
                                 const struct teacher_options *options, struct error *err)
{
    return open_kind(teacher, TEACHER_COMMAND, command, NULL, 1, options, err);
}

static enum status label_by_model(struct teacher *teacher, const struct image *picture, struct labels *labels,
                                  struct arena *arena, struct error *err)
{
    struct detection found[NMS_MAX_DETECTIONS];
    int count;
    TRY(teacher_views_predict(&teacher->views, picture, found, &count, err));
    return answer_labels(labels, found, (size_t)count, picture, arena, err);
}

static enum status label_by_file(struct teacher *teacher, const char *name, struct labels *labels,
                                 struct arena *arena, struct error *err)
{
    const char *const slash = strrchr(name, '/'), *const base = slash ? slash + 1 : name;
    const char *const dot = strrchr(base, '.');
    const int stem = dot && dot > base ? (int)(dot - base) : (int)strlen(base);
    const char *const path = arena_printf(arena, "%s/%.*s.txt", teacher->folder, stem, base);
    if (!path) return fail_memory(err, "a path", strlen(name));
    TRY(labels_read(labels, arena, path, 0, err));
    if (teacher->class_map) labels_map(labels, teacher->class_map, teacher->class_map_size);
    return OK;
}

/* A frame of a stream goes to the command as a file. */
static enum status write_frame(struct teacher *teacher, const char **path, const struct image *picture,
                               struct error *err)
{
    if (!teacher->temporary) {
        TRY(temporary_folder(&teacher->temporary, &teacher->arena, err));
        teacher->frame = arena_printf(&teacher->arena, "%s/frame.ppm", teacher->temporary);
        if (!teacher->frame) return fail_memory(err, "a path", 0);
    }
    *path = teacher->frame;
    return image_write(*path, picture, IMAGE_QUALITY, err);
}

static enum status label_by_command(struct teacher *teacher, const char *path, const struct image *picture,
                                    struct labels *labels, struct arena *arena, struct error *err)
{
    const char *text;
    size_t size;
    if (!file_exists(path)) TRY(write_frame(teacher, &path, picture, err));
    TRY(child_ask(&teacher->child, path, teacher->options.timeout, &text, &size, err));
    const char *const where =
        arena_printf(arena, "answer of \"%.100s\" for %.200s", teacher->child.command, path);
    if (!where) return fail_memory(err, "a message", 0);
    const struct answer_options options = {teacher->options.confidence, teacher->class_map};
    return answer_read(labels, text, size, where, path, picture, &options, arena, err);
}

enum status teacher_label(struct teacher *teacher, const char *name, const struct image *picture,
                          struct labels *labels, struct arena *arena, struct error *err)
{
    *labels = (struct labels){0};
    switch (teacher->kind) {
    case TEACHER_MODEL:
        return label_by_model(teacher, picture, labels, arena, err);
    case TEACHER_FOLDER:
        return label_by_file(teacher, name, labels, arena, err);
    case TEACHER_COMMAND:
        return label_by_command(teacher, name, picture, labels, arena, err);
    }
    assert(false);
    return ERR_USAGE;
}

enum status teacher_finish(struct teacher *teacher, struct error *err)
{
    return teacher->kind == TEACHER_COMMAND ? child_stop(&teacher->child, teacher->options.timeout, err) : OK;
}

void teacher_close(struct teacher *teacher)
{
    if (!teacher) return;
    child_end(&teacher->child);
    teacher_views_end(&teacher->views);
    model_free(&teacher->model);
    if (teacher->frame) unlink(teacher->frame);
    if (teacher->temporary) rmdir(teacher->temporary);
    arena_free(&teacher->arena);
    free(teacher);
}
