/* Buses and lorries: lofts and boxes on axles. */
#include "world/model.h"

static void panel(struct mesh_builder *mesh, double x, int side, double y0, double y1, double low,
                  double high, enum material material)
{
    const double a = side > 0 ? y0 : y1, b = side > 0 ? y1 : y0;
    const struct point q[4] = {{x, a, low}, {x, b, low}, {x, b, high}, {x, a, high}};
    mesh_quad(mesh, q, material, true);
}

/* On both flanks, from x0 to x1. */
static void flank(struct mesh_builder *mesh, double half, double x0, double x1, double low, double high,
                  enum material material)
{
    for (int side = -1; side <= 1; side += 2) {
        const double y = side * half, a = side > 0 ? x1 : x0, b = side > 0 ? x0 : x1;
        const struct point q[4] = {{a, y, low}, {b, y, low}, {b, y, high}, {a, y, high}};
        mesh_quad(mesh, q, material, true);
    }
}

static void lamps(struct mesh_builder *mesh, double front, double rear, double half, double height)
{
    for (int side = -1; side <= 1; side += 2) {
        const double inner = side * half * .62, outer = side * half * .90;
        const double y0 = inner < outer ? inner : outer, y1 = inner < outer ? outer : inner;
        panel(mesh, front, 1, y0, y1, height, height + .20, MAT_HEAD);
        panel(mesh, rear, -1, y0, y1, height + .1, height + .34, MAT_TAIL);
    }
    panel(mesh, front, 1, -.26, .26, height - .12, height, MAT_PLATE);
    panel(mesh, rear, -1, -.26, .26, height - .10, height + .02, MAT_PLATE);
}

/* A loft of two cross sections with a rounded front and back. */
static void shell(struct mesh_builder *mesh, double x0, double x1, double half, double low, double belt,
                  double top, enum material body, enum material lower)
{
    const double x[4] = {x0, x0 + .12, x1 - .22, x1};
    struct station st[4];
    for (int i = 0; i < 4; i++) {
        const double in = i == 0 || i == 3 ? 0.94 : 1, cut = i == 0 || i == 3 ? 0.12 : 0;
        st[i] = (struct station){x[i],      low,       low + .3,  belt,      top - .16 - cut,
                                 top - cut, half * in, half * in, half * in, half * in * .95};
    }
    enum material m[3][STRIPS];
    for (int i = 0; i < 3; i++) {
        m[i][0] = lower;
        m[i][1] = m[i][2] = m[i][3] = body;
    }
    mesh_loft(mesh, st, 4, m, body, 0.3);
}

static void bus(struct model *model, struct mesh_builder *mesh, double length, double height, bool coach)
{
    const double half = 1.25, a = -length / 2, b = length / 2, belt = coach ? 1.55 : 1.15, top = height;
    shell(mesh, a, b, half, .30, belt, top, MAT_BODY, MAT_SECOND);
    flank(mesh, half + .012, a + .25, b - .30, belt, top - .62, MAT_GLASS);
    for (double x = a + 1.5; x < b - 1; x += 1.45)
        flank(mesh, half + .02, x, x + .09, belt, top - .62, MAT_TRIM);
    flank(mesh, half + .016, a + .1, b - .3, belt - .22, belt - .10, MAT_SECOND);
    for (int i = 0; i < 2; i++) /* doors */
        flank(mesh, half + .025, b - 1.75 - i * 4.6, b - .65 - i * 4.6, .38, top - .64, MAT_GLASS);
    panel(mesh, b + .012, 1, -half * .88, half * .88, belt - .05, top - .62, MAT_GLASS);
    panel(mesh, b + .014, 1, -half * .70, half * .70, top - .56, top - .30, MAT_SIGN);
    panel(mesh, b + .012, 1, -half * .84, half * .84, .36, .58, MAT_TRIM);
    panel(mesh, a - .012, -1, -half * .80, half * .80, belt + .25, top - .5, MAT_GLASS);
    panel(mesh, a - .012, -1, -half * .7, half * .7, .5, .95, MAT_TRIM);
    lamps(mesh, b + .02, a - .02, half, .68);
    model_wheels(mesh, a + length * .25, half, .48, true);
    model_wheels(mesh, b - length * .23, half, .48, true);
    mesh_box(mesh, (struct point){-length * .2, -.7, top - .08}, (struct point){length * .05, .7, top + .16},
             0, MAT_BODY);
    *model = (struct model){
        .kind = KIND_BUS, .length = length, .width = 2 * half, .height = height, .lamp_height = .78};
}

