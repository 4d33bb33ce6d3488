#include "train/known_pictures.h"

#include "base/hash.h"
#include "image/decode.h"

#include <stdio.h>
#include <string.h>

struct known_picture {
    char glance[SHA256_HEX], whole[SHA256_HEX];
    const char *file;
};

static void hash_rows(char hex[SHA256_HEX], const struct image *image, int first, int rows)
{
    struct sha256 hash;
    char size[32];
    const size_t row = (size_t)image->width * 3;
    const int n = snprintf(size, sizeof size, "%d %d;", image->width, image->height);
    sha256_init(&hash);
    sha256_add(&hash, size, (size_t)n);
    sha256_add(&hash, image->pixels + (size_t)first * row, (size_t)rows * row);
    sha256_hex(&hash, hex);
}

/* One row tells nearly all pictures apart, and costs next to nothing. */
static void hash_glance(char hex[SHA256_HEX], const struct image *image)
{
    hash_rows(hex, image, image->height / 2, 1);
}

static void hash_whole(char hex[SHA256_HEX], const struct image *image)
{
    hash_rows(hex, image, 0, image->height);
}

enum status known_pictures_read(struct known_pictures *known, const struct dataset_item *items, size_t count,
                                const struct progress *progress, struct arena *arena, struct error *err)
{
    struct known_picture *list = arena_alloc(arena, count, sizeof *list);
    struct image image = {0};
    enum status status = list ? OK : fail_memory(err, "hashes of pictures", count * sizeof *list);
    for (size_t i = 0; status == OK && i < count; i++) {
        list[i].file = items[i].image;
        status = image_read(&image, items[i].image, err);
        if (status != OK) break;
        hash_glance(list[i].glance, &image);
        hash_whole(list[i].whole, &image);
        if (!progress_report(progress, "read test frames", (int64_t)i + 1, (int64_t)count, ""))
            status = fail(err, ERR_INTERRUPTED, "interrupted while reading the test frames");
    }
    image_free(&image);
    if (status == OK) *known = (struct known_pictures){list, count};
    return status;
}

const char *known_pictures_find(const struct known_pictures *known, const struct image *image)
{
    char glance[SHA256_HEX], whole[SHA256_HEX] = "";
    if (!known->count) return NULL;
    hash_glance(glance, image);
    for (size_t i = 0; i < known->count; i++) {
        if (strcmp(glance, known->list[i].glance)) continue;
        if (!*whole) hash_whole(whole, image);
        if (!strcmp(whole, known->list[i].whole)) return known->list[i].file;
    }
    return NULL;
}

enum status known_pictures_refuse(const struct known_pictures *known, const char *path,
                                  const struct progress *progress, struct error *err)
{
    struct dataset data;
    struct image image = {0};
    TRY(dataset_open(&data, path, DATASET_VAL, err));
    enum status status = OK;
    for (size_t i = 0; status == OK && i < data.count; i++) {
        status = image_read(&image, data.items[i].image, err);
        const char *const same = status == OK ? known_pictures_find(known, &image) : NULL;
        if (same)
            status = fail(err, ERR_INPUT,
                          "%s: has a part in the choice of the best epoch but is also the test frame %s",
                          data.items[i].image, same);
        if (!progress_report(progress, "compare with test frames", (int64_t)i + 1, (int64_t)data.count, ""))
            status = fail(err, ERR_INTERRUPTED, "interrupted while comparing with the test frames");
    }
    image_free(&image);
    dataset_close(&data);
    return status;
}
