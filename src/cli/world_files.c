#include "cli/world_files.h"

#include "detect/class_names.h"
#include "image/encode.h"
#include "image/y4m_write.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 4096 };

static const int classes[] = {0, 1, 2, 3, 5, 7};
enum { CLASSES = sizeof classes / sizeof *classes };

static enum status path_of(char path[PATH_SIZE], const struct world_files *files, const char *rest,
                           struct error *err)
{
    if (snprintf(path, PATH_SIZE, "%s/%s", files->folder, rest) >= PATH_SIZE)
        return fail(err, ERR_USAGE, "%s: the name of the folder is too long", files->folder);
    return OK;
}

static enum status frame_path(char path[PATH_SIZE], const struct world_files *files, const char *kind,
                              int64_t index, const char *ending, struct error *err)
{
    char name[64];
    snprintf(name, sizeof name, "%s/%06lld.%s", kind, (long long)index, ending);
    return path_of(path, files, name, err);
}

static enum status write_yaml(const struct world_files *files, struct error *err)
{
    char path[PATH_SIZE];
    struct text text = {0};
    TRY(path_of(path, files, "data.yaml", err));
    text_add(&text, "train: images\nval: images\nnames:\n");
    for (int i = 0; i < CLASS_NAMES_COCO; i++) text_format(&text, "  %d: %s\n", i, class_names_coco(i));
    enum status status = text_check(&text, "data.yaml", err);
    if (status == OK) status = file_write(path, text.data, text.size, err);
    text_free(&text);
    return status;
}

static void begin_coco(struct world_files *files)
{
    struct json_writer *out = &files->coco;
    *out = (struct json_writer){.stream = files->coco_file->stream};
    json_open(out, NULL, '{');
    json_open(out, "images", '[');
    for (int64_t i = 0; i < files->frames; i++) {
        char name[32];
        snprintf(name, sizeof name, "%06lld.jpg", (long long)i);
        json_open(out, NULL, '{');
        json_put_int(out, "id", i);
        json_put_text(out, "file_name", name);
        json_put_int(out, "width", files->width);
        json_put_int(out, "height", files->height);
        json_close(out);
    }
    json_close(out);
    json_open(out, "categories", '[');
    for (int i = 0; i < CLASSES; i++) {
        json_open(out, NULL, '{');
        json_put_int(out, "id", class_names_coco_category(classes[i]));
        json_put_text(out, "name", class_names_coco(classes[i]));
        json_close(out);
    }
    json_close(out);
    json_open(out, "annotations", '[');
}

enum status world_files_begin(struct world_files *files, struct file_writer *coco_file, struct error *err)
{
    static const char *const folders[] = {"labels", "images", "masks"};
    const bool wanted[] = {true, files->pictures, files->masks};
    char path[PATH_SIZE];
    for (int i = 0; i < 3; i++) {
        if (!wanted[i]) continue;
        TRY(path_of(path, files, folders[i], err));
        TRY(file_make_folder(path, err));
    }
    if (files->pictures) TRY(write_yaml(files, err));
    TRY(path_of(path, files, "truth.jsonl", err));
    if (file_exists(path) && unlink(path)) return fail_errno(err, "replace", path);
    TRY(json_log_open(&files->truth, path, err));
    enum status status = path_of(path, files, "coco.json", err);
    if (status == OK) status = file_create(coco_file, path, err);
    if (status != OK) {
        json_log_close(&files->truth, NULL);
        return status;
    }
    files->coco_file = coco_file;
    begin_coco(files);
    return OK;
}

static enum status encode_mask(struct world_bytes *bytes, const struct world_files *files,
                               const uint8_t *mask, struct error *err)
{
    struct image picture = {0};
    TRY(image_alloc(&picture, files->width, files->height, err));
    for (size_t i = 0; i < (size_t)files->width * files->height; i++)
        memset(picture.pixels + 3 * i, mask[i], 3);
    const enum status status =
        image_encode(&bytes->mask, &bytes->mask_size, &picture, IMAGE_PNG, IMAGE_QUALITY, err);
    image_free(&picture);
    return status;
}

enum status world_files_encode(struct world_bytes *bytes, const struct world_files *files,
                               const struct image *image, const uint8_t *mask,
                               const struct world_truth *truth, struct error *err)
{
    *bytes = (struct world_bytes){.truth = *truth};
    if (files->pictures)
        TRY(image_encode(&bytes->picture, &bytes->picture_size, image, IMAGE_JPEG, files->quality, err));
    if (files->masks) TRY(encode_mask(bytes, files, mask, err));
    if (!files->video) return OK;
    bytes->video_size = y4m_frame_bytes(files->width, files->height);
    bytes->video = malloc(bytes->video_size);
    if (!bytes->video) return fail_memory(err, "a video frame", bytes->video_size);
    y4m_encode(bytes->video, image);
    return OK;
}

void world_bytes_free(struct world_bytes *bytes)
{
    free(bytes->picture);
    free(bytes->mask);
    free(bytes->video);
    bytes->picture = bytes->mask = bytes->video = NULL;
}

static double rounded(double v) { return rint(v * 1e4) / 1e4; }

static void put_box(struct json_writer *out, const char *key, const int box[4])
{
    json_open(out, key, '[');
    for (int i = 0; i < 4; i++) json_put_int(out, NULL, box[i]);
    json_close(out);
}

