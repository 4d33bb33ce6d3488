/* Surfaces of a place: what every sample of the picture shows, whatever the light. */
#include "world/backdrop.h"

#include "base/par.h"
#include "base/rng.h"

struct bounds {
    int x0, y0, x1, y1;
};

struct work {
    struct place *place;
    struct bounds *bounds; /* of each prop, in samples */
    uint32_t key;
    bool city; /* the skyline is of blocks, not of trees */
};

static uint8_t stored(double albedo) { return (uint8_t)(sqrt(space_clamp(albedo, 0, 1)) * 255 + 0.5); }

static double skyline(const struct work *w, double azimuth)
{
    double height = 0.012 + 0.05 * space_cloud(w->key, azimuth * 5, 1);
    height +=
        0.012 * space_noise(w->key + 5, azimuth * 60, 2) + 0.006 * space_noise(w->key + 6, azimuth * 190, 2);
    if (!w->city) return height;
    const double block = floor(azimuth * 22 + 0.5 * space_noise(w->key + 7, azimuth * 6, 3));
    return height * 0.6 +
           0.11 * space_hash_real(w->key + 8, (int32_t)block, 0, 0) * space_noise(w->key + 9, azimuth * 3, 4);
}

static void sky_sample(struct surface *out, const struct work *w, struct point ray)
{
    const double flat = sqrt(ray.x * ray.x + ray.y * ray.y), up = ray.z / flat,
                 azimuth = ray.x / (ray.y > 0.05 ? ray.y : 0.05);
    *out = (struct surface){.kind = SURFACE_SKY, .normal = {0, 0, 127}};
    if (up > skyline(w, azimuth)) {
        const double high = up > 0.02 ? up : 0.02;
        out->albedo[0] = (uint8_t)(space_clamp(up * 1.6, 0, 1) * 255);
        out->albedo[1] =
            (uint8_t)(255 *
                      space_ramp(space_cloud(w->key + 11, azimuth / high * 0.35, 0.6 / high), 0.45, 0.7));
        return;
    }
    const double tone = 0.6 + 0.8 * space_noise(w->key + 12, azimuth * 150, up * 400);
    out->kind = SURFACE_FAR;
    const double trees[3] = {0.045, 0.06, 0.028}, blocks[3] = {0.17, 0.16, 0.155};
    for (int k = 0; k < 3; k++)
        out->albedo[k] = stored((w->city && up > 0.035 ? blocks[k] : trees[k]) * tone);
    if (w->city && up > 0.035)
        out->glow =
            (uint8_t)(space_hash(w->key + 13, (int32_t)(azimuth * 300), (int32_t)(up * 500), 0) % 5 ? 0 : 60);
}

/* Light of the street lamps at a point, about 1 below one. */
static double lamp_light(const struct scenery *scenery, double x, double y, double z)
{
    double sum = 0;
    for (int i = 0; i < scenery->lamp_count; i++) {
        const struct point l = scenery->lamps[i];
        const double dx = x - l.x, dy = y - l.y, dz = l.z - z;
        const double q = (dx * dx + dy * dy) / 90 + dz * dz / 60;
        if (dz > -1 && q < 40) sum += 1 / ((0.35 + q) * (0.35 + q));
    }
    return sum;
}

static void ground_sample(struct surface *out, const struct work *w, struct point eye, struct point ray,
                          double t)
{
    const struct lens *lens = &w->place->layout.lens;
    const double x = eye.x + ray.x * t, y = eye.y + ray.y * t;
    const double across = t / (lens->focal * BACKDROP_SAMPLES),
                 along = across * sqrt(1 + ray.y * ray.y / (ray.z * ray.z));
    double albedo[3], paved;
    ground_albedo(albedo, &paved, &w->place->ground, x, y, across, along);
    *out = (struct surface){.normal = {0, 0, 127}, .kind = SURFACE_GROUND, .paved = paved > 0 ? 255 : 0};
    for (int k = 0; k < 3; k++) out->albedo[k] = stored(albedo[k]);
    out->lamp = (uint8_t)space_clamp(128 * lamp_light(&w->place->scenery, x, y, 0), 0, 255);
}

