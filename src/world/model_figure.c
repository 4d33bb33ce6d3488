/* People, cycles and who rides them. */
#include "world/model.h"

/* A limb from a to b, square in section, `thick` wide. */
static void limb(struct mesh_builder *mesh, struct point a, struct point b, double thick,
                 enum material material)
{
    const struct point way = point_unit(point_sub(b, a));
    const struct point side = point_scale((struct point){0, 1, 0}, thick / 2);
    const struct point out = point_scale(point_unit(point_cross(way, (struct point){0, 1, 0})), thick / 2);
    struct point ends[2][4];
    const struct point at[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        ends[i][0] = point_add(at[i], point_add(side, out));
        ends[i][1] = point_add(at[i], point_sub(side, out));
        ends[i][2] = point_sub(at[i], point_add(side, out));
        ends[i][3] = point_sub(at[i], point_sub(side, out));
    }
    for (int k = 0; k < 4; k++) {
        const int j = (k + 1) % 4;
        const struct point q[4] = {ends[0][k], ends[1][k], ends[1][j], ends[0][j]};
        mesh_quad(mesh, q, material, false);
    }
    const struct point last[4] = {ends[1][3], ends[1][2], ends[1][1], ends[1][0]};
    mesh_quad(mesh, ends[0], material, false);
    mesh_quad(mesh, last, material, false);
}

/* Shoulders wider than the hips; leaning forward by lean at the shoulders. */
static void torso(struct mesh_builder *mesh, double x, double low, double high, double lean,
                  enum material material)
{
    const struct station st[2] = {
        {x - .11, low, (low + high) / 2, high - .12, high - .02, high, .15, .17, .21, .09},
        {x + .11, low, (low + high) / 2, high - .12, high - .02, high, .15, .17, .21, .09},
    };
    const int first = mesh->point_count;
    const enum material m[1][STRIPS] = {{material, material, material, material}};
    mesh_loft(mesh, st, 2, m, material, 0.4);
    for (int i = first; i < mesh->point_count; i++)
        mesh->points[i].x += (mesh->points[i].z - low) * lean / (high - low);
}

static void person(struct mesh_builder *mesh, int variant)
{
    const double swing = 0.30 * (variant % MODEL_STEPS == 0 ? 1 : variant % MODEL_STEPS == 2 ? -1 : 0);
    const bool skirt = variant >= MODEL_STEPS;
    for (int side = -1; side <= 1; side += 2) {
        const double reach = swing * side;
        const struct point hip = {0, side * .09, .86}, knee = {reach * .6 + .05, side * .09, .47};
        limb(mesh, hip, knee, .15, MAT_SECOND);
        limb(mesh, knee, (struct point){reach, side * .09, .06}, .12, skirt ? MAT_SKIN : MAT_SECOND);
        mesh_box(mesh, (struct point){reach - .08, side * .09 - .05, 0},
                 (struct point){reach + .18, side * .09 + .05, .09}, 0, MAT_TRIM);
        const struct point shoulder = {0, side * .24, 1.38}, hand = {-reach * .8, side * .27, .84};
        limb(mesh, shoulder, hand, .095, MAT_BODY);
        mesh_ball(mesh, hand, .05, MAT_SKIN);
    }
    if (skirt) mesh_box(mesh, (struct point){-.17, -.19, .55}, (struct point){.17, .19, .95}, 0, MAT_BODY);
    torso(mesh, 0, .82, 1.46, 0, MAT_BODY);
    mesh_ball(mesh, (struct point){.02, 0, 1.60}, .125, MAT_SKIN);
    mesh_ball(mesh, (struct point){-.02, 0, 1.64}, .125, MAT_THIRD);
}

/* seat: height of the hips; bars: where the hands are. */
static void rider(struct mesh_builder *mesh, double seat, struct point bars, bool helmet, int step)
{
    for (int side = -1; side <= 1; side += 2) {
        const double up = step < 0 ? 0 : (step % 2 ? 1 : -1) * side * .12;
        const struct point knee = {.28, side * .17, seat - .22 + up},
                           foot = {.08, side * .17, seat - .62 + up};
        limb(mesh, (struct point){-.12, side * .11, seat}, knee, .16, MAT_SECOND);
        limb(mesh, knee, foot, .12, MAT_SECOND);
        limb(mesh, (struct point){.14, side * .23, seat + .50}, (struct point){bars.x, side * bars.y, bars.z},
             .10, MAT_BODY);
    }
    torso(mesh, -.12, seat - .06, seat + .58, .28, MAT_BODY);
    mesh_ball(mesh, (struct point){.22, 0, seat + .74}, helmet ? .155 : .125, helmet ? MAT_THIRD : MAT_SKIN);
}

