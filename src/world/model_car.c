/* Cars, vans and pick-ups: one loft for the body, lamps, plates, pillars and wheels upon it. */
#include "world/model.h"

#include <assert.h>

struct shape {
    enum kind kind;
    double length, width, height, belt, bonnet; /* metres */
    double boot, rear, front, cowl; /* fractions of the length from the rear: end of the boot, roof from
                                       rear to front, foot of the windscreen */
    bool panels;                    /* no windows behind the driver */
    bool bed;                       /* open behind the cab */
};

static const struct shape shapes[] = {
    {KIND_CAR, 4.65, 1.82, 1.45, 0.93, 0.90, 0.15, 0.31, 0.56, 0.73, false, false}, /* saloon */
    {KIND_CAR, 4.10, 1.76, 1.49, 0.95, 0.92, 0.03, 0.14, 0.58, 0.76, false, false}, /* hatchback */
    {KIND_CAR, 4.55, 1.90, 1.70, 1.06, 1.04, 0.02, 0.10, 0.58, 0.75, false, false}, /* tall */
    {KIND_CAR, 4.75, 1.82, 1.48, 0.94, 0.90, 0.02, 0.09, 0.56, 0.73, false, false}, /* estate */
    {KIND_CAR, 3.60, 1.64, 1.52, 0.96, 0.95, 0.03, 0.12, 0.62, 0.82, false, false}, /* small */
    {KIND_CAR, 4.80, 1.90, 1.62, 1.00, 1.00, 0.02, 0.26, 0.58, 0.75, false, false}, /* sloping back */
    {KIND_CAR, 3.40, 1.48, 1.86, 1.12, 1.00, 0.01, 0.03, 0.74, 0.91, false, false}, /* a small box */
    {KIND_CAR, 4.60, 1.88, 1.28, 0.86, 0.80, 0.10, 0.36, 0.50, 0.68, false, false}, /* low and sleek */
    {KIND_CAR, 4.75, 1.86, 1.76, 1.04, 1.00, 0.01, 0.04, 0.66, 0.83, false, false}, /* minivan */
    {KIND_VAN, 5.30, 2.00, 2.15, 1.18, 1.14, 0.01, 0.03, 0.72, 0.86, true, false},
    {KIND_VAN, 5.00, 1.95, 1.98, 1.10, 1.08, 0.01, 0.04, 0.70, 0.85, false, false}, /* minibus */
    {KIND_VAN, 6.20, 2.05, 2.65, 1.35, 1.25, 0.01, 0.02, 0.76, 0.88, true, false},
    {KIND_VAN, 4.40, 1.84, 1.84, 1.04, 1.04, 0.01, 0.03, 0.62, 0.79, true, false},
    {KIND_LORRY, 5.25, 1.88, 1.74, 1.02, 1.02, 0.42, 0.43, 0.60, 0.74, false, true},
    {KIND_LORRY, 4.90, 1.78, 1.70, 0.98, 0.98, 0.50, 0.51, 0.61, 0.75, false, true},
};

enum { STATIONS = 9 };

/* A quad upright across x = at, facing forward (side 1) or back (side -1); mirrored to both sides of the
 * middle. */
static void lamp(struct mesh_builder *mesh, double at, int side, double inner, double outer, double low,
                 double high, enum material material)
{
    for (int mirror = -1; mirror <= 1; mirror += 2) {
        const double a = mirror * side > 0 ? inner * mirror : outer * mirror;
        const double b = mirror * side > 0 ? outer * mirror : inner * mirror;
        const struct point q[4] = {{at, a, low}, {at, b, low}, {at, b, high}, {at, a, high}};
        mesh_quad(mesh, q, material, true);
    }
}

static void panel(struct mesh_builder *mesh, double at, int side, double half, double low, double high,
                  enum material material)
{
    const struct point q[4] = {
        {at, -side * half, low}, {at, side * half, low}, {at, side * half, high}, {at, -side * half, high}};
    mesh_quad(mesh, q, material, true);
}

/* An upright strip on both sides of the windows at x, from the belt to the edge of the roof. */
static void pillar(struct mesh_builder *mesh, const struct shape *s, double x, double width, double edge)
{
    const double half = s->width / 2, y0 = half * 0.935, y1 = half * 0.735;
    for (int side = -1; side <= 1; side += 2) {
        const double a = side > 0 ? x + width : x, b = side > 0 ? x : x + width;
        const struct point q[4] = {
            {a, side * y0, s->belt}, {b, side * y0, s->belt}, {b, side * y1, edge}, {a, side * y1, edge}};
        mesh_quad(mesh, q, s->panels && x < 0.2 ? MAT_BODY : MAT_TRIM, true);
    }
}

