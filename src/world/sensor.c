#include "world/sensor.h"

#include "base/rng.h"
#include "world/area.h"

#include <string.h>

/* Steeper in the middle tones. */
static double contrast(double v)
{
    const double t = space_clamp(v, 0, 1);
    return v > 1 ? v : space_mix(t, t * t * (3 - 2 * t), 0.35);
}

static void make_tone(struct sensor *sensor)
{
    const uint64_t look = rng_key(sensor->seed, "world.tone");
    const double gamma = 1 / space_mix(2.05, 2.4, rng_real(look, 0)),
                 shoulder = space_mix(0.25, 0.5, rng_real(look, 1));
    const double black = space_mix(0, 7, rng_real(look, 2));
    for (int i = 0; i < 65536; i++) {
        const double x = (i + 0.5) / BACKDROP_ONE, bent = x * (1 + 0.09 * x) / (1 + shoulder * x);
        sensor->tone[i] =
            (uint8_t)space_clamp(black + (255 - black) * contrast(dmath_pow(bent, gamma)), 0, 255);
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
            memset(sensor->gain + at, (int)(255 * space_clamp(gain, 0.3, 1)), 3);
            memset(sensor->veil + at, (int)(255 * space_clamp(veil, 0, 1)), 3);
        }
}

bool sensor_make(struct sensor *sensor, uint64_t seed, const struct lens *lens, struct arena *arena)
{
    const int width = lens->width - 2 * lens->margin, height = lens->height - 2 * lens->margin;
    sensor->seed = seed;
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

struct develop {
    uint16_t gain;
    int32_t grain;
    uint16_t *haze, *light; /* of a row of channels */
};

/* One row: gain and veil, tone, noise; each loop runs over channels, not pixels. Factors have 16 bits, for which
 * every CPU has multiplications of vectors. */
static void develop_row(uint8_t *out, const struct sensor *sensor, const struct develop *d,
                        const uint16_t *in, const uint8_t *gain, const uint8_t *veil, const int8_t *noise,
                        int channels)
{
    for (int i = 0; i < channels; i++) {
        const uint16_t share = (uint16_t)((uint32_t)gain[i] * d->gain >> 8), mist = veil[i];
        const int32_t light = (int32_t)(((uint32_t)in[i] * share + (uint32_t)d->haze[i] * mist) >> 8);
        d->light[i] = (uint16_t)(light > 65535 ? 65535 : light);
    }
    for (int i = 0; i < channels; i++) out[i] = sensor->tone[d->light[i]];
    for (int i = 0; i < channels; i++) {
        const int v = out[i] + ((noise[i] * d->grain + 512) >> 10);
        out[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
}

void sensor_develop(const struct sensor *sensor, struct image *image, const struct canvas *canvas,
                    const struct jolt *jolt, int64_t index)
{
    const struct lens *lens = sensor->lens;
    const struct light *light = &canvas->backdrop->light;
    const uint64_t key = rng_step(rng_key(sensor->seed, "world.grain"), (uint64_t)index);
    const double grade = 0.6 + 0.8 * rng_real(rng_key(sensor->seed, "world.grade"), 0);
    struct develop d = {.gain = (uint16_t)(jolt->gain * 256),
                        .grain = (int32_t)(space_mix(26, 120, light->night) * grade)};
    uint16_t haze[3 * AREA_MAX_ROW], lights[3 * AREA_MAX_ROW];
    d.haze = haze;
    d.light = lights;
    for (int i = 0; i < 3 * image->width; i++) {
        const double veil = 0.5 * (light->horizon[i % 3] + 0.3 * light->lamp[i % 3]) * BACKDROP_ONE;
        haze[i] = (uint16_t)space_clamp(veil, 0, 65535);
    }
    for (int y = 0; y < image->height; y++) {
        const int top = y + lens->margin + jolt->y, left = lens->margin + jolt->x;
        const size_t row = (size_t)y * image->width;
        const int8_t *noise = sensor->noise + 3 * (rng_u64(key, (uint64_t)y) % SENSOR_NOISE);
        develop_row(image->pixels + row * 3, sensor, &d,
                    canvas->colours + 3 * ((size_t)top * lens->width + (size_t)left), sensor->gain + 3 * row,
                    sensor->veil + 3 * row, noise, 3 * image->width);
    }
}
