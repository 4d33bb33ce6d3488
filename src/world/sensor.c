#include "world/sensor.h"

#include "base/rng.h"
#include "world/world.h"

#include <string.h>

/* Steeper in the middle tones for amount > 0, flatter below. */
static double contrast(double v, double amount)
{
    const double t = space_clamp(v, 0, 1);
    return v > 1 ? v : space_mix(t, t * t * (3 - 2 * t), amount);
}

static void make_tone(struct sensor *sensor)
{
    const struct site_look *look = sensor->look;
    for (int i = 0; i < SENSOR_TONES; i++) {
        const double x = (i + 0.5) * 2 / BACKDROP_ONE * look->exposure,
                     bent = x * (1 + 0.09 * x) / (1 + look->shoulder * x);
        const double v = contrast(dmath_pow(bent, 1 / look->gamma), look->contrast);
        sensor->tone[i] = (uint8_t)space_clamp(look->black + (255 - look->black) * v, 0, 255);
    }
}

/* Sums of twelve uniform draws. */
static void make_noise(struct sensor *sensor, int width)
{
    const uint64_t key = rng_key(sensor->seed, "world.noise");
    for (int i = 0; i < SENSOR_NOISE; i++) {
        double sum[2] = {-6, -6};
        for (int k = 0; k < 24; k++) {
            const uint64_t u = rng_u64(key, (uint64_t)i * 6 + (uint64_t)k / 4) >> (16 * (k % 4));
            sum[k / 12] += (double)(u & 0xffff) / 65536;
        }
        const double channels[3] = {sum[0] + 0.25 * sum[1], sum[0], sum[0] - 0.25 * sum[1]};
        for (int k = 0; k < 3; k++)
            sensor->noise[3 * i + k] = (int8_t)space_clamp(channels[k] * 32, -127, 127);
    }
    memcpy(sensor->noise + 3 * SENSOR_NOISE, sensor->noise, 3 * (size_t)width);
}

/* Smudges, drying marks and a spider's thread or two; most lenses are clean. */
static void make_dirt(struct sensor *sensor, int width, int height)
{
    struct rng rng = {rng_key(sensor->seed, "world.dirt"), 0};
    const double u = rng_next_real(&rng), dirty = u < 0.55 ? 0.1 : u < 0.85 ? 0.5 : 1;
    const double vignette = rng_uniform(&rng, 0.10, 0.38);
    const int spots = (int)(dirty * 22);
    double spot[22][4];
    for (int i = 0; i < spots; i++) {
        spot[i][0] = rng_uniform(&rng, 0, width);
        spot[i][1] = rng_uniform(&rng, 0, height);
        spot[i][2] = width * rng_uniform(&rng, 0.006, 0.05);
        spot[i][3] = rng_uniform(&rng, 0.04, 0.20) * (0.4 + dirty);
    }
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const double dx = (2.0 * x - width) / width, dy = (2.0 * y - height) / width;
            double gain = 1 - vignette * (dx * dx + dy * dy) * 0.8, veil = 0.02;
            for (int i = 0; i < spots; i++) {
                const double ex = (x - spot[i][0]) / spot[i][2], ey = (y - spot[i][1]) / spot[i][2],
                             q = ex * ex + ey * ey;
                if (q >= 1) continue;
                gain -= spot[i][3] * (1 - q);
                veil += spot[i][3] * 0.5 * (1 - q);
            }
            const size_t at = 3 * ((size_t)y * width + x);
            for (int k = 0; k < 3; k++)
                sensor->gain[at + (size_t)k] =
                    (uint8_t)(255 * space_clamp(gain, 0.3, 1) * sensor->look->balance[k]);
            memset(sensor->veil + at, (int)(255 * space_clamp(veil, 0, 1)), 3);
        }
}

bool sensor_make(struct sensor *sensor, const struct site *site, const struct lens *lens, struct arena *arena)
{
    const int width = lens->width - 2 * lens->margin, height = lens->height - 2 * lens->margin;
    sensor->seed = site->seed;
    sensor->look = &site->look;
    sensor->lens = lens;
    sensor->gain = arena_alloc(arena, (size_t)width * height, 3);
    sensor->veil = arena_alloc(arena, (size_t)width * height, 3);
    sensor->noise = arena_alloc(arena, (size_t)SENSOR_NOISE + (size_t)width, 3);
    if (!sensor->gain || !sensor->veil || !sensor->noise) return false;
    make_tone(sensor);
    make_noise(sensor, width);
    make_dirt(sensor, width, height);
    return true;
}