static void put_object(struct json_writer *out, const struct world_object *o)
{
    char id[20];
    snprintf(id, sizeof id, "%016llx", (unsigned long long)o->id);
    json_open(out, NULL, '{');
    json_put_text(out, "id", id);
    json_put_int(out, "class_id", o->class_id);
    json_put_text(out, "kind", o->kind);
    put_box(out, "box", o->box);
    put_box(out, "whole", o->whole);
    json_put_int(out, "pixels", o->pixels);
    json_put_double(out, "visibility", rounded(o->visibility));
    json_put_double(out, "depth", rounded(o->depth));
    json_put_double(out, "speed", rounded(o->speed));
    json_put_bool(out, "parked", o->parked);
    json_put_bool(out, "cut", o->cut);
    json_put_bool(out, "ignored", o->ignored);
    json_close(out);
}

static enum status put_truth(struct world_files *files, const struct world_truth *t, struct error *err)
{
    char name[32];
    snprintf(name, sizeof name, "%06lld.jpg", (long long)t->index);
    TRY(json_log_begin(&files->truth, err));
    struct json_writer *out = &files->truth.line.out;
    json_put_int(out, "frame", t->index);
    json_put_text(out, "file", name);
    const struct {
        const char *key;
        double value;
    } reals[] = {{"time", t->motion}, {"clock", t->clock}, {"sun", t->sun},     {"rain", t->rain},
                 {"wet", t->wet},     {"fog", t->fog},     {"night", t->night}, {"gain", t->gain}};
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        json_put_double(out, reals[i].key, rounded(reals[i].value));
    json_open(out, "shift", '[');
    json_put_int(out, NULL, t->shift[0]);
    json_put_int(out, NULL, t->shift[1]);
    json_close(out);
    json_open(out, "objects", '[');
    for (int i = 0; i < t->count; i++) put_object(out, &t->objects[i]);
    json_close(out);
    return json_log_end(&files->truth, err);
}

static void put_annotation(struct world_files *files, int64_t frame, const struct world_object *o)
{
    struct json_writer *out = &files->coco;
    const int box[4] = {o->box[0], o->box[1], o->box[2] - o->box[0], o->box[3] - o->box[1]};
    json_open(out, NULL, '{');
    json_put_int(out, "id", files->annotations++);
    json_put_int(out, "image_id", frame);
    json_put_int(out, "category_id", class_names_coco_category(o->class_id));
    put_box(out, "bbox", box);
    json_put_int(out, "area", o->pixels);
    json_put_int(out, "iscrowd", 0);
    json_close(out);
}

static enum status write_labels(const struct world_files *files, const struct world_truth *t,
                                struct error *err)
{
    struct text text = {0};
    char path[PATH_SIZE];
    for (int i = 0; i < t->count; i++) {
        const struct world_object *o = &t->objects[i];
        if (o->ignored) continue;
        text_format(&text, "%d %.9g %.9g %.9g %.9g\n", o->class_id,
                    (double)(float)((o->box[0] + o->box[2]) / 2.0 / files->width),
                    (double)(float)((o->box[1] + o->box[3]) / 2.0 / files->height),
                    (double)(float)((o->box[2] - o->box[0]) / (double)files->width),
                    (double)(float)((o->box[3] - o->box[1]) / (double)files->height));
    }
    enum status status = text_check(&text, "labels", err);
    if (status == OK) status = frame_path(path, files, "labels", t->index, "txt", err);
    if (status == OK) status = file_write_loose(path, text.data ? text.data : "", text.size, err);
    text_free(&text);
    return status;
}

enum status world_files_write(const struct world_bytes *bytes, const struct world_files *files,
                              struct error *err)
{
    char path[PATH_SIZE];
    const int64_t index = bytes->truth.index;
    if (!files->folder) return OK;
    if (bytes->picture) {
        TRY(frame_path(path, files, "images", index, "jpg", err));
        TRY(file_write_loose(path, bytes->picture, bytes->picture_size, err));
    }
    if (bytes->mask) {
        TRY(frame_path(path, files, "masks", index, "png", err));
        TRY(file_write_loose(path, bytes->mask, bytes->mask_size, err));
    }
    return write_labels(files, &bytes->truth, err);
}

static void put_annotations(struct world_files *files, const struct world_truth *t)
{
    int64_t labels = 0;
    for (int i = 0; i < t->count; i++) {
        const struct world_object *o = &t->objects[i];
        if (o->ignored) {
            files->ignored++;
            continue;
        }
        put_annotation(files, t->index, o);
        files->per_class[o->class_id]++;
        labels++;
    }
    files->objects += labels;
    files->empty += !labels;
}

enum status world_files_put(struct world_files *files, struct world_bytes *bytes, struct error *err)
{
    if (files->video && fwrite(bytes->video, 1, bytes->video_size, files->video) != bytes->video_size)
        return fail_errno(err, "write", "the video");
    if (files->folder) {
        put_annotations(files, &bytes->truth);
        TRY(put_truth(files, &bytes->truth, err));
    }
    world_bytes_free(bytes);
    return OK;
}

enum status world_files_end(struct world_files *files, struct error *err)
{
    json_close(&files->coco);
    json_close(&files->coco);
    putc('\n', files->coco_file->stream);
    const enum status status = file_commit(files->coco_file, err);
    const enum status closed = json_log_close(&files->truth, status == OK ? err : NULL);
    files->coco_file = NULL;
    return status != OK ? status : closed;
}

void world_files_drop(struct world_files *files)
{
    if (!files->coco_file) return;
    file_discard(files->coco_file);
    json_log_close(&files->truth, NULL);
    files->coco_file = NULL;
}
