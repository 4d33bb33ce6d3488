#include "world/ground.h"

#include "base/rng.h"

struct ground ground_make(const struct layout *layout)
{
    struct rng rng = {rng_key(layout->seed, "world.ground"), 0};
    static const double verges[5][2][3] = {{{.075, .115, .030}, {.115, .135, .050}},  /* grass */
                                           {{.060, .105, .028}, {.16, .145, .075}},   /* dry grass */
                                           {{.17, .15, .115}, {.13, .115, .085}},     /* gravel */
                                           {{.20, .19, .175}, {.235, .225, .205}},    /* slabs */
                                           {{.085, .125, .040}, {.060, .085, .026}}}; /* meadow */
    struct ground ground = {.layout = layout, .key = (uint32_t)rng_u64(rng.key, 1000)};
    ground.asphalt = rng_uniform(&rng, 0.085, 0.17);
    ground.wear = rng_uniform(&rng, 0.5, 1.2);
    const double warm = rng_uniform(&rng, -0.06, 0.08);
    ground.tint[0] = 1 + warm;
    ground.tint[1] = 1;
    ground.tint[2] = 1.02 - warm;
    const int verge = rng_next_int(&rng, 5);
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 3; k++) ground.verge[i][k] = verges[verge][i][k] * 0.9;
    const double pale = rng_uniform(&rng, 0.19, 0.30), red = rng_next_real(&rng) < 0.25 ? 0.75 : 0.97;
    ground.paving[0] = pale;
    ground.paving[1] = pale * red;
    ground.paving[2] = pale * red * 0.95;
    ground.paint = rng_uniform(&rng, 0.45, 0.72);
    ground.yellow = rng_next_real(&rng) < 0.3;
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
                                   : cover(d, 0.07, f) * (ground->yellow ? 1 : dashes(s, 4, 4, g));
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

/* Wheel tracks, stains, patches and joints. */
static double asphalt_tone(const struct ground *ground, const struct road *road, double x, double y, double s,
                           double d, double footprint)
{
    const double f = footprint;
    double tone = 0.45 * grain(ground->key, x, y, 9, f) + 0.25 * grain(ground->key + 1, x, y, 1.7, f) +
                  0.20 * grain(ground->key + 2, x, y, 0.25, f) + 0.18 * grain(ground->key + 9, x, y, 0.07, f);
    if (road) {
        const double in_lane = (fabs(d) - road->median / 2) / road->lane_width;
        const double lane = in_lane - floor(in_lane) - 0.5, track = fabs(fabs(lane) - 0.26);
        const double patchy = 0.6 + 0.8 * space_noise(ground->key + 3, s / 14, d / 3);
        tone += 0.13 * space_bump(track, 0, 0.17) * patchy - 0.16 * space_bump(lane, 0, 0.13) * patchy;
        /* Repaired places are rectangles in the road's own coordinates. */
        const double ps = floor(s / 11), pd = floor(in_lane);
        const uint32_t h = space_hash(ground->key + 4, (int32_t)ps, (int32_t)pd + (d < 0 ? 40 : 0), 0);
        if (h % 9 == 0 && s - 11 * ps < 4 + (h >> 8) % 6) tone -= 0.22;
    }
    const double crack = fabs(space_cloud(ground->key + 5, x / 1.9, y / 1.9) - 0.5);
    const double cracked = space_ramp(space_noise(ground->key + 8, x / 9, y / 9), 0.55, 0.75);
    if (f < 0.10) tone -= 0.35 * cracked * space_clamp(1 - crack / 0.006, 0, 1);
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
    const double tone = 1 + 0.7 * grain(ground->key + 21, x, y, 0.9, footprint) +
                        0.8 * grain(ground->key + 22, x, y, 0.22, footprint) +
                        0.5 * grain(ground->key + 23, x, y, 0.08, footprint);
    double colour[3];
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
            const double slab =
                dashes(x, 0.05, 0.75, footprint + .01) + dashes(y, 0.05, 0.75, footprint + .01);
            set(albedo, ground->paving,
                1 - 0.12 * space_clamp(slab, 0, 1) + 0.4 * grain(ground->key + 31, x, y, 2.5, footprint) +
                    0.2 * grain(ground->key + 32, x, y, 0.8, footprint));
        } else
            verge(albedo, ground, x, y, footprint);
        return;
    }
    *paved = 1;
    const double tone = asphalt_tone(ground, road, x, y, s, d, footprint);
    for (int k = 0; k < 3; k++) albedo[k] = space_clamp(ground->asphalt * ground->tint[k] * tone, 0.01, 0.9);
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
    const double amount = paint * worn;
    const double colour[3] = {ground->paint, ground->paint * (middle && ground->yellow ? 0.72 : 1),
                              ground->paint * (middle && ground->yellow ? 0.18 : 0.98)};
    for (int k = 0; k < 3; k++) albedo[k] = space_mix(albedo[k], colour[k], amount);
}
