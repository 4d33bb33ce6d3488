#include "world/ground.h"

#include "base/rng.h"

/* What roads are made of. */
static const struct surfacing {
    double share;
    struct range albedo, wear;
    double tint[3];
    double slab, cobble, coarse, marked; /* marked: chance of marks */
} surfacings[] = {
    {30, {.075, .17}, {.5, 1.3}, {1, 1, 1.01}, 0, 0, 1, .92},    /* asphalt */
    {14, {.030, .065}, {.3, .8}, {1, 1, 1.04}, 0, 0, .7, .95},   /* fresh asphalt */
    {10, {.17, .27}, {.6, 1.4}, {1, .985, .95}, 0, 0, 1.4, .8},  /* bleached asphalt */
    {14, {.28, .46}, {.4, 1.0}, {1, .98, .93}, 5.2, 0, .7, .8},  /* concrete */
    {8, {.11, .19}, {.5, 1.1}, {1.3, .88, .78}, 0, 0, 1.2, .85}, /* red asphalt */
    {7, {.12, .22}, {.4, .9}, {1, .97, .93}, 0, .16, 1, .3},     /* cobbles */
    {6, {.14, .22}, {.4, .9}, {1.28, .90, .76}, 0, .24, .8, .4}, /* bricks */
    {6, {.16, .30}, {.6, 1.3}, {1.22, 1, .74}, 0, 0, 2.6, .05},  /* gravel and earth */
    {5, {.13, .20}, {.4, 1.0}, {.93, .98, 1.08}, 0, 0, 1, .9},   /* blue-grey asphalt */
};

/* What lies beyond the pavement. */
static const struct {
    double share;
    double colours[2][3], tiles, rough; /* side of tiles, 0: none; contrast of blades and stones */
} verges[] = {
    {14, {{.075, .115, .030}, {.115, .135, .050}}, 0, 1},  /* grass */
    {12, {{.060, .105, .028}, {.16, .145, .075}}, 0, 1},   /* dry grass */
    {10, {{.085, .125, .040}, {.060, .085, .026}}, 0, 1},  /* meadow */
    {10, {{.040, .085, .022}, {.055, .105, .030}}, 0, .5}, /* lawn */
    {8, {{.17, .15, .115}, {.13, .115, .085}}, 0, .9},     /* gravel */
    {8, {{.38, .31, .20}, {.30, .24, .15}}, 0, .4},        /* sand */
    {6, {{.24, .115, .065}, {.19, .10, .055}}, 0, .7},     /* red earth */
    {3, {{.075, .055, .038}, {.105, .08, .055}}, 0, .8},   /* soil */
    {6, {{.78, .80, .84}, {.66, .68, .72}}, 0, .22},       /* snow */
    {8, {{.20, .19, .175}, {.235, .225, .205}}, 1.2, .5},  /* slabs */
    {5, {{.36, .34, .30}, {.22, .20, .175}}, 2.4, .5},     /* a tiled square */
    {4, {{.30, .17, .12}, {.25, .135, .10}}, 0.5, .6},     /* bricks */
    {6, {{.11, .108, .105}, {.085, .084, .083}}, 0, .45},  /* more asphalt */
};

static const struct tint pavings[] = {{30, {132, 130, 126}}, {16, {150, 146, 138}}, {14, {150, 116, 100}},
                                      {10, {164, 150, 118}}, {10, {96, 96, 98}},    {8, {172, 170, 166}},
                                      {6, {128, 96, 88}},    {6, {110, 118, 122}}};
static const struct tint strips[] = {
    {30, {146, 62, 52}}, {20, {66, 118, 78}}, {20, {58, 96, 142}}, {15, {178, 140, 66}}, {15, {178, 92, 58}}};
static const struct tint marks[] = {{56, {206, 205, 200}},
                                    {14, {220, 178, 60}},
                                    {10, {222, 150, 50}},
                                    {12, {180, 178, 170}},
                                    {8, {238, 238, 236}}};

