#include "world/frame.h"

#include <string.h>

_Static_assert((int)WORLD_MAX_OBJECTS >= (int)TRAFFIC_MAX_MOVERS, "every mover may be an object");

struct item {
    int mover;
    double depth;
};

struct extent {
    int box[4], pixels;
};

/* By the pixels [from, to) of row y. */
static void extend(struct extent *e, int from, int to, int y)
{
    if (!e->pixels) *e = (struct extent){{from, y, to, y + 1}, 0};
    e->pixels += to - from;
    if (from < e->box[0]) e->box[0] = from;
    if (to > e->box[2]) e->box[2] = to;
    if (y < e->box[1]) e->box[1] = y;
    if (y >= e->box[3]) e->box[3] = y + 1;
}

/* Far ones first; equal depths by number. */
static int collect(struct item *items, const struct frame_work *w)
{
    int count = 0;
    for (int i = 0; i < w->movers.count; i++) {
        const struct mover *m = &w->movers.movers[i];
        const struct lens *lens = &w->place->layout.lens;
        const struct point c = lens_turn(lens, (struct point){m->pose.x, m->pose.y, 0.8});
        const double reach = w->models->models[m->model].length;
        if (c.z < LENS_NEAR + 0.5 || c.z > w->place->layout.sight ||
            fabs(c.x) - reach > c.z * lens->width / lens->focal)
            continue;
        /* A rider is in front of what is ridden. */
        const struct item item = {i, c.z - (m->kind == KIND_RIDER ? 0.05 : 0)};
        int at = count++;
        for (; at > 0 && items[at - 1].depth < item.depth; at--) items[at] = items[at - 1];
        items[at] = item;
    }
    return count;
}

static void light_ground(struct frame_work *w, const struct item *items, int count)
{
    for (int pass = 0; pass < 3; pass++)
        for (int i = 0; i < count; i++) {
            const struct mover *m = &w->movers.movers[items[i].mover];
            const struct model *model = &w->models->models[m->model];
            if (pass == 0) canvas_shadow(&w->canvas, model, m);
            if (pass == 1 && items[i].depth < 120) canvas_contact(&w->canvas, model, m);
            if (pass == 2) canvas_headlights(&w->canvas, model, m);
        }
}

/* Where the shutter's time moves the mover in the picture. */
static void smear_of(double way[2], const struct frame_work *w, const struct mover *m)
{
    const double open = space_mix(0.002, 0.026, w->canvas.backdrop->light.night) * m->speed;
    const struct lens *lens = &w->place->layout.lens;
    const struct point a = {m->pose.x, m->pose.y, 0.7};
    const struct point b = {a.x + m->pose.cosine * open, a.y + m->pose.sine * open, 0.7};
    const struct point ca = lens_turn(lens, a), cb = lens_turn(lens, b);
    way[0] = way[1] = 0;
    if (m->parked || ca.z < LENS_NEAR || cb.z < LENS_NEAR) return;
    const struct point pa = lens_project(lens, ca), pb = lens_project(lens, cb);
    way[0] = space_clamp(pb.x - pa.x, -40, 40);
    way[1] = space_clamp(pb.y - pa.y, -40, 40);
}

static void measure(struct extent *whole, const struct frame_work *w, const struct patch *patch,
                    const struct jolt *jolt)
{
    const int left = w->place->layout.lens.margin + jolt->x, top = w->place->layout.lens.margin + jolt->y;
    *whole = (struct extent){0};
    for (int y = 0; y < patch->height; y++)
        for (int x = 0; x < patch->width; x++) {
            const int u = patch->x0 + x - left, v = patch->y0 + y - top;
            if (patch->pixels[(size_t)y * patch->width + x][3] < 128) continue;
            if (u >= 0 && v >= 0 && u < w->image.width && v < w->image.height) extend(whole, u, u + 1, v);
        }
}

/* The picture's row where the side of the mover that faces the camera meets the ground. */
static int foot_row(const struct frame_work *w, const struct model *model, const struct mover *m)
{
    const struct lens *lens = &w->place->layout.lens;
    const double half_x = model->length * m->scale / 2, half_y = model->width * m->scale / 2;
    double lowest = -1;
    for (int i = 0; i < 4; i++) {
        const double x = i & 1 ? half_x : -half_x, y = i & 2 ? half_y : -half_y;
        const struct point at = {m->pose.x + x * m->pose.cosine - y * m->pose.sine,
                                 m->pose.y + x * m->pose.sine + y * m->pose.cosine, 0};
        const struct point c = lens_turn(lens, at);
        if (c.z < LENS_NEAR) return -1;
        const double v = lens_project(lens, c).y;
        if (v > lowest) lowest = v;
    }
    return (int)space_clamp(lowest, -1, 30000);
}

