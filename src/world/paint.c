#include "world/paint.h"

#include "world/backdrop.h"
#include "world/shade.h"

#include <assert.h>
#include <string.h>

enum { MAX_SAMPLES = 4, FLAT_AREA = 900 };
#define NEAREST                                                                                              \
    (1024.0 * 65536 - 1) /* what the depths of a patch can hold, 1024 for each step of its nearness */

/* A corner in samples of the patch. */
struct corner {
    double x, y, near;
    double colour[3];
};

bool painter_make(struct painter *painter, const struct lens *lens, struct arena *arena)
{
    const size_t pixels = (size_t)lens->width * lens->height;
    *painter = (struct painter){.lens = lens, .capacity = 4 * pixels + 16 * 4096, .patch_capacity = pixels};
    painter->colours = arena_alloc(arena, painter->capacity, sizeof *painter->colours);
    painter->depths = arena_alloc(arena, painter->capacity, sizeof *painter->depths);
    struct patch *const patches[2] = {&painter->patch, &painter->blurred};
    for (int i = 0; i < 2; i++) {
        patches[i]->pixels = arena_alloc(arena, pixels, sizeof *patches[i]->pixels);
        patches[i]->nearness = arena_alloc(arena, pixels, sizeof *patches[i]->nearness);
        if (!patches[i]->pixels || !patches[i]->nearness) return false;
    }
    return painter->colours && painter->depths;
}

/* The least integer that is not below v, for v in [0, 2^31 - 1]. */
static int up(double v)
{
    const int down = (int)v;
    return down + (down < v);
}

struct slope {
    double at, dx, dy; /* at the origin of the samples */
};

static struct slope slope_of(const struct corner c[3], const double v[3], double area)
{
    const double ux = c[1].x - c[0].x, uy = c[1].y - c[0].y, wx = c[2].x - c[0].x, wy = c[2].y - c[0].y;
    const double du = v[1] - v[0], dw = v[2] - v[0], dx = (du * wy - dw * uy) / area,
                 dy = (dw * ux - du * wx) / area;
    return (struct slope){v[0] - dx * c[0].x - dy * c[0].y, dx, dy};
}

/* 16 fraction bits for nearness, 8 for colour. */
struct span {
    int64_t near, near_step;
    int32_t colour[3], step[3];
};

static void fill_span(uint16_t (*colours)[4], int32_t *depths, int n, struct span s)
{
    for (int i = 0; i < n; i++) {
        const int32_t near = (int32_t)(s.near >> 16);
        if (near > depths[i]) {
            depths[i] = near;
            for (int k = 0; k < 3; k++) colours[i][k] = (uint16_t)(s.colour[k] >> 8);
            colours[i][3] = 1;
        }
        s.near += s.near_step;
        for (int k = 0; k < 3; k++) s.colour[k] += s.step[k];
    }
}

/* From x0 + 0.5 on, n pixels of a row. Slopes of a sliver are as large as its area is small: only its own
 * pixels are in range, and only as far as doubles tell. */
static void span_nearness(struct span *s, double first, double step, int n)
{
    const double from = space_clamp(first, 0, NEAREST), last = from + step * (n - 1);
    if (n == 1)
        step = 0;
    else if (!(last >= 0 && last <= NEAREST))
        step = (space_clamp(last, 0, NEAREST) - from) / (n - 1);
    s->near = (int64_t)(from * 65536);
    s->near_step = (int64_t)(step * 65536);
}

/* Both ends in range, and so is what lies between. */
static void span_colour(struct span *s, const struct slope colour[3], int x0, int x1, double v)
{
    for (int k = 0; k < 3; k++) {
        const double first = colour[k].at + colour[k].dx * (x0 + 0.5) + colour[k].dy * v;
        const double last = first + colour[k].dx * (x1 - 1 - x0);
        s->colour[k] = (int32_t)(space_clamp(first, 0, 65535) * 256);
        if (x1 - x0 > 1)
            s->step[k] = ((int32_t)(space_clamp(last, 0, 65535) * 256) - s->colour[k]) / (x1 - 1 - x0);
    }
}

