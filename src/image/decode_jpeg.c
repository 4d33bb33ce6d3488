#include "image/decode.h"

#if HAVE_JPEG

#include "image/orient.h"

#include <stdio.h> /* jpeglib.h needs it */

#include <jerror.h>
#include <jpeglib.h>
#include <setjmp.h>
#include <string.h>

enum {
    MAX_SCANS = 200,          /* a progressive file has about ten; thousands of empty ones would stall us */
    PIXELS_PER_BYTE = 64 * 8, /* Huffman codes spend at least a bit on each 8x8 block */
    EXIF_MARKER = JPEG_APP0 + 1
};

struct reader {
    struct jpeg_error_mgr errors; /* first: the library hands out a pointer to it */
    struct jpeg_progress_mgr progress;
    struct jpeg_decompress_struct jpeg;
    jmp_buf jump;
    const char *name;
    size_t size;
    int orientation;
    struct error *err;
    enum status status;
};

static size_t offset(const struct reader *r)
{
    return r->jpeg.src && r->jpeg.src->bytes_in_buffer <= r->size ? r->size - r->jpeg.src->bytes_in_buffer
                                                                  : 0;
}

static void on_error(j_common_ptr common)
{
    struct reader *r = (struct reader *)common->err;
    char text[JMSG_LENGTH_MAX];
    common->err->format_message(common, text);
    const enum status status = common->err->msg_code == JERR_OUT_OF_MEMORY ? ERR_SYSTEM : ERR_INPUT;
    r->status = fail(r->err, status, "%s: byte %zu: JPEG: %s", r->name, offset(r), text);
    longjmp(r->jump, 1);
}

/* A warning means that pixels were made up, except for the three that change nothing in the picture. */
static void on_message(j_common_ptr common, int level)
{
    if (level >= 0) return;
    const int code = common->err->msg_code;
    if (code != JWRN_EXTRANEOUS_DATA && code != JWRN_ADOBE_XFORM && code != JWRN_JFIF_MAJOR) on_error(common);
}

static void no_output(j_common_ptr common) { (void)common; }

static void on_progress(j_common_ptr common)
{
    struct reader *r = (struct reader *)common->err;
    if (r->jpeg.input_scan_number <= MAX_SCANS) return;
    r->status =
        fail(r->err, ERR_INPUT, "%s: byte %zu: JPEG: more than %d scans", r->name, offset(r), MAX_SCANS);
    longjmp(r->jump, 1);
}

static int orientation(const struct reader *r)
{
    for (jpeg_saved_marker_ptr m = r->jpeg.marker_list; m; m = m->next)
        if (m->marker == EXIF_MARKER && m->data_length > 6 && !memcmp(m->data, "Exif\0\0", 6))
            return orient_from_exif(m->data + 6, m->data_length - 6);
    return 1;
}

/* Adobe stores ink inverted; a channel is then (light left by the colour) * (light left by black). */
static void rgb_from_cmyk(uint8_t *rgb, const uint8_t *cmyk, int width, int flip)
{
    for (int x = 0; x < width; x++, rgb += 3, cmyk += 4)
        for (int c = 0; c < 3; c++) rgb[c] = (uint8_t)(((cmyk[c] ^ flip) * (cmyk[3] ^ flip) + 127) / 255);
}

static void read_rows(struct reader *r, struct image *out)
{
    struct jpeg_decompress_struct *jpeg = &r->jpeg;
    const bool inks = jpeg->out_color_space == JCS_CMYK;
    const size_t n = (size_t)out->width * 4;
    uint8_t *row = inks ? jpeg->mem->alloc_large((j_common_ptr)jpeg, JPOOL_IMAGE, n) : NULL;
    while (jpeg->output_scanline < jpeg->output_height) {
        uint8_t *to = out->pixels + (size_t)jpeg->output_scanline * (size_t)out->width * 3;
        JSAMPROW into = inks ? row : to;
        jpeg_read_scanlines(jpeg, &into, 1);
        if (inks) rgb_from_cmyk(to, row, out->width, jpeg->saw_Adobe_marker ? 0 : 255);
    }
}

