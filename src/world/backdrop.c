#include "world/backdrop.h"

#include "base/par.h"
#include "world/area.h"

#include <string.h>

size_t backdrop_bytes(const struct place *place)
{
    return (size_t)place->layout.lens.width * place->layout.lens.height * (2 * 3 * sizeof(uint16_t) + 1);
}

bool backdrop_alloc(struct backdrop *backdrop, const struct place *place, struct arena *arena)
{
    const size_t pixels = (size_t)place->layout.lens.width * place->layout.lens.height;
    backdrop->lit = arena_alloc(arena, pixels * 3, sizeof *backdrop->lit);
    backdrop->shaded = arena_alloc(arena, pixels * 3, sizeof *backdrop->shaded);
    backdrop->shadow = arena_alloc(arena, pixels, 1);
    return backdrop->lit && backdrop->shaded && backdrop->shadow;
}

enum { RUN = 96, LANES = 4 }; /* pixels that are lit together; channels of a colour */

struct work {
    struct backdrop *backdrop;
    const struct place *place;
    float albedo[256]; /* linear */
    float unit[256];   /* of surface.normal as bytes */
    float haze[8192];  /* share of a surface that fog leaves, by nearness / 8 */
    /* Colours have a fourth channel, 0, so that four go as one vector. */
    float zenith[LANES], horizon[LANES], bounce[LANES], direct[LANES], lamp[LANES], fog[LANES], window[LANES];
    float sun[3];
    float wet;
    int windows;                                /* windows with a glow up to this are lit */
    double clear[256][3], cloud[256], white[3]; /* the sky by elevation, its clouds, their colour */
    /* What a run of plain pixels needs, once for each channel. */
    float run_zenith[3 * RUN], run_bounce[3 * RUN], run_horizon[3 * RUN], run_direct[3 * RUN],
        run_lamp[3 * RUN], run_fog[3 * RUN];
};

/* A colour without and with the sun. */
struct pair {
    float shaded[LANES], lit[LANES];
};

static void add_sky(struct pair *sum, const struct work *w, const struct surface *s, float weight)
{
    for (int k = 0; k < 3; k++) {
        const double colour = space_mix(w->clear[s->albedo[0]][k], w->white[k], w->cloud[s->albedo[1]]);
        const float sky = (float)(1.35 * colour);
        sum->shaded[k] += sky * weight;
        sum->lit[k] += sky * weight;
    }
}

/* Adds one sample of something solid. */
static void add_sample(struct pair *sum, const struct work *w, size_t at)
{
    const struct surface *s = &w->place->surfaces[at];
    if (s->kind == SURFACE_SKY) {
        add_sky(sum, w, s, 1);
        return;
    }
    const float nx = w->unit[(uint8_t)s->normal[0]], ny = w->unit[(uint8_t)s->normal[1]],
                nz = w->unit[(uint8_t)s->normal[2]];
    const float dot = nx * w->sun[0] + ny * w->sun[1] + nz * w->sun[2], sun = dot > 0 ? dot : 0;
    const float up = 0.5f + 0.5f * nz, lamp = s->lamp * (1 / 128.0f),
                haze = w->haze[w->place->depths[at] >> 3];
    const float wet = s->paved ? w->wet : 0, dark = 1 - 0.45f * wet;
    /* Panes mirror the sky. */
    const float mirror = 0.10f * (s->kind == SURFACE_BODY && s->glow ? 1 : wet);
    const float glow = s->glow && s->glow <= w->windows ? 0.4f + s->glow / 128.0f : 0;
    const float albedo[LANES] = {w->albedo[s->albedo[0]], w->albedo[s->albedo[1]], w->albedo[s->albedo[2]]};
    for (int k = 0; k < LANES; k++) {
        const float a = albedo[k] * dark;
        const float ambient = w->zenith[k] * up + w->bounce[k] * (1 - up) + lamp * w->lamp[k];
        const float colour = a * ambient + mirror * w->horizon[k] + glow * w->window[k], fog = w->fog[k];
        sum->shaded[k] += fog + (colour - fog) * haze;
        sum->lit[k] += fog + (colour + a * sun * w->direct[k] - fog) * haze;
    }
}

