#include "world/track.h"

#include <assert.h>

static struct piece make_piece(double x, double y, double heading, double curvature, double length)
{
    return (struct piece){x, y, heading, curvature, length, space_cos(heading), space_sin(heading)};
}

static struct pose piece_pose(const struct piece *p, double s)
{
    const double c = p->cosine, n = p->sine;
    if (fabs(p->curvature) < 1e-9) return (struct pose){p->x + c * s, p->y + n * s, c, n};
    const double turned = p->heading + p->curvature * s, r = 1 / p->curvature;
    const double c2 = space_cos(turned), n2 = space_sin(turned);
    return (struct pose){p->x + (n2 - n) * r, p->y + (c - c2) * r, c2, n2};
}

struct chain chain_start(double x, double y, double heading, double curvature, double length)
{
    return (struct chain){1, {make_piece(x, y, heading, curvature, length)}};
}

void chain_add(struct chain *chain, double curvature, double length)
{
    assert(chain->count < CHAIN_MAX_PIECES);
    const struct piece *last = &chain->pieces[chain->count - 1];
    const struct pose end = piece_pose(last, last->length);
    const double heading = last->heading + last->curvature * last->length;
    chain->pieces[chain->count++] = make_piece(end.x, end.y, heading, curvature, length);
}

double chain_length(const struct chain *chain)
{
    double sum = 0;
    for (int i = 0; i < chain->count; i++) sum += chain->pieces[i].length;
    return sum;
}

struct pose chain_pose(const struct chain *chain, double s)
{
    int i = 0;
    while (i + 1 < chain->count && s > chain->pieces[i].length) s -= chain->pieces[i++].length;
    return piece_pose(&chain->pieces[i], s);
}

struct chain chain_beside(const struct chain *chain, double d)
{
    struct chain out = *chain;
    for (int i = 0; i < out.count; i++) {
        struct piece *p = &out.pieces[i];
        const double stretch = 1 - p->curvature * d;
        p->x -= p->sine * d;
        p->y += p->cosine * d;
        p->length *= stretch;
        p->curvature /= stretch;
    }
    return out;
}

struct chain chain_reversed(const struct chain *chain)
{
    struct chain out = {.count = chain->count};
    for (int i = 0; i < chain->count; i++) {
        const struct piece *p = &chain->pieces[chain->count - 1 - i];
        const struct pose end = piece_pose(p, p->length);
        out.pieces[i] = make_piece(end.x, end.y, p->heading + p->curvature * p->length + SPACE_PI,
                                   -p->curvature, p->length);
    }
    return out;
}

/* s along the piece, not limited to it; d to its left. */
static void piece_locate(const struct piece *p, double x, double y, double *s, double *d)
{
    const double c = p->cosine, n = p->sine;
    const double along = (x - p->x) * c + (y - p->y) * n, left = (y - p->y) * c - (x - p->x) * n;
    if (fabs(p->curvature) < 1e-9) {
        *s = along;
        *d = left;
        return;
    }
    /* In the piece's frame the centre is (0, r); r < 0 for a turn to the right. */
    const double r = 1 / p->curvature, side = r > 0 ? 1 : -1, out = (r - left) * side;
    const double distance = sqrt(along * along + (r - left) * (r - left));
    double angle = out > 0 ? dmath_atan(along / out) : along > 0 ? SPACE_PI / 2 : -SPACE_PI / 2;
    if (out < 0) angle += dmath_atan(-out / (fabs(along) + 1e-9)) * (along > 0 ? 1 : -1);
    *s = angle * fabs(r);
    *d = (fabs(r) - distance) * side;
}

void chain_locate(const struct chain *chain, double x, double y, double *s, double *d)
{
    double best = 1e30, before = 0;
    for (int i = 0; i < chain->count; i++) {
        const struct piece *p = &chain->pieces[i];
        double along, left;
        piece_locate(p, x, y, &along, &left);
        const double low = i ? 0 : -1e9, high = i + 1 < chain->count ? p->length : 1e9;
        const double beyond = along < low ? low - along : along > high ? along - high : 0;
        const double cost = fabs(left) + 2 * beyond;
        if (cost < best) {
            best = cost;
            *s = before + along;
            *d = left;
        }
        before += p->length;
    }
}

struct pose track_pose(const struct track *track, double s)
{
    const double last = track->count - 1, at = space_clamp(s, 0, last);
    const double from = space_clamp(at - 1, 0, last - 2), to = from + 2;
    double xy[3][2];
    const double where[3] = {from, at, to};
    for (int k = 0; k < 3; k++) {
        int i = (int)where[k];
        if (i > track->count - 2) i = track->count - 2;
        for (int a = 0; a < 2; a++)
            xy[k][a] = space_mix(track->points[i][a], track->points[i + 1][a], where[k] - i);
    }
    const struct point way = point_unit((struct point){xy[2][0] - xy[0][0], xy[2][1] - xy[0][1], 0});
    return (struct pose){xy[1][0], xy[1][1], way.x, way.y};
}

bool track_of_chain(struct track *track, const struct chain *chain, struct arena *arena)
{
    const int count = (int)chain_length(chain) + 1;
    double(*points)[2] = arena_alloc(arena, (size_t)count, sizeof *points);
    if (!points || count < 4) return false;
    for (int i = 0; i < count; i++) {
        const struct pose p = chain_pose(chain, i);
        points[i][0] = p.x;
        points[i][1] = p.y;
    }
    *track = (struct track){count, count - 1, (const double(*)[2])points};
    return true;
}

static double step(const double (*points)[2], int i)
{
    const double dx = points[i + 1][0] - points[i][0], dy = points[i + 1][1] - points[i][1];
    return sqrt(dx * dx + dy * dy);
}

bool track_of_points(struct track *track, const double (*points)[2], int n, struct arena *arena)
{
    double total = 0;
    for (int i = 0; i + 1 < n; i++) total += step(points, i);
    const int count = (int)total + 1;
    double(*even)[2] = arena_alloc(arena, (size_t)count, sizeof *even);
    if (!even || count < 4) return false;
    double before = 0;
    for (int i = 0, k = 0; k < count; k++) {
        while (i + 2 < n && before + step(points, i) < k) before += step(points, i++);
        const double t = space_clamp((k - before) / (step(points, i) + 1e-12), 0, 1);
        for (int a = 0; a < 2; a++) even[k][a] = space_mix(points[i][a], points[i + 1][a], t);
    }
    *track = (struct track){count, count - 1, (const double(*)[2])even};
    return true;
}
