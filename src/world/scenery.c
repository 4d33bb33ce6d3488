#include "world/scenery_parts.h"

static struct prop *add_prop(struct maker *m, enum look look)
{
    struct scenery *s = m->scenery;
    struct prop *prop = s->prop_count < SCENERY_MAX_PROPS ? &s->props[s->prop_count++] : &m->spare;
    *prop = (struct prop){
        .look = look, .cosine = 1, .key = (uint32_t)rng_u64(m->rng.key, 5000 + (uint64_t)s->prop_count)};
    return prop;
}

static void add_plane(struct prop *prop, struct point normal, struct point on)
{
    prop->normals[prop->plane_count] = normal;
    prop->offsets[prop->plane_count++] = point_dot(normal, on);
}

struct prop *scenery_body(struct maker *m, enum look look, struct point centre, double cosine, double sine,
                          struct point half, double ridge)
{
    struct prop *p = add_prop(m, look);
    p->centre = centre;
    p->cosine = cosine;
    p->sine = sine;
    p->half_x = half.x;
    p->half_y = half.y;
    p->half_z = half.z;
    p->ridge = ridge;
    p->plane_count = 0;
    const struct point ax = {cosine, sine, 0}, ay = {-sine, cosine, 0};
    for (int side = -1; side <= 1; side += 2) {
        add_plane(p, point_scale(ax, side), point_add(centre, point_scale(ax, side * half.x)));
        add_plane(p, point_scale(ay, side), point_add(centre, point_scale(ay, side * half.y)));
    }
    add_plane(p, (struct point){0, 0, -1}, centre);
    const struct point eaves = {0, 0, 2 * half.z};
    if (ridge <= 0) {
        add_plane(p, (struct point){0, 0, 1}, point_add(centre, eaves));
        return p;
    }
    for (int side = -1; side <= 1; side += 2) {
        const struct point n =
            point_unit(point_add(point_scale(ay, side * ridge), (struct point){0, 0, half.y}));
        add_plane(p, n, point_add(point_add(centre, eaves), point_scale(ay, side * half.y)));
    }
    return p;
}

static void colour(struct prop *p, double r, double g, double b, double k)
{
    p->colour[0] = r * k;
    p->colour[1] = g * k;
    p->colour[2] = b * k;
}

static void add_ball(struct maker *m, struct point centre, double radius, double squash, double tone)
{
    struct prop *p = add_prop(m, LOOK_LEAVES);
    p->ball = true;
    p->centre = centre;
    p->half_x = radius;
    p->half_z = radius * squash;
    colour(p, m->leaf[0], m->leaf[1], m->leaf[2], tone);
}

static void add_tree(struct maker *m, double x, double y)
{
    struct rng *rng = &m->rng;
    const double height = rng_uniform(rng, 5, 12), crown = height * rng_uniform(rng, 0.26, 0.40);
    const bool conifer = rng_next_real(rng) < 0.2;
    struct prop *trunk =
        scenery_body(m, LOOK_BARK, (struct point){x, y, 0}, 1, 0, (struct point){.13, .13, height * .3}, 0);
    colour(trunk, .10, .075, .05, 1);
    const int balls = conifer ? 7 : 15;
    const double tint = rng_uniform(rng, 0.7, 1.25);
    for (int i = 0; i < balls; i++) {
        const double t = i / (double)(balls - 1), tone = tint * rng_uniform(rng, 0.82, 1.18);
        if (conifer) {
            const double r = crown * 0.75 * (1.05 - t);
            add_ball(m, (struct point){x, y, height * (0.22 + 0.75 * t)}, r + 0.2, 1.1, tone * 0.7);
            continue;
        }
        const double angle = 2.4 * i, out = crown * 0.62 * sqrt(rng_next_real(rng));
        const double up = height * (0.52 + 0.36 * rng_next_real(rng));
        const double r = crown * rng_uniform(rng, 0.38, 0.58);
        add_ball(m, (struct point){x + out * space_cos(angle), y + out * space_sin(angle), up}, r, 0.85,
                 tone);
    }
}

static void add_bush(struct maker *m, double x, double y)
{
    struct rng *rng = &m->rng;
    const int balls = 3 + rng_next_int(rng, 4);
    for (int i = 0; i < balls; i++) {
        const double r = rng_uniform(rng, 0.4, 0.9);
        const struct point at = {x + rng_uniform(rng, -1.2, 1.2), y + rng_uniform(rng, -1.2, 1.2), r * 0.55};
        add_ball(m, at, r, 0.8, rng_uniform(rng, 0.8, 1.2));
    }
}

