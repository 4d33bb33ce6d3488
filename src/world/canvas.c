#include "world/canvas.h"
#include "world/area.h"

#include <assert.h>
#include <string.h>

static uint16_t limited(double v) { return (uint16_t)(v < 0 ? 0 : v > 65535 ? 65535 : v); }

bool canvas_make(struct canvas *canvas, const struct place *place, struct arena *arena)
{
    const size_t pixels = (size_t)place->layout.lens.width * place->layout.lens.height;
    *canvas = (struct canvas){.place = place};
    canvas->colours = arena_alloc(arena, pixels * 3, sizeof *canvas->colours);
    canvas->nearness = arena_alloc(arena, pixels, sizeof *canvas->nearness);
    canvas->owners = arena_alloc(arena, pixels, sizeof *canvas->owners);
    return canvas->colours && canvas->nearness && canvas->owners;
}

void canvas_begin(struct canvas *canvas, const struct backdrop *backdrop)
{
    const size_t pixels = (size_t)canvas->place->layout.lens.width * canvas->place->layout.lens.height;
    canvas->backdrop = backdrop;
    memcpy(canvas->colours, backdrop->lit, pixels * 3 * sizeof *canvas->colours);
    memcpy(canvas->nearness, canvas->place->standing, pixels * sizeof *canvas->nearness);
    memset(canvas->owners, 0, pixels * sizeof *canvas->owners);
}

struct shine canvas_shine(const struct canvas *canvas, const struct mover *mover)
{
    const struct lens *lens = &canvas->place->layout.lens;
    struct shine shine = {&canvas->backdrop->light, 1, 0.25};
    const struct point camera = lens_turn(lens, (struct point){mover->pose.x, mover->pose.y, 0});
    if (camera.z < LENS_NEAR) return shine;
    const struct point q = lens_project(lens, camera);
    const int x = (int)space_clamp(q.x, 0, lens->width - 1), y = (int)space_clamp(q.y, 0, lens->height - 1);
    const size_t pixel = (size_t)y * lens->width + x;
    if (canvas->place->standing[pixel]) return shine;
    shine.sun = 1 - canvas->backdrop->shadow[pixel] / 255.0;
    shine.lamp = canvas->place->surfaces[(size_t)2 * y * 2 * lens->width + 2 * x].lamp / 128.0;
    return shine;
}

static void ground_point(double out[2], const struct mover *m, double x, double y)
{
    out[0] = m->pose.x + x * m->pose.cosine - y * m->pose.sine;
    out[1] = m->pose.y + x * m->pose.sine + y * m->pose.cosine;
}

/* Ground pixels below the polygon move towards the shaded backdrop (to_shade) or darken by `dark` 256ths. */
static void cover_ground(struct canvas *c, const double (*ground)[2], int n, bool to_shade, int dark)
{
    const struct lens *lens = &c->place->layout.lens;
    double seen[LENS_MAX_CORNERS][2];
    const int m = lens_ground_polygon(lens, ground, n, seen);
    const struct area box = area_bounds((const double(*)[2])seen, m, lens->width, lens->height);
    uint8_t row[AREA_MAX_ROW];
    for (int y = box.y0; y < box.y1 && box.x0 < box.x1; y++) {
        area_row(row, (const double(*)[2])seen, m, y, box.x0, box.x1);
        for (int x = box.x0; x < box.x1; x++) {
            const size_t pixel = (size_t)y * lens->width + x;
            const int cover = row[x - box.x0];
            if (!cover || c->nearness[pixel]) continue;
            uint16_t *out = c->colours + 3 * pixel;
            const uint16_t *shaded = c->backdrop->shaded + 3 * pixel;
            for (int k = 0; k < 3; k++) {
                if (!to_shade)
                    out[k] = (uint16_t)(out[k] - (out[k] * (uint32_t)(cover * dark) >> 16));
                else if (shaded[k] < out[k])
                    out[k] = (uint16_t)(out[k] - ((uint32_t)(out[k] - shaded[k]) * (uint32_t)cover >> 8));
            }
        }
    }
}

