/* Kinds, shapes and colours of movers. */
#include "world/traffic.h"

#include "base/rng.h"

#include <string.h>

static const struct tint van_paints[] = {{60, {228, 229, 228}}, {10, {150, 154, 158}}, {8, {40, 44, 50}},
                                         {8, {36, 70, 130}},    {7, {196, 32, 30}},    {7, {226, 176, 30}}};
static const struct tint bus_paints[] = {{30, {186, 28, 30}},
                                         {20, {222, 222, 214}},
                                         {18, {28, 92, 150}},
                                         {16, {40, 128, 72}},
                                         {16, {232, 170, 36}}};
static const struct tint cab_paints[] = {{34, {226, 227, 225}}, {18, {176, 30, 28}},  {18, {32, 70, 136}},
                                         {10, {36, 100, 62}},   {10, {226, 140, 30}}, {10, {60, 64, 70}}};
static const struct tint load_paints[] = {{46, {222, 222, 216}}, {14, {120, 124, 128}}, {12, {34, 76, 140}},
                                          {10, {176, 42, 34}},   {10, {60, 110, 70}},   {8, {206, 160, 60}}};
static const struct tint clothes[] = {{22, {34, 36, 42}},  {14, {58, 66, 86}},  {12, {200, 200, 196}},
                                      {10, {130, 34, 36}}, {9, {48, 84, 140}},  {8, {112, 112, 116}},
                                      {8, {74, 92, 56}},   {7, {206, 168, 70}}, {5, {180, 90, 130}},
                                      {5, {230, 110, 40}}};
static const struct tint skins[] = {
    {40, {224, 184, 154}}, {30, {190, 138, 104}}, {20, {120, 80, 58}}, {10, {78, 52, 40}}};

#define PICK(out, table, u) pick((out), &(struct palette){(table), SITE_COUNT(table)}, (u))
static void pick(uint8_t rgb[3], const struct palette *palette, double u)
{
    memcpy(rgb, palette_pick(palette, u), 3);
}

/* The site's mixture, which has more lorries by night. */
static enum kind vehicle_kind(double u, const struct site_fleet *fleet, double clock)
{
    const double hour = clock / 3600 - 24 * floor(clock / 86400);
    const double night = 1 - space_ramp(hour, 4, 7) + space_ramp(hour, 20, 23);
    const double cars = 1 - fleet->vans - fleet->buses - fleet->lorries - fleet->motorcycles;
    const struct {
        double share;
        enum kind kind;
    } mixture[] = {{fleet->vans, KIND_VAN},
                   {fleet->buses, KIND_BUS},
                   {fleet->lorries * (1 + night), KIND_LORRY},
                   {fleet->motorcycles * (1 - 0.5 * night), KIND_MOTORCYCLE},
                   {cars, KIND_CAR}};
    return mixture[site_choose(mixture, sizeof *mixture, SITE_COUNT(mixture), u)].kind;
}

/* A shape of the kind; every site has its favourites. */
static int choose_model(const struct models *models, enum kind kind, const struct site *site, double u)
{
    const int first = models->first[kind], count = models->first[kind + 1] - first;
    const double *favour = site->fleet.favour + first;
    return first + site_choose(favour, sizeof *favour, count, u);
}

static void wear(struct mover *mover, const struct site_fleet *fleet)
{
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            mover->colours[i][k] =
                (uint8_t)space_mix(mover->colours[i][k], fleet->dust_colour[k], fleet->dust);
}

static void colour_car(struct mover *mover, uint64_t key, const struct site_fleet *fleet)
{
    if (rng_real(key, 9) < fleet->taxis) {
        memcpy(mover->colours, fleet->taxi_colours, sizeof fleet->taxi_colours);
        return;
    }
    pick(mover->colours[0], &fleet->cars, rng_real(key, 4));
    memcpy(mover->colours[1], rng_real(key, 10) < fleet->two_tone ? fleet->roof_colour : mover->colours[0],
           3);
}

static void colour_vehicle(struct mover *mover, uint64_t key, const struct site *site)
{
    const struct site_fleet *fleet = &site->fleet;
    const double u = rng_real(key, 4);
    const bool company = rng_real(key, 9) < fleet->company;
    PICK(mover->colours[1], load_paints, rng_real(key, 5));
    PICK(mover->colours[2], load_paints, rng_real(key, 6));
    if (mover->kind == KIND_VAN) {
        PICK(mover->colours[0], van_paints, u);
        if (company) memcpy(mover->colours[0], fleet->company_colour, 3);
    } else if (mover->kind == KIND_LORRY) {
        PICK(mover->colours[0], cab_paints, u);
        if (company) memcpy(mover->colours[rng_real(key, 11) < 0.5], fleet->company_colour, 3);
    } else if (mover->kind == KIND_BUS) {
        /* Most buses of a town look alike. */
        const uint64_t town = rng_key(site->seed, "world.town");
        PICK(mover->colours[0], bus_paints, u < 0.75 ? rng_real(town, 0) : rng_real(key, 7));
        PICK(mover->colours[1], load_paints, rng_real(town, 1));
    } else
        colour_car(mover, key, fleet);
    wear(mover, fleet);
}

void traffic_dress(struct mover *mover, const struct models *models, enum traffic traffic, double clock,
                   const struct site *site)
{
    const uint64_t key = rng_key(mover->id, "world.dress");
    mover->kind = traffic == TRAFFIC_WALKERS  ? KIND_PERSON
                  : traffic == TRAFFIC_CYCLES ? KIND_BICYCLE
                                              : vehicle_kind(rng_real(key, 0), &site->fleet, clock);
    mover->model = choose_model(models, mover->kind, site, rng_real(key, 1));
    mover->scale = 0.97 + 0.06 * rng_real(key, 2);
    if (mover->kind == KIND_PERSON) {
        mover->model = models->first[KIND_PERSON] + (rng_real(key, 3) < 0.25 ? MODEL_STEPS : 0);
        mover->scale = 0.88 + 0.2 * rng_real(key, 2);
        for (int k = 0; k < 3; k++) PICK(mover->colours[k], clothes, rng_real(key, 4 + (uint64_t)k));
    } else
        colour_vehicle(mover, key, site);
    PICK(mover->skin, skins, rng_real(key, 8));
}