/* NULL: nothing of it is in the picture. */
static const struct patch *patch_of(struct frame_work *w, const struct stills *stills, const struct mover *m)
{
    const struct patch *patch = stills_find(stills, m);
    if (!patch) {
        const struct shine shine = canvas_shine(&w->canvas, m);
        double way[2];
        paint_mover(&w->painter, &w->models->models[m->model], m, &shine);
        smear_of(way, w, m);
        patch = paint_smear(&w->painter, way[0], way[1]);
    }
    return patch->width ? patch : NULL;
}

static void paint_items(struct frame_work *w, const struct item *items, int count, const struct stills *stills,
                        struct extent *wholes, const struct jolt *jolt)
{
    const struct light *light = &w->canvas.backdrop->light;
    for (int i = 0; i < count; i++) {
        const struct mover *m = &w->movers.movers[items[i].mover];
        const struct patch *patch = patch_of(w, stills, m);
        wholes[i] = (struct extent){0};
        if (!patch) continue;
        if (light->wet > 0.1) {
            const int foot = foot_row(w, &w->models->models[m->model], m);
            if (foot >= 0) canvas_mirror(&w->canvas, patch, foot, 0.30 * light->wet);
        }
        measure(&wholes[i], w, patch, jolt);
        canvas_put(&w->canvas, patch, dmath_exp(-light->mist * items[i].depth), i + 1);
    }
}

static void glow_at(struct frame_work *w, struct point world, const double colour[3], double size,
                    double streak)
{
    const struct lens *lens = &w->place->layout.lens;
    const struct light *light = &w->canvas.backdrop->light;
    const struct point c = lens_turn(lens, world);
    if (c.z < 2 || c.z > w->place->layout.sight) return;
    const struct point at = lens_project(lens, c);
    const double haze = dmath_exp(-light->mist * c.z), misty = space_clamp(light->mist * 40, 0, 1);
    double seen[3];
    for (int k = 0; k < 3; k++) seen[k] = colour[k] * haze;
    const double radius = space_clamp(lens->focal * size * (1 + 1.5 * misty) / c.z, 1.6 + 0.004 * lens->width,
                                      0.11 * lens->width);
    canvas_glow(&w->canvas, at, seen, radius);
    if (light->wet < 0.1 || streak <= 0) return;
    const struct point g = lens_turn(lens, (struct point){world.x, world.y, -world.z});
    if (g.z < 2) return;
    const struct point mirrored = lens_project(lens, g);
    for (int k = 0; k < 3; k++) seen[k] *= 0.13 * light->wet * streak;
    canvas_streak(&w->canvas, mirrored.x, mirrored.y, seen, radius * 0.45 + 1,
                  radius * 2.5 + (mirrored.y - at.y) * 0.18);
}

static void vehicle_glow(struct frame_work *w, const struct mover *m, const struct model *model)
{
    const struct light *light = &w->canvas.backdrop->light;
    if (m->parked || model->lamp_height <= 0 || (!light->lamps_on && !m->braking)) return;
    const struct point eye = {0, 0, w->place->layout.lens.stand};
    const double l = model->length * m->scale / 2, power = light->exposure;
    const bool slim = m->kind == KIND_MOTORCYCLE || m->kind == KIND_BICYCLE;
    for (int end = -1; end <= 1; end += 2)
        for (int side = -1; side <= 1; side += 2) {
            if (slim && side > 0) continue;
            if (end > 0 && (!light->lamps_on || m->kind == KIND_BICYCLE)) continue;
            const double x = end * (l + 0.05), y = slim ? 0 : side * model->width * m->scale * 0.34;
            const struct point at = {m->pose.x + x * m->pose.cosine - y * m->pose.sine,
                                     m->pose.y + x * m->pose.sine + y * m->pose.cosine,
                                     model->lamp_height * m->scale};
            const struct point to = point_unit(point_sub(eye, at));
            const double facing = end * (to.x * m->pose.cosine + to.y * m->pose.sine);
            if (facing < 0.1) continue;
            const double head = 0.28 * power * facing * facing,
                         tail = (m->braking ? 0.16 : 0.055) * power * facing;
            const double colour[2][3] = {{tail, tail * 0.05, tail * 0.03}, {head, head * 0.95, head * 0.82}};
            glow_at(w, at, colour[end > 0], end > 0 ? 0.75 : 0.34, m->kind == KIND_BICYCLE ? 0 : 1);
        }
}

