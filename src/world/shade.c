#include "world/shade.h"

static double linear(uint8_t v) { return v / 255.0 * (v / 255.0); }

static void plain(struct finish *f, double r, double g, double b, double mirror, double glint)
{
    *f = (struct finish){.albedo = {r, g, b}, .mirror = mirror, .glint = glint};
}

static void coloured(struct finish *f, const uint8_t rgb[3], double mirror, double glint)
{
    plain(f, linear(rgb[0]), linear(rgb[1]), linear(rgb[2]), mirror, glint);
}

static void glowing(struct finish *f, double r, double g, double b)
{
    f->glow[0] = r;
    f->glow[1] = g;
    f->glow[2] = b;
}

void shade_finishes(struct finish f[MAT_COUNT], const struct mover *mover, const struct light *light)
{
    const bool soft = mover->kind == KIND_PERSON || mover->kind == KIND_RIDER,
               lorry = mover->kind == KIND_LORRY;
    coloured(&f[MAT_BODY], mover->colours[0], soft ? 0 : 0.045, soft ? 0 : 0.9);
    coloured(&f[MAT_SECOND], mover->colours[1], soft || lorry ? 0 : 0.03, soft || lorry ? 0 : 0.5);
    coloured(&f[MAT_THIRD], mover->colours[2], 0.01, soft ? 0.1 : 0);
    coloured(&f[MAT_SKIN], mover->skin, 0, 0);
    plain(&f[MAT_GLASS], .012, .015, .017, 0.10, 0.7);
    plain(&f[MAT_TYRE], .013, .013, .014, 0, 0);
    plain(&f[MAT_RIM], .24, .245, .25, 0.08, 0.6);
    plain(&f[MAT_TRIM], .014, .014, .015, 0.01, 0.1);
    plain(&f[MAT_METAL], .22, .22, .225, 0.08, 0.5);
    plain(&f[MAT_PLATE], .62, .60, .50, 0, 0);
    plain(&f[MAT_HEAD], .62, .64, .66, 0.15, 1.5);
    plain(&f[MAT_TAIL], .30, .012, .010, 0.06, 0.5);
    plain(&f[MAT_TURN], .50, .20, .02, 0.05, 0.3);
    plain(&f[MAT_SIGN], .02, .02, .02, 0.05, 0);
    if (mover->kind == KIND_BUS) glowing(&f[MAT_SIGN], .30, .17, .04);
    if (mover->parked) return;
    const double power = light->exposure;
    if (light->lamps_on) {
        glowing(&f[MAT_HEAD], 0.9 * power, 0.87 * power, 0.78 * power);
        glowing(&f[MAT_TAIL], 0.16 * power, 0.008 * power, 0.006 * power);
        if (mover->kind == KIND_BUS && light->night > 0.3)
            glowing(&f[MAT_GLASS], 0.040 * power, 0.038 * power, 0.030 * power);
    }
    if (mover->braking) glowing(&f[MAT_TAIL], 0.5 * power, 0.03 * power, 0.02 * power);
}

/* What a mirror shows in this direction. */
static double around(const struct light *light, double up, int k)
{
    if (up < 0) return space_mix(0.55 * light->horizon[k], light->bounce[k], space_clamp(-3 * up, 0, 1));
    return space_mix(light->horizon[k], 1.1 * light->zenith[k], sqrt(up));
}

void shade_corner(double colour[3], const struct finish *finish, struct point normal, struct point view,
                  const struct shine *shine)
{
    const struct light *light = shine->light;
    const double facing = space_clamp(point_dot(normal, view), 0, 1), away = 1 - facing;
    const struct point mirror = point_sub(point_scale(normal, 2 * point_dot(normal, view)), view);
    double sun = light->sun.z > 0 ? point_dot(normal, light->sun) : 0;
    sun = sun > 0 ? sun * shine->sun : 0;
    double spot = light->sun.z > 0 ? point_dot(mirror, light->sun) : 0;
    spot = spot > 0 ? spot : 0;
    for (int i = 0; i < 5; i++) spot *= spot; /* to the 32nd */
    spot *= finish->glint * shine->sun;
    const double fresnel =
        finish->mirror > 0 ? finish->mirror + (1 - finish->mirror) * 0.7 * away * away * away * away * away
                           : 0;
    const double up = 0.5 + 0.5 * normal.z, lamp = shine->lamp * (0.35 + 0.65 * up);
    for (int k = 0; k < 3; k++) {
        const double falls = light->zenith[k] * up + light->bounce[k] * (1 - up) + light->lamp[k] * lamp +
                             light->direct[k] * sun;
        colour[k] = finish->albedo[k] * (1 - fresnel) * falls +
                    fresnel * (around(light, mirror.z, k) + 0.25 * lamp * light->lamp[k]) +
                    spot * light->direct[k] + finish->glow[k];
    }
}