static void add_building(struct maker *m, double x, double y, double cosine, double sine, double half_x,
                         double half_y)
{
    static const double walls[9][3] = {{.45, .22, .15}, {.50, .46, .40}, {.58, .55, .50},
                                       {.42, .38, .33}, {.36, .38, .40}, {.60, .50, .36},
                                       {.30, .20, .16}, {.52, .53, .55}, {.46, .36, .30}};
    struct rng *rng = &m->rng;
    const int style = rng_next_real(rng) < 0.7 ? m->style : rng_next_int(rng, 4);
    const double storeys = style == 3 ? 1 + rng_next_int(rng, 2) : style == 2 ? 2 : 2 + rng_next_int(rng, 6);
    const double height = storeys * 3.1 + (style == 3 ? 0.3 : 1.0),
                 ridge = style == 3 ? half_y * rng_uniform(rng, .5, .9) : 0;
    struct prop *p = scenery_body(m, LOOK_WALL, (struct point){x, y, 0}, cosine, sine,
                                  (struct point){half_x, half_y, height / 2}, ridge);
    const double *wall = walls[rng_next_int(rng, 9)];
    colour(p, wall[0], wall[1], wall[2], rng_uniform(rng, 0.75, 1.1));
    p->style = style;
    if (style == 3 || rng_next_real(rng) < 0.4) return;
    /* Something on a flat roof. */
    struct prop *top = scenery_body(m, LOOK_METAL, (struct point){x, y, height}, cosine, sine,
                                    (struct point){half_x * .3, half_y * .3, 1.1}, 0);
    colour(top, .3, .3, .3, 1);
}

bool scenery_taken(const struct maker *m, int count, double x, double y, double radius)
{
    for (int i = 0; i < count; i++) {
        const double dx = x - m->spots[i].x, dy = y - m->spots[i].y, both = radius + m->spots[i].radius;
        if (dx * dx + dy * dy < both * both) return true;
    }
    return false;
}

bool scenery_aside(const struct maker *m, double x, double y, double radius)
{
    return y > 1.7 * m->layout->focus || fabs(x) > m->slope * 0.72 * y + radius;
}

/* Whether something of this radius at (x, y) keeps clear of roads and does not stand before what the camera
 * watches. low: it may, being low. */
static bool fits(const struct maker *m, double x, double y, double radius, double room, bool low)
{
    int road;
    double s, d;
    if (layout_edge(m->layout, x, y, &road, &s, &d) < radius + room) return false;
    if (m->layout->ring.radius > 0) {
        const double dx = x - m->layout->ring.x, dy = y - m->layout->ring.y;
        if (sqrt(dx * dx + dy * dy) < m->layout->ring.radius && !low) return false;
    }
    if (x * x + y * y < (radius + 7) * (radius + 7)) return false;
    if (scenery_taken(m, m->spot_count, x, y, radius)) return false;
    return low || scenery_aside(m, x, y, radius);
}

static double random_x(struct maker *m, double y)
{
    return rng_uniform(&m->rng, -1, 1) * (y * m->slope * 1.25 + 12);
}

/* Rows of buildings that look at each road. */
static void line_road(struct maker *m, const struct road *road)
{
    struct rng *rng = &m->rng;
    const double length = chain_length(&road->axis);
    for (int side = -1; side <= 1; side += 2)
        for (double s = rng_uniform(rng, 0, 10); s < length;) {
            const double half_x = rng_uniform(rng, 5, 13), half_y = rng_uniform(rng, 4.5, 8);
            const double back = road->half + road->pavement + half_y + rng_uniform(rng, 1.5, 9);
            const struct pose at = chain_pose(&road->axis, s + half_x);
            const double x = at.x - at.sine * back * side, y = at.y + at.cosine * back * side;
            if (rng_next_real(rng) < m->dense && y > -10 &&
                fits(m, x, y, half_x > half_y ? half_x : half_y, 1, false))
                add_building(m, x, y, at.cosine, at.sine, half_x, half_y);
            s += 2 * half_x + rng_uniform(rng, 0.5, 9);
        }
}

