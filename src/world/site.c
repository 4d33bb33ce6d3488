#include "world/site.h"

#include "base/rng.h"
#include "world/space.h"

#include <string.h>

static double share_of(const void *items, size_t size, int i)
{
    return *(const double *)((const char *)items + (size_t)i * size);
}

int site_choose(const void *items, size_t size, int count, double u)
{
    double total = 0;
    for (int i = 0; i < count; i++) total += share_of(items, size, i);
    double left = u * total;
    int i = 0;
    for (; i + 1 < count && left >= share_of(items, size, i); i++) left -= share_of(items, size, i);
    return i;
}

const uint8_t *palette_pick(const struct palette *palette, double u)
{
    const struct tint *tints = palette->tints;
    return tints[site_choose(tints, sizeof *tints, palette->count, u)].rgb;
}

void palette_albedo(double albedo[3], const uint8_t rgb[3])
{
    for (int k = 0; k < 3; k++) albedo[k] = rgb[k] / 255.0 * (rgb[k] / 255.0);
}

static double draw(struct rng *rng, struct range range) { return rng_uniform(rng, range.low, range.high); }

/* Even in the logarithm. */
static double draw_scale(struct rng *rng, struct range range)
{
    return range.low * dmath_pow(range.high / range.low, rng_next_real(rng));
}

static void make_camera(struct site_camera *camera, uint64_t seed)
{
    struct rng rng = {rng_key(seed, "world.camera"), 0};
    static const struct {
        double share;
        struct range stand, reach;
    } mounts[] = {
        {.20, {4, 6}, {2.0, 4.5}},    /* a low pole */
        {.30, {5.5, 11}, {1.4, 3.6}}, /* a lamp post */
        {.15, {7, 16}, {3.2, 6.0}},   /* looks far along the road */
        {.20, {11, 25}, {0.9, 2.6}},  /* a mast or a roof */
        {.15, {13, 25}, {0.30, 0.9}}, /* looks down */
    };
    const int i = site_choose(mounts, sizeof *mounts, SITE_COUNT(mounts), rng_next_real(&rng));
    camera->stand = draw(&rng, mounts[i].stand);
    camera->reach = draw_scale(&rng, mounts[i].reach);
    camera->car = draw_scale(&rng, (struct range){34, 98}) / 640;
    camera->roll = rng_next_real(&rng) < 0.5 ? 0 : rng_uniform(&rng, -0.07, 0.07);
}

static const struct tint usual[] = {
    {22, {225, 227, 228}}, {17, {28, 29, 32}}, {17, {150, 154, 158}}, {11, {92, 96, 102}}, {8, {38, 62, 118}},
    {6, {150, 24, 26}},    {3, {22, 74, 52}},  {3, {178, 164, 132}},  {2, {232, 178, 32}}, {2, {208, 92, 26}},
    {3, {70, 122, 178}},   {2, {96, 60, 40}},  {2, {84, 22, 38}},     {2, {190, 205, 215}}};
static const struct tint pale[] = {{55, {232, 233, 232}},
                                   {25, {190, 194, 198}},
                                   {10, {214, 206, 188}},
                                   {6, {150, 154, 158}},
                                   {4, {44, 46, 50}}};
static const struct tint dark[] = {{38, {24, 25, 28}}, {22, {58, 61, 66}}, {14, {28, 38, 66}},
                                   {8, {60, 22, 28}},  {6, {26, 48, 40}},  {12, {150, 154, 158}}};
static const struct tint bright[] = {{16, {196, 30, 28}},   {14, {36, 84, 176}},  {12, {236, 186, 30}},
                                     {12, {44, 140, 78}},   {10, {226, 104, 30}}, {10, {96, 172, 206}},
                                     {10, {232, 232, 228}}, {8, {134, 48, 120}},  {8, {30, 31, 34}}};
static const struct tint earth[] = {{20, {168, 150, 120}}, {18, {112, 96, 76}},   {16, {92, 104, 88}},
                                    {14, {132, 124, 116}}, {12, {196, 186, 164}}, {10, {116, 58, 44}},
                                    {10, {74, 84, 98}}};
static const struct tint pastel[] = {{20, {160, 196, 206}}, {18, {222, 206, 160}}, {16, {168, 200, 164}},
                                     {16, {226, 228, 224}}, {14, {208, 164, 152}}, {16, {120, 150, 180}}};
static const struct palette palettes[] = {{usual, SITE_COUNT(usual)},   {usual, SITE_COUNT(usual)},
                                          {pale, SITE_COUNT(pale)},     {dark, SITE_COUNT(dark)},
                                          {bright, SITE_COUNT(bright)}, {earth, SITE_COUNT(earth)},
                                          {pastel, SITE_COUNT(pastel)}};

static const struct tint taxis[] = {{30, {236, 188, 24}},  {14, {26, 27, 30}},    {12, {44, 142, 84}},
                                    {12, {226, 226, 220}}, {10, {216, 204, 162}}, {8, {232, 108, 28}},
                                    {8, {190, 32, 36}},    {6, {66, 150, 196}}};
static const struct tint companies[] = {{20, {236, 190, 26}}, {16, {196, 28, 30}},   {14, {92, 58, 34}},
                                        {12, {30, 78, 160}},  {12, {240, 240, 238}}, {10, {228, 112, 26}},
                                        {8, {70, 150, 70}},   {8, {72, 40, 116}}};
static const struct tint roofs[] = {{40, {236, 236, 232}}, {40, {22, 23, 26}}, {20, {150, 154, 158}}};
static const struct tint dusts[] = {{40, {150, 140, 122}}, {30, {170, 140, 104}}, {30, {128, 126, 124}}};