/* The shadow of an upright box around the mover's middle, from x0 to x1 along it. */
static void box_shadow(struct canvas *c, const struct mover *m, double x0, double x1, double half, double low,
                       double high)
{
    const struct point sun = c->backdrop->light.sun;
    double outline[16][2];
    int n = 0;
    for (int level = 0; level < 2; level++)
        for (int i = 0; i < 4; i++) {
            const double z = level ? high : low;
            ground_point(outline[n], m, i & 1 ? x1 : x0, i & 2 ? half : -half);
            outline[n][0] -= sun.x / sun.z * z;
            outline[n++][1] -= sun.y / sun.z * z;
        }
    n = scenery_hull(outline, n);
    cover_ground(c, (const double(*)[2])outline, n, true, 0);
}

void canvas_shadow(struct canvas *c, const struct model *model, const struct mover *m)
{
    const struct light *light = &c->backdrop->light;
    if (light->sun.z < 0.04 || light->direct[1] < 0.01) return;
    const double l = model->length * m->scale / 2, w = model->width * m->scale / 2,
                 h = model->height * m->scale;
    switch (m->kind) {
    case KIND_CAR:
        box_shadow(c, m, -l * .97, l * .96, w * .95, 0.15, h * .62);
        box_shadow(c, m, -l * .75, l * .30, w * .78, h * .5, h * .97);
        break;
    case KIND_VAN:
        box_shadow(c, m, -l * .98, l * .96, w * .96, 0.15, h * .52);
        box_shadow(c, m, -l * .97, l * .58, w * .90, h * .4, h);
        break;
    case KIND_PERSON:
        box_shadow(c, m, -.14, .14, .2, 0, h * .85);
        box_shadow(c, m, -.1, .1, .1, h * .8, h);
        break;
    case KIND_RIDER:
        box_shadow(c, m, -.25, .25, .2, .5, 1.6);
        break;
    case KIND_MOTORCYCLE:
        box_shadow(c, m, -l, l * .9, .14, 0, .9);
        break;
    case KIND_BICYCLE:
        box_shadow(c, m, -l * .9, l * .9, .03, 0, .7);
        break;
    default:
        box_shadow(c, m, -l, l, w, 0.2, h * .98);
    }
}

void canvas_contact(struct canvas *c, const struct model *model, const struct mover *m)
{
    if (m->kind == KIND_RIDER) return;
    const bool slim = m->kind == KIND_PERSON || m->kind == KIND_BICYCLE || m->kind == KIND_MOTORCYCLE;
    for (int ring = 0; ring < 3; ring++) {
        const double more = 0.22 - 0.14 * ring;
        const double l = model->length * m->scale / 2 * (slim ? .8 : 1) + more;
        const double w = slim ? 0.12 + more / 2 : model->width * m->scale / 2 + more;
        double corners[8][2];
        for (int i = 0; i < 8; i++) { /* cut corners */
            const double cut = 0.35 * w, sx = i < 2 || i >= 6 ? 1 : -1, sy = i < 4 ? 1 : -1;
            const bool at_end = i == 0 || i == 3 || i == 4 || i == 7;
            ground_point(corners[i], m, sx * (at_end ? l : l - cut), sy * (at_end ? w - cut : w));
        }
        cover_ground(c, (const double(*)[2])corners, 8, false, slim ? 50 : 84);
    }
}

/* Brightness of the beam at (ahead, aside) of the front, at most 1. */
static double beam(double ahead, double aside)
{
    const double width = 1.3 + 0.13 * ahead;
    if (aside >= width || -aside >= width) return 0;
    const double side = aside / width;
    const double across = (1 - side * side) * (1 - side * side);
    const double along = ahead < 3 ? ahead / 3 : 1 / (1 + (ahead - 3) * (ahead - 3) / 70);
    return across * along * space_clamp((32 - ahead) / 8, 0, 1);
}

