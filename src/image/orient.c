#include "image/orient.h"

#include <string.h>

enum { ORIENTATION_TAG = 0x0112, TYPE_SHORT = 3, IFD_ENTRY = 12 };

static void exchange(uint8_t *a, uint8_t *b)
{
    uint8_t kept[3];
    memcpy(kept, a, 3);
    memcpy(a, b, 3);
    memcpy(b, kept, 3);
}

void orient_mirror(struct image *image)
{
    for (int y = 0; y < image->height; y++) {
        uint8_t *row = image->pixels + (size_t)y * (size_t)image->width * 3;
        for (int a = 0, b = image->width - 1; a < b; a++, b--) exchange(row + a * 3, row + b * 3);
    }
}

enum status orient_upright(struct image *image, int orientation, struct error *err)
{
    if (orientation < 2 || orientation > 8) return OK;
    if (orientation == 2) {
        orient_mirror(image);
        return OK;
    }
    /* Pixel (x, y) of the result is the stored pixel at first + x*along + y*across. */
    const ptrdiff_t w = image->width, h = image->height;
    const bool turned = orient_is_turned(orientation);
    const bool from_right = orientation == 3 || orientation == 7 || orientation == 8;
    const bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    const ptrdiff_t step_x = from_right ? -1 : 1, step_y = from_bottom ? -w : w;
    const ptrdiff_t along = turned ? step_y : step_x, across = turned ? step_x : step_y;
    const ptrdiff_t first = (from_right ? w - 1 : 0) + (from_bottom ? (h - 1) * w : 0);
    struct image upright;
    TRY(image_alloc(&upright, (int)(turned ? h : w), (int)(turned ? w : h), err));
    uint8_t *out = upright.pixels;
    for (int y = 0; y < upright.height; y++)
        for (int x = 0; x < upright.width; x++, out += 3)
            memcpy(out, image->pixels + (first + x * along + y * across) * 3, 3);
    image_free(image);
    *image = upright;
    return OK;
}

static uint32_t number(const uint8_t *p, int bytes, bool big_endian)
{
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++) value |= (uint32_t)p[i] << 8 * (big_endian ? bytes - 1 - i : i);
    return value;
}

int orient_from_exif(const uint8_t *tiff, size_t n)
{
    if (n < 8 || (memcmp(tiff, "II", 2) && memcmp(tiff, "MM", 2))) return 1;
    const bool big = tiff[0] == 'M';
    if (number(tiff + 2, 2, big) != 42) return 1;
    const size_t ifd = number(tiff + 4, 4, big);
    if (ifd > n || n - ifd < 2) return 1;
    size_t entries = number(tiff + ifd, 2, big);
    const size_t room = (n - ifd - 2) / IFD_ENTRY;
    if (entries > room) entries = room;
    for (size_t i = 0; i < entries; i++) {
        const uint8_t *entry = tiff + ifd + 2 + i * IFD_ENTRY;
        if (number(entry, 2, big) != ORIENTATION_TAG) continue;
        if (number(entry + 2, 2, big) != TYPE_SHORT || number(entry + 4, 4, big) != 1) return 1;
        const uint32_t value = number(entry + 8, 2, big);
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}