/* The cab in front of x = back. */
static void cab(struct mesh_builder *mesh, double back, double length, double half, double height)
{
    const double b = back + length, belt = height * .56;
    shell(mesh, back, b, half, .45, belt, height, MAT_BODY, MAT_BODY);
    panel(mesh, b + .012, 1, -half * .90, half * .90, belt - .02, height - .42, MAT_GLASS);
    panel(mesh, b + .012, 1, -half * .62, half * .62, .85, belt - .18, MAT_TRIM);
    panel(mesh, b + .012, 1, -half * .92, half * .92, .42, .62, MAT_TRIM);
    flank(mesh, half + .012, b - length * .62, b - .28, belt, height - .45, MAT_GLASS);
    for (int side = -1; side <= 1; side += 2) {
        const double y0 = side > 0 ? half : -half - .22, y1 = y0 + .22;
        mesh_box(mesh, (struct point){b - .22, y0, belt + .05}, (struct point){b - .10, y1, belt + .65}, 0,
                 MAT_TRIM);
    }
}

static void chassis(struct mesh_builder *mesh, double a, double b, double half)
{
    mesh_box(mesh, (struct point){a, -half * .8, .45}, (struct point){b, half * .8, .95}, 0, MAT_TRIM);
    flank(mesh, half * .96, space_mix(a, b, .34), space_mix(a, b, .66), .45, .85, MAT_METAL);
}

/* An open body: floor, walls and a heap inside. */
static void tipper(struct mesh_builder *mesh, double a, double b, double half, double top)
{
    mesh_box(mesh, (struct point){a, -half, .95}, (struct point){b, half, top - .25}, 0, MAT_SECOND);
    mesh_box(mesh, (struct point){a, -half, top - .25}, (struct point){b, -half + .1, top}, 0, MAT_SECOND);
    mesh_box(mesh, (struct point){a, half - .1, top - .25}, (struct point){b, half, top}, 0, MAT_SECOND);
    mesh_box(mesh, (struct point){b - .1, -half, top - .3}, (struct point){b, half, top + .2}, 0, MAT_SECOND);
    for (double x = a + .6; x < b - .3; x += 1.1) flank(mesh, half + .01, x, x + .12, 1.0, top, MAT_TRIM);
    mesh_ball(mesh, (struct point){(a + b) / 2, 0, top - .7}, half * .85, MAT_THIRD);
}

static void tank(struct mesh_builder *mesh, double a, double b, double half)
{
    struct station st[4];
    const double x[4] = {a, a + .2, b - .2, b};
    for (int i = 0; i < 4; i++) {
        const double k = i == 0 || i == 3 ? .8 : 1, r = half * k, mid = 2.1;
        st[i] = (struct station){x[i],   mid - r, mid - r * .35, mid + r * .35, mid + r * .86, mid + r,
                                 r * .5, r,       r * .94,       r * .5};
    }
    enum material m[3][STRIPS];
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < STRIPS; k++) m[i][k] = MAT_SECOND;
    mesh_loft(mesh, st, 4, m, MAT_SECOND, 0.9);
    mesh_box(mesh, (struct point){a, -half * .7, .9}, (struct point){b, half * .7, 1.4}, 0, MAT_TRIM);
}

static void box_body(struct mesh_builder *mesh, double a, double b, double half, double low, double top)
{
    mesh_box(mesh, (struct point){a, -half, low}, (struct point){b, half, top}, 0, MAT_SECOND);
    flank(mesh, half + .01, space_mix(a, b, .22), space_mix(a, b, .78), space_mix(low, top, .42),
          space_mix(low, top, .66), MAT_THIRD);
    flank(mesh, half + .012, a, b, low, low + .10, MAT_METAL);
    panel(mesh, a - .012, -1, -.02, .02, low + .1, top - .08, MAT_TRIM);
    panel(mesh, a - .012, -1, -half, half, low, low + .10, MAT_METAL);
    panel(mesh, a - .012, -1, -half, half, top - .10, top, MAT_METAL);
}