static enum status read_header(struct reader *r)
{
    struct jpeg_decompress_struct *jpeg = &r->jpeg;
    jpeg_save_markers(jpeg, EXIF_MARKER, 0xffff);
    jpeg_read_header(jpeg, TRUE);
    TRY(image_check_size(r->name, jpeg->image_width, jpeg->image_height, r->err));
    if (!jpeg->arith_code && (uint64_t)jpeg->image_width * jpeg->image_height / PIXELS_PER_BYTE > r->size)
        return fail(r->err, ERR_INPUT, "%s: JPEG: %u x %u pixels cannot be in %zu bytes", r->name,
                    jpeg->image_width, jpeg->image_height, r->size);
    const J_COLOR_SPACE stored = jpeg->jpeg_color_space;
    if (stored == JCS_UNKNOWN)
        return fail(r->err, ERR_INPUT,
                    "%s: JPEG: %d components of unknown meaning, expected grey, colour or CMYK", r->name,
                    jpeg->num_components);
    jpeg->out_color_space = stored == JCS_CMYK || stored == JCS_YCCK ? JCS_CMYK : JCS_RGB;
    jpeg->dct_method = JDCT_ISLOW;
    jpeg->do_fancy_upsampling = TRUE;
    r->orientation = orientation(r);
    return OK;
}

/* out: NULL for the header only. */
static enum status decode(struct reader *r, struct image *out, const uint8_t *data)
{
    if (setjmp(r->jump)) return r->status;
    jpeg_create_decompress(&r->jpeg);
    r->jpeg.progress = &r->progress;
    jpeg_mem_src(&r->jpeg, data, (unsigned long)r->size);
    TRY(read_header(r));
    if (!out) return OK;
    jpeg_start_decompress(&r->jpeg);
    TRY(image_reserve(out, (int)r->jpeg.output_width, (int)r->jpeg.output_height, r->err));
    read_rows(r, out);
    jpeg_finish_decompress(&r->jpeg);
    return orient_upright(out, r->orientation, r->err);
}

static enum status run(struct reader *r, struct image *out, const uint8_t *data)
{
    r->jpeg.err = jpeg_std_error(&r->errors);
    r->errors.error_exit = on_error;
    r->errors.emit_message = on_message;
    r->errors.output_message = no_output;
    r->progress.progress_monitor = on_progress;
    const enum status status = decode(r, out, data);
    jpeg_destroy_decompress(&r->jpeg);
    return status;
}

enum status decode_jpeg(struct image *out, const uint8_t *data, size_t n, const char *name, struct error *err)
{
    struct reader r = {.name = name, .size = n, .err = err};
    return run(&r, out, data);
}

enum status decode_jpeg_size(int *width, int *height, const uint8_t *data, size_t n, const char *name,
                             struct error *err)
{
    struct reader r = {.name = name, .size = n, .err = err};
    TRY(run(&r, NULL, data));
    const bool turned = orient_is_turned(r.orientation);
    *width = (int)(turned ? r.jpeg.image_height : r.jpeg.image_width);
    *height = (int)(turned ? r.jpeg.image_width : r.jpeg.image_height);
    return OK;
}

#else

enum status decode_jpeg_size(int *width, int *height, const uint8_t *data, size_t n, const char *name,
                             struct error *err)
{
    (void)width, (void)height;
    return decode_jpeg(NULL, data, n, name, err);
}

enum status decode_jpeg(struct image *out, const uint8_t *data, size_t n, const char *name, struct error *err)
{
    (void)out, (void)data, (void)n;
    return fail(err, ERR_INPUT, "%s: is a JPEG file, and this build has no JPEG library", name);
}

#endif
