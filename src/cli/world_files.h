/* The files of a camera world: pictures, labels, masks, COCO JSON, the truth as JSON lines (docs/formats.md).
 */
#ifndef RETORT_CLI_WORLD_FILES_H
#define RETORT_CLI_WORLD_FILES_H

#include "base/arena.h"
#include "base/file.h"
#include "base/json_write.h"
#include "base/text.h"
#include "world/world.h"

struct world_files {
    const char *folder; /* NULL: the video goes to `video` alone */
    int width, height;
    int64_t frames;
    bool pictures, masks;
    FILE *video; /* open for writing, or NULL */
    int quality;
    int64_t objects, ignored, empty; /* so far: labelled, left out, frames without a label */
    int64_t per_class[8];
    /* Private. */
    struct file_writer *coco_file;
    struct json_writer coco;
    struct json_log truth;
    int64_t annotations;
};

/* One frame's bytes, made by any thread. */
struct world_bytes {
    uint8_t *picture, *mask, *video; /* malloced */
    size_t picture_size, mask_size, video_size;
    struct world_truth truth;
};

/* Makes folders, coco.json's beginning and data.yaml. After OK world_files_end or world_files_drop must
 * follow. */
enum status world_files_begin(struct world_files *files, struct file_writer *coco_file, struct error *err);

/* Encodes one frame. Touches nothing of files; may run in several threads. */
enum status world_files_encode(struct world_bytes *bytes, const struct world_files *files,
                               const struct image *image, const uint8_t *mask,
                               const struct world_truth *truth, struct error *err);

/* Writes the frame's own files. Touches nothing of files; may run in several threads. */
enum status world_files_write(const struct world_bytes *bytes, const struct world_files *files,
                              struct error *err);

/* Adds frames, in the order of their indices, to the files that hold all of them, and releases their bytes. */
enum status world_files_put(struct world_files *files, struct world_bytes *bytes, struct error *err);

enum status world_files_end(struct world_files *files, struct error *err);
void world_files_drop(struct world_files *files);
void world_bytes_free(struct world_bytes *bytes);

#endif
