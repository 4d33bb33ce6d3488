#include "image/decode.h"

#if HAVE_PNG

#include "image/orient.h"

#include <png.h>
#include <setjmp.h>
#include <string.h>

enum { DEFLATE_RATIO = 1032, CHUNK_LIMIT = 1 << 23, CHUNK_COUNT = 1000 };

struct reader {
    jmp_buf jump;
    png_structp png;
    png_infop info;
    const uint8_t *data;
    size_t n, at;
    const char *name;
    struct error *err;
    enum status status;
};

_Noreturn static void on_error(png_structp png, png_const_charp text)
{
    struct reader *r = png_get_error_ptr(png);
    r->status = fail(r->err, ERR_INPUT, "%s: byte %zu: PNG: %s", r->name, r->at, text);
    longjmp(r->jump, 1);
}

static void no_output(png_structp png, png_const_charp text) { (void)png, (void)text; }

static void on_read(png_structp png, png_bytep to, png_size_t n)
{
    struct reader *r = png_get_io_ptr(png);
    if (n > r->n - r->at) png_error(png, "the file ends too early");
    memcpy(to, r->data + r->at, n);
    r->at += n;
}

static int orientation(const struct reader *r)
{
#ifdef PNG_eXIf_SUPPORTED
    png_uint_32 n = 0;
    png_bytep tiff = NULL;
    if (png_get_eXIf_1(r->png, r->info, &n, &tiff) && tiff) return orient_from_exif(tiff, n);
#endif
    (void)r;
    return 1;
}

static enum status read_header(struct reader *r)
{
    png_set_user_limits(r->png, IMAGE_MAX_SIDE, IMAGE_MAX_SIDE);
    png_set_chunk_malloc_max(r->png, CHUNK_LIMIT);
    png_set_chunk_cache_max(r->png, CHUNK_COUNT);
    png_read_info(r->png, r->info);
    const uint64_t width = png_get_image_width(r->png, r->info),
                   height = png_get_image_height(r->png, r->info);
    TRY(image_check_size(r->name, width, height, r->err));
    if (png_get_rowbytes(r->png, r->info) * height / DEFLATE_RATIO > r->n)
        return fail(r->err, ERR_INPUT, "%s: PNG: %u x %u pixels cannot be in %zu bytes", r->name,
                    (unsigned)width, (unsigned)height, r->n);
    png_set_expand(r->png);
    png_set_strip_16(r->png);
    png_set_gray_to_rgb(r->png);
    png_set_strip_alpha(r->png);
    return OK;
}

static enum status decode(struct reader *r, struct image *out)
{
    if (setjmp(r->jump)) return r->status;
    png_set_read_fn(r->png, r, on_read);
    TRY(read_header(r));
    const int passes = png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
    const size_t stride = png_get_rowbytes(r->png, r->info);
    const int width = (int)png_get_image_width(r->png, r->info),
              height = (int)png_get_image_height(r->png, r->info);
    if (stride != (size_t)width * 3) png_error(r->png, "rows are not three bytes a pixel");
    TRY(image_reserve(out, width, height, r->err));
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < height; y++) png_read_row(r->png, out->pixels + (size_t)y * stride, NULL);
    png_read_end(r->png, r->info);
    return orient_upright(out, orientation(r), r->err);
}

enum status decode_png(struct image *out, const uint8_t *data, size_t n, const char *name, struct error *err)
{
    struct reader r = {.data = data, .n = n, .name = name, .err = err};
    r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, on_error, no_output);
    r.info = r.png ? png_create_info_struct(r.png) : NULL;
    const enum status status = r.info ? decode(&r, out) : fail_memory(err, "a PNG decoder", sizeof r);
    png_destroy_read_struct(&r.png, &r.info, NULL);
    return status;
}

#else

enum status decode_png(struct image *out, const uint8_t *data, size_t n, const char *name, struct error *err)
{
    (void)out, (void)data, (void)n;
    return fail(err, ERR_INPUT, "%s: is a PNG file, and this build has no PNG library", name);
}

#endif