static void pick_colour(double colour[3], const struct tint *tints, int count, struct rng *rng)
{
    const struct palette palette = {tints, count};
    palette_albedo(colour, palette_pick(&palette, rng_next_real(rng)));
}

static void make_surface(struct ground *ground, struct rng *rng)
{
    const struct surfacing *s =
        &surfacings[site_choose(surfacings, sizeof *surfacings, SITE_COUNT(surfacings), rng_next_real(rng))];
    const double warm = rng_uniform(rng, -0.06, 0.08);
    ground->asphalt = rng_uniform(rng, s->albedo.low, s->albedo.high);
    ground->wear = rng_uniform(rng, s->wear.low, s->wear.high);
    for (int k = 0; k < 3; k++) ground->tint[k] = s->tint[k] + warm * (1 - k);
    ground->slab = s->slab * rng_uniform(rng, 0.7, 1.3);
    ground->cobble = s->cobble * rng_uniform(rng, 0.8, 1.5);
    ground->coarse = s->coarse;
    ground->patched = rng_next_real(rng) < 0.5 ? rng_next_int(rng, 5) : 5 + rng_next_int(rng, 20);
    ground->stained = rng_next_real(rng) < 0.6 ? 0 : 4 + rng_next_int(rng, 24);
    ground->fresh = rng_next_real(rng) >= s->marked ? 0
                    : rng_next_real(rng) < 0.5      ? 1
                                                    : rng_uniform(rng, 0.1, 1);
}

struct ground ground_make(const struct layout *layout)
{
    struct rng rng = {rng_key(layout->site->seed, "world.ground"), 0};
    struct ground ground = {.layout = layout, .key = (uint32_t)rng_u64(rng.key, 1000)};
    make_surface(&ground, &rng);
    const int verge = site_choose(verges, sizeof *verges, SITE_COUNT(verges), rng_next_real(&rng));
    const double tone = rng_uniform(&rng, 0.75, 1.1);
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 3; k++) ground.verge[i][k] = verges[verge].colours[i][k] * tone;
    ground.rough = verges[verge].rough;
    ground.tiles = verges[verge].tiles * rng_uniform(&rng, 0.7, 1.4);
    pick_colour(ground.paving, pavings, SITE_COUNT(pavings), &rng);
    ground.flag = rng_uniform(&rng, 0.35, 1.3);
    pick_colour(ground.marks[0], marks, SITE_COUNT(marks), &rng);
    pick_colour(ground.marks[1], marks, SITE_COUNT(marks), &rng);
    ground.unbroken = rng_next_real(&rng) < 0.3;
    ground.strip = rng_next_real(&rng) < 0.25 ? rng_uniform(&rng, 1.2, 3.2) : 0;
    pick_colour(ground.strip_own, strips, SITE_COUNT(strips), &rng);
    return ground;
}

/* Share of a footprint within half of a line's middle, for a distance from it. */
static double cover(double distance, double half, double footprint)
{
    const double low = distance - footprint / 2, high = distance + footprint / 2;
    const double a = low > -half ? low : -half, b = high < half ? high : half;
    return b > a ? (b - a) / footprint : 0;
}

/* Noise that fades where a sample is larger than its cells; around 0. */
static double grain(uint32_t key, double x, double y, double cell, double footprint)
{
    const double fade = space_clamp(1.6 - footprint / cell, 0, 1);
    return fade > 0 ? fade * (space_noise(key, x / cell, y / cell) - 0.5) : 0;
}

static double dashes(double s, double on, double off, double footprint)
{
    const double period = on + off, at = s - period * floor(s / period) - on / 2;
    if (footprint > period) return on / period;
    return space_clamp(cover(at, on / 2, footprint) + cover(at - period, on / 2, footprint), 0, 1);
}