static void add_lamp(struct maker *m, double x, double y, double to_x, double to_y)
{
    struct scenery *s = m->scenery;
    if (s->lamp_count == SCENERY_MAX_LAMPS || !fits(m, x, y, 0.1, 0.25, true)) return;
    const double height = 7.8;
    struct prop *post =
        scenery_body(m, LOOK_METAL, (struct point){x, y, 0}, 1, 0, (struct point){.07, .07, height / 2}, 0);
    colour(post, .30, .31, .32, 1);
    const struct point middle = {x + to_x * .7, y + to_y * .7, height - .1};
    struct prop *arm = scenery_body(m, LOOK_METAL, middle, to_x, to_y, (struct point){.75, .04, .04}, 0);
    colour(arm, .30, .31, .32, 1);
    const struct point head = {x + to_x * 1.6, y + to_y * 1.6, height - .12};
    struct prop *lantern = scenery_body(m, LOOK_METAL, head, to_x, to_y, (struct point){.35, .14, .06}, 0);
    colour(lantern, .35, .35, .35, 1);
    s->lamps[s->lamp_count++] = head;
}

static void light_road(struct maker *m, const struct road *road)
{
    const double length = chain_length(&road->axis), step = rng_uniform(&m->rng, 24, 34);
    double back = road->half + (road->pavement > 0 ? 0.5 : 1.2);
    int k = 0;
    for (double s = rng_uniform(&m->rng, 4, 20); s < length; s += step, k++) {
        const struct pose at = chain_pose(&road->axis, s);
        const double side = k & 1 ? 1 : -1;
        add_lamp(m, at.x - at.sine * back * side, at.y + at.cosine * back * side, at.sine * side,
                 -at.cosine * side);
    }
}

/* A trimmed hedge in the middle of a wide road, or a rail. */
static void fill_median(struct maker *m, const struct road *road)
{
    const bool hedge = rng_next_real(&m->rng) < 0.5;
    for (double s = 0; s < chain_length(&road->axis); s += 4) {
        const struct pose at = chain_pose(&road->axis, s + 2);
        const struct point centre = {at.x, at.y, hedge ? 0 : 0.45};
        const struct point half = {2.02, hedge ? road->median / 2 - .5 : .10, hedge ? .42 : .16};
        struct prop *p =
            scenery_body(m, hedge ? LOOK_LEAVES : LOOK_METAL, centre, at.cosine, at.sine, half, 0);
        if (hedge)
            colour(p, m->leaf[0], m->leaf[1], m->leaf[2], 1.2);
        else
            colour(p, .45, .46, .47, 1);
    }
}

static void plant(struct maker *m)
{
    struct rng *rng = &m->rng;
    const int trees = 8 + rng_next_int(rng, 38);
    const double far = fmax(125, 2.5 * m->layout->focus);
    for (int i = 0, tries = 0; i < trees && tries < 400; tries++) {
        const double u = rng_next_real(rng), y = 4 + far * u * u, x = random_x(m, y);
        if (!fits(m, x, y, 2.2, 1.2, false)) continue;
        add_tree(m, x, y);
        i++;
    }
    for (int i = 0, tries = 0; i < 18 && tries < 200; tries++) {
        const double y = rng_uniform(rng, 3, fmax(60, 2 * m->layout->focus)), x = random_x(m, y);
        if (!fits(m, x, y, 1.6, 2.8, true)) continue;
        add_bush(m, x, y);
        i++;
    }
}

void scenery_make(struct scenery *scenery, const struct layout *layout)
{
    struct maker m = {
        .scenery = scenery, .layout = layout, .rng = {rng_key(layout->site->seed, "world.scenery"), 0}};
    scenery->prop_count = scenery->lamp_count = 0;
    m.dense = rng_next_real(&m.rng) < 0.65 ? rng_uniform(&m.rng, 0.5, 0.95) : 0.12;
    m.style = rng_next_int(&m.rng, 4);
    m.slope = layout->lens.width / 2.0 / layout->lens.focal;
    const double yellow = rng_uniform(&m.rng, 0.55, 1.05);
    m.leaf[0] = 0.085 * yellow;
    m.leaf[1] = 0.115;
    m.leaf[2] = 0.035;
    furniture_make(&m);
    for (int i = 0; i < layout->road_count; i++) {
        line_road(&m, &layout->roads[i]);
        light_road(&m, &layout->roads[i]);
        if (layout->roads[i].median > 1.5) fill_median(&m, &layout->roads[i]);
    }
    if (layout->lot.half_x > 0) /* lamps between the rows of the car park */
        for (double x = -layout->lot.half_x; x <= layout->lot.half_x; x += 22) {
            const struct lot *l = &layout->lot;
            const double y = -l->half_y - 1.2;
            add_lamp(&m, l->x + x * l->cosine - y * l->sine, l->y + x * l->sine + y * l->cosine, -l->sine,
                     l->cosine);
        }
    plant(&m);
}
