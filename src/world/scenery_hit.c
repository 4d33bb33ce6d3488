/* Rays against props, and their shadows. */
#include "world/scenery_parts.h"

#include <stdlib.h>

static int cell(double v) { return (int)floor(v); }

/* Walls in their own coordinates: u along, z up. */
static void wall(struct hit *hit, const struct prop *p, double u, double z, double length)
{
    const double storey = 3.1, width = p->style == 1 ? 1.6 : p->style == 3 ? 3.4 : 2.3 + (p->key % 4) * 0.3;
    const int column = cell(u / width), level = cell(z / storey);
    const double a = u / width - column, b = z / storey - level, top = 2 * p->half_z;
    const uint32_t h = space_hash(p->key, column, level, cell(length));
    double tone = 0.92 + 0.16 * space_noise(p->key + 1, u / 1.7, z / 1.7) -
                  0.10 * space_noise(p->key + 2, u / 0.5, 0.5);
    for (int k = 0; k < 3; k++) hit->albedo[k] = p->colour[k] * tone;
    if (p->style == 2) { /* ribbed sheet, a gate below */
        const double rib = u / 0.4 - cell(u / 0.4);
        tone = 0.9 + 0.2 * rib;
        const bool gate = z < 3.6 && h % 3 == 0 && a > 0.1;
        for (int k = 0; k < 3; k++) hit->albedo[k] = gate ? 0.12 : p->colour[k] * tone;
        return;
    }
    if (z > top - 0.35 && p->style != 3) {
        for (int k = 0; k < 3; k++) hit->albedo[k] *= 0.7; /* cornice */
        return;
    }
    const bool edge = u < 0.6 || u > length - 0.6 || z > top - (p->style == 3 ? 0.5 : 0.9);
    const bool ground_floor = level == 0 && p->style != 3;
    const bool window = p->style == 1  ? b > 0.28 && b < 0.88 && a > 0.05
                        : ground_floor ? b > 0.10 && b < 0.82 && a > 0.08 && a < 0.92
                                       : a > 0.28 && a < 0.74 && b > 0.28 && b < 0.80;
    if (edge || !window) return;
    const double glass = 0.035 + 0.09 * (h & 255) / 255.0 * b;
    hit->albedo[0] = glass * 0.85;
    hit->albedo[1] = glass;
    hit->albedo[2] = glass * 1.2;
    hit->glow = 1 + (int)((h >> 8) % 255);
}

static void leaves(struct hit *hit, const struct prop *p, struct point at)
{
    const double fine = space_hash_real(p->key, cell(at.x / 0.16), cell(at.y / 0.16), cell(at.z / 0.16));
    const double clump = space_hash_real(p->key + 1, cell(at.x / 0.42), cell(at.y / 0.42), cell(at.z / 0.42));
    const double tone = 0.45 + 0.55 * fine + 0.65 * clump * clump;
    for (int k = 0; k < 3; k++) hit->albedo[k] = p->colour[k] * tone;
    hit->glow = 0;
}

static bool hit_ball(struct hit *hit, const struct prop *p, struct point eye, struct point ray)
{
    const double kx = 1 / p->half_x, kz = 1 / p->half_z;
    const struct point o = {(eye.x - p->centre.x) * kx, (eye.y - p->centre.y) * kx,
                            (eye.z - p->centre.z) * kz};
    const struct point r = {ray.x * kx, ray.y * kx, ray.z * kz};
    const double a = point_dot(r, r), b = point_dot(o, r), c = point_dot(o, o) - 1, root = b * b - a * c;
    if (root <= 0) return false;
    hit->depth = (-b - sqrt(root)) / a;
    if (hit->depth < LENS_NEAR) return false;
    const struct point at = point_add(eye, point_scale(ray, hit->depth));
    const struct point local = point_add(o, point_scale(r, hit->depth));
    hit->normal = point_unit((struct point){local.x * kx, local.y * kx, local.z * kz});
    /* Thin at the rim. */
    const double rim = -point_dot(hit->normal, point_unit(ray));
    const double hole = space_hash_real(p->key + 2, cell(at.x / 0.25), cell(at.y / 0.25), cell(at.z / 0.25));
    if (hole > 0.35 + 1.3 * rim) return false;
    leaves(hit, p, at);
    const struct point rough = {
        space_hash_real(p->key + 3, cell(at.x / 0.3), cell(at.y / 0.3), cell(at.z / 0.3)) - 0.5,
        space_hash_real(p->key + 4, cell(at.x / 0.3), cell(at.y / 0.3), cell(at.z / 0.3)) - 0.5, 0.25};
    hit->normal = point_unit(point_add(hit->normal, rough));
    return true;
}