/* A side of a triangle: x + slope * (v - y) for v in [low, high). */
struct side {
    double low, high, x, y, slope;
};

static struct side side_of(const struct corner *a, const struct corner *b)
{
    const double slope = a->y == b->y ? 0 : (b->x - a->x) / (b->y - a->y);
    return (struct side){fmin(a->y, b->y), fmax(a->y, b->y), a->x, a->y, slope};
}

/* Where the triangle begins and ends on the line through v. */
static void cross(double *left, double *right, const struct side sides[3], double v)
{
    *left = 1e30;
    *right = -1e30;
    for (int i = 0; i < 3; i++) {
        if (v < sides[i].low || v >= sides[i].high) continue;
        const double x = sides[i].x + sides[i].slope * (v - sides[i].y);
        if (x < *left) *left = x;
        if (x > *right) *right = x;
    }
}

/* Samples [from, to) whose middles lie between the least and the greatest of three coordinates. */
static void covered(int *from, int *to, double a, double b, double c, int limit)
{
    *from = up(space_clamp(fmin(a, fmin(b, c)) - 0.5, 0, limit));
    *to = up(space_clamp(fmax(a, fmax(b, c)) - 0.5, 0, limit));
}

/* The rows [y0, y1) of a triangle, and twice its area with the sign of its turn. */
struct reach {
    int y0, y1;
    double area;
};

/* false: the triangle covers no sample, as most faces of what is far away. */
static bool reach_of(struct reach *reach, const struct corner c[3], int width, int height)
{
    int x0, x1;
    covered(&reach->y0, &reach->y1, c[0].y, c[1].y, c[2].y, height);
    if (reach->y0 >= reach->y1) return false;
    covered(&x0, &x1, c[0].x, c[1].x, c[2].x, width);
    reach->area = (c[1].x - c[0].x) * (c[2].y - c[0].y) - (c[2].x - c[0].x) * (c[1].y - c[0].y);
    return x0 < x1 && fabs(reach->area) >= 1e-6;
}

/* plain: the corners have one colour. */
static void fill_triangle(struct painter *p, const struct corner c[3], const struct reach *reach, bool plain,
                          int width)
{
    const double area = reach->area;
    const double nears[3] = {c[0].near, c[1].near, c[2].near};
    const struct slope near = slope_of(c, nears, area);
    struct slope colour[3] = {{0}};
    struct span s = {0};
    for (int k = 0; k < 3; k++) {
        const double v[3] = {c[0].colour[k], c[1].colour[k], c[2].colour[k]};
        if (plain)
            s.colour[k] = (int32_t)(v[0] * 256);
        else
            colour[k] = slope_of(c, v, area);
    }
    const struct side sides[3] = {side_of(&c[0], &c[1]), side_of(&c[1], &c[2]), side_of(&c[2], &c[0])};
    for (int y = reach->y0; y < reach->y1; y++) {
        const double v = y + 0.5;
        double left, right;
        cross(&left, &right, sides, v);
        const int x0 = up(space_clamp(left - 0.5, 0, width)), x1 = up(space_clamp(right - 0.5, 0, width));
        if (x0 >= x1) continue;
        span_nearness(&s, near.at + near.dx * (x0 + 0.5) + near.dy * v, near.dx, x1 - x0);
        if (!plain) span_colour(&s, colour, x0, x1, v);
        const size_t at = (size_t)y * (size_t)width + (size_t)x0;
        fill_span(p->colours + at, p->depths + at, x1 - x0, s);
    }
}

/* A mover's mesh on its way to the picture. */
struct posed {
    const struct mover *mover;
    const struct shine *shine;
    struct finish finishes[MAT_COUNT];
    struct point world[MESH_MAX_POINTS], camera[MESH_MAX_POINTS], seen[MESH_MAX_POINTS];
    int samples;
    bool flat; /* so small that one light a face is enough */
};

