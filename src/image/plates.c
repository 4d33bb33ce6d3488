#include "image/plates.h"

#include "image/glyphs.h"

#include <stdbool.h>

enum { RINGS = 16, SEARCHED = 300 };

/* What a place costs, in shares of an object that is hidden. */
static const double on_plate = 1000, on_other = 2, on_own = 1; /* for each whole one that is hidden */
static const double smaller = 0.3, far = 0.3, each_ring = 0.05;
static const double good_enough = 0.35; /* places farther off are not tried */

int plates_width(int scale, int length) { return (length * (GLYPH_COLUMNS + 1) + 3) * scale; }
int plates_height(int scale) { return (GLYPH_ROWS + 3) * scale; }

static int clamp(int x, int high) { return x > high ? (high > 0 ? high : 0) : x < 0 ? 0 : x; }

/* The share of b that a hides. */
static double hidden(const struct plate_area *b, const struct plate_area *a)
{
    const int x0 = a->x0 > b->x0 ? a->x0 : b->x0, x1 = a->x1 < b->x1 ? a->x1 : b->x1;
    const int y0 = a->y0 > b->y0 ? a->y0 : b->y0, y1 = a->y1 < b->y1 ? a->y1 : b->y1;
    if (x0 >= x1 || y0 >= y1) return 0;
    return (double)(x1 - x0) * (y1 - y0) / ((double)(b->x1 - b->x0) * (b->y1 - b->y0));
}

struct search {
    struct plate *plates;
    int count, current; /* obstacles; the one that is placed */
    int width, height;  /* of the picture */
    double best;
};

/* Takes the place with this corner, moved into the picture, if it costs less than the best so far. */
static void try_place(struct search *s, int x, int y, int scale, double cost)
{
    struct plate *const own = s->plates + s->current;
    const int w = plates_width(scale, own->length), h = plates_height(scale);
    struct plate_area area = {.x0 = clamp(x, s->width - w), .y0 = clamp(y, s->height - h)};
    area.x1 = area.x0 + w;
    area.y1 = area.y0 + h;
    for (int i = 0; i < s->current && i < s->count && cost < s->best; i++)
        if (s->plates[i].length) cost += on_plate * hidden(&s->plates[i].area, &area);
    for (int i = 0; i < s->count && cost < s->best; i++)
        cost += (i == s->current ? on_own : on_other) * hidden(&s->plates[i].box, &area);
    if (cost >= s->best) return;
    s->best = cost;
    own->area = area;
    own->scale = scale;
}

/* Places that touch the box. */
static void try_near(struct search *s, int scale, double cost)
{
    const struct plate_area *const box = &s->plates[s->current].box;
    const int w = plates_width(scale, s->plates[s->current].length), h = plates_height(scale);
    try_place(s, box->x0, box->y0 - h, scale, cost);
    try_place(s, box->x1 - w, box->y0 - h, scale, cost + 0.05);
    try_place(s, box->x0, box->y1, scale, cost + 0.1);
    try_place(s, box->x1 - w, box->y1, scale, cost + 0.15);
    try_place(s, box->x1, box->y0, scale, cost + 0.2);
    try_place(s, box->x0 - w, box->y0, scale, cost + 0.2);
}

/* Places farther and farther above and below. */
static void try_far(struct search *s, int scale, double cost)
{
    const struct plate_area *const box = &s->plates[s->current].box;
    const int w = plates_width(scale, s->plates[s->current].length), h = plates_height(scale);
    for (int ring = 1; ring <= RINGS && cost + each_ring * ring < s->best; ring++)
        for (int shift = -2; shift <= 2; shift++) {
            const int x = box->x0 + shift * w / 2;
            try_place(s, x, box->y0 - h - ring * (h + scale), scale, cost + each_ring * ring);
            try_place(s, x, box->y1 + ring * (h + scale), scale, cost + each_ring * ring);
        }
}

void plates_place(struct plate *plates, int count, int width, int height, int scale)
{
    const int searched = count < SEARCHED ? count : SEARCHED;
    for (int i = 0; i < count; i++) {
        struct search s = {plates, i < SEARCHED ? searched : 0, i, width, height, 1e300};
        if (!plates[i].length) continue;
        try_near(&s, scale, 0);
        if (scale > 1 && s.best > good_enough) try_near(&s, scale - 1, smaller);
        if (s.best > good_enough) try_far(&s, scale, far);
        if (scale > 1 && s.best > good_enough + smaller) try_far(&s, scale - 1, far + smaller);
    }
}

void plates_gap(const struct plate *plate, int *across, int *down)
{
    const struct plate_area *const a = &plate->area, *const b = &plate->box;
    *across = a->x0 > b->x1 ? a->x0 - b->x1 : b->x0 > a->x1 ? b->x0 - a->x1 : 0;
    *down = a->y0 > b->y1 ? a->y0 - b->y1 : b->y0 > a->y1 ? b->y0 - a->y1 : 0;
}