static void prop_sample(struct surface *out, const struct work *w, const struct prop *prop,
                        const struct hit *hit, struct point at)
{
    *out = (struct surface){.kind = SURFACE_BODY, .glow = (uint8_t)hit->glow};
    const double n[3] = {hit->normal.x, hit->normal.y, hit->normal.z};
    /* The foot of a wall and the inside of a crown are darker. */
    const double foot = prop->look == LOOK_WALL ? 0.75 + 0.25 * space_ramp(at.z, 0, 1.5)
                        : prop->ball            ? 0.62 + 0.38 * space_ramp(hit->normal.z, -0.9, 0.5)
                                                : 1;
    for (int k = 0; k < 3; k++) {
        out->albedo[k] = stored(hit->albedo[k] * foot);
        out->normal[k] = (int8_t)(n[k] * 127);
    }
    /* No more than that on the lantern's own post. */
    out->lamp = (uint8_t)space_clamp(128 * lamp_light(&w->place->scenery, at.x, at.y, at.z), 0, 110);
}

static struct bounds prop_bounds(const struct lens *lens, const struct prop *p)
{
    const double reach = p->ball ? p->half_x : sqrt(p->half_x * p->half_x + p->half_y * p->half_y);
    const double low = p->ball ? p->centre.z - p->half_z : p->centre.z;
    const double high = p->ball ? p->centre.z + p->half_z : p->centre.z + 2 * p->half_z + p->ridge;
    const int w = lens->width * BACKDROP_SAMPLES, h = lens->height * BACKDROP_SAMPLES;
    struct bounds b = {w, h, 0, 0};
    int front = 0;
    for (int i = 0; i < 8; i++) {
        const struct point corner = {p->centre.x + (i & 1 ? reach : -reach),
                                     p->centre.y + (i & 2 ? reach : -reach), i & 4 ? high : low};
        const struct point camera = lens_turn(lens, corner);
        if (camera.z < LENS_NEAR) continue;
        front++;
        const struct point q = lens_project(lens, camera);
        const int u = (int)space_clamp(q.x * BACKDROP_SAMPLES, -1, w),
                  v = (int)space_clamp(q.y * BACKDROP_SAMPLES, -1, h);
        if (u < b.x0) b.x0 = u;
        if (v < b.y0) b.y0 = v;
        if (u + 1 > b.x1) b.x1 = u + 1;
        if (v + 1 > b.y1) b.y1 = v + 1;
    }
    if (!front) return (struct bounds){0};
    if (front < 8) return (struct bounds){0, 0, w, h};
    if (b.x0 < 0) b.x0 = 0;
    if (b.y0 < 0) b.y0 = 0;
    if (b.x1 > w) b.x1 = w;
    if (b.y1 > h) b.y1 = h;
    return b;
}

static void sample_row(const struct work *w, int j)
{
    struct place *place = w->place;
    const struct lens *lens = &place->layout.lens;
    const int width = lens->width * BACKDROP_SAMPLES;
    const struct point eye = {0, 0, lens->stand};
    struct surface *row = place->surfaces + (size_t)j * width;
    uint16_t *depths = place->depths + (size_t)j * width;
    const double v = (j + 0.5) / BACKDROP_SAMPLES;
    const double end = place->layout.end;
    for (int i = 0; i < width; i++) {
        const struct point ray = lens_ray(lens, (i + 0.5) / BACKDROP_SAMPLES, v);
        const double t = ray.z < 0 ? lens->stand / -ray.z : 1e9;
        if (t < end)
            ground_sample(&row[i], w, eye, ray, t);
        else
            sky_sample(&row[i], w, ray);
        depths[i] = (uint16_t)lens_nearness(t < end ? t : row[i].kind == SURFACE_FAR ? end : 1e6);
    }
    for (int k = 0; k < place->scenery.prop_count; k++) {
        const struct bounds b = w->bounds[k];
        if (j < b.y0 || j >= b.y1) continue;
        for (int i = b.x0; i < b.x1; i++) {
            struct hit hit;
            const struct point ray = lens_ray(lens, (i + 0.5) / BACKDROP_SAMPLES, v);
            const struct prop *prop = &place->scenery.props[k];
            if (!scenery_hit(&hit, prop, eye, ray)) continue;
            const int near = lens_nearness(hit.depth);
            if (near <= depths[i]) continue;
            depths[i] = (uint16_t)near;
            prop_sample(&row[i], w, prop, &hit, point_add(eye, point_scale(ray, hit.depth)));
        }
    }
}