/* How much of the sample is painted, and whether that paint is the middle line's. */
static double road_marks(const struct ground *ground, const struct road *road, double s, double d,
                         double across, double along, bool *middle)
{
    *middle = false;
    const double f = across > 0.02 ? across : 0.02, g = along > 0.02 ? along : 0.02;
    double paint = 0;
    if (s < road->gap_from || s > road->gap_to) {
        paint = cover(fabs(d) - (road->half - 0.35), 0.07, f);
        for (int lane = 1; lane < road->lanes; lane++)
            paint +=
                cover(fabs(d) - road->median / 2 - lane * road->lane_width, 0.07, f) * dashes(s, 3, 6, g);
        const double between = road->median > 0 ? cover(fabs(d) - road->median / 2 - 0.15, 0.07, f)
                               : road->lanes > 1
                                   ? cover(fabs(d) - 0.15, 0.06, f)
                                   : cover(d, 0.07, f) * (ground->unbroken ? 1 : dashes(s, 4, 4, g));
        *middle = between > 0.05;
        paint += between;
    }
    if (!road->stop_lines) return space_clamp(paint, 0, 1);
    /* At both ends of the gap: the stop line of the incoming half, then stripes for people. */
    const double ends[2] = {s - road->gap_from, road->gap_to - s};
    for (int end = 0; end < 2; end++) {
        const double incoming = d * ground->layout->side * (end ? 1 : -1);
        if (incoming > 0.1 && incoming < road->half - 0.4) paint += cover(ends[end] - 0.2, 0.22, g);
        if (fabs(d) < road->half - 0.3)
            paint += cover(ends[end] - 3.2, 1.4, g) * dashes(d + 100.25, 0.5, 0.5, f);
    }
    return space_clamp(paint, 0, 1);
}

static double lot_marks(const struct lot *lot, double x, double y, double footprint)
{
    const double module = 16.5, dx = x - lot->x, dy = y - lot->y;
    const double u = dx * lot->cosine + dy * lot->sine, v = dy * lot->cosine - dx * lot->sine + lot->half_y;
    if (fabs(u) > lot->half_x - 3.6 || v < 0 || v > 2 * lot->half_y) return 0;
    const double w = v - module * floor(v / module), depth = fabs(w - module / 2);
    if (depth < 3.1 || depth > 8.1) return 0;
    const double k = u + lot->half_x - 5 + 1.3, at = k - 2.6 * floor(k / 2.6);
    const double near = at < 1.3 ? at : 2.6 - at;
    return space_clamp(cover(near, 0.055, footprint > 0.02 ? footprint : 0.02) +
                           cover(depth - 8.1, 0.05, footprint + .02),
                       0, 1);
}

/* Joints of slabs, which differ a little. */
static double slab_tone(const struct ground *ground, const struct road *road, double s, double d,
                        double footprint)
{
    const double length = ground->slab, width = road ? road->lane_width : ground->slab;
    const double f = footprint > 0.03 ? footprint : 0.03, in_lane = road ? fabs(d) - road->median / 2 : d;
    const double joints =
        dashes(s + 50 * length, 0.05, length - 0.05, f) + dashes(in_lane + 0.025, 0.05, width - 0.05, f);
    const uint32_t h =
        space_hash(ground->key + 40, (int32_t)floor(s / length), (int32_t)floor(in_lane / width), d < 0);
    return 0.22 * ((h & 255) / 255.0 - 0.5) - 0.8 * space_clamp(joints, 0, 1);
}

/* Stones in rows, every second one shifted by half. */
static double cobble_tone(const struct ground *ground, double s, double d, double footprint)
{
    const double size = ground->cobble, fade = space_clamp(1.5 - footprint / size, 0, 1);
    if (fade <= 0) return 0;
    const double row = floor(d / size), shifted = s / (1.6 * size) + 0.5 * (row - 2 * floor(row / 2));
    const double u = shifted - floor(shifted), v = d / size - row;
    const uint32_t h = space_hash(ground->key + 41, (int32_t)floor(shifted), (int32_t)row, 0);
    const bool joint = u < 0.10 || v < 0.14;
    return fade * (joint ? -0.55 : 0.7 * ((h & 255) / 255.0 - 0.5));
}