struct jolt sensor_jolt(const struct sensor *sensor, double motion, bool still)
{
    struct jolt jolt = {0, 0, 1};
    if (still) return jolt;
    const uint64_t key = rng_key(sensor->seed, "world.jolts");
    const double margin = sensor->lens->margin;
    /* A knock every few minutes moves the view for good, until the next one. */
    const int64_t knock = (int64_t)floor(motion / 400 + rng_real(key, 0));
    double x = 0.45 * margin * (2 * rng_real(rng_step(key, 1), (uint64_t)knock) - 1);
    double y = 0.45 * margin * (2 * rng_real(rng_step(key, 2), (uint64_t)knock) - 1);
    if (knock == (int64_t)floor(rng_real(key, 0))) x = y = 0;
    /* Gusts of some seconds. Their swing begins anew every ten hours, which are whole gusts: dmath_cos has a
     * bounded domain. */
    const int64_t gust = (int64_t)floor(motion / 15);
    const double swing = motion - 36000 * floor(motion / 36000);
    if (rng_real(rng_step(key, 3), (uint64_t)gust) < 0.06) {
        const double inside = space_bump(motion / 15 - gust - 0.5, 0, 0.5), strength = 0.5 * margin * inside;
        x += strength * space_sin(swing * 13.7) * 0.7;
        y += strength * space_sin(swing * 17.9 + 1);
    }
    /* The exposure jumps and settles. */
    const int64_t flash = (int64_t)floor(motion / 30);
    const uint64_t jump = rng_step(rng_step(key, 4), (uint64_t)flash);
    if (rng_real(jump, 0) < 0.05) {
        const double since = motion - 30.0 * flash - 25 * rng_real(jump, 1),
                     amount = rng_real(jump, 2) < 0.5 ? -0.42 : 0.75;
        if (since > 0) jolt.gain = 1 + amount * (1 - space_ramp(since, 1.2, 4.5));
    }
    jolt.x = (int)rint(space_clamp(x, -margin, margin));
    jolt.y = (int)rint(space_clamp(y, -margin, margin));
    return jolt;
}

static void streaks(const struct sensor *sensor, struct canvas *canvas, double rain, int64_t index)
{
    const struct lens *lens = sensor->lens;
    const uint64_t key = rng_step(rng_key(sensor->seed, "world.streaks"), (uint64_t)index);
    const double slant = 0.30 * (rng_real(rng_key(sensor->seed, "world.wind"), (uint64_t)index / 50) - 0.5);
    const int count = (int)(rain * lens->width * 0.7);
    const struct light *light = &canvas->backdrop->light;
    int32_t bright[3];
    for (int k = 0; k < 3; k++)
        bright[k] =
            (int32_t)space_clamp((1.1 * light->horizon[k] + 0.25 * light->lamp[k]) * BACKDROP_ONE, 0, 65535);
    for (int i = 0; i < count; i++) {
        const uint64_t u = rng_u64(key, (uint64_t)i);
        double x = (double)(u % (uint64_t)lens->width);
        const int top = (int)(u >> 20) % lens->height, far = (int)(u >> 44 & 3);
        const int length = lens->height * (3 + far * 2) / 100 + 2, share = 14 + 12 * far;
        for (int y = top < 0 ? -top : top; length && y < lens->height && y < top + length; y++, x += slant) {
            const int column = (int)x;
            if (column < 0 || column >= lens->width) break;
            uint16_t *out = canvas->colours + 3 * ((size_t)y * lens->width + (size_t)column);
            for (int k = 0; k < 3; k++) out[k] = (uint16_t)(out[k] + (bright[k] - out[k]) * share / 256);
        }
    }
}

/* A drop shows the scene upside down and smaller; each sits for some seconds. */
static void drops(const struct sensor *sensor, struct canvas *canvas, double rain, double motion)
{
    const struct lens *lens = sensor->lens;
    for (int i = 0; i < 14; i++) {
        const uint64_t key = rng_step(rng_key(sensor->seed, "world.drops"), (uint64_t)i);
        const double life = motion / 20 + rng_real(key, 0);
        const uint64_t drop = rng_step(key, (uint64_t)(int64_t)floor(life));
        if (rng_real(drop, 0) > 0.7 * rain) continue;
        const double cx = rng_real(drop, 1) * lens->width, cy = rng_real(drop, 2) * lens->height;
        const double radius =
            lens->width * (0.006 + 0.016 * rng_real(drop, 3)) * space_clamp(6 * (life - floor(life)), 0.2, 1);
        for (int y = (int)(cy - radius); y < cy + radius; y++)
            for (int x = (int)(cx - radius); x < cx + radius; x++) {
                const double dx = x - cx, dy = y - cy, q = (dx * dx + dy * dy) / (radius * radius);
                const int sx = (int)(cx - 2.5 * dx), sy = (int)(cy - 2.5 * dy);
                if (q >= 1 || x < 0 || y < 0 || x >= lens->width || y >= lens->height) continue;
                if (sx < 0 || sy < 0 || sx >= lens->width || sy >= lens->height) continue;
                const int share = (int)(205 * space_clamp(2.2 * (1 - q), 0, 1));
                const uint16_t *in = canvas->colours + 3 * ((size_t)sy * lens->width + (size_t)sx);
                uint16_t *out = canvas->colours + 3 * ((size_t)y * lens->width + (size_t)x);
                for (int k = 0; k < 3; k++) out[k] = (uint16_t)(out[k] + (in[k] - out[k]) * share / 256);
            }
    }
}