static void motorcycle(struct mesh_builder *mesh, bool scooter)
{
    for (int i = 0; i < 2; i++) {
        const double x = i ? .66 : -.62, r = scooter ? .24 : .31;
        for (int side = -1; side <= 1; side += 2) {
            mesh_disc(mesh, (struct point){x, side * .07, r}, r, side, MAT_TYRE, false);
            mesh_disc(mesh, (struct point){x, side * .075, r}, r * .6, side, MAT_RIM, true);
        }
        mesh_box(mesh, (struct point){x - r * .9, -.065, .1}, (struct point){x + r * .9, .065, r * 1.7}, 0,
                 MAT_TYRE);
    }
    if (scooter) {
        mesh_box(mesh, (struct point){-.75, -.19, .38}, (struct point){-.05, .19, .80}, .04, MAT_BODY);
        mesh_box(mesh, (struct point){-.1, -.17, .22}, (struct point){.5, .17, .32}, 0, MAT_BODY);
        mesh_box(mesh, (struct point){.44, -.22, .30}, (struct point){.56, .22, 1.0}, -.16, MAT_BODY);
        mesh_box(mesh, (struct point){-.95, -.20, .82}, (struct point){-.55, .20, 1.20}, 0, MAT_TRIM);
    } else {
        mesh_box(mesh, (struct point){-.30, -.16, .30}, (struct point){.36, .16, .66}, 0, MAT_METAL);
        mesh_box(mesh, (struct point){-.10, -.17, .64}, (struct point){.42, .17, .94}, .05, MAT_BODY);
        mesh_box(mesh, (struct point){-.85, -.15, .66}, (struct point){-.05, .15, .82}, -.05, MAT_TRIM);
        mesh_box(mesh, (struct point){.40, -.18, .62}, (struct point){.62, .18, 1.04}, .05, MAT_BODY);
    }
    limb(mesh, (struct point){.68, .08, .3}, (struct point){.45, .08, 1.0}, .07, MAT_METAL);
    mesh_box(mesh, (struct point){.40, -.36, 1.0}, (struct point){.47, .36, 1.06}, 0, MAT_TRIM);
    const struct point head[4] = {{.70, -.11, .78}, {.70, .11, .78}, {.70, .11, .98}, {.70, -.11, .98}};
    mesh_quad(mesh, head, MAT_HEAD, true);
    const struct point tail[4] = {{-.96, .10, .62}, {-.96, -.10, .62}, {-.96, -.10, .76}, {-.96, .10, .76}};
    mesh_quad(mesh, tail, MAT_TAIL, true);
}

static void bicycle(struct mesh_builder *mesh)
{
    const struct point crank = {-.05, 0, .30}, saddle = {-.22, 0, .92}, head = {.40, 0, .88};
    mesh_ring(mesh, (struct point){-.52, 0, .34}, .34, .055, MAT_TYRE);
    mesh_ring(mesh, (struct point){.54, 0, .34}, .34, .055, MAT_TYRE);
    limb(mesh, (struct point){-.52, 0, .34}, crank, .045, MAT_BODY);
    limb(mesh, crank, saddle, .05, MAT_BODY);
    limb(mesh, crank, head, .06, MAT_BODY);
    limb(mesh, (struct point){-.2, 0, .80}, head, .05, MAT_BODY);
    limb(mesh, (struct point){-.52, 0, .34}, (struct point){-.2, 0, .80}, .045, MAT_BODY);
    limb(mesh, (struct point){.54, 0, .34}, (struct point){.38, 0, 1.0}, .05, MAT_BODY);
    mesh_box(mesh, (struct point){-.34, -.08, .92}, (struct point){-.10, .08, .98}, 0, MAT_TRIM);
    mesh_box(mesh, (struct point){.36, -.28, 1.0}, (struct point){.41, .28, 1.04}, 0, MAT_TRIM);
    const struct point tail[4] = {{-.36, .04, .84}, {-.36, -.04, .84}, {-.36, -.04, .90}, {-.36, .04, .90}};
    mesh_quad(mesh, tail, MAT_TAIL, true);
}

/* Riders: 0 on a motorcycle, 1 on a scooter, 2 and 3 pedalling. */
bool model_figure(struct model *model, struct mesh_builder *mesh, enum kind kind, int variant)
{
    static const int variants[KIND_COUNT] = {
        [KIND_MOTORCYCLE] = 2, [KIND_BICYCLE] = 1, [KIND_PERSON] = 2 * MODEL_STEPS, [KIND_RIDER] = 4};
    if (variant >= variants[kind]) return false;
    *model = (struct model){.kind = kind, .length = 1.9, .width = .75, .height = 1.1, .lamp_height = .85};
    if (kind == KIND_PERSON) {
        person(mesh, variant);
        *model = (struct model){.kind = kind, .length = .6, .width = .55, .height = 1.76};
    } else if (kind == KIND_MOTORCYCLE) {
        motorcycle(mesh, variant == 1);
    } else if (kind == KIND_BICYCLE) {
        bicycle(mesh);
    } else if (variant < 2) {
        rider(mesh, .84, (struct point){.42, .32, 1.04}, true, -1);
        *model = (struct model){.kind = kind, .length = .9, .width = .7, .height = 1.75};
    } else {
        rider(mesh, .96, (struct point){.36, .26, 1.04}, variant == 2, variant);
        *model = (struct model){.kind = kind, .length = .9, .width = .7, .height = 1.85};
    }
    return true;
}