/* Repaired places are rectangles in the road's own coordinates; oil drops in the middle of lanes. */
static double repair_tone(const struct ground *ground, double s, double in_lane, double lane, bool back)
{
    const double ps = floor(s / 11), pd = floor(in_lane);
    const uint32_t h = space_hash(ground->key + 4, (int32_t)ps, (int32_t)pd + (back ? 40 : 0), 0);
    double tone = 0;
    if ((int)(h % 64) < ground->patched && s - 11 * ps < 2 + (h >> 8) % 8)
        tone -= (h >> 16 & 1) ? 0.30 : -0.22;
    const double os = floor(s / 3), from = s - 3 * os - 1.5;
    const uint32_t oil = space_hash(ground->key + 42, (int32_t)os, (int32_t)pd + (back ? 40 : 0), 0);
    const double radius = 0.3 + (oil >> 8 & 255) / 400.0,
                 q = (from * from + 9 * lane * lane) / (radius * radius);
    if ((int)(oil % 64) < ground->stained && q < 1) tone -= 0.5 * (1 - q);
    return tone;
}

/* Wheel tracks, stains, patches and joints. */
static double asphalt_tone(const struct ground *ground, const struct road *road, double x, double y, double s,
                           double d, double footprint)
{
    const double f = footprint, stones = ground->coarse;
    double tone = 0.45 * grain(ground->key, x, y, 9, f) +
                  0.25 * stones * grain(ground->key + 1, x, y, 1.7, f) +
                  0.20 * stones * grain(ground->key + 2, x, y, 0.25, f) +
                  0.18 * stones * grain(ground->key + 9, x, y, 0.07, f);
    if (road) {
        const double in_lane = (fabs(d) - road->median / 2) / road->lane_width;
        const double lane = in_lane - floor(in_lane) - 0.5, track = fabs(fabs(lane) - 0.26);
        const double patchy = 0.6 + 0.8 * space_noise(ground->key + 3, s / 14, d / 3);
        tone += 0.13 * space_bump(track, 0, 0.17) * patchy - 0.16 * space_bump(lane, 0, 0.13) * patchy;
        tone += repair_tone(ground, s, in_lane, lane, d < 0);
    }
    const double along = road ? s : y, aside = road ? d : x;
    if (ground->slab > 0) tone += slab_tone(ground, road, along, aside, f);
    if (ground->cobble > 0) tone += cobble_tone(ground, along, aside, f);
    if (f < 0.10 && ground->cobble <= 0) {
        const double crack = fabs(space_cloud(ground->key + 5, x / 1.9, y / 1.9) - 0.5);
        const double cracked = space_ramp(space_noise(ground->key + 8, x / 9, y / 9), 0.55, 0.75);
        tone -= 0.35 * cracked * space_clamp(1 - crack / 0.006, 0, 1);
    }
    const double stain = space_noise(ground->key + 6, x / 1.1, y / 1.1);
    if (stain > 0.86) tone -= 1.6 * (stain - 0.86) * space_clamp(2 - f, 0, 1);
    return 1 + ground->wear * tone;
}

static void set(double albedo[3], const double colour[3], double tone)
{
    for (int k = 0; k < 3; k++) albedo[k] = space_clamp(colour[k] * tone, 0.005, 0.95);
}

