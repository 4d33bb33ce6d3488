/* What stands beside roads and looks a little like vehicles: no object of the truth. */
#include "world/scenery_parts.h"

#include <string.h>

enum paint { FIRST, SECOND, DARK, PALE }; /* of a part: the piece's colours, or always the same */

struct part {
    enum look look;
    enum paint paint;
    struct point at, half; /* foot and half sizes, metres */
    double ridge;
};

enum { MAX_PARTS = 5 };
static const struct furnishing {
    double half_x, half_y, height; /* of the ground that it covers */
    int row;                       /* pieces side by side at most */
    struct part parts[MAX_PARTS];
} pieces[] = {
    /* container */
    {3.05, 1.24, 2.6, 3, {{LOOK_SHEET, FIRST, {0, 0, 0}, {3.03, 1.22, 1.3}, 0}}},
    /* two containers */
    {3.05,
     1.24,
     5.2,
     2,
     {{LOOK_SHEET, FIRST, {0, 0, 0}, {3.03, 1.22, 1.3}, 0},
      {LOOK_SHEET, SECOND, {0, 0, 2.6}, {3.03, 1.22, 1.3}, 0}}},
    /* market stall */
    {1.5,
     1.2,
     2.6,
     6,
     {{LOOK_CLOTH, SECOND, {0, .3, 0}, {1.3, .6, .42}, 0},
      {LOOK_STRIPES, FIRST, {0, 0, 2.0}, {1.5, 1.2, .10}, .45},
      {LOOK_PLAIN, DARK, {-1.4, -1.0, 0}, {.04, .04, 1.0}, 0},
      {LOOK_PLAIN, DARK, {1.4, -1.0, 0}, {.04, .04, 1.0}, 0},
      {LOOK_PLAIN, SECOND, {.2, .4, .84}, {.8, .35, .12}, 0}}},
    /* dumpster */
    {1.0,
     .65,
     1.35,
     4,
     {{LOOK_PLAIN, FIRST, {0, 0, .15}, {.95, .6, .48}, 0},
      {LOOK_PLAIN, SECOND, {0, 0, 1.1}, {.98, .63, .06}, .12},
      {LOOK_PLAIN, DARK, {0, 0, 0}, {.8, .5, .08}, 0}}},
    /* skip */
    {1.8,
     .95,
     1.3,
     2,
     {{LOOK_SHEET, FIRST, {0, 0, .1}, {1.75, .9, .55}, 0},
      {LOOK_CLOTH, SECOND, {0, 0, 1.2}, {1.5, .8, .05}, .3}}},
    /* kiosk */
    {1.5,
     1.3,
     2.9,
     2,
     {{LOOK_PLAIN, FIRST, {0, 0, 0}, {1.2, 1.0, 1.2}, 0},
      {LOOK_PLAIN, SECOND, {0, 0, 2.4}, {1.45, 1.25, .14}, 0},
      {LOOK_PLAIN, DARK, {0, -1.0, 1.0}, {.85, .04, .5}, 0},
      {LOOK_PLAIN, PALE, {0, -1.1, .85}, {.9, .15, .05}, 0}}},
    /* cabinet */
    {.65, .3, 1.4, 2, {{LOOK_PLAIN, FIRST, {0, 0, 0}, {.6, .25, .68}, 0}}},
    /* bus shelter */
    {2.1,
     .9,
     2.5,
     1,
     {{LOOK_PLAIN, DARK, {0, .7, .3}, {1.9, .03, .9}, 0},
      {LOOK_PLAIN, FIRST, {0, 0, 2.3}, {2.1, .85, .07}, 0},
      {LOOK_POSTER, SECOND, {1.9, 0, .3}, {.06, .65, .9}, 0},
      {LOOK_PLAIN, PALE, {-.4, .45, .4}, {1.2, .2, .05}, 0},
      {LOOK_PLAIN, DARK, {-1.9, .7, 0}, {.05, .05, 1.15}, 0}}},
    /* billboard with a car on it */
    {2.3,
     .3,
     3.4,
     1,
     {{LOOK_POSTER, FIRST, {0, 0, 1.1}, {2.25, .10, 1.1}, 0},
      {LOOK_PLAIN, DARK, {-1.6, 0, 0}, {.08, .08, .6}, 0},
      {LOOK_PLAIN, DARK, {1.6, 0, 0}, {.08, .08, .6}, 0}}},
    /* a poster near the ground */
    {1.6, .3, 1.7, 2, {{LOOK_POSTER, FIRST, {0, 0, .15}, {1.6, .06, .75}, 0}}},
    /* trailer under a tarpaulin */
    {3.0,
     1.2,
     2.7,
     3,
     {{LOOK_CLOTH, FIRST, {0, 0, .75}, {2.9, 1.15, .8}, .25},
      {LOOK_PLAIN, DARK, {-.7, 0, 0}, {.75, 1.1, .33}, 0},
      {LOOK_PLAIN, DARK, {2.4, 0, .45}, {.7, .25, .12}, 0}}},
    /* covered heap as long as a car */
    {2.2,
     .95,
     1.5,
     4,
     {{LOOK_CLOTH, FIRST, {0, 0, 0}, {2.2, .9, .42}, 0},
      {LOOK_CLOTH, FIRST, {-.2, 0, .84}, {1.2, .75, .22}, .2}}},
    /* crates */
    {.9,
     .7,
     1.5,
     4,
     {{LOOK_SHEET, FIRST, {-.3, 0, 0}, {.55, .6, .35}, 0},
      {LOOK_SHEET, SECOND, {.5, .1, 0}, {.4, .5, .3}, 0},
      {LOOK_SHEET, SECOND, {-.2, 0, .7}, {.5, .5, .3}, 0}}},
    /* cabin for builders */
    {.6,
     .6,
     2.3,
     4,
     {{LOOK_PLAIN, FIRST, {0, 0, 0}, {.55, .55, 1.1}, 0},
      {LOOK_PLAIN, PALE, {0, 0, 2.2}, {.58, .58, .05}, 0}}},
    /* block of concrete */
    {1.1, .3, .85, 8, {{LOOK_PLAIN, PALE, {0, 0, 0}, {1.0, .28, .42}, 0}}},
    /* hay bale, boat, stack under a sheet */
    {1.3, .8, 1.3, 5, {{LOOK_CLOTH, FIRST, {0, 0, 0}, {1.2, .75, .45}, .4}}},
};