static void paint_glows(struct frame_work *w, const struct item *items, int count)
{
    const struct light *light = &w->canvas.backdrop->light;
    for (int i = 0; i < count; i++) {
        const struct mover *m = &w->movers.movers[items[i].mover];
        vehicle_glow(w, m, &w->models->models[m->model]);
    }
    if (light->lamp[0] <= 0) return;
    double colour[3];
    for (int k = 0; k < 3; k++) colour[k] = light->lamp[k] * 2.6;
    for (int i = 0; i < w->place->scenery.lamp_count; i++)
        glow_at(w, w->place->scenery.lamps[i], colour, 0.9, 1);
}

static void judge(struct world_object *o, const struct frame_work *w, const struct item *item,
                  const struct extent *whole, const struct extent *seen)
{
    const struct mover *m = &w->movers.movers[item->mover];
    *o = (struct world_object){
        .id = m->id,
        .class_id = kind_class(m->kind),
        .kind = kind_names[m->kind],
        .pixels = seen->pixels,
        .visibility = (double)seen->pixels / whole->pixels,
        .depth = item->depth,
        .speed = m->parked ? 0 : m->speed,
        .parked = m->parked,
        .cut = whole->box[0] == 0 || whole->box[1] == 0 || whole->box[2] == w->image.width ||
               whole->box[3] == w->image.height,
    };
    memcpy(o->box, seen->box, sizeof o->box);
    memcpy(o->whole, whole->box, sizeof o->whole);
    const int across = o->box[2] - o->box[0], down = o->box[3] - o->box[1];
    o->ignored = o->visibility < WORLD_MIN_VISIBILITY || (across < down ? across : down) < WORLD_MIN_BOX;
}

/* Objects with at least one pixel in the picture, seen or hidden, nearest first; the mask. */
static void tell(struct frame_work *w, const struct item *items, int count, const struct extent *wholes,
                 const struct jolt *jolt)
{
    struct extent seen[TRAFFIC_MAX_MOVERS];
    uint8_t classes[TRAFFIC_MAX_MOVERS + 1] = {0};
    const struct lens *lens = &w->place->layout.lens;
    for (int i = 0; i < count; i++) {
        seen[i] = (struct extent){0};
        classes[i + 1] = (uint8_t)(kind_class(w->movers.movers[items[i].mover].kind) + 1);
    }
    for (int y = 0; y < w->image.height; y++) {
        const uint16_t *owners = w->canvas.owners + (size_t)(y + lens->margin + jolt->y) * lens->width +
                                 (size_t)(lens->margin + jolt->x);
        uint8_t *mask = w->mask + (size_t)y * w->image.width;
        for (int x = 0; x < w->image.width;) {
            const int from = x, owner = owners[x];
            while (x < w->image.width && owners[x] == owner) x++;
            memset(mask + from, classes[owner], (size_t)(x - from));
            if (owner) extend(&seen[owner - 1], from, x, y);
        }
    }
    w->truth.count = 0;
    for (int i = count - 1; i >= 0; i--)
        if (wholes[i].pixels) judge(&w->truth.objects[w->truth.count++], w, &items[i], &wholes[i], &seen[i]);
}

void frame_stills(struct frame_work *w, struct stills *stills, const struct backdrop *backdrop, int64_t index)
{
    traffic_at(&w->movers, &w->place->layout, w->models, &w->times, (double)index / w->fps);
    w->canvas.backdrop = backdrop;
    stills_paint(stills, &w->painter, &w->canvas, w->models, &w->movers);
}

void frame_render(struct frame_work *w, const struct backdrop *backdrop, const struct stills *stills,
                  int64_t index)
{
    struct item items[TRAFFIC_MAX_MOVERS];
    struct extent wholes[TRAFFIC_MAX_MOVERS];
    const struct light *light = &backdrop->light;
    const double motion = (double)index / w->fps;
    const struct jolt jolt = sensor_jolt(w->sensor, motion, w->still);
    traffic_at(&w->movers, &w->place->layout, w->models, &w->times, motion);
    const int count = collect(items, w);
    canvas_begin(&w->canvas, backdrop);
    light_ground(w, items, count);
    paint_items(w, items, count, stills, wholes, &jolt);
    paint_glows(w, items, count);
    sensor_rain(w->sensor, &w->canvas, light->rain, motion, index);
    sensor_develop(w->develop, w->sensor, &w->image, &w->canvas, &jolt, index);
    w->truth.index = index;
    w->truth.motion = motion;
    w->truth.clock = times_clock(&w->times, motion);
    w->truth.sun = light->sun.z;
    w->truth.rain = light->rain;
    w->truth.fog = light->mist;
    w->truth.wet = light->wet;
    w->truth.night = light->night;
    w->truth.shift[0] = -jolt.x;
    w->truth.shift[1] = -jolt.y;
    w->truth.gain = jolt.gain;
    tell(w, items, count, wholes, &jolt);
}
