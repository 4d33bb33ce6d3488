#include "image/encode.h"

#include "base/file.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#if HAVE_JPEG
#include <jpeglib.h>
#endif
#if HAVE_PNG
#include <png.h>
#endif
#include <setjmp.h>

#if HAVE_JPEG
struct jpeg_writer {
    struct jpeg_error_mgr errors; /* first: the library hands out a pointer to it */
    struct jpeg_compress_struct jpeg;
    jmp_buf jump;
    unsigned char *data;
    unsigned long n;
    char text[JMSG_LENGTH_MAX];
};

static void on_jpeg_error(j_common_ptr common)
{
    struct jpeg_writer *w = (struct jpeg_writer *)common->err;
    common->err->format_message(common, w->text);
    longjmp(w->jump, 1);
}

static void no_jpeg_output(j_common_ptr common) { (void)common; }

static int write_jpeg(struct jpeg_writer *w, const struct image *image, int quality)
{
    if (setjmp(w->jump)) return 0;
    struct jpeg_compress_struct *jpeg = &w->jpeg;
    jpeg_create_compress(jpeg);
    jpeg_mem_dest(jpeg, &w->data, &w->n);
    jpeg->image_width = (JDIMENSION)image->width;
    jpeg->image_height = (JDIMENSION)image->height;
    jpeg->input_components = 3;
    jpeg->in_color_space = JCS_RGB;
    jpeg_set_defaults(jpeg);
    jpeg_set_quality(jpeg, quality, TRUE);
    jpeg->dct_method = JDCT_ISLOW;
    jpeg_start_compress(jpeg, TRUE);
    while (jpeg->next_scanline < jpeg->image_height) {
        JSAMPROW row = image->pixels + (size_t)jpeg->next_scanline * (size_t)image->width * 3;
        jpeg_write_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_compress(jpeg);
    return 1;
}

static enum status encode_jpeg(uint8_t **data, size_t *n, const struct image *image, int quality,
                               struct error *err)
{
    struct jpeg_writer w = {.data = NULL};
    w.jpeg.err = jpeg_std_error(&w.errors);
    w.errors.error_exit = on_jpeg_error;
    w.errors.output_message = no_jpeg_output;
    const int done = write_jpeg(&w, image, quality);
    jpeg_destroy_compress(&w.jpeg);
    /* Only short memory leads here, and then w.data may be a buffer that the library has already released. */
    if (!done) return fail(err, ERR_SYSTEM, "JPEG encoder: %s", w.text);
    *data = w.data;
    *n = w.n;
    return OK;
}
#else
static enum status encode_jpeg(uint8_t **data, size_t *n, const struct image *image, int quality,
                               struct error *err)
{
    (void)data, (void)n, (void)image, (void)quality;
    return fail(err, ERR_USAGE, "JPEG cannot be written: this build has no JPEG library");
}
#endif

#if HAVE_PNG
struct png_writer {
    jmp_buf jump;
    png_structp png;
    png_infop info;
    uint8_t *data;
    size_t n, capacity;
    char text[200];
};

_Noreturn static void on_png_error(png_structp png, png_const_charp text)
{
    struct png_writer *w = png_get_error_ptr(png);
    snprintf(w->text, sizeof w->text, "%s", text);
    longjmp(w->jump, 1);
}

static void no_png_output(png_structp png, png_const_charp text) { (void)png, (void)text; }

static void on_png_write(png_structp png, png_bytep data, png_size_t n)
{
    struct png_writer *w = png_get_io_ptr(png);
    if (n > w->capacity - w->n) {
        const size_t capacity = 2 * w->capacity + n;
        uint8_t *larger = realloc(w->data, capacity);
        if (!larger) png_error(png, "memory is short");
        w->data = larger;
        w->capacity = capacity;
    }
    memcpy(w->data + w->n, data, n);
    w->n += n;
}

static void no_png_flush(png_structp png) { (void)png; }

static int write_png(struct png_writer *w, const struct image *image)
{
    if (setjmp(w->jump)) return 0;
    png_set_write_fn(w->png, w, on_png_write, no_png_flush);
    png_set_IHDR(w->png, w->info, (png_uint_32)image->width, (png_uint_32)image->height, 8,
                 PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(w->png, w->info);
    for (int y = 0; y < image->height; y++)
        png_write_row(w->png, image->pixels + (size_t)y * (size_t)image->width * 3);
    png_write_end(w->png, w->info);
    return 1;
}

static enum status encode_png(uint8_t **data, size_t *n, const struct image *image, struct error *err)
{
    struct png_writer w = {.text = "memory is short"};
    w.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &w, on_png_error, no_png_output);
    w.info = w.png ? png_create_info_struct(w.png) : NULL;
    const int done = w.info && write_png(&w, image);
    png_destroy_write_struct(&w.png, &w.info);
    if (!done) {
        free(w.data);
        return fail(err, ERR_SYSTEM, "PNG encoder: %s", w.text);
    }
    *data = w.data;
    *n = w.n;
    return OK;
}
#else
static enum status encode_png(uint8_t **data, size_t *n, const struct image *image, struct error *err)
{
    (void)data, (void)n, (void)image;
    return fail(err, ERR_USAGE, "PNG cannot be written: this build has no PNG library");
}
#endif

static enum status encode_ppm(uint8_t **data, size_t *n, const struct image *image, struct error *err)
{
    char header[48];
    const size_t start =
        (size_t)snprintf(header, sizeof header, "P6\n%d %d\n255\n", image->width, image->height);
    const size_t size = image_bytes(image);
    uint8_t *out = malloc(start + size);
    if (!out) return fail_memory(err, "a PPM picture", start + size);
    memcpy(out, header, start);
    memcpy(out + start, image->pixels, size);
    *data = out;
    *n = start + size;
    return OK;
}

enum status image_encode(uint8_t **data, size_t *n, const struct image *image, enum image_format format,
                         int quality, struct error *err)
{
    assert(quality >= 1 && quality <= 100);
    *data = NULL;
    *n = 0;
    if (format == IMAGE_JPEG) return encode_jpeg(data, n, image, quality, err);
    return format == IMAGE_PNG ? encode_png(data, n, image, err) : encode_ppm(data, n, image, err);
}

enum status image_write(const char *path, const struct image *image, int quality, struct error *err)
{
    static const struct {
        const char *extension;
        enum image_format format;
    } known[] = {{".jpg", IMAGE_JPEG}, {".jpeg", IMAGE_JPEG}, {".png", IMAGE_PNG}, {".ppm", IMAGE_PPM}};
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    for (size_t i = 0; dot && i < sizeof known / sizeof *known; i++) {
        if (strcasecmp(dot, known[i].extension)) continue;
        uint8_t *data;
        size_t n;
        TRY(image_encode(&data, &n, image, known[i].format, quality, err));
        const enum status status = file_write(path, data, n, err);
        free(data);
        return status;
    }
    return fail(err, ERR_USAGE, "%s: expected a name that ends in .jpg, .jpeg, .png or .ppm", path);
}