bool scenery_hit(struct hit *hit, const struct prop *p, struct point eye, struct point ray)
{
    *hit = (struct hit){0};
    if (p->ball) return hit_ball(hit, p, eye, ray);
    double enter = LENS_NEAR, leave = 1e9;
    int through = -1;
    for (int i = 0; i < p->plane_count; i++) {
        const double speed = point_dot(p->normals[i], ray),
                     room = p->offsets[i] - point_dot(p->normals[i], eye);
        if (speed == 0) {
            if (room < 0) return false;
            continue;
        }
        const double t = room / speed;
        if (speed < 0 && t > enter) {
            enter = t;
            through = i;
        } else if (speed > 0 && t < leave)
            leave = t;
        if (enter > leave) return false;
    }
    if (through < 0) return false;
    hit->depth = enter;
    hit->normal = p->normals[through];
    const struct point at = point_add(eye, point_scale(ray, enter));
    const double dx = at.x - p->centre.x, dy = at.y - p->centre.y;
    const double own_x = dx * p->cosine + dy * p->sine, own_y = dy * p->cosine - dx * p->sine;
    for (int k = 0; k < 3; k++) hit->albedo[k] = p->colour[k];
    if (p->look >= LOOK_PLAIN)
        furniture_albedo(hit->albedo, p, through, own_x, own_y, at.z - p->centre.z);
    else if (p->look == LOOK_LEAVES)
        leaves(hit, p, at);
    else if (p->look == LOOK_WALL && through < 4) {
        const bool end = !(through & 1); /* planes 0 and 2 face along own x */
        const double length = 2 * (end ? p->half_y : p->half_x);
        wall(hit, p, (end ? own_y : own_x) + length / 2, at.z - p->centre.z, length);
    } else if (p->look == LOOK_WALL) {
        const double row = p->ridge > 0 ? at.z / 0.28 - floor(at.z / 0.28) : 0.5;
        const double tile = space_hash_real(p->key + 5, cell(own_x / 0.4), cell(at.z / 0.28), 0);
        static const double tiles[3][3] = {{.24, .10, .06}, {.11, .11, .12}, {.20, .17, .15}};
        for (int k = 0; k < 3; k++)
            hit->albedo[k] = p->ridge > 0 ? tiles[p->key % 3][k] * (0.75 + 0.2 * row + 0.3 * tile)
                                          : 0.16 + 0.05 * space_noise(p->key, own_x, own_y);
    }
    return true;
}

static int by_x(const void *a, const void *b)
{
    const double *p = a, *q = b;
    if (p[0] != q[0]) return p[0] < q[0] ? -1 : 1;
    return p[1] < q[1] ? -1 : p[1] > q[1];
}

static double turn(const double *a, const double *b, const double *c)
{
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
}

int scenery_hull(double (*points)[2], int n)
{
    double hull[70][2];
    int k = 0;
    qsort(points, (size_t)n, sizeof *points, by_x); /* equal points are equal in every bit */
    for (int pass = 0; pass < 2; pass++) {
        const int base = k;
        for (int i = 0; i < n; i++) {
            const double *p = points[pass ? n - 1 - i : i];
            while (k >= base + 2 && turn(hull[k - 2], hull[k - 1], p) <= 0) k--;
            hull[k][0] = p[0];
            hull[k++][1] = p[1];
        }
        k--; /* the next half begins with this point */
    }
    for (int i = 0; i < k; i++) {
        points[i][0] = hull[i][0];
        points[i][1] = hull[i][1];
    }
    return k;
}

int scenery_shadow(double (*outline)[2], const struct prop *p, struct point sun)
{
    const double dx = -sun.x / sun.z, dy = -sun.y / sun.z;
    int n = 0;
    if (p->ball) {
        const struct point flat = point_unit((struct point){dx, dy, 0});
        const double r = p->half_x, stretch = sqrt(1 + (dx * dx + dy * dy) * p->half_z * p->half_z / (r * r));
        for (int i = 0; i < 12; i++) {
            const double a = r * stretch * space_cos(SPACE_PI * i / 6), b = r * space_sin(SPACE_PI * i / 6);
            outline[n][0] = p->centre.x + dx * p->centre.z + flat.x * a - flat.y * b;
            outline[n++][1] = p->centre.y + dy * p->centre.z + flat.y * a + flat.x * b;
        }
        return n;
    }
    for (int level = 0; level < 2; level++)
        for (int i = 0; i < 4; i++) {
            const double ax = (i == 1 || i == 2 ? 1 : -1) * p->half_x, ay = (i >= 2 ? 1 : -1) * p->half_y;
            const double z = p->centre.z + level * 2 * p->half_z;
            outline[n][0] = p->centre.x + ax * p->cosine - ay * p->sine + dx * z;
            outline[n++][1] = p->centre.y + ax * p->sine + ay * p->cosine + dy * z;
        }
    for (int side = -1; p->ridge > 0 && side <= 1; side += 2) {
        const double z = p->centre.z + 2 * p->half_z + p->ridge, ax = side * p->half_x;
        outline[n][0] = p->centre.x + ax * p->cosine + dx * z;
        outline[n++][1] = p->centre.y + ax * p->sine + dy * z;
    }
    return scenery_hull(outline, n);
}