static void verge(double albedo[3], const struct ground *ground, double x, double y, double footprint)
{
    const double blend = space_clamp(0.5 + 1.3 * (space_cloud(ground->key + 20, x / 7, y / 7) - 0.5), 0, 1);
    const double tone = 1 + ground->rough * (0.7 * grain(ground->key + 21, x, y, 0.9, footprint) +
                                             0.8 * grain(ground->key + 22, x, y, 0.22, footprint) +
                                             0.5 * grain(ground->key + 23, x, y, 0.08, footprint));
    double colour[3];
    if (ground->tiles > 0) {
        const double column = floor(x / ground->tiles), row = floor(y / ground->tiles);
        const uint32_t h = space_hash(ground->key + 24, (int32_t)column, (int32_t)row, 0);
        const double fade = space_clamp(1.5 - footprint / ground->tiles, 0, 1);
        const bool other = ((int32_t)column + (int32_t)row) & 1;
        const double own = space_mix(0.5, other ? 0.15 : 0.85, fade) + 0.2 * fade * ((h & 255) / 255.0 - 0.5);
        for (int k = 0; k < 3; k++) colour[k] = space_mix(ground->verge[0][k], ground->verge[1][k], own);
        set(albedo, colour, 1 + 0.35 * grain(ground->key + 21, x, y, 0.9, footprint));
        return;
    }
    for (int k = 0; k < 3; k++) colour[k] = space_mix(ground->verge[0][k], ground->verge[1][k], blend);
    set(albedo, colour, tone);
}

void ground_albedo(double albedo[3], double *paved, const struct ground *ground, double x, double y,
                   double across, double along)
{
    const struct layout *layout = ground->layout;
    int index;
    double s, d;
    const double edge = layout_edge(layout, x, y, &index, &s, &d);
    const struct road *road = index >= 0 ? &layout->roads[index] : NULL;
    const double footprint = sqrt(across * along);
    *paved = 0;
    const double from_middle =
        layout->ring.radius > 0
            ? sqrt((x - layout->ring.x) * (x - layout->ring.x) + (y - layout->ring.y) * (y - layout->ring.y))
            : 1e9;
    const bool median = road && road->median > 0 && fabs(d) < road->median / 2;
    if (edge > 0 || median) {
        const double pavement = road ? road->pavement : layout->ring.radius > 0 ? 2.5 : 1.5;
        const double out = median ? road->median / 2 - fabs(d) : edge;
        if (out < 0.18) {
            static const double kerb[3] = {.27, .265, .25};
            set(albedo, kerb, 1 + 0.3 * grain(ground->key + 30, x, y, 0.6, footprint));
        } else if (!median && out < pavement && from_middle > layout->ring.radius) {
            const double slab = dashes(x, 0.05, ground->flag, footprint + .01) +
                                dashes(y, 0.05, ground->flag, footprint + .01);
            set(albedo, ground->paving,
                1 - 0.12 * space_clamp(slab, 0, 1) + 0.4 * grain(ground->key + 31, x, y, 2.5, footprint) +
                    0.2 * grain(ground->key + 32, x, y, 0.8, footprint));
        } else
            verge(albedo, ground, x, y, footprint);
        return;
    }
    *paved = 1;
    const double tone = asphalt_tone(ground, road, x, y, s, d, footprint);
    const bool strip =
        road && road->half - fabs(d) < ground->strip && (s < road->gap_from || s > road->gap_to);
    for (int k = 0; k < 3; k++) {
        const double plain = ground->asphalt * ground->tint[k];
        albedo[k] =
            space_clamp((strip ? space_mix(plain, ground->strip_own[k], 0.7) : plain) * tone, 0.01, 0.9);
    }
    bool middle = false;
    double paint = road ? road_marks(ground, road, s, d, across, along, &middle) : 0;
    if (!road && layout->lot.half_x > 0) paint = lot_marks(&layout->lot, x, y, footprint);
    if (!road && layout->ring.radius > 0) {
        const double out = from_middle - layout->ring.radius;
        paint = cover(fabs(out) - layout->ring.half + 0.3, 0.07, footprint + .02);
        const double angle =
            dmath_atan((y - layout->ring.y) / (fabs(x - layout->ring.x) + 1e-6)) * from_middle;
        if (out > 0) paint *= dashes(angle, 1, 1, footprint);
    }
    const double worn =
        space_clamp(1.15 - 0.9 * ground->wear * space_noise(ground->key + 7, x / 0.6, y / 0.6), 0.25, 1);
    const double amount = paint * worn * ground->fresh;
    for (int k = 0; k < 3; k++) albedo[k] = space_mix(albedo[k], ground->marks[middle][k], amount);
}
