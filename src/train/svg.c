#include "train/svg.h"

#include "train/svg_axis.h"

#include <assert.h>
#include <string.h>

enum { LABEL_HEIGHT = 15, LABEL_GAP = 10 };

struct label {
    double x, y; /* y moves until the labels are apart */
    int series;
};

/* The last finite point, or false. */
static bool last_point(const struct svg_series *series, double *x, double *y)
{
    for (int i = series->count - 1; i >= 0; i--) {
        if (!svg_shown(series->y[i])) continue;
        *x = series->x ? series->x[i] : i;
        *y = series->y[i];
        return true;
    }
    return false;
}

/* Sorts by height and pushes labels apart: down from the top, then up from the bottom. */
static void spread(struct label *labels, int count, double top, double bottom)
{
    for (int i = 1; i < count; i++)
        for (int j = i; j > 0 && labels[j].y < labels[j - 1].y; j--) {
            const struct label kept = labels[j];
            labels[j] = labels[j - 1];
            labels[j - 1] = kept;
        }
    for (int i = 0; i < count; i++) {
        const double least = i ? labels[i - 1].y + LABEL_HEIGHT : top;
        if (labels[i].y < least) labels[i].y = least;
    }
    for (int i = count - 1; i >= 0; i--) {
        const double most = i + 1 < count ? labels[i + 1].y - LABEL_HEIGHT : bottom;
        if (labels[i].y > most) labels[i].y = most;
    }
}

static size_t characters(const char *text)
{
    size_t n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

/* Room for the labels behind the lines, at most a third of the width. */
static int label_room(const struct svg_chart *chart, int width)
{
    size_t longest = 0;
    for (int i = 0; i < chart->series_count; i++)
        if (chart->series[i].label && characters(chart->series[i].label) > longest)
            longest = characters(chart->series[i].label);
    const int room = 2 * LABEL_GAP + (int)(longest > 100 ? 100 : longest) * SVG_CHARACTER;
    return room < 20 ? 20 : room > width / 3 ? width / 3 : room;
}

static void chart_ranges(const struct svg_chart *chart, double x[2], double y[2])
{
    x[0] = y[0] = INFINITY;
    x[1] = y[1] = -INFINITY;
    for (int i = 0; i < chart->series_count; i++) {
        const struct svg_series *series = &chart->series[i];
        const double ends[2] = {0, series->count - 1};
        if (series->count > 0) svg_range(x, series->x ? series->x : ends, series->x ? series->count : 2);
        svg_range(y, series->y, series->count);
    }
    if (x[0] > x[1]) x[0] = 0, x[1] = 1;
    if (x[0] == x[1]) x[0] -= 0.5, x[1] += 0.5;
    if (chart->low < chart->high) {
        y[0] = chart->low;
        y[1] = chart->high;
    } else {
        svg_range_round(y);
    }
}

void svg_chart(struct text *out, const struct svg_chart *chart, int width, int height)
{
    assert(width >= 240 && height >= 120 && chart->series_count <= SVG_MAX_SERIES);
    struct svg_frame frame;
    struct label labels[SVG_MAX_SERIES];
    int label_count = 0;
    double x[2], y[2];
    chart_ranges(chart, x, y);
    const int room = label_room(chart, width);
    svg_frame_begin(&frame, out, chart->title, chart->x_label, chart->y_label, x, y,
                    !(chart->low < chart->high), room, width, height);
    for (int i = 0; i < chart->series_count; i++) {
        const struct svg_series *series = &chart->series[i];
        double end_x, end_y;
        if (!last_point(series, &end_x, &end_y)) continue;
        text_format(out, "<path class=\"line s%d\" d=\"", i % SVG_COLOURS);
        svg_path(out, &frame, series->x, series->y, series->count);
        text_add(out, "\"/>");
        const struct label label = {svg_place(&frame.x, end_x), svg_place(&frame.y, end_y), i};
        text_format(out, "<circle class=\"t%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>\n", i % SVG_COLOURS,
                    label.x, label.y);
        if (series->label) labels[label_count++] = label;
    }
    spread(labels, label_count, frame.y.end, frame.y.start);
    for (int i = 0; i < label_count; i++) {
        const double start = frame.x.end + LABEL_GAP;
        text_format(out, "<text class=\"label t%d\" x=\"%.1f\" y=\"%.1f\">", labels[i].series % SVG_COLOURS,
                    start, labels[i].y + 4);
        svg_label(out, chart->series[labels[i].series].label, width - start);
        text_add(out, "</text>\n");
    }
    text_add(out, "</svg>\n");
}

static void timeline_marks(struct text *out, const struct svg_frame *frame,
                           const struct svg_timeline *timeline)
{
    for (int i = 0; i < timeline->chosen_count; i++) {
        const int at = timeline->chosen[i];
        assert(at >= 0 && at < timeline->count);
        const double x = svg_place(&frame->x, at);
        text_format(out, "<path class=\"rug\" d=\"M%.1f %.1fv-8\"/>", x, frame->y.end - 2);
        if (svg_shown(timeline->values[at]))
            text_format(out, "<circle class=\"mark\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\"/>", x,
                        svg_place(&frame->y, timeline->values[at]));
    }
    text_add(out, "\n");
}

void svg_timeline(struct text *out, const struct svg_timeline *timeline, int width, int height)
{
    assert(width >= 240 && height >= 120);
    struct svg_frame frame;
    const bool given = timeline->low < timeline->high, limited = svg_shown(timeline->threshold);
    const double x[2] = {0, timeline->count > 1 ? timeline->count - 1 : 1};
    double y[2] = {INFINITY, -INFINITY};
    svg_range(y, timeline->values, timeline->count);
    if (limited) svg_range(y, &timeline->threshold, 1);
    if (given)
        y[0] = timeline->low, y[1] = timeline->high;
    else
        svg_range_round(y);
    svg_frame_begin(&frame, out, timeline->title, timeline->x_label, timeline->y_label, x, y, !given, 20,
                    width, height);
    const double start = svg_place(&frame.x, timeline->warmup);
    if (timeline->warmup > 0) {
        text_format(out, "<rect class=\"area\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
                    frame.x.start, frame.y.end, fmin(start, frame.x.end) - frame.x.start,
                    frame.y.start - frame.y.end);
        if (start - frame.x.start > 9 * SVG_CHARACTER)
            text_format(out, "<text x=\"%.1f\" y=\"%.1f\">warm-up</text>", frame.x.start + 6,
                        frame.y.start - 7);
    }
    text_add(out, "<path class=\"line thin s0\" d=\"");
    svg_path(out, &frame, NULL, timeline->values, timeline->count);
    text_add(out, "\"/>\n");
    const double level = limited ? svg_place(&frame.y, timeline->threshold) : 0;
    if (limited)
        text_format(out, "<path class=\"threshold\" d=\"M%.1f %.1fH%.1f\"/>", fmin(start, frame.x.end), level,
                    frame.x.end);
    timeline_marks(out, &frame, timeline);
    if (limited && timeline->threshold_label) {
        text_format(out, "<text class=\"label halo t1\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">",
                    frame.x.end - 2, level - 6);
        svg_label(out, timeline->threshold_label, frame.x.end - frame.x.start);
        text_add(out, "</text>\n");
    }
    text_add(out, "</svg>\n");
}