void canvas_headlights(struct canvas *c, const struct model *model, const struct mover *m)
{
    const struct light *light = &c->backdrop->light;
    if (m->parked || !light->lamps_on || model->lamp_height <= 0 || m->kind == KIND_BICYCLE) return;
    const struct lens *lens = &c->place->layout.lens;
    const double front = model->length * m->scale / 2;
    double corners[4][2], seen[LENS_MAX_CORNERS][2];
    ground_point(corners[0], m, front, -1.4);
    ground_point(corners[1], m, front, 1.4);
    ground_point(corners[2], m, front + 32, 5.6);
    ground_point(corners[3], m, front + 32, -5.6);
    const int n = lens_ground_polygon(lens, (const double(*)[2])corners, 4, seen);
    const struct area box = area_bounds((const double(*)[2])seen, n, lens->width, lens->height);
    /* The shaded backdrop is albedo times sky light; its quotient by the sky gives the beam something to fall
     * on. */
    const double sky = light->zenith[1] + 0.4 * light->lamp[1],
                 power = 0.085 * light->exposure * (1 - 0.5 * light->wet);
    const double gain = space_clamp(power / (sky + 1e-3), 0, 14);
    if (gain < 0.02) return;
    uint8_t row[AREA_MAX_ROW];
    for (int y = box.y0; y < box.y1 && box.x0 < box.x1; y++) {
        area_row(row, (const double(*)[2])seen, n, y, box.x0, box.x1);
        for (int x = box.x0; x < box.x1; x++) {
            const size_t pixel = (size_t)y * lens->width + x;
            if (!row[x - box.x0] || c->nearness[pixel]) continue;
            const struct point ray = lens_ray(lens, x + 0.5, y + 0.5);
            if (ray.z >= 0) continue;
            const double t = lens->stand / -ray.z, dx = ray.x * t - m->pose.x, dy = ray.y * t - m->pose.y;
            const double add = gain * beam(dx * m->pose.cosine + dy * m->pose.sine - front,
                                           dy * m->pose.cosine - dx * m->pose.sine);
            if (add == 0) continue;
            uint16_t *out = c->colours + 3 * pixel;
            const uint16_t *base = c->backdrop->shaded + 3 * pixel;
            const double tone = (base[0] + base[1] + base[2]) / 3.0 * add;
            out[0] = limited(out[0] + tone);
            out[1] = limited(out[1] + tone * 0.95);
            out[2] = limited(out[2] + tone * 0.82);
        }
    }
}

void canvas_put(struct canvas *c, const struct patch *patch, double haze, int owner)
{
    const int width = c->place->layout.lens.width, kept = (int)(haze * 256);
    int fog[3];
    for (int k = 0; k < 3; k++)
        fog[k] = (int)(limited(c->backdrop->light.fog[k] * BACKDROP_ONE) * (1 - haze));
    for (int y = 0; y < patch->height; y++) {
        const size_t row = (size_t)(patch->y0 + y) * width + (size_t)patch->x0;
        for (int x = 0; x < patch->width; x++) {
            const size_t from = (size_t)y * patch->width + x, pixel = row + x;
            const uint16_t *in = patch->pixels[from];
            const uint32_t cover = in[3];
            if (!cover || patch->nearness[from] < c->nearness[pixel]) continue;
            uint16_t *out = c->colours + 3 * pixel;
            for (int k = 0; k < 3; k++) {
                const uint32_t own = (in[k] * (uint32_t)kept >> 8) + (uint32_t)fog[k] * cover / 255;
                const uint32_t sum = own + out[k] * (255 - cover) / 255;
                out[k] = (uint16_t)(sum > 65535 ? 65535 : sum);
            }
            if (cover < 128) continue;
            c->nearness[pixel] = patch->nearness[from];
            c->owners[pixel] = (uint16_t)owner;
        }
    }
}

