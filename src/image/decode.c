#include "image/decode.h"

#include "base/file.h"

#include <string.h>

typedef enum status decoder(struct image *out, const uint8_t *data, size_t n, const char *name,
                            struct error *err);

static decoder *find(const uint8_t *data, size_t n)
{
    if (n >= 3 && !memcmp(data, "\xff\xd8\xff", 3)) return decode_jpeg;
    if (n >= 8 && !memcmp(data, "\x89PNG\r\n\x1a\n", 8)) return decode_png;
    if (n >= 2 && data[0] == 'P' && (data[1] == '5' || data[1] == '6')) return decode_pnm;
    return NULL;
}

bool image_recognised(const uint8_t *data, size_t n) { return find(data, n) != NULL; }

static enum status refuse(const uint8_t *data, size_t n, const char *name, struct error *err)
{
    if (n == 0) return fail(err, ERR_INPUT, "%s: is empty, expected a picture", name);
    char found[3 * 4 + 1] = "";
    for (size_t i = 0; i < n && i < 4; i++) {
        static const char digits[] = "0123456789abcdef";
        memcpy(found + 3 * i, (char[]){' ', digits[data[i] >> 4], digits[data[i] & 15], 0}, 4);
    }
    return fail(err, ERR_INPUT, "%s: byte 0: expected JPEG, PNG or PNM (P5, P6), found%s", name, found);
}

enum status image_decode(struct image *out, const uint8_t *data, size_t n, const char *name,
                         struct error *err)
{
    decoder *const decode = find(data, n);
    return decode ? decode(out, data, n, name, err) : refuse(data, n, name, err);
}

enum status image_size(int *width, int *height, const uint8_t *data, size_t n, const char *name,
                       struct error *err)
{
    decoder *const decode = find(data, n);
    if (decode == decode_jpeg) return decode_jpeg_size(width, height, data, n, name, err);
    if (decode == decode_pnm) return decode_pnm_size(width, height, data, n, name, err);
    struct image image = {0};
    const enum status status = image_decode(&image, data, n, name, err);
    *width = image.width;
    *height = image.height;
    image_free(&image);
    return status;
}

enum status image_read_size(int *width, int *height, const char *path, struct error *err)
{
    struct file_view view;
    TRY(file_map(&view, path, err));
    const enum status status = image_size(width, height, view.data, view.size, path, err);
    file_unmap(&view);
    return status;
}

enum status image_read(struct image *out, const char *path, struct error *err)
{
    struct file_view view;
    TRY(file_map(&view, path, err));
    const enum status status = image_decode(out, view.data, view.size, path, err);
    file_unmap(&view);
    if (status != OK) image_free(out);
    return status;
}