static void sample_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    for (int64_t j = begin; j < end; j++) sample_row(context, (int)j);
}

/* Per pixel: what stands there when at least half of its samples show it, asphalt, and how it is lit. */
static void summarise_pixel(struct place *place, int x, int y)
{
    const int width = place->layout.lens.width;
    const size_t pixel = (size_t)y * width + x;
    int nearest = 0, paved = 0, windows = 0, kinds[SURFACE_BODY + 1] = {0};
    struct plain plain = {{0}, {0}};
    for (int k = 0; k < 4; k++) {
        const size_t at = (size_t)(2 * y + k / 2) * 2 * width + 2 * x + k % 2;
        const struct surface *s = &place->surfaces[at];
        paved += s->paved;
        windows += s->glow > 0;
        kinds[s->kind]++;
        for (int c = 0; c < 3; c++) {
            plain.albedo[c] += surface_albedo(s->albedo[c]);
            plain.normal[c] += (float)s->normal[c] / (4 * 127);
        }
        if (s->kind == SURFACE_BODY && place->depths[at] > nearest) nearest = place->depths[at];
    }
    place->standing[pixel] = (uint16_t)(kinds[SURFACE_BODY] >= 2 ? nearest : 0);
    place->paved[pixel] = (uint8_t)(paved / 4);
    place->plain[pixel] = plain;
    const int kind = place->surfaces[(size_t)2 * y * 2 * width + 2 * x].kind; /* of the first sample */
    place->pixel_kinds[pixel] = kinds[kind] < 4 || windows ? PIXEL_MIXED
                                : kind == SURFACE_SKY      ? PIXEL_SKY
                                                           : PIXEL_PLAIN;
}

static void summarise_rows(void *context, int64_t begin, int64_t end, int worker)
{
    struct place *place = context;
    (void)worker;
    for (int64_t y = begin; y < end; y++)
        for (int x = 0; x < place->layout.lens.width; x++) summarise_pixel(place, x, (int)y);
}

bool place_make(struct place *place, const struct site *site, int width, int height, int threads,
                struct arena *arena)
{
    if (!layout_make(&place->layout, site, width, height, arena)) return false;
    place->ground = ground_make(&place->layout);
    scenery_make(&place->scenery, &place->layout);
    const struct lens *lens = &place->layout.lens;
    const size_t pixels = (size_t)lens->width * lens->height,
                 samples = pixels * BACKDROP_SAMPLES * BACKDROP_SAMPLES;
    place->surfaces = arena_alloc(arena, samples, sizeof *place->surfaces);
    place->depths = arena_alloc(arena, samples, sizeof *place->depths);
    place->standing = arena_alloc(arena, pixels, sizeof *place->standing);
    place->paved = arena_alloc(arena, pixels, 1);
    place->pixel_kinds = arena_alloc(arena, pixels, 1);
    place->plain = arena_alloc(arena, pixels, sizeof *place->plain);
    struct bounds *bounds = arena_alloc(arena, (size_t)place->scenery.prop_count + 1, sizeof *bounds);
    if (!place->surfaces || !place->depths || !place->standing || !place->paved || !place->pixel_kinds ||
        !place->plain || !bounds)
        return false;
    for (int i = 0; i < place->scenery.prop_count; i++)
        bounds[i] = prop_bounds(lens, &place->scenery.props[i]);
    const uint64_t key = rng_key(site->seed, "world.sky");
    struct work work = {place, bounds, (uint32_t)rng_u64(key, 0), rng_real(key, 1) < 0.45};
    par_for(threads, (int64_t)lens->height * BACKDROP_SAMPLES, 2, sample_rows, &work);
    par_for(threads, lens->height, 2, summarise_rows, place);
    return true;
}