static const struct tint colours[] = {{10, {176, 42, 34}},  {10, {34, 82, 150}},  {9, {44, 120, 72}},
                                      {8, {224, 126, 36}},  {8, {226, 182, 44}},  {8, {224, 224, 218}},
                                      {7, {132, 136, 140}}, {6, {96, 60, 42}},    {6, {40, 42, 46}},
                                      {6, {74, 154, 184}},  {5, {116, 52, 110}},  {5, {92, 104, 66}},
                                      {5, {178, 160, 128}}, {4, {208, 110, 130}}, {3, {24, 138, 140}}};
static const struct palette palette = {colours, SITE_COUNT(colours)};

/* What one place has of a kind of pieces. */
struct stock {
    const struct furnishing *piece;
    uint8_t tints[3][3];
    bool mixed; /* pieces of one row differ */
};

static void add_piece(struct maker *m, const struct stock *stock, struct point at, double cosine, double sine)
{
    static const uint8_t fixed[2][3] = {{36, 37, 39}, {186, 184, 178}}; /* DARK, PALE */
    const int first = stock->mixed ? rng_next_int(&m->rng, 3) : 0;
    for (int i = 0; i < MAX_PARTS && stock->piece->parts[i].half.x > 0; i++) {
        const struct part *part = &stock->piece->parts[i];
        const struct point foot = {at.x + part->at.x * cosine - part->at.y * sine,
                                   at.y + part->at.x * sine + part->at.y * cosine, part->at.z};
        struct prop *prop = scenery_body(m, part->look, foot, cosine, sine, part->half, part->ridge);
        palette_albedo(prop->colour, part->paint >= DARK
                                         ? fixed[part->paint - DARK]
                                         : stock->tints[(first + (part->paint == SECOND)) % 3]);
    }
}