static struct pair light_pixel(const struct work *w, int x, int y)
{
    struct pair sum = {{0}, {0}};
    const size_t width = (size_t)w->place->layout.lens.width * 2,
                 corner = (size_t)(2 * y) * width + 2 * (size_t)x;
    const size_t at[4] = {corner, corner + 1, corner + width, corner + width + 1};
    const struct surface *s = w->place->surfaces;
    if (w->place->pixel_kinds[(size_t)y * (width / 2) + (size_t)x] == PIXEL_SKY)
        add_sky(&sum, w, &s[corner], 4);
    else
        for (int k = 0; k < 4; k++) add_sample(&sum, w, at[k]);
    return sum;
}

/* Four times the light of pixels without and with the sun, channel by channel. */
struct run {
    float shaded[3 * RUN], lit[3 * RUN];
};

/* n plain pixels. */
static void light_plain(struct run *out, const struct work *w, int x, int y, int n)
{
    const size_t width = (size_t)w->place->layout.lens.width, pixel = (size_t)y * width + (size_t)x,
                 corner = (size_t)(2 * y) * 2 * width + 2 * (size_t)x;
    float albedos[3 * RUN], ups[3 * RUN], suns[3 * RUN], hazes[3 * RUN], lamps[3 * RUN], wets[3 * RUN];
    for (int i = 0; i < n; i++) {
        const struct plain *plain = &w->place->plain[pixel + (size_t)i];
        const struct surface *first = &w->place->surfaces[corner + 2 * (size_t)i];
        const float haze = w->haze[w->place->depths[corner + 2 * (size_t)i] >> 3];
        const float lamp = first->lamp * (1 / 128.0f), wet = first->paved ? w->wet : 0;
        const float *normal = plain->normal, up = 0.5f + 0.5f * normal[2];
        const float dot = normal[0] * w->sun[0] + normal[1] * w->sun[1] + normal[2] * w->sun[2],
                    sun = dot > 0 ? dot : 0;
        for (int k = 0; k < 3; k++) {
            albedos[3 * i + k] = plain->albedo[k] * (1 - 0.45f * wet);
            ups[3 * i + k] = up;
            suns[3 * i + k] = sun;
            hazes[3 * i + k] = haze;
            lamps[3 * i + k] = lamp;
            wets[3 * i + k] = wet;
        }
    }
    for (int i = 0; i < 3 * n; i++) {
        const float fog = w->run_fog[i], a = albedos[i], up = ups[i];
        const float ambient = w->run_zenith[i] * up + w->run_bounce[i] * (1 - up) + lamps[i] * w->run_lamp[i];
        const float colour = a * ambient + 0.40f * wets[i] * w->run_horizon[i];
        out->shaded[i] = fog + (colour - fog) * hazes[i];
        out->lit[i] = fog + (colour + a * suns[i] * w->run_direct[i] - fog) * hazes[i];
    }
}

static void light_others(struct run *out, const struct work *w, int x, int y, int n)
{
    for (int i = 0; i < n; i++) {
        const struct pair sum = light_pixel(w, x + i, y);
        memcpy(out->shaded + 3 * i, sum.shaded, 3 * sizeof *sum.shaded);
        memcpy(out->lit + 3 * i, sum.lit, 3 * sizeof *sum.lit);
    }
}

/* Two limits one after the other, as every CPU has them for vectors. */
static uint16_t stored(float v)
{
    const float x = v * BACKDROP_ONE, low = x < 0 ? 0 : x, high = low > 65535 ? 65535 : low;
    return (uint16_t)(int32_t)(high + 0.5f);
}

static void store_run(const struct work *w, const struct run *run, size_t pixel, int n)
{
    uint16_t *shaded = w->backdrop->shaded + 3 * pixel, *lit = w->backdrop->lit + 3 * pixel;
    float open[3 * RUN];
    for (int i = 0; i < n; i++) {
        const uint8_t shadow = w->backdrop->shadow[pixel + (size_t)i];
        const float share = w->place->standing[pixel + (size_t)i] ? 1 : 1 - shadow * (1 / 255.0f);
        for (int k = 0; k < 3; k++) open[3 * i + k] = share;
    }
    for (int i = 0; i < 3 * n; i++) {
        const float dark = run->shaded[i] * 0.25f, bright = run->lit[i] * 0.25f;
        shaded[i] = stored(dark);
        lit[i] = stored(dark + (bright - dark) * open[i]);
    }
}