static bool add_bus(struct model *model, struct mesh_builder *mesh, int variant, const struct proportions *p)
{
    static const struct {
        double length, height;
        bool coach;
    } buses[] = {{11.5, 3.05, false}, {12.0, 3.55, true}, {8.8, 2.95, false}, {10.6, 4.30, false}};
    if (variant > 3) return false;
    const double length = buses[variant].length * p->length,
                 height = buses[variant].height * (0.6 + 0.4 * p->height),
                 rise = height - buses[variant].height;
    bus(model, mesh, length, height, buses[variant].coach);
    if (variant < 3) return true;
    /* The second row of windows. */
    flank(mesh, 1.262, .3 - length / 2, length / 2 - .3, 1.75, 2.25 + rise, MAT_BODY);
    panel(mesh, length / 2 + .03, 1, -1.2, 1.2, 2.0, 2.5 + rise, MAT_BODY);
    return true;
}

static bool add_lorry(struct model *model, struct mesh_builder *mesh, int variant,
                      const struct proportions *p)
{
    static const struct {
        double length, half, cab_length, cab_height, top;
        int axles; /* behind */
    } lorries[MODEL_HEAVY_LORRIES] = {
        {6.4, 1.05, 1.65, 2.25, 2.85, 1},  /* light box */
        {8.6, 1.22, 1.95, 2.85, 3.60, 2},  /* box */
        {15.0, 1.26, 2.15, 3.30, 3.95, 4}, /* trailer */
        {7.8, 1.22, 1.95, 2.75, 2.55, 2},  /* tipper */
        {9.6, 1.22, 2.00, 2.90, 3.20, 2},  /* tank */
        {6.6, 1.10, 1.70, 2.25, 1.30, 1},  /* flat bed */
    };
    if (variant >= MODEL_HEAVY_LORRIES) return false;
    const double length = lorries[variant].length * p->length, tall = variant < 3 ? p->height : 1;
    const double a = -length / 2, b = -a, half = lorries[variant].half * (0.7 + 0.3 * p->width);
    const double cab_length = lorries[variant].cab_length * (1 + 2 * p->roof),
                 cab_height = lorries[variant].cab_height * (0.5 + 0.5 * p->height);
    const double back = b - cab_length, top = lorries[variant].top * tall, load = back - .25;
    cab(mesh, back, cab_length, half, cab_height);
    chassis(mesh, a + .1, back + .3, half);
    if (variant == 3)
        tipper(mesh, a, load, half, top);
    else if (variant == 4)
        tank(mesh, a, load, half);
    else if (variant == 5) {
        mesh_box(mesh, (struct point){a, -half, .85}, (struct point){load, half, 1.0}, 0, MAT_METAL);
        mesh_box(mesh, (struct point){load - .08, -half, 1.0}, (struct point){load, half, 1.7}, 0, MAT_METAL);
        mesh_box(mesh, (struct point){a + .6, -half * .8, 1.0}, (struct point){a + 2.6, half * .8, 1.75}, 0,
                 MAT_THIRD);
    } else
        box_body(mesh, a, load, half, variant == 2 ? 1.15 : .95, top);
    lamps(mesh, b + .02, a - .02, half, .66);
    model_wheels(mesh, b - cab_length * .55, half, .48, false);
    for (int i = 0; i < lorries[variant].axles; i++)
        model_wheels(mesh, i < 3 ? a + 1.4 + i * 1.2 : back - .6, half, .48, false);
    *model = (struct model){.kind = KIND_LORRY,
                            .length = length,
                            .width = 2 * half,
                            .height = top > cab_height ? top : cab_height,
                            .lamp_height = .74};
    return true;
}

bool model_heavy_vehicle(struct model *model, struct mesh_builder *mesh, enum kind kind, int variant,
                         const struct proportions *proportions)
{
    return (kind == KIND_BUS ? add_bus : add_lorry)(model, mesh, variant, proportions);
}