/* Whether the ground below is beside every road. */
static bool clear_of_roads(const struct maker *m, const struct furnishing *piece, struct point at,
                           double cosine, double sine)
{
    for (int i = -2; i <= 2; i++)
        for (int k = -1; k <= 1; k++) {
            int road;
            double s, d;
            const double x = i / 2.0 * (piece->half_x + 0.1), y = k * (piece->half_y + 0.1);
            const double edge = layout_edge(m->layout, at.x + x * cosine - y * sine,
                                            at.y + x * sine + y * cosine, &road, &s, &d);
            if (edge < 0.2 || (road >= 0 && fabs(d) < m->layout->roads[road].half)) return false;
        }
    return true;
}

static double radius_of(const struct furnishing *piece)
{
    return sqrt(piece->half_x * piece->half_x + piece->half_y * piece->half_y);
}

/* A row of pieces along the kerb from here on; false: there was no room for any. */
static bool add_row(struct maker *m, const struct stock *stock, struct point at, double cosine, double sine)
{
    const struct furnishing *piece = stock->piece;
    const int count = 1 + rng_next_int(&m->rng, piece->row);
    const double step = 2 * piece->half_x + rng_uniform(&m->rng, 0.1, 1.2);
    const double radius = radius_of(piece);
    const int before = m->spot_count;
    for (int i = 0; i < count && m->spot_count < SCENERY_MAX_SPOTS; i++) {
        if (at.x * at.x + at.y * at.y > 16 + radius * radius && clear_of_roads(m, piece, at, cosine, sine)) {
            add_piece(m, stock, at, cosine, sine);
            m->spots[m->spot_count++] = (struct spot){at.x, at.y, radius};
        }
        at.x += step * cosine;
        at.y += step * sine;
        if (scenery_taken(m, before, at.x, at.y, radius)) break;
    }
    return m->spot_count > before;
}

/* Somewhere the camera sees, moved to the side of the nearest road. */
static bool find_place(struct maker *m, const struct furnishing *piece, struct point *at, double *cosine,
                       double *sine)
{
    const double focus = m->layout->focus, u = rng_next_real(&m->rng);
    const double y = focus * (0.3 + 2.2 * u * u), depth = y + 0.5 * m->layout->lens.stand;
    const double x = rng_uniform(&m->rng, -1.1, 1.1) * depth * m->slope,
                 beyond = rng_uniform(&m->rng, 0.3, 3.5);
    int index;
    double s, d;
    const double edge = layout_edge(m->layout, x, y, &index, &s, &d),
                 angle = rng_uniform(&m->rng, 0, 2 * SPACE_PI);
    *at = (struct point){x, y, 0};
    *cosine = space_cos(angle);
    *sine = space_sin(angle);
    const bool high = piece->height >= 1.6 && m->layout->lens.stand <= 14;
    if (index < 0 || edge > 14) return !high || scenery_aside(m, x, y, radius_of(piece));
    const struct road *road = &m->layout->roads[index];
    const double side = d < 0 ? -1 : 1, out = side * (road->half + road->pavement + piece->half_y + beyond);
    const struct pose pose = chain_pose(&road->axis, s);
    *at = (struct point){pose.x - pose.sine * out, pose.y + pose.cosine * out, 0};
    /* Their fronts look at the road. */
    *cosine = pose.cosine * side;
    *sine = pose.sine * side;
    /* High ones stay on the far side, where they hide nothing. */
    double own_s, own_d;
    chain_locate(&road->axis, 0, 0, &own_s, &own_d);
    return !high || own_d * side < 0;
}