/* The pixels that the projected points touch; how many samples a pixel each way. */
static int frame_patch(struct painter *p, const struct posed *posed, int n)
{
    double low[2] = {1e30, 1e30}, high[2] = {-1e30, -1e30};
    struct patch *patch = &p->patch;
    for (int i = 0; i < n; i++) {
        if (posed->camera[i].z < LENS_NEAR) continue;
        const double at[2] = {posed->seen[i].x, posed->seen[i].y};
        for (int a = 0; a < 2; a++) {
            if (at[a] < low[a]) low[a] = at[a];
            if (at[a] > high[a]) high[a] = at[a];
        }
    }
    const int limit[2] = {p->lens->width, p->lens->height};
    int from[2], to[2];
    for (int a = 0; a < 2; a++) {
        from[a] = (int)floor(space_clamp(low[a], 0, limit[a]));
        to[a] = up(space_clamp(high[a], 0, limit[a]));
        if (to[a] <= from[a]) return 0;
    }
    patch->x0 = from[0];
    patch->y0 = from[1];
    patch->width = to[0] - from[0];
    patch->height = to[1] - from[1];
    const int area = patch->width * patch->height;
    return area <= 3000 ? MAX_SAMPLES : area <= 14000 ? 3 : 2;
}

/* Inlined for each number of samples, whose square then is no divisor of unknown size. */
static inline void resolve_by(struct painter *p, const int samples)
{
    struct patch *patch = &p->patch;
    const uint32_t total = (uint32_t)(samples * samples);
    const int width = patch->width * samples;
    for (int y = 0; y < patch->height; y++)
        for (int x = 0; x < patch->width; x++) {
            uint32_t sum[4] = {0};
            int32_t nearest = 0;
            for (int j = 0; j < samples; j++) {
                const size_t row = (size_t)(y * samples + j) * (size_t)width + (size_t)(x * samples);
                for (int i = 0; i < samples; i++) {
                    const uint16_t *c = p->colours[row + (size_t)i];
                    for (int k = 0; k < 4; k++) sum[k] += c[k];
                    if (p->depths[row + (size_t)i] > nearest) nearest = p->depths[row + (size_t)i];
                }
            }
            const size_t at = (size_t)y * (size_t)patch->width + (size_t)x;
            uint16_t *out = patch->pixels[at];
            for (int k = 0; k < 3; k++) out[k] = (uint16_t)(sum[k] / total);
            out[3] = (uint16_t)(sum[3] * 255 / total);
            patch->nearness[at] = (uint16_t)(nearest >> 10);
        }
}

static void resolve(struct painter *p, int samples)
{
    if (samples == 4)
        resolve_by(p, 4);
    else if (samples == 3)
        resolve_by(p, 3);
    else
        resolve_by(p, 2);
}

/* 1024 times lens_nearness, so that near faces of one mesh can be told apart. */
static double fine_nearness(double depth) { return 1024.0 * 65535 * LENS_NEAR / depth; }

static struct point turned(const struct mover *m, struct point p)
{
    return (struct point){p.x * m->pose.cosine - p.y * m->pose.sine,
                          p.x * m->pose.sine + p.y * m->pose.cosine, p.z};
}

static void shade(struct corner *corner, const struct painter *p, const struct posed *posed,
                  const struct mesh_face *face, int i)
{
    const struct point eye = {0, 0, p->lens->stand}, at = posed->world[face->point[i]];
    const float *normal = face->normal[i];
    const struct point n = turned(posed->mover, (struct point){normal[0], normal[1], normal[2]});
    shade_corner(corner->colour, &posed->finishes[face->material], n, point_unit(point_sub(eye, at)),
                 posed->shine);
    for (int k = 0; k < 3; k++) corner->colour[k] = space_clamp(corner->colour[k] * BACKDROP_ONE, 0, 65535);
}

