#include "image/decode.h"

#include <string.h>

struct reader {
    const uint8_t *data;
    size_t n, at;
    const char *name;
    struct error *err;
};

static bool is_space(int c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* White space and comments, then a decimal number in [1, most]. */
static enum status read_number(struct reader *r, const char *what, uint32_t most, uint32_t *value)
{
    while (r->at < r->n && (is_space(r->data[r->at]) || r->data[r->at] == '#')) {
        if (r->data[r->at] == '#')
            while (r->at < r->n && r->data[r->at] != '\n') r->at++;
        else
            r->at++;
    }
    const size_t start = r->at;
    uint32_t v = 0;
    for (; r->at < r->n && r->data[r->at] >= '0' && r->data[r->at] <= '9' && v <= most; r->at++)
        v = v * 10 + (uint32_t)(r->data[r->at] - '0');
    if (r->at == start || v < 1 || v > most)
        return fail(r->err, ERR_INPUT, "%s: byte %zu: PNM: expected %s of 1 to %u", r->name, start, what,
                    most);
    *value = v;
    return OK;
}

static enum status read_header(struct reader *r, uint32_t *width, uint32_t *height, uint32_t *most)
{
    TRY(read_number(r, "a width", IMAGE_MAX_SIDE, width));
    TRY(read_number(r, "a height", IMAGE_MAX_SIDE, height));
    TRY(read_number(r, "a maximum", 65535, most));
    return image_check_size(r->name, *width, *height, r->err);
}

enum status decode_pnm_size(int *width, int *height, const uint8_t *data, size_t n, const char *name,
                            struct error *err)
{
    struct reader r = {data, n, 2, name, err};
    uint32_t w, h, most;
    TRY(read_header(&r, &w, &h, &most));
    *width = (int)w;
    *height = (int)h;
    return OK;
}

enum status decode_pnm(struct image *out, const uint8_t *data, size_t n, const char *name, struct error *err)
{
    struct reader r = {data, n, 2, name, err};
    uint32_t width, height, most;
    TRY(read_header(&r, &width, &height, &most));
    if (r.at >= n || !is_space(data[r.at]))
        return fail(err, ERR_INPUT, "%s: byte %zu: PNM: expected white space after the maximum", name, r.at);
    r.at++;
    const int channels = data[1] == '6' ? 3 : 1, bytes = most > 255 ? 2 : 1;
    const uint64_t values = (uint64_t)width * height * (uint64_t)channels;
    if (values * (uint64_t)bytes > n - r.at)
        return fail(err, ERR_INPUT, "%s: byte %zu: PNM: expected %llu bytes of pixels, found %zu", name, r.at,
                    (unsigned long long)(values * (uint64_t)bytes), n - r.at);
    TRY(image_reserve(out, (int)width, (int)height, err));
    const uint8_t *in = data + r.at;
    for (uint64_t i = 0; i < values; i++, in += bytes) {
        uint32_t v = bytes == 2 ? (uint32_t)in[0] << 8 | in[1] : in[0];
        if (v > most) v = most;
        if (most != 255) v = (v * 255 + most / 2) / most;
        if (channels == 3)
            out->pixels[i] = (uint8_t)v;
        else
            memset(out->pixels + 3 * i, (int)v, 3);
    }
    return OK;
}
