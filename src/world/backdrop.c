#include "world/backdrop.h"

#include "base/par.h"
#include "world/area.h"

#include <string.h>

bool backdrop_alloc(struct backdrop *backdrop, const struct place *place, struct arena *arena)
{
    const size_t pixels = (size_t)place->layout.lens.width * place->layout.lens.height;
    backdrop->lit = arena_alloc(arena, pixels * 3, sizeof *backdrop->lit);
    backdrop->shaded = arena_alloc(arena, pixels * 3, sizeof *backdrop->shaded);
    backdrop->shadow = arena_alloc(arena, pixels, 1);
    return backdrop->lit && backdrop->shaded && backdrop->shadow;
}

struct work {
    struct backdrop *backdrop;
    const struct place *place;
    float albedo[256]; /* linear */
    float haze[8192];  /* share of a surface that fog leaves, by nearness / 8 */
    int windows;       /* windows with a glow up to this are lit */
};

static void sky_colour(float out[3], const struct light *light, const struct surface *s)
{
    const double up = s->albedo[0] / 255.0, cloud = s->albedo[1] / 255.0 * (0.25 + 0.75 * light->clouds);
    for (int k = 0; k < 3; k++) {
        const double clear = space_mix(light->horizon[k], light->zenith[k], sqrt(up));
        const double white = 0.75 * light->horizon[k] + 0.25 * light->zenith[k] +
                             0.28 * light->direct[k] * (1 - light->clouds);
        out[k] = (float)(1.35 * space_mix(clear, white, cloud));
    }
}

/* Adds a sample without and with the sun. */
static void add_sample(float shaded[3], float lit[3], const struct work *w, size_t at)
{
    const struct surface *s = &w->place->surfaces[at];
    const struct light *light = &w->backdrop->light;
    float sky[3], sun = 0;
    if (s->kind == SURFACE_SKY) {
        sky_colour(sky, light, s);
        for (int k = 0; k < 3; k++) {
            shaded[k] += sky[k];
            lit[k] += sky[k];
        }
        return;
    }
    const float nx = s->normal[0] / 127.0f, ny = s->normal[1] / 127.0f, nz = s->normal[2] / 127.0f;
    const float dot = nx * (float)light->sun.x + ny * (float)light->sun.y + nz * (float)light->sun.z;
    if (dot > 0 && light->sun.z > 0) sun = dot;
    const float up = 0.5f + 0.5f * nz, lamp = s->lamp * (1 / 128.0f),
                haze = w->haze[w->place->depths[at] >> 3];
    const float wet = s->paved ? (float)light->wet : 0, dark = 1 - 0.45f * wet;
    const bool glowing = s->glow && s->glow <= w->windows;
    for (int k = 0; k < 3; k++) {
        const float a = w->albedo[s->albedo[k]] * dark;
        const float ambient = (float)light->zenith[k] * up + (float)light->bounce[k] * (1 - up);
        float colour = a * (ambient + lamp * (float)light->lamp[k]) + 0.10f * wet * (float)light->horizon[k];
        if (s->kind == SURFACE_BODY && s->glow)
            colour += 0.10f * (float)light->horizon[k]; /* panes mirror the sky */
        if (glowing)
            colour += (float)light->exposure *
                      (k == 0   ? 0.085f
                       : k == 1 ? 0.060f
                                : 0.030f) *
                      (0.4f + s->glow / 128.0f);
        const float fog = (float)light->fog[k];
        shaded[k] += fog + (colour - fog) * haze;
        lit[k] += fog + (colour + a * sun * (float)light->direct[k] - fog) * haze;
    }
}

static uint16_t stored(float v)
{
    const float x = v * BACKDROP_ONE;
    return (uint16_t)(x < 0 ? 0 : x > 65535 ? 65535 : x + 0.5f);
}

static void light_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct work *w = context;
    const int width = w->place->layout.lens.width;
    for (int64_t y = begin; y < end; y++)
        for (int x = 0; x < width; x++) {
            float shaded[3] = {0}, lit[3] = {0};
            for (int k = 0; k < 4; k++)
                add_sample(shaded, lit, w, (size_t)(2 * y + k / 2) * 2 * width + 2 * x + k % 2);
            const size_t pixel = (size_t)y * width + x;
            const float open = w->place->standing[pixel] ? 1 : 1 - w->backdrop->shadow[pixel] * (1 / 255.0f);
            for (int k = 0; k < 3; k++) {
                w->backdrop->shaded[3 * pixel + k] = stored(shaded[k] * 0.25f);
                w->backdrop->lit[3 * pixel + k] = stored((shaded[k] + (lit[k] - shaded[k]) * open) * 0.25f);
            }
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

void backdrop_make(struct backdrop *backdrop, const struct place *place, const struct light *light,
                   double clock, int threads)
{
    struct work w = {.backdrop = backdrop, .place = place};
    const double hour = clock / 3600 - 24 * floor(clock / 86400);
    backdrop->light = *light;
    for (int i = 0; i < 256; i++) w.albedo[i] = (float)(i / 255.0 * (i / 255.0));
    for (int i = 0; i < 8192; i++) {
        const double depth = 65535 * LENS_NEAR / (8 * i + 4.0);
        w.haze[i] = (float)dmath_exp(-light->mist * (depth > 900 ? 900 : depth));
    }
    w.windows =
        light->lamps_on ? (int)(20 + 110 * space_ramp(hour, 15, 19) * (1 - space_ramp(hour, 21.5, 24))) : 0;
    cast_shadows(backdrop, place);
    par_for(threads, place->layout.lens.height, 4, light_rows, &w);
}