static void light_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct work *w = context;
    const int width = w->place->layout.lens.width;
    for (int64_t y = begin; y < end; y++)
        for (int x = 0, n; x < width; x += n) {
            const size_t pixel = (size_t)y * (size_t)width + (size_t)x;
            const uint8_t *kinds = w->place->pixel_kinds + pixel;
            const bool plain = kinds[0] == PIXEL_PLAIN;
            for (n = 1; n < RUN && x + n < width && (kinds[n] == PIXEL_PLAIN) == plain;) n++;
            struct run run;
            (plain ? light_plain : light_others)(&run, w, x, (int)y, n);
            store_run(w, &run, pixel, n);
        }
}

static void cast_shadows(struct backdrop *b, const struct place *place)
{
    const struct lens *lens = &place->layout.lens;
    memset(b->shadow, 0, (size_t)lens->width * lens->height);
    if (b->light.sun.z < 0.04 || b->light.direct[1] < 0.01) return;
    for (int i = 0; i < place->scenery.prop_count; i++) {
        double ground[16][2], seen[LENS_MAX_CORNERS][2];
        const int n = scenery_shadow(ground, &place->scenery.props[i], b->light.sun);
        const int m = lens_ground_polygon(lens, (const double(*)[2])ground, n, seen);
        area_fill(b->shadow, lens->width, lens->height, (const double(*)[2])seen, m);
    }
}

/* The colours of the light as floats. */
static void take_light(struct work *w, const struct light *light)
{
    static const double window[3] = {0.085, 0.060, 0.030};
    const double sun[3] = {light->sun.x, light->sun.y, light->sun.z};
    for (int k = 0; k < 3; k++) {
        w->zenith[k] = (float)light->zenith[k];
        w->horizon[k] = (float)light->horizon[k];
        w->bounce[k] = (float)light->bounce[k];
        w->direct[k] = (float)light->direct[k];
        w->lamp[k] = (float)light->lamp[k];
        w->fog[k] = (float)light->fog[k];
        w->window[k] = (float)(window[k] * light->exposure);
        w->sun[k] = light->sun.z > 0 ? (float)sun[k] : 0;
    }
    w->wet = (float)light->wet;
}

static void make_solid_tables(struct work *w, const struct light *light)
{
    for (int i = 0; i < 256; i++) {
        w->albedo[i] = surface_albedo(i);
        w->unit[i] = (float)(i < 128 ? i : i - 256) / 127.0f;
    }
    for (int i = 0; i < 8192; i++) {
        const double depth = 65535 * LENS_NEAR / (8 * i + 4.0);
        w->haze[i] = (float)dmath_exp(-light->mist * (depth > 900 ? 900 : depth));
    }
}

static void make_sky_tables(struct work *w, const struct light *light)
{
    for (int i = 0; i < 256; i++) {
        w->cloud[i] = i / 255.0 * (0.25 + 0.75 * light->clouds);
        for (int k = 0; k < 3; k++)
            w->clear[i][k] = space_mix(light->horizon[k], light->zenith[k], sqrt(i / 255.0));
    }
    for (int k = 0; k < 3; k++)
        w->white[k] = 0.75 * light->horizon[k] + 0.25 * light->zenith[k] +
                      0.28 * light->direct[k] * (1 - light->clouds);
}

static void make_run_tables(struct work *w)
{
    for (int i = 0; i < 3 * RUN; i++) {
        w->run_zenith[i] = w->zenith[i % 3];
        w->run_bounce[i] = w->bounce[i % 3];
        w->run_horizon[i] = w->horizon[i % 3];
        w->run_direct[i] = w->direct[i % 3];
        w->run_lamp[i] = w->lamp[i % 3];
        w->run_fog[i] = 4 * w->fog[i % 3];
    }
}

void backdrop_make(struct backdrop *backdrop, const struct place *place, const struct light *light,
                   double clock, int threads)
{
    struct work w = {.backdrop = backdrop, .place = place};
    const double hour = clock / 3600 - 24 * floor(clock / 86400);
    backdrop->light = *light;
    take_light(&w, light);
    make_solid_tables(&w, light);
    make_sky_tables(&w, light);
    make_run_tables(&w);
    w.windows =
        light->lamps_on ? (int)(20 + 110 * space_ramp(hour, 15, 19) * (1 - space_ramp(hour, 21.5, 24))) : 0;
    cast_shadows(backdrop, place);
    par_for(threads, place->layout.lens.height, 4, light_rows, &w);
}