static void paint_face(struct painter *p, const struct posed *posed, const struct mesh_face *face)
{
    const struct point *camera = posed->camera;
    const struct point a = camera[face->point[0]], b = camera[face->point[1]], c = camera[face->point[2]];
    if (a.z < LENS_NEAR || b.z < LENS_NEAR || c.z < LENS_NEAR) return;
    /* Camera coordinates turn the same way round as the world's do, so outside faces look towards the eye. */
    if (point_dot(point_cross(point_sub(b, a), point_sub(c, a)), a) >= 0) return;
    struct corner corners[3];
    for (int i = 0; i < 3; i++) {
        const struct point q = posed->seen[face->point[i]];
        corners[i].x = (q.x - p->patch.x0) * posed->samples;
        corners[i].y = (q.y - p->patch.y0) * posed->samples;
        corners[i].near = fine_nearness(q.z) * (face->decal ? 1.003 : 1);
    }
    const int width = p->patch.width * posed->samples, height = p->patch.height * posed->samples;
    struct reach reach;
    if (!reach_of(&reach, corners, width, height)) return;
    for (int i = 0; i < 3; i++)
        if (!i || !posed->flat)
            shade(&corners[i], p, posed, face, i);
        else
            memcpy(corners[i].colour, corners[0].colour, sizeof corners[i].colour);
    fill_triangle(p, corners, &reach, posed->flat, width);
}

void paint_mover(struct painter *p, const struct model *model, const struct mover *mover,
                 const struct shine *shine)
{
    struct posed posed;
    posed.mover = mover;
    posed.shine = shine;
    const struct mesh *mesh = &model->mesh;
    for (int i = 0; i < mesh->point_count; i++) {
        struct point at = turned(mover, point_scale(mesh->points[i], mover->scale));
        at.x += mover->pose.x;
        at.y += mover->pose.y;
        posed.world[i] = at;
        posed.camera[i] = lens_turn(p->lens, at);
        if (posed.camera[i].z >= LENS_NEAR) posed.seen[i] = lens_project(p->lens, posed.camera[i]);
    }
    p->patch.width = 0;
    const int samples = frame_patch(p, &posed, mesh->point_count);
    if (!samples) return;
    posed.samples = samples;
    posed.flat = p->patch.width * p->patch.height < FLAT_AREA;
    const size_t count = (size_t)p->patch.width * p->patch.height * (size_t)(samples * samples);
    assert(count <= p->capacity);
    memset(p->colours, 0, count * sizeof *p->colours);
    memset(p->depths, 0, count * sizeof *p->depths);
    shade_finishes(posed.finishes, mover, shine->light);
    for (int i = 0; i < mesh->face_count; i++) paint_face(p, &posed, &mesh->faces[i]);
    resolve(p, samples);
}

const struct patch *paint_smear(struct painter *p, double dx, double dy)
{
    const struct patch *in = &p->patch;
    struct patch *out = &p->blurred;
    const double way = sqrt(dx * dx + dy * dy);
    if (way < 1.5 || !in->width) return in;
    enum { MAX_STEPS = 12 };
    const int steps = way + 1 < MAX_STEPS ? (int)way + 1 : MAX_STEPS, reach_x = (int)(fabs(dx) / 2) + 1,
              reach_y = (int)(fabs(dy) / 2) + 1;
    const int x0 = in->x0 - reach_x < 0 ? 0 : in->x0 - reach_x,
              y0 = in->y0 - reach_y < 0 ? 0 : in->y0 - reach_y;
    const int x1 = in->x0 + in->width + reach_x, y1 = in->y0 + in->height + reach_y;
    out->x0 = x0;
    out->y0 = y0;
    out->width = (x1 > p->lens->width ? p->lens->width : x1) - x0;
    out->height = (y1 > p->lens->height ? p->lens->height : y1) - y0;
    for (int y = 0; y < out->height; y++)
        for (int x = 0; x < out->width; x++) {
            uint32_t sum[4] = {0};
            int nearest = 0;
            for (int k = 0; k < steps; k++) {
                const double t = (k + 0.5) / steps - 0.5;
                const int sx = x + x0 - in->x0 - (int)rint(dx * t), sy = y + y0 - in->y0 - (int)rint(dy * t);
                if (sx < 0 || sy < 0 || sx >= in->width || sy >= in->height) continue;
                const size_t at = (size_t)sy * in->width + sx;
                for (int c = 0; c < 4; c++) sum[c] += in->pixels[at][c];
                if (in->nearness[at] > nearest) nearest = in->nearness[at];
            }
            const size_t at = (size_t)y * out->width + x;
            for (int c = 0; c < 4; c++) out->pixels[at][c] = (uint16_t)(sum[c] / (uint32_t)steps);
            out->nearness[at] = (uint16_t)nearest;
        }
    return out;
}