static void take(uint8_t rgb[3], const struct tint *tints, int count, struct rng *rng)
{
    const struct palette palette = {tints, count};
    memcpy(rgb, palette_pick(&palette, rng_next_real(rng)), 3);
}

static void make_fleet(struct site_fleet *fleet, uint64_t seed)
{
    struct rng rng = {rng_key(seed, "world.fleet"), 0};
    static const struct {
        double share;
        struct range vans, buses, lorries, motorcycles, taxis, company;
    } fleets[] = {
        {30, {.08, .16}, {.02, .06}, {.05, .14}, {.03, .16}, {0, .10}, {0, .3}},   /* a bit of everything */
        {16, {.04, .10}, {.00, .02}, {.00, .04}, {.00, .05}, {0, .03}, {0, .3}},   /* commuters */
        {12, {.08, .18}, {.00, .02}, {.35, .62}, {.00, .03}, {0, .02}, {.2, .8}},  /* a port */
        {10, {.04, .10}, {.22, .42}, {.01, .05}, {.02, .10}, {.05, .3}, {0, .4}},  /* a street of buses */
        {12, {.04, .12}, {.01, .06}, {.02, .08}, {.32, .60}, {0, .25}, {0, .4}},   /* motorcycles */
        {12, {.05, .12}, {.02, .08}, {.01, .05}, {.02, .20}, {.20, .60}, {0, .4}}, /* taxis */
        {8, {.32, .55}, {.00, .03}, {.06, .20}, {.00, .05}, {0, .05}, {.35, .85}}, /* deliveries */
    };
    const int i = site_choose(fleets, sizeof *fleets, SITE_COUNT(fleets), rng_next_real(&rng));
    fleet->vans = draw(&rng, fleets[i].vans);
    fleet->buses = draw(&rng, fleets[i].buses);
    fleet->lorries = draw(&rng, fleets[i].lorries);
    fleet->motorcycles = draw(&rng, fleets[i].motorcycles);
    fleet->taxis = draw(&rng, fleets[i].taxis);
    fleet->company = draw(&rng, fleets[i].company);
    fleet->two_tone = rng_next_real(&rng) < 0.25 ? rng_uniform(&rng, 0.2, 0.6) : 0;
    fleet->dust = rng_next_real(&rng) < 0.3 ? rng_uniform(&rng, 0.15, 0.5) : 0.05;
    fleet->cars = palettes[rng_next_int(&rng, SITE_COUNT(palettes))];
    take(fleet->taxi_colours[0], taxis, SITE_COUNT(taxis), &rng);
    memcpy(fleet->taxi_colours[1], fleet->taxi_colours[0], 3);
    if (rng_next_real(&rng) < 0.4) take(fleet->taxi_colours[1], roofs, SITE_COUNT(roofs), &rng);
    take(fleet->company_colour, companies, SITE_COUNT(companies), &rng);
    take(fleet->roof_colour, roofs, SITE_COUNT(roofs), &rng);
    take(fleet->dust_colour, dusts, SITE_COUNT(dusts), &rng);
    for (int shape = 0; shape < SITE_SHAPES; shape++) {
        const double v = rng_next_real(&rng);
        fleet->favour[shape] = 0.04 + 0.96 * v * v * v;
    }
}

static void make_look(struct site_look *look, uint64_t seed)
{
    struct rng rng = {rng_key(seed, "world.look"), 0};
    const double warm = rng_uniform(&rng, -0.16, 0.16), green = rng_uniform(&rng, -0.08, 0.08);
    const double gains[3] = {1 + warm, 1 + green, 1 - warm};
    const double most = fmax(gains[0], fmax(gains[1], gains[2]));
    for (int k = 0; k < 3; k++) look->balance[k] = gains[k] / most;
    look->exposure = draw_scale(&rng, (struct range){0.8, 1.5});
    look->gamma = rng_uniform(&rng, 1.85, 2.6);
    look->shoulder = rng_uniform(&rng, 0.20, 0.60);
    look->contrast = rng_uniform(&rng, -0.25, 0.85);
    look->black = rng_next_real(&rng) < 0.3 ? rng_uniform(&rng, 8, 34) : rng_uniform(&rng, 0, 8);
    const double u = rng_next_real(&rng);
    look->saturation = u < 0.08 ? 0 : u < 0.38 ? 1 : rng_uniform(&rng, 0.35, 1.45);
    const double v = rng_next_real(&rng);
    look->focus = v < 0.3 ? 0 : v < 0.55 ? rng_uniform(&rng, -0.9, -0.3) : rng_uniform(&rng, 0.25, 1.25);
    look->grain = draw_scale(&rng, (struct range){0.35, 2.2});
    look->infrared = rng_next_real(&rng) < 0.25;
}

void site_make(struct site *site, uint64_t seed)
{
    site->seed = seed;
    make_camera(&site->camera, seed);
    make_fleet(&site->fleet, seed);
    make_look(&site->look, seed);
}

struct proportions site_proportions(const struct site *site, int kind, int variant)
{
    /* Half of a shape's stretch is the site's: cars of one country are alike. */
    const uint64_t key = rng_key(site->seed, "world.shapes"),
                   own = rng_step(key, (uint64_t)(kind * 64 + variant));
    double factors[3];
    for (uint64_t k = 0; k < 3; k++) factors[k] = 1 + 0.15 * (rng_real(key, k) + rng_real(own, k) - 1);
    return (struct proportions){factors[0], factors[1], factors[2],
                                0.10 * (rng_real(key, 3) + rng_real(own, 3) - 1)};
}
