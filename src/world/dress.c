/* Kinds, shapes and colours of movers. */
#include "world/traffic.h"

#include "base/rng.h"

#include <string.h>

struct paint {
    int share;
    uint8_t rgb[3];
};

static const struct paint car_paints[] = {
    {22, {225, 227, 228}}, {17, {28, 29, 32}}, {17, {150, 154, 158}}, {11, {92, 96, 102}}, {8, {38, 62, 118}},
    {6, {150, 24, 26}},    {3, {22, 74, 52}},  {3, {178, 164, 132}},  {2, {232, 178, 32}}, {2, {208, 92, 26}},
    {3, {70, 122, 178}},   {2, {96, 60, 40}},  {2, {84, 22, 38}},     {2, {190, 205, 215}}};
static const struct paint van_paints[] = {{60, {228, 229, 228}}, {10, {150, 154, 158}}, {8, {40, 44, 50}},
                                          {8, {36, 70, 130}},    {7, {196, 32, 30}},    {7, {226, 176, 30}}};
static const struct paint bus_paints[] = {{30, {186, 28, 30}},
                                          {20, {222, 222, 214}},
                                          {18, {28, 92, 150}},
                                          {16, {40, 128, 72}},
                                          {16, {232, 170, 36}}};
static const struct paint cab_paints[] = {{34, {226, 227, 225}}, {18, {176, 30, 28}},  {18, {32, 70, 136}},
                                          {10, {36, 100, 62}},   {10, {226, 140, 30}}, {10, {60, 64, 70}}};
static const struct paint load_paints[] = {{46, {222, 222, 216}}, {14, {120, 124, 128}}, {12, {34, 76, 140}},
                                           {10, {176, 42, 34}},   {10, {60, 110, 70}},   {8, {206, 160, 60}}};
static const struct paint clothes[] = {{22, {34, 36, 42}},  {14, {58, 66, 86}},  {12, {200, 200, 196}},
                                       {10, {130, 34, 36}}, {9, {48, 84, 140}},  {8, {112, 112, 116}},
                                       {8, {74, 92, 56}},   {7, {206, 168, 70}}, {5, {180, 90, 130}},
                                       {5, {230, 110, 40}}};
static const struct paint skins[] = {
    {40, {224, 184, 154}}, {30, {190, 138, 104}}, {20, {120, 80, 58}}, {10, {78, 52, 40}}};

#define PICK(out, table, u) pick((out), (table), sizeof(table) / sizeof *(table), (u))
static void pick(uint8_t rgb[3], const struct paint *table, size_t n, double u)
{
    int total = 0;
    for (size_t i = 0; i < n; i++) total += table[i].share;
    int at = (int)(u * total);
    size_t i = 0;
    while (i + 1 < n && at >= table[i].share) at -= table[i++].share;
    memcpy(rgb, table[i].rgb, 3);
}

/* The mixture differs from place to place and has more lorries by night. */
static enum kind vehicle_kind(double u, uint64_t seed, double clock)
{
    const uint64_t key = rng_key(seed, "world.mixture");
    const double hour = clock / 3600 - 24 * floor(clock / 86400);
    const double night = 1 - space_ramp(hour, 4, 7) + space_ramp(hour, 20, 23);
    const double van = space_mix(0.08, 0.16, rng_real(key, 0)), bus = space_mix(0.02, 0.06, rng_real(key, 1));
    const double lorry = space_mix(0.05, 0.14, rng_real(key, 2)) * (1 + night);
    const double cycle = space_mix(0.03, 0.16, rng_real(key, 3)) * (1 - 0.5 * night);
    if (u < van) return KIND_VAN;
    if (u < van + bus) return KIND_BUS;
    if (u < van + bus + lorry) return KIND_LORRY;
    return u < van + bus + lorry + cycle ? KIND_MOTORCYCLE : KIND_CAR;
}

static void colour_vehicle(struct mover *mover, uint64_t key, uint64_t seed)
{
    const double u = rng_real(key, 4);
    PICK(mover->colours[1], load_paints, rng_real(key, 5));
    PICK(mover->colours[2], load_paints, rng_real(key, 6));
    if (mover->kind == KIND_VAN)
        PICK(mover->colours[0], van_paints, u);
    else if (mover->kind == KIND_LORRY)
        PICK(mover->colours[0], cab_paints, u);
    else if (mover->kind == KIND_BUS) {
        /* Most buses of a town look alike. */
        const uint64_t town = rng_key(seed, "world.town");
        PICK(mover->colours[0], bus_paints, u < 0.75 ? rng_real(town, 0) : rng_real(key, 7));
        PICK(mover->colours[1], load_paints, rng_real(town, 1));
    } else
        PICK(mover->colours[0], car_paints, u);
}

void traffic_dress(struct mover *mover, const struct models *models, enum traffic traffic, double clock,
                   uint64_t seed)
{
    const uint64_t key = rng_key(mover->id, "world.dress");
    mover->kind = traffic == TRAFFIC_WALKERS  ? KIND_PERSON
                  : traffic == TRAFFIC_CYCLES ? KIND_BICYCLE
                                              : vehicle_kind(rng_real(key, 0), seed, clock);
    const int first = models->first[mover->kind], count = models->first[mover->kind + 1] - first;
    mover->model = first + rng_int(key, 1, count);
    mover->scale = 0.96 + 0.08 * rng_real(key, 2);
    if (mover->kind == KIND_PERSON) {
        mover->model = first + (rng_real(key, 3) < 0.25 ? MODEL_STEPS : 0);
        mover->scale = 0.88 + 0.2 * rng_real(key, 2);
        for (int k = 0; k < 3; k++) PICK(mover->colours[k], clothes, rng_real(key, 4 + (uint64_t)k));
    } else
        colour_vehicle(mover, key, seed);
    PICK(mover->skin, skins, rng_real(key, 8));
}
