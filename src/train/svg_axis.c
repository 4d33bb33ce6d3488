#include "train/svg_axis.h"

#include <stdio.h>
#include <string.h>

/* The smallest of 1, 2, 5 times a power of ten that is at least `least` (> 0). */
static double round_step(double least)
{
    static const double digits[] = {1, 2, 5, 10};
    double power = 1;
    while (power > least && power > 1e-12) power /= 10;
    while (power * 10 < least) power *= 10;
    for (int i = 0; i < 4; i++)
        if (digits[i] * power >= least * (1 - 1e-9)) return digits[i] * power;
    return 10 * power;
}

void svg_axis_set(struct svg_axis *axis, double low, double high, double start, double end, double apart,
                  bool round_out)
{
    const double count = fmax(floor(fabs(end - start) / apart), 1);
    axis->step = round_step((high - low) / fmin(count, SVG_MAX_TICKS / 2));
    if (round_out) {
        low = floor(low / axis->step + 1e-9) * axis->step;
        high = -floor(-high / axis->step + 1e-9) * axis->step;
    }
    axis->low = low;
    axis->high = high;
    axis->start = start;
    axis->end = end;
    axis->first = -floor(-low / axis->step + 1e-9) * axis->step;
    axis->ticks = (int)fmin(floor((high - axis->first) / axis->step + 1e-9) + 1, SVG_MAX_TICKS);
    double scaled = axis->step;
    for (axis->decimals = 0; axis->decimals < 12 && fabs(scaled - rint(scaled)) > 1e-6 * scaled;
         axis->decimals++)
        scaled *= 10;
}

static void tick_text(char text[32], const struct svg_axis *axis, int tick)
{
    const double value = axis->first + tick * axis->step;
    const double shown = fabs(value) < 1e-9 * axis->step ? 0 : value;
    const bool millions = axis->step >= 1e6, thousands = axis->step >= 1e3 && axis->high >= 1e4;
    if (millions && shown != 0)
        snprintf(text, 32, "%.0fM", shown / 1e6);
    else if (thousands && shown != 0)
        snprintf(text, 32, "%.0fk", shown / 1e3);
    else
        snprintf(text, 32, "%.*f", axis->decimals, shown);
}

void svg_range(double range[2], const double *values, int count)
{
    for (int i = 0; i < count; i++) {
        if (!svg_shown(values[i])) continue;
        if (values[i] < range[0]) range[0] = values[i];
        if (values[i] > range[1]) range[1] = values[i];
    }
}

void svg_range_round(double range[2])
{
    if (range[0] > range[1]) range[0] = 0, range[1] = 1; /* nothing to show */
    if (range[0] >= 0 && range[0] < 0.4 * range[1]) range[0] = 0;
    const double margin = range[1] > range[0] ? 0 : range[0] == 0 ? 1 : 0.1 * fabs(range[0]);
    range[0] -= margin;
    range[1] += margin;
}

void svg_label(struct text *out, const char *label, double room)
{
    char cut[120];
    const size_t fits = room < SVG_CHARACTER ? 1 : (size_t)(room / SVG_CHARACTER);
    size_t bytes = 0, characters = 0;
    while (label[bytes] && characters < fits && bytes < sizeof cut - 8) {
        cut[bytes] = label[bytes];
        bytes++;
        characters += ((unsigned char)label[bytes] & 0xC0) != 0x80;
    }
    cut[bytes] = 0;
    text_html(out, cut);
    if (label[bytes]) text_add(out, "\xE2\x80\xA6");
}

static void grid(struct text *out, const struct svg_frame *frame)
{
    char label[32];
    for (int i = 0; i < frame->y.ticks; i++) {
        const double y = svg_place(&frame->y, frame->y.first + i * frame->y.step);
        tick_text(label, &frame->y, i);
        text_format(out, "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>", frame->x.start, y, frame->x.end);
        text_format(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>", frame->x.start - 8,
                    y + 4, label);
    }
    for (int i = 0; i < frame->x.ticks; i++) {
        const double x = svg_place(&frame->x, frame->x.first + i * frame->x.step);
        tick_text(label, &frame->x, i);
        text_format(out, "<path class=\"axis\" d=\"M%.1f %.1fv4\"/>", x, frame->y.start);
        text_format(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>", x,
                    frame->y.start + 18, label);
    }
    text_format(out, "<path class=\"axis\" d=\"M%.1f %.1fH%.1f\"/>\n", frame->x.start, frame->y.start,
                frame->x.end);
}

void svg_frame_begin(struct svg_frame *frame, struct text *out, const char *title, const char *x_label,
                     const char *y_label, const double x[2], const double y[2], bool round_out, int right,
                     int width, int height)
{
    frame->width = width;
    frame->height = height;
    char label[32];
    size_t longest = 1;
    svg_axis_set(&frame->y, y[0], y[1], height - 40, 28, 40, round_out);
    for (int i = 0; i < frame->y.ticks; i++) {
        tick_text(label, &frame->y, i);
        if (strlen(label) > longest) longest = strlen(label);
    }
    const double left = 12 + (double)(longest * SVG_DIGIT);
    svg_axis_set(&frame->x, x[0], x[1], left, width - right, width < 500 ? 50 : 72, false);
    text_format(out,
                "<svg viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" "
                "xmlns=\"http://www.w3.org/2000/svg\">"
                "<title>",
                width, height, width, height);
    text_html(out, title);
    text_add(out, "</title>\n");
    grid(out, frame);
    text_format(out, "<text class=\"name\" x=\"%.1f\" y=\"12\">", 0.0);
    text_html(out, y_label);
    text_format(out, "</text><text class=\"name\" x=\"%.1f\" y=\"%d\" text-anchor=\"end\">", frame->x.end,
                height - 4);
    text_html(out, x_label);
    text_add(out, "</text>\n");
}

/* One pixel column of a dense line: its lowest and highest value in the order in which they come. */
static int column(const double *y, int begin, int end, int picked[2])
{
    int low = -1, high = -1;
    for (int i = begin; i < end; i++) {
        if (!svg_shown(y[i])) continue;
        if (low < 0 || y[i] < y[low]) low = i;
        if (high < 0 || y[i] > y[high]) high = i;
    }
    picked[0] = low < high ? low : high;
    picked[1] = low < high ? high : low;
    return low < 0 ? 0 : low == high ? 1 : 2;
}

void svg_path(struct text *out, const struct svg_frame *frame, const double *x, const double *y, int count)
{
    const int columns = (int)(frame->x.end - frame->x.start);
    const int shares = count > 2 * columns ? columns : count;
    bool pen_down = false;
    for (int share = 0; share < shares; share++) {
        const int begin = (int)((int64_t)count * share / shares),
                  end = (int)((int64_t)count * (share + 1) / shares);
        int picked[2];
        const int n = column(y, begin, end, picked);
        if (!n) pen_down = false;
        for (int i = 0; i < n; i++) {
            const double at = x ? x[picked[i]] : picked[i];
            text_format(out, "%c%.1f %.1f", pen_down ? 'L' : 'M', svg_place(&frame->x, at),
                        svg_place(&frame->y, y[picked[i]]));
            pen_down = true;
        }
    }
}