void furniture_make(struct maker *m)
{
    const struct rng kept = m->rng;
    m->rng = (struct rng){rng_key(m->layout->site->seed, "world.furniture"), 0};
    struct stock stocks[3];
    const int kinds = 1 + rng_next_int(&m->rng, 3), rows = 2 + rng_next_int(&m->rng, 14);
    for (int i = 0; i < kinds; i++) {
        stocks[i].piece = &pieces[rng_next_int(&m->rng, SITE_COUNT(pieces))];
        stocks[i].mixed = rng_next_real(&m->rng) < 0.4;
        for (int k = 0; k < 3; k++)
            memcpy(stocks[i].tints[k], palette_pick(&palette, rng_next_real(&m->rng)), 3);
    }
    for (int i = 0, tries = 0; i < rows && tries < 200; tries++) {
        const struct stock *stock = &stocks[rng_next_int(&m->rng, kinds)];
        struct point at;
        double cosine, sine;
        if (!find_place(m, stock->piece, &at, &cosine, &sine) ||
            scenery_taken(m, m->spot_count, at.x, at.y, radius_of(stock->piece)))
            continue;
        i += add_row(m, stock, at, cosine, sine);
    }
    m->rng = kept;
}

/* A car from the side, in the colour's opposite. */
static void poster(double albedo[3], const struct prop *p, double u, double v)
{
    const double half = p->half_x > p->half_y ? p->half_x : p->half_y,
                 k = p->half_z / half; /* height over width */
    const double x = u / half, y = v / half;
    const double floor_at = 0.28 * k, roof = floor_at + 0.40;
    const bool frame = fabs(x) > 0.95 || y < 0.05 || y > 2 * k - 0.05;
    const bool body = fabs(x) < 0.74 && y > floor_at + 0.08 && y < floor_at + 0.27;
    const bool cabin =
        y >= floor_at + 0.27 && y < roof && fabs(x + 0.06) < 0.46 - 0.9 * (y - floor_at - 0.27);
    const bool glass = cabin && y < roof - 0.03 && fabs(x + 0.06) > 0.02;
    const double dy = y - floor_at - 0.08, front = x - 0.45, back = x + 0.45;
    const bool wheel = front * front + dy * dy < 0.012 || back * back + dy * dy < 0.012;
    for (int c = 0; c < 3; c++) {
        if (frame || wheel)
            albedo[c] = 0.03;
        else if (glass)
            albedo[c] = 0.05;
        else if (body || cabin)
            albedo[c] = space_clamp(0.75 - p->colour[c], 0.02, 0.8);
        else
            albedo[c] = p->colour[c] * (0.75 + 0.25 * y / (2 * k));
    }
}

void furniture_albedo(double albedo[3], const struct prop *p, int through, double x, double y, double z)
{
    const bool upright = through < 4, end = !(through & 1); /* planes 0 and 2 face along own x */
    const double u = end ? y : x;
    if (p->look == LOOK_POSTER) {
        if (upright && end == (p->half_y > p->half_x)) poster(albedo, p, u, z);
        return;
    }
    double tone = 0.94 + 0.12 * space_noise(p->key, u / 0.9, z / 0.9);
    if (p->look == LOOK_SHEET && upright) {
        const double rib = u / 0.28 - floor(u / 0.28);
        tone *= rib < 0.35 ? 0.72 : 1;
        if (z < 0.14 || z > 2 * p->half_z - 0.12) tone = 0.6;
    }
    if (p->look == LOOK_CLOTH) tone *= 0.82 + 0.36 * space_noise(p->key + 1, u / 0.45, z / 1.3);
    for (int k = 0; k < 3; k++) albedo[k] = p->colour[k] * tone;
    if (p->look != LOOK_STRIPES) return;
    const double band = x / 0.6 - floor(x / 0.6);
    for (int k = 0; k < 3; k++) albedo[k] = band < 0.5 ? albedo[k] : 0.62 * tone;
}
