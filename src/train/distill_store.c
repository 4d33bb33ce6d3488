#include "base/file.h"
#include "image/decode.h"
#include "image/encode.h"
#include "image/source_list.h"
#include "train/distill_watch.h"

#include <stdlib.h>
#include <string.h>

enum { CANDIDATE_QUALITY = 95 };

enum status distill_refuse_test_frame(const struct known_pictures *test, const struct image *image,
                                      const char *name, struct error *err)
{
    const char *const same = known_pictures_find(test, image);
    return same ? fail(err, ERR_INPUT, "%s: is in the stream but also the test frame %s", name, same) : OK;
}

/* What is uploaded has other pixels than the frame, and may be a test frame that an earlier run made. */
static enum status check_stored(const uint8_t *data, size_t size, const char *name,
                                const struct known_pictures *test, struct error *err)
{
    struct image image = {0};
    if (!test->count) return OK;
    enum status status = image_decode(&image, data, size, name, err);
    if (status == OK) status = distill_refuse_test_frame(test, &image, name, err);
    image_free(&image);
    return status;
}

enum status distill_store(struct distill_candidate *candidate, const struct frame *frame, const char *folder,
                          const struct known_pictures *test, struct arena *arena, struct error *err)
{
    candidate->file = arena_printf(arena, "%s/%06lld.jpg", folder, (long long)frame->id);
    static const char *const jpeg[] = {".jpg", ".jpeg"};
    if (!candidate->file) return fail_memory(err, "a path", 1);
    uint8_t *encoded = NULL;
    struct file_view view = {0};
    enum status status;
    if (source_list_ends_in(frame->name, jpeg, 2) && file_exists(frame->name)) {
        TRY(file_map(&view, frame->name, err));
        candidate->bytes = view.size;
        status = file_write(candidate->file, view.data, view.size, err);
        file_unmap(&view);
        return status;
    }
    TRY(image_encode(&encoded, &candidate->bytes, &frame->image, IMAGE_JPEG, CANDIDATE_QUALITY, err));
    status = check_stored(encoded, candidate->bytes, frame->name, test, err);
    if (status == OK) status = file_write(candidate->file, encoded, candidate->bytes, err);
    free(encoded);
    return status;
}
