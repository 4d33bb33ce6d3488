#include "world/light.h"

#include "base/rng.h"

static const double day = 86400;

static double rain_at(uint64_t seed, double clock)
{
    const uint32_t key = (uint32_t)rng_u64(rng_key(seed, "world.rain"), 0);
    return space_ramp(space_noise(key, clock / 7000, 0.5), 0.72, 0.86);
}

/* Water stays on the road for an hour. */
static double wet_at(uint64_t seed, double clock)
{
    double wet = 0;
    for (int k = 0; k <= 6; k++) {
        const double then = rain_at(seed, clock - 600.0 * k) * (1 - k / 7.0);
        if (then > wet) wet = then;
    }
    return wet;
}

static struct point sun_at(uint64_t seed, double clock)
{
    const uint64_t key = rng_key(seed, "world.sun");
    const double latitude = space_mix(0.1, 0.95, rng_real(key, 0)),
                 season = space_mix(-0.25, 0.35, rng_real(key, 1));
    const double bearing = 2 * SPACE_PI * rng_real(key, 2),
                 hour = 2 * SPACE_PI * (clock / day - floor(clock / day) - 0.5);
    const double cl = space_cos(latitude), sl = space_sin(latitude), cd = space_cos(season),
                 sd = space_sin(season);
    const double east = -cd * space_sin(hour), north = cl * sd - sl * cd * space_cos(hour);
    const double up = sl * sd + cl * cd * space_cos(hour), c = space_cos(bearing), s = space_sin(bearing);
    return (struct point){east * c - north * s, east * s + north * c, up};
}

static void set(double out[3], double r, double g, double b, double k)
{
    out[0] = r * k;
    out[1] = g * k;
    out[2] = b * k;
}

static void mix(double out[3], const double to[3], double t)
{
    for (int i = 0; i < 3; i++) out[i] = space_mix(out[i], to[i], t);
}

static double brightness(const double rgb[3]) { return 0.3 * rgb[0] + 0.6 * rgb[1] + 0.1 * rgb[2]; }

static void weather_at(struct light *light, uint64_t seed, double clock, enum weather weather)
{
    const uint32_t key = (uint32_t)rng_u64(rng_key(seed, "world.clouds"), 0);
    const double hour = clock / 3600 - 24 * floor(clock / day);
    light->clouds = space_ramp(space_noise(key, clock / 9000, 0.5), 0.35, 0.8);
    light->rain = rain_at(seed, clock);
    light->wet = wet_at(seed, clock);
    const double misty =
        space_ramp(space_noise(key + 7, floor(clock / day) * 3.7, clock / 20000), 0.62, 0.85);
    double fog = misty * space_bump(hour, 6.5, 3.5);
    if (weather != WEATHER_AUTO) {
        light->clouds = weather == WEATHER_CLEAR ? 0.1 : weather == WEATHER_CLOUDS ? 0.9 : 1;
        light->rain = weather == WEATHER_RAIN ? 0.85 : 0;
        light->wet = light->rain;
        fog = weather == WEATHER_FOG ? 0.9 : 0;
    }
    if (light->clouds < light->rain) light->clouds = light->rain;
    if (light->clouds < fog) light->clouds = fog;
    light->mist = 0.0006 + 0.004 * light->rain + 0.026 * fog * fog;
}

void light_at(struct light *light, uint64_t seed, double clock, enum weather weather)
{
    *light = (struct light){.sun = sun_at(seed, clock)};
    weather_at(light, seed, clock, weather);
    const double up = light->sun.z, sky = space_ramp(up, -0.22, 0.35), low = space_ramp(up, 0.0, 0.45);
    const double through = 1 - 0.97 * space_ramp(light->clouds, 0.25, 0.85);
    set(light->direct, 1, space_mix(0.62, 0.95, low), space_mix(0.30, 0.86, low),
        1.75 * space_ramp(up, 0.0, 0.22) * through);
    /* Clear sky, grey sky, and the red band of dusk. */
    set(light->zenith, 0.19, 0.27, 0.44, sky);
    set(light->horizon, 0.46, 0.56, 0.68, sky);
    const double grey[3] = {0.40 * sky, 0.425 * sky, 0.46 * sky},
                 overcast = space_ramp(light->clouds, 0.2, 0.9);
    const double dull = 1 - 0.35 * light->rain;
    const double dark[3] = {grey[0] * dull, grey[1] * dull, grey[2] * dull};
    mix(light->zenith, dark, overcast);
    mix(light->horizon, dark, overcast);
    const double red[3] = {0.50, 0.26, 0.13};
    mix(light->horizon, red, 0.55 * space_bump(up, 0.0, 0.22) * (1 - 0.8 * overcast));
    light->night = 1 - space_ramp(up, -0.18, 0.10);
    const double glow[3] = {0.006, 0.0065, 0.009};
    for (int i = 0; i < 3; i++) {
        light->zenith[i] += glow[i];
        light->horizon[i] += 1.6 * glow[i];
        light->bounce[i] =
            0.16 * (light->zenith[i] + light->horizon[i]) + 0.14 * light->direct[i] * (up > 0 ? up : 0);
        light->fog[i] = 0.35 * light->zenith[i] + 0.65 * light->horizon[i];
    }
    const uint64_t town = rng_key(seed, "world.lamps");
    light->lamps_on = light->night > 0.35 || light->rain > 0.55 || light->mist > 0.012;
    const bool sodium = rng_real(town, 0) < 0.5;
    if (light->night > 0.35)
        set(light->lamp, 1, sodium ? 0.66 : 0.90, sodium ? 0.30 : 0.78,
            space_mix(0.05, 0.10, rng_real(town, 1)));
    const double key = brightness(light->direct) * (up > 0 ? up : 0) + 0.9 * brightness(light->zenith) +
                       0.5 * brightness(light->lamp) + 0.012;
    light->exposure = 1.30 / dmath_pow(key, 0.76);
    double *const scaled[] = {light->direct, light->zenith, light->horizon,
                              light->bounce, light->lamp,   light->fog};
    for (int i = 0; i < 6; i++)
        for (int k = 0; k < 3; k++) scaled[i][k] *= light->exposure;
    for (int k = 0; k < 3; k++) light->fog[k] += 0.25 * light->lamp[k];
}
