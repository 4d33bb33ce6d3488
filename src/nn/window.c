#include "nn/window.h"

#include <assert.h>
#include <string.h>

struct window window_forward(const struct conv_options *o, int out_height, int out_width)
{
    assert(o->kernel <= WINDOW_MAX_KERNEL);
    struct window w = {
        .height = out_height, .width = out_width, .step = o->stride, .stride_y = 1, .stride_x = 1};
    for (int kh = 0; kh < o->kernel; kh++)
        for (int kw = 0; kw < o->kernel; kw++, w.taps++) {
            w.dy[w.taps] = kh * o->dilation - o->padding;
            w.dx[w.taps] = kw * o->dilation - o->padding;
            w.tap[w.taps] = w.taps;
        }
    return w;
}

static int count_from(int first, int size, int stride)
{
    return first < size ? (size - first + stride - 1) / stride : 0;
}

struct window window_backward(const struct conv_options *o, int in_height, int in_width, int py, int px)
{
    const int s = o->stride;
    struct window w = {.step = 1, .first_y = py, .first_x = px, .stride_y = s, .stride_x = s};
    w.height = count_from(py, in_height, s);
    w.width = count_from(px, in_width, s);
    for (int kh = o->kernel - 1; kh >= 0; kh--)
        for (int kw = o->kernel - 1; kw >= 0; kw--) {
            const int y = py + o->padding - kh * o->dilation, x = px + o->padding - kw * o->dilation;
            if (y % s || x % s) continue;
            w.dy[w.taps] = y / s;
            w.dx[w.taps] = x / s;
            w.tap[w.taps++] = kh * o->kernel + kw;
        }
    return w;
}

struct position {
    int64_t image;
    int y, x;
};

static struct position position_at(const struct window *w, int64_t index)
{
    const int64_t area = (int64_t)w->height * w->width;
    const int rest = (int)(index % area);
    return (struct position){index / area, rest / w->width, rest % w->width};
}

static void advance(const struct window *w, struct position *p)
{
    if (++p->x < w->width) return;
    p->x = 0;
    if (++p->y < w->height) return;
    p->y = 0;
    p->image++;
}

/* The source pixel of a tap, or NULL in the padding. */
static const float *tap_at(const struct window *w, const struct view *source, struct position p, int t)
{
    const int y = p.y * w->step + w->dy[t], x = p.x * w->step + w->dx[t];
    if ((unsigned)y >= (unsigned)source->height || (unsigned)x >= (unsigned)source->width) return NULL;
    return source->data + ((p.image * source->height + y) * source->width + x) * source->stride;
}

void window_inputs(const struct window *w, const struct view *source, int channel, const float *zeros,
                   int64_t begin, int count, const float **in)
{
    ptrdiff_t offset[WINDOW_MAX_TAPS];
    int low_y = 0, high_y = 0, low_x = 0, high_x = 0;
    for (int t = 0; t < w->taps; t++) {
        offset[t] = ((ptrdiff_t)w->dy[t] * source->width + w->dx[t]) * source->stride + channel;
        if (w->dy[t] < low_y) low_y = w->dy[t];
        if (w->dy[t] > high_y) high_y = w->dy[t];
        if (w->dx[t] < low_x) low_x = w->dx[t];
        if (w->dx[t] > high_x) high_x = w->dx[t];
    }
    struct position p = position_at(w, begin);
    for (int i = 0; i < count; i++, advance(w, &p)) {
        const int y = p.y * w->step, x = p.x * w->step;
        if (y + low_y >= 0 && y + high_y < source->height && x + low_x >= 0 && x + high_x < source->width) {
            const float *centre =
                source->data + ((p.image * source->height + y) * source->width + x) * source->stride;
            for (int t = 0; t < w->taps; t++) in[t * count + i] = centre + offset[t];
        } else {
            for (int t = 0; t < w->taps; t++) {
                const float *pixel = tap_at(w, source, p, t);
                in[t * count + i] = pixel ? pixel + channel : zeros;
            }
        }
    }
}

void window_outputs(const struct window *w, const struct view *target, int channel, int64_t begin, int count,
                    float **out)
{
    struct position p = position_at(w, begin);
    for (int i = 0; i < count; i++, advance(w, &p)) {
        const int y = w->first_y + p.y * w->stride_y, x = w->first_x + p.x * w->stride_x;
        out[i] =
            target->data + ((p.image * target->height + y) * target->width + x) * target->stride + channel;
    }
}

int window_adjacent(const struct window *w, const struct view *source, int channels)
{
    if (source->stride != channels) return 1;
    int n = 1;
    while (n < w->taps && w->dy[n] == w->dy[0]) n++;
    for (int t = 1; t < w->taps; t++)
        if (t % n && (w->dy[t] != w->dy[t - 1] || w->dx[t] != w->dx[t - 1] + 1)) return 1;
    return w->taps % n ? 1 : n;
}

/* Taps [tap, tap + taps) at one position. */
static void patch_at(const struct window *w, int tap, int taps, const struct view *source, int channel,
                     int channels, struct position p, float *patch)
{
    for (int t = tap; t < tap + taps; t++, patch += channels) {
        const float *pixel = tap_at(w, source, p, t);
        for (int c = 0; c < channels; c++) patch[c] = pixel ? pixel[channel + c] : 0.f;
    }
}

/* First x, and the one past the last, at which taps from dx to last_dx lie within a row of the source. */
static void inner_range(const struct window *w, int source_width, int dx, int last_dx, int *from, int *to)
{
    *from = dx < 0 ? (-dx + w->step - 1) / w->step : 0;
    *to = source_width - last_dx > 0 ? (source_width - last_dx - 1) / w->step + 1 : 0;
    if (*to > w->width) *to = w->width;
}

void window_rows(const struct window *w, int tap, int taps, const struct view *source, int channel,
                 int channels, const float *zeros, int64_t begin, int count, const float **in, float *patches)
{
    const int length = taps * channels;
    const bool whole = taps == 1 || window_adjacent(w, source, channels) % taps == 0;
    int from, to;
    inner_range(w, source->width, w->dx[tap], w->dx[tap + taps - 1], &from, &to);
    const ptrdiff_t step = w->step * source->stride;
    struct position p = position_at(w, begin);
    for (int i = 0; i < count; advance(w, &p)) {
        const int y = p.y * w->step + w->dy[tap], row_end = i + w->width - p.x;
        const int end = row_end < count ? row_end : count;
        const bool within = whole && (unsigned)y < (unsigned)source->height;
        const float *first =
            within ? source->data + channel +
                         ((p.image * source->height + y) * source->width + w->dx[tap]) * source->stride
                   : NULL;
        while (i < end) {
            for (; within && i < end && p.x >= from && p.x < to; i++, p.x++) in[i] = first + p.x * step;
            if (i == end) break;
            in[i] = zeros;
            if (taps > 1) {
                patch_at(w, tap, taps, source, channel, channels, p, patches);
                in[i] = patches;
                patches += length;
            }
            i++, p.x++;
        }
        p.x--;
    }
}