static void add_body(struct mesh_builder *mesh, const struct shape *s)
{
    const double l = s->length, hw = s->width / 2, roof = s->height, belt = s->belt,
                 back = s->boot < 0.1 ? 0.4 : 0;
    const double edge = roof - 0.06, tail = space_mix(belt - 0.12, belt, back > 0);
    const double squared = s->kind == KIND_VAN ? 0.10 : 0;
    const struct station st[STATIONS] = {
        {0.00 * l, 0.34, 0.55, tail - 0.04, tail - 0.02, tail, hw * .86, hw * .90, hw * .86,
         hw * (.74 + squared)},
        {0.02 * l, 0.26, 0.58, tail, tail + 0.02, tail + 0.04, hw * .93, hw * .97, hw * .91,
         hw * (.78 + squared)},
        {(s->boot + .021) * l, 0.20, 0.60, belt, belt + 0.02, belt + .04, hw * .96, hw, hw * .93,
         hw * (.80 + squared)},
        {(s->rear + .022) * l, 0.19, 0.60, belt, edge - .03, roof - .03, hw * .96, hw, hw * .93,
         hw * (.70 + squared)},
        {(s->rear + s->front) / 2 * l, 0.19, 0.60, belt, edge, roof, hw * .96, hw, hw * .93,
         hw * (.74 + squared)},
        {s->front * l, 0.19, 0.60, belt, edge - .04, roof - .03, hw * .96, hw, hw * .93,
         hw * (.70 + squared)},
        {s->cowl * l, 0.19, 0.60, belt - .02, belt, belt + .03, hw * .96, hw, hw * .92, hw * .80},
        {0.955 * l, 0.22, 0.56, s->bonnet - .12, s->bonnet - .09, s->bonnet - .06, hw * .92, hw * .95,
         hw * .88, hw * .7},
        {1.00 * l, 0.32, 0.50, 0.66, 0.70, 0.72, hw * .80, hw * .84, hw * .80, hw * .62},
    };
    const enum material side = s->panels ? MAT_BODY : MAT_GLASS,
                        roof_colour = s->kind == KIND_CAR ? MAT_SECOND : MAT_BODY;
    const enum material m[STATIONS - 1][STRIPS] = {
        {MAT_BODY, MAT_BODY, MAT_BODY, MAT_BODY},  {MAT_BODY, MAT_BODY, MAT_BODY, MAT_BODY},
        {MAT_BODY, MAT_BODY, MAT_BODY, MAT_GLASS}, {MAT_BODY, MAT_BODY, side, roof_colour},
        {MAT_BODY, MAT_BODY, side, roof_colour},   {MAT_BODY, MAT_BODY, MAT_GLASS, MAT_GLASS},
        {MAT_BODY, MAT_BODY, MAT_BODY, MAT_BODY},  {MAT_BODY, MAT_BODY, MAT_BODY, MAT_BODY},
    };
    struct station centred[STATIONS];
    for (int i = 0; i < STATIONS; i++) {
        centred[i] = st[i];
        centred[i].x -= l / 2;
    }
    mesh_loft(mesh, centred, STATIONS, m, MAT_BODY, 0.55);
    pillar(mesh, s, (s->rear + s->front) / 2 * l - l / 2, 0.12, edge);
    if (s->boot < 0.1 && !s->panels) pillar(mesh, s, (s->rear + .14) * l - l / 2, 0.14, edge - .01);
    if (s->panels)
        for (int side_of = -1; side_of <= 1; side_of += 2) { /* the driver's windows */
            const double x0 = (s->front - .14) * l - l / 2, x1 = s->front * l - l / 2, y = side_of * hw;
            const double a = side_of > 0 ? x1 : x0, b = side_of > 0 ? x0 : x1;
            const struct point q[4] = {{a, y * .936, belt + .05},
                                       {b, y * .936, belt + .05},
                                       {b, y * .84, edge - .12},
                                       {a, y * .83, edge - .12}};
            mesh_quad(mesh, q, MAT_GLASS, true);
        }
}