void sensor_rain(const struct sensor *sensor, struct canvas *canvas, double rain, double motion,
                 int64_t index)
{
    if (rain < 0.05) return;
    streaks(sensor, canvas, rain, index);
    drops(sensor, canvas, rain, motion);
}

/* Channels of eight pixels, and those of a row with room for a pixel more at both ends and a block begun. */
enum { BLOCK = 24, MAX_ROW = 3 * (WORLD_MAX_SIDE + 2) + BLOCK };

struct develop {
    const struct sensor *sensor;
    const struct canvas *canvas;
    const struct jolt *jolt;
    int channels;   /* of a row */
    uint16_t gain;  /* 128 leaves the light */
    int16_t colour; /* saturation, 256 leaves it */
    int16_t focus;  /* share of the blurred picture, 256: all; below 0 sharpens */
    int16_t grain;
    uint16_t haze[MAX_ROW];   /* light that dirt scatters where it is thickest */
    int16_t rows[3][MAX_ROW]; /* toned rows y - 1, y, y + 1 modulo 3, with a pixel more at both ends */
    uint16_t light[MAX_ROW];  /* of the row that is made */
    int16_t aside[MAX_ROW];   /* its greys; later sums of three rows */
};

struct develop *sensor_develop_make(struct arena *arena)
{
    return arena_alloc(arena, 1, sizeof(struct develop));
}

/* Within 16 bits, whose limits every CPU has for vectors. */
static int16_t byte_of(int16_t v)
{
    const int16_t low = v < 0 ? 0 : v;
    return low > 255 ? 255 : low;
}

/* The upper half of a product, which every CPU has for vectors. */
static int16_t upper(int16_t a, int16_t b) { return (int16_t)((int32_t)a * b >> 16); }
static uint16_t upper_unsigned(uint16_t a, uint16_t b) { return (uint16_t)((uint32_t)a * b >> 16); }

/* Half of a row's light through gain (of 255 * 128, in all) and veil; each loop runs over channels, not pixels.
 * Within 16 bits: no jolt's gain is above 1.75, which makes whole 224 at most, and where dirt veils most it lets
 * least through. */
static void light_row(uint16_t *restrict light, const uint16_t *restrict in, const uint8_t *restrict gain,
                      uint16_t whole, const uint16_t *restrict haze, const uint8_t *restrict veil, int n)
{
    for (int i = 0; i < n; i++) {
        const uint16_t share = (uint16_t)(gain[i] * whole), mist = (uint16_t)(veil[i] * 128);
        light[i] = (uint16_t)(upper_unsigned(in[i], share) + upper_unsigned(haze[i], mist));
    }
}

/* What red, green and blue give to a pixel's grey, for eight pixels: each channel takes it from those of its five
 * neighbours that are of the same pixel, so that whole vectors need no shuffling. */
#define SHARES(a, b, c) {a, b, c, a, b, c, a, b, c, a, b, c, a, b, c, a, b, c, a, b, c, a, b, c}
static const uint16_t shares[5][BLOCK] = {SHARES(0, 0, 77), SHARES(0, 77, 150), SHARES(77, 150, 29),
                                          SHARES(150, 29, 0), SHARES(29, 0, 0)};

/* Towards grey or away from it: 256 leaves the colours. Goes beyond n to the end of a block. */
static void saturate_row(int16_t *restrict row, int16_t *restrict greys, int16_t colour, int n)
{
    for (int at = 0; at < n; at += BLOCK)
        for (int i = 0; i < BLOCK; i++) {
            const int16_t *near = row + at + i - 2;
            const uint16_t sum =
                (uint16_t)(shares[0][i] * near[0] + shares[1][i] * near[1] + shares[2][i] * near[2] +
                           shares[3][i] * near[3] + shares[4][i] * near[4]);
            greys[at + i] = (int16_t)(sum >> 8);
        }
    for (int i = 0; i < n; i++)
        row[i] =
            byte_of((int16_t)(greys[i] + upper((int16_t)(32 * (row[i] - greys[i])), (int16_t)(8 * colour))));
}