void canvas_mirror(struct canvas *c, const struct patch *patch, int foot, double strength)
{
    const struct lens *lens = &c->place->layout.lens;
    const uint32_t share = (uint32_t)(strength * 256);
    for (int y = 0; y < patch->height; y++) {
        const int row = 2 * foot - (patch->y0 + y);
        if (row < foot - 4 || row < 0 || row >= lens->height) continue;
        /* Rough water wipes sideways. */
        const int sway = (int)(space_hash(7, row, patch->x0, 0) % 3) - 1;
        for (int x = 0; x < patch->width; x++) {
            const int column = patch->x0 + x + sway;
            if (column < 0 || column >= lens->width) continue;
            const size_t from = (size_t)y * patch->width + x,
                         pixel = (size_t)row * lens->width + (size_t)column;
            const uint16_t *in = patch->pixels[from];
            if (!in[3] || c->nearness[pixel] || !c->place->paved[pixel]) continue;
            const uint32_t cover = in[3] * share >> 8;
            uint16_t *out = c->colours + 3 * pixel;
            for (int k = 0; k < 3; k++)
                out[k] = (uint16_t)((in[k] * share >> 8) + out[k] * (255 - cover) / 255);
        }
    }
}

void canvas_glow(struct canvas *c, struct point at, const double colour[3], double radius)
{
    const struct lens *lens = &c->place->layout.lens;
    const int x0 = (int)floor(space_clamp(at.x - radius, 0, lens->width)),
              x1 = (int)ceil(space_clamp(at.x + radius, 0, lens->width));
    const int y0 = (int)floor(space_clamp(at.y - radius, 0, lens->height)),
              y1 = (int)ceil(space_clamp(at.y + radius, 0, lens->height));
    if (at.x < 0 || at.y < 0 || at.x >= lens->width || at.y >= lens->height) return;
    const size_t centre = (size_t)(int)at.y * lens->width + (size_t)(int)at.x;
    if (c->nearness[centre] > lens_nearness(at.z) * 1.03) return;
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++) {
            const double dx = (x + 0.5 - at.x) / radius, dy = (y + 0.5 - at.y) / radius,
                         q = 1 - (dx * dx + dy * dy);
            if (q <= 0) continue;
            const double k2 = q * q, light = (0.16 * k2 + 0.84 * k2 * k2 * k2 * k2) * BACKDROP_ONE;
            uint16_t *out = c->colours + 3 * ((size_t)y * lens->width + x);
            for (int k = 0; k < 3; k++) out[k] = limited(out[k] + colour[k] * light);
        }
}

void canvas_streak(struct canvas *c, double u, double v, const double colour[3], double width, double height)
{
    const struct lens *lens = &c->place->layout.lens;
    const int x0 = (int)floor(space_clamp(u - width, 0, lens->width)),
              x1 = (int)ceil(space_clamp(u + width, 0, lens->width));
    const int y0 = (int)floor(space_clamp(v - height, 0, lens->height)),
              y1 = (int)ceil(space_clamp(v + height, 0, lens->height));
    for (int y = y0; y < y1; y++) {
        const double dy = (y + 0.5 - v) / height, along = 1 - dy * dy;
        if (along <= 0) continue;
        const double ripple = 0.6 + 0.8 * space_hash_real(11, y / 2, (int32_t)u, 0);
        for (int x = x0; x < x1; x++) {
            const size_t pixel = (size_t)y * lens->width + x;
            const double dx = (x + 0.5 - u) / width, across = 1 - dx * dx;
            if (across <= 0 || c->nearness[pixel] || !c->place->paved[pixel]) continue;
            uint16_t *out = c->colours + 3 * pixel;
            for (int k = 0; k < 3; k++)
                out[k] = limited(out[k] + colour[k] * across * across * along * ripple * BACKDROP_ONE);
        }
    }
}