static void add_ends(struct mesh_builder *mesh, const struct shape *s)
{
    const double front = s->length / 2 + 0.012, rear = -s->length / 2 - 0.012, hw = s->width / 2;
    const bool tall = s->kind == KIND_VAN;
    panel(mesh, front, 1, hw * .76, 0.33, 0.42, MAT_TRIM);
    panel(mesh, front, 1, hw * .42, 0.45, 0.64, MAT_TRIM);
    panel(mesh, front + .004, 1, 0.26, 0.37, 0.48, MAT_PLATE);
    lamp(mesh, front, 1, hw * .46, hw * .78, 0.54, 0.68, MAT_HEAD);
    const double low = tall ? 0.75 : s->belt - 0.30, high = tall ? 1.15 : s->belt - 0.13;
    panel(mesh, rear, -1, hw * .86, 0.35, 0.46, MAT_TRIM);
    panel(mesh, rear - .004, -1, 0.26, 0.52, 0.64, MAT_PLATE);
    lamp(mesh, rear, -1, hw * (tall ? .74 : .50), hw * .85, low, high, MAT_TAIL);
    if (!tall) return;
    /* Vans end upright: rear windows and a seam on a wall of their own. */
    const double top = s->height - 0.35;
    const double wall = -s->length / 2 + 0.015;
    mesh_box(mesh, (struct point){wall, -hw * .86, s->belt - .3},
             (struct point){wall + .1, hw * .86, s->height - .08}, .02, MAT_BODY);
    lamp(mesh, wall - .012, -1, hw * .10, hw * .70, s->belt + .1, top, s->panels ? MAT_BODY : MAT_GLASS);
    if (s->panels && s->height < 2.3)
        lamp(mesh, wall - .013, -1, hw * .12, hw * .68, s->belt + .15, top, MAT_GLASS);
    panel(mesh, wall - .014, -1, 0.02, 0.5, s->height - .15, MAT_TRIM);
}

static void add_details(struct mesh_builder *mesh, const struct shape *s)
{
    const double hw = s->width / 2, l = s->length;
    const double mirror = s->cowl * l - l / 2 - 0.25;
    for (int side = -1; side <= 1; side += 2) {
        const double y0 = side * hw * .94, y1 = side * (hw + .14);
        mesh_box(mesh, (struct point){mirror - .08, y0 < y1 ? y0 : y1, s->belt + .0},
                 (struct point){mirror + .08, y0 < y1 ? y1 : y0, s->belt + .16}, 0, MAT_BODY);
        /* Sill and the gaps of the doors. */
        const double y = side * (hw + .006);
        const double seams[3] = {s->front * l - l / 2 + .25, (s->rear + s->front) / 2 * l - l / 2 + .05,
                                 s->rear * l - l / 2 + .30};
        for (int i = 0; i < (s->panels ? 2 : 3); i++) {
            const double a = side > 0 ? seams[i] + .035 : seams[i], b = side > 0 ? seams[i] : seams[i] + .035;
            const struct point q[4] = {
                {a, y, .34}, {b, y, .34}, {b, y * .95, s->belt}, {a, y * .95, s->belt}};
            mesh_quad(mesh, q, MAT_TRIM, true);
        }
        const double a = side > 0 ? l * .3 : -l * .3, b = -a;
        const struct point sill[4] = {
            {a, y * .97, .19}, {b, y * .97, .19}, {b, y * .985, .29}, {a, y * .985, .29}};
        mesh_quad(mesh, sill, MAT_TRIM, true);
    }
    const double radius = s->kind == KIND_VAN ? 0.35 : s->height > 1.6 ? 0.36 : 0.32;
    model_wheels(mesh, 0.19 * l - l / 2, hw, radius, true);
    model_wheels(mesh, 0.815 * l - l / 2, hw, radius, true);
}

/* The floor and tailgate of an open bed, dark between the sides. */
static void add_bed(struct mesh_builder *mesh, const struct shape *s)
{
    const double x0 = -s->length / 2 + .12, x1 = (s->boot - .01) * s->length - s->length / 2,
                 y = s->width / 2 * .70, z = s->belt + .05;
    const struct point q[4] = {{x0, -y, z}, {x1, -y, z}, {x1, y, z}, {x0, y, z}};
    mesh_quad(mesh, q, MAT_TRIM, true);
}

/* Lower bodies keep their height more than roofs do. */
static struct shape stretched(const struct shape *shape, const struct proportions *p)
{
    struct shape s = *shape;
    const double roof = s.bed ? 0 : p->roof * (s.kind == KIND_VAN ? 0.4 : 1), low = 0.5 + 0.5 * p->height;
    s.length *= p->length;
    s.width *= p->width;
    s.height *= p->height;
    s.belt *= low;
    s.bonnet *= low;
    s.front = space_clamp(s.front + roof, s.rear + 0.12, s.cowl - 0.06);
    return s;
}

bool model_road_vehicle(struct model *model, struct mesh_builder *mesh, enum kind kind, int variant,
                        const struct proportions *proportions)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        if (shapes[i].kind != kind || variant--) continue;
        const struct shape shape = stretched(&shapes[i], proportions), *s = &shape;
        add_body(mesh, s);
        add_ends(mesh, s);
        add_details(mesh, s);
        if (s->bed) add_bed(mesh, s);
        *model = (struct model){
            .kind = kind, .length = s->length, .width = s->width, .height = s->height, .lamp_height = 0.62};
        return true;
    }
    return false;
}