static void make_row(struct develop *d, int y)
{
    const struct sensor *sensor = d->sensor;
    const struct lens *lens = sensor->lens;
    const size_t at = (size_t)y * (size_t)d->channels,
                 from = (size_t)(y + lens->margin + d->jolt->y) * (size_t)lens->width +
                        (size_t)(lens->margin + d->jolt->x);
    int16_t *row = d->rows[y % 3];
    light_row(d->light, d->canvas->colours + 3 * from, sensor->gain + at, d->gain, d->haze, sensor->veil + at,
              d->channels);
#pragma GCC unroll 8
    for (int i = 0; i < d->channels; i++) row[3 + i] = sensor->tone[d->light[i]];
    if (d->colour != 256) saturate_row(row + 3, d->aside, d->colour, d->channels);
    memcpy(row, row + 3, 3 * sizeof *row);
    memcpy(row + 3 + d->channels, row + d->channels, 3 * sizeof *row);
}

/* noise * grain / 1024, rounded. */
static int16_t speck(int8_t noise, int16_t grain)
{
    return (int16_t)((upper((int16_t)(128 * noise), grain) + 1) >> 1);
}

/* Mixes a pixel with the mean of its neighbourhood, weights 1 2 1 both ways; adds noise. */
static void finish_row(uint8_t *restrict out, struct develop *d, const int16_t *restrict above,
                       const int16_t *restrict row, const int16_t *restrict below,
                       const int8_t *restrict noise)
{
    int16_t *restrict sums = d->aside;
    const int n = d->channels;
    const int16_t grain = d->grain, focus = d->focus;
    if (!focus) {
        for (int i = 0; i < n; i++) out[i] = (uint8_t)byte_of((int16_t)(row[3 + i] + speck(noise[i], grain)));
        return;
    }
    for (int i = 0; i < n + 6; i++) sums[i] = (int16_t)(above[i] + 2 * row[i] + below[i]);
    for (int i = 0; i < n; i++) {
        const int16_t own = row[3 + i], apart = (int16_t)(sums[i] + 2 * sums[3 + i] + sums[6 + i] - 16 * own);
        /* apart * focus / 4096, rounded */
        const int16_t nearer = (int16_t)((upper((int16_t)(8 * apart), (int16_t)(4 * focus)) + 1) >> 1);
        out[i] = (uint8_t)byte_of((int16_t)(own + nearer + speck(noise[i], grain)));
    }
}

static void begin(struct develop *d, const struct sensor *sensor, const struct canvas *canvas,
                  const struct jolt *jolt, int width)
{
    const struct light *light = &canvas->backdrop->light;
    const struct site_look *look = sensor->look;
    const bool grey = look->infrared && light->night > 0.5;
    d->sensor = sensor;
    d->canvas = canvas;
    d->jolt = jolt;
    d->channels = 3 * width;
    d->gain = (uint16_t)(jolt->gain * 128);
    d->colour = (int16_t)(grey ? 0 : 256 * look->saturation);
    d->focus = (int16_t)(256 * look->focus);
    d->grain = (int16_t)(space_mix(26, 120, light->night) * look->grain);
    for (int i = 0; i < d->channels; i++) {
        const double veil = 0.5 * (light->horizon[i % 3] + 0.3 * light->lamp[i % 3]) * BACKDROP_ONE;
        d->haze[i] = (uint16_t)space_clamp(veil, 0, 2 * BACKDROP_ONE);
    }
}

void sensor_develop(struct develop *d, const struct sensor *sensor, struct image *image,
                    const struct canvas *canvas, const struct jolt *jolt, int64_t index)
{
    const uint64_t key = rng_step(rng_key(sensor->seed, "world.grain"), (uint64_t)index);
    begin(d, sensor, canvas, jolt, image->width);
    make_row(d, 0);
    for (int y = 0; y < image->height; y++) {
        const int above = y ? y - 1 : 0, below = y + 1 < image->height ? y + 1 : y;
        const int8_t *noise = sensor->noise + 3 * (rng_u64(key, (uint64_t)y) % SENSOR_NOISE);
        if (below > y) make_row(d, below);
        finish_row(image->pixels + (size_t)y * (size_t)d->channels, d, d->rows[above % 3], d->rows[y % 3],
                   d->rows[below % 3], noise);
    }
}
