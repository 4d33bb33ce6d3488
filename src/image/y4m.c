#include "image/y4m.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LINE = 1024, ONE = 1 << 20, HALF = ONE / 2 };

/* A line without its end; what names it in messages. */
static enum status read_line(char line[MAX_LINE], struct stream *stream, const char *what, struct error *err)
{
    const unsigned long long start = stream->offset;
    for (int n = 0; n < MAX_LINE; n++) {
        const int c = stream_byte(stream);
        if (c == EOF) return stream_cut(stream, what, err);
        line[n] = (char)c;
        if (c != '\n') continue;
        line[n] = 0;
        return OK;
    }
    return fail(err, ERR_INPUT, "%s: byte %llu: %s is longer than %d bytes", stream->name, start, what,
                MAX_LINE);
}

/* Decimal digits only up to `end`, 7 of them at most; 0 otherwise. */
static int number(const char *text, char end)
{
    int v = 0;
    for (int i = 0; text[i] != end; i++) {
        if (text[i] < '0' || text[i] > '9' || i == 7) return 0;
        v = v * 10 + (text[i] - '0');
    }
    return v;
}

/* "30000:1001"; anything else is an unknown rate. */
static void set_rate(struct y4m *video, const char *value)
{
    const char *colon = strchr(value, ':');
    video->rate = colon ? number(value, ':') : 0;
    video->rate_divisor = colon ? number(colon + 1, 0) : 0;
}

static enum status set_chroma(struct y4m *video, const char *value, const char *name, struct error *err)
{
    static const struct {
        const char *value;
        int x, y, mono;
    } known[] = {{"420jpeg", 1, 1, 0}, {"420mpeg2", 1, 1, 0}, {"420paldv", 1, 1, 0}, {"420", 1, 1, 0},
                 {"422", 1, 0, 0},     {"444", 0, 0, 0},      {"mono", 0, 0, 1}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(value, known[i].value)) continue;
        video->shift_x = known[i].x;
        video->shift_y = known[i].y;
        video->mono = known[i].mono;
        return OK;
    }
    return fail(
        err, ERR_INPUT,
        "%s: Y4M header: expected C420jpeg, C420mpeg2, C420paldv, C420, C422, C444 or Cmono, found C%.40s",
        name, value);
}

static enum status set_field(struct y4m *video, const char *field, const char *name, struct error *err)
{
    switch (field[0]) {
    case 'W':
        video->width = number(field + 1, 0);
        return OK;
    case 'H':
        video->height = number(field + 1, 0);
        return OK;
    case 'C':
        return set_chroma(video, field + 1, name, err);
    case 'F':
        set_rate(video, field + 1);
        return OK;
    case 'I':
        if (field[1] == 'p' || field[1] == '?') return OK;
        return fail(err, ERR_INPUT, "%s: Y4M header: expected progressive video (Ip), found %.40s", name,
                    field);
    case 'X':
        video->full_range |= !strcmp(field, "XCOLORRANGE=FULL");
        return OK;
    default:
        return OK;
    }
}

/* Of one chroma plane. */
static size_t chroma_width(const struct y4m *video)
{
    return video->mono ? 0 : ((size_t)video->width + (size_t)video->shift_x) >> video->shift_x;
}

static size_t chroma_height(const struct y4m *video)
{
    return ((size_t)video->height + (size_t)video->shift_y) >> video->shift_y;
}

enum status y4m_open(struct y4m *video, struct stream *stream, struct error *err)
{
    *video = (struct y4m){.shift_x = 1, .shift_y = 1};
    char line[MAX_LINE];
    TRY(read_line(line, stream, "the Y4M header", err));
    if (strncmp(line, "YUV4MPEG2 ", 10))
        return fail(err, ERR_INPUT, "%s: byte 0: expected YUV4MPEG2", stream->name);
    char *rest = line + 10;
    for (char *field; (field = strtok_r(rest, " ", &rest));) TRY(set_field(video, field, stream->name, err));
    const uint64_t w = (uint64_t)video->width, h = (uint64_t)video->height;
    TRY(image_check_size(stream->name, w, h, err));
    video->size = w * h + 2 * chroma_width(video) * chroma_height(video);
    video->planes = malloc(video->size);
    return video->planes ? OK : fail_memory(err, "a video frame", video->size);
}

struct factors {
    int black, y, v_red, v_green, u_green, u_blue;
};

static uint8_t level(int sum)
{
    const int v = (sum + HALF) / ONE; /* below zero any rounding ends at 0 */
    return (uint8_t)(sum < 0 ? 0 : v > 255 ? 255 : v);
}

static void convert_pixel(uint8_t *rgb, int luma, int u, int v, const struct factors *f)
{
    const int y = (luma > f->black ? luma - f->black : 0) * f->y;
    rgb[0] = level(y + f->v_red * v);
    rgb[1] = level(y - f->v_green * v - f->u_green * u);
    rgb[2] = level(y + f->u_blue * u);
}

static void convert(struct image *out, const struct y4m *video)
{
    static const struct factors limited = {16, 1220542, 1673527, 852492, 409993, 2116026},
                                full = {0, ONE, 1470104, 748825, 360853, 1858077};
    const struct factors *f = video->full_range ? &full : &limited;
    const size_t width = (size_t)video->width, chroma = chroma_width(video);
    const uint8_t *luma = video->planes, *us = luma + width * (size_t)video->height;
    const uint8_t *vs = us + chroma * chroma_height(video);
    uint8_t *to = out->pixels;
    for (int row = 0; row < video->height; row++) {
        const uint8_t *u = us + chroma * ((size_t)row >> video->shift_y), *v = vs + (u - us);
        for (size_t x = 0; x < width; x++, luma++, to += 3) {
            const size_t c = x >> video->shift_x;
            convert_pixel(to, *luma, video->mono ? 0 : u[c] - 128, video->mono ? 0 : v[c] - 128, f);
        }
    }
}

enum status y4m_next(struct y4m *video, struct stream *stream, struct image *out, bool *end,
                     struct error *err)
{
    uint8_t first;
    *end = stream_read(stream, &first, 1) == 0;
    if (*end) return ferror(stream->file) ? stream_cut(stream, "the video", err) : OK;
    char line[MAX_LINE], what[48];
    snprintf(what, sizeof what, "frame %lld", (long long)video->frames);
    const unsigned long long start = stream->offset - 1;
    if (first == 'F') TRY(read_line(line, stream, what, err));
    if (first != 'F' || strncmp(line, "RAME", 4) || (line[4] && line[4] != ' '))
        return fail(err, ERR_INPUT, "%s: byte %llu: expected FRAME for %s", stream->name, start, what);
    if (stream_read(stream, video->planes, video->size) != video->size) return stream_cut(stream, what, err);
    TRY(image_reserve(out, video->width, video->height, err));
    convert(out, video);
    video->frames++;
    return OK;
}

void y4m_close(struct y4m *video)
{
    free(video->planes);
    *video = (struct y4m){0};
}

double y4m_time(const struct y4m *video, int64_t frame)
{
    if (!video->rate || !video->rate_divisor) return NAN;
    return (double)(frame * video->rate_divisor) / video->rate;
}
