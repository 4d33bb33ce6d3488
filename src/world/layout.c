#include "world/layout.h"

#include "base/rng.h"

#include <assert.h>

const char *const setting_names[SETTING_COUNT] = {"straight", "curve", "junction", "car park", "roundabout"};

/* Widest lens, as focal length over the picture's width. */
static const double widest = 0.5;

static void aim(struct layout *layout, int width, int height)
{
    const struct site_camera *camera = &layout->site->camera;
    /* A sixtieth of the width on every side for shake; even, so that chroma and samples pair up. */
    const int margin = (width / 60 + 2) & ~1;
    const bool clear = layout->setting == SETTING_STRAIGHT || layout->setting == SETTING_CURVE;
    /* Elsewhere roads may pass below the camera. */
    const double stand = clear ? camera->stand : fmax(camera->stand, 6);
    const double car = 4.5, slope = sqrt(1 + camera->reach * camera->reach);
    /* So far away that no lens is wider than the widest. */
    const double distance = fmax(stand * slope, widest * car / camera->car);
    const double focus = fmax(stand * camera->reach, sqrt(fmax(distance * distance - stand * stand, 0)));
    layout->focus = focus;
    layout->lens = (struct lens){
        .width = width + 2 * margin,
        .height = height + 2 * margin,
        .margin = margin,
        .focal = width * camera->car * distance / car,
        .cx = width / 2.0 + margin,
        .cy = height / 2.0 + margin,
        .stand = stand,
        .sine = stand / distance,
        .cosine = focus / distance,
        .roll_sine = space_sin(camera->roll),
        .roll_cosine = space_cos(camera->roll),
    };
    layout->lens.pixel = 1 / layout->lens.focal;
    layout->sight = fmax(320, 360 * layout->lens.focal / width);
    layout->end = fmax(layout->sight + 20, 400 + 20 * stand);
}

bool layout_add_stream(struct layout *layout, const struct chain *axis, double d, bool back,
                       enum traffic traffic, double speed, double weight, struct arena *arena)
{
    assert(layout->stream_count < LAYOUT_MAX_STREAMS);
    struct stream *stream = &layout->streams[layout->stream_count++];
    struct chain way = chain_beside(axis, d);
    if (back) way = chain_reversed(&way);
    *stream = (struct stream){
        .traffic = traffic,
        .way_count = 1,
        .speed = speed,
        .headway = traffic == TRAFFIC_VEHICLES ? space_clamp(26 / speed, 1.5, 3.5)
                   : traffic == TRAFFIC_CYCLES ? 6
                                               : 4,
        .weight = weight,
        .phase = -1,
    };
    return track_of_chain(&stream->ways[0], &way, arena);
}

/* Lanes in both directions, walkers on the pavements, cycles along the kerb. */
static bool populate(struct layout *layout, const struct road *road, double speed, double weight,
                     struct arena *arena)
{
    for (int direction = 0; direction < 2; direction++)
        for (int lane = 0; lane < road->lanes; lane++) {
            const double d = road->median / 2 + (lane + 0.5) * road->lane_width;
            const double pace = speed * (1 + 0.12 * (road->lanes - 1 - lane));
            if (!layout_add_stream(layout, &road->axis, direction ? d * layout->side : -d * layout->side,
                                   direction, TRAFFIC_VEHICLES, pace,
                                   weight * (lane == road->lanes - 1 ? 1 : 0.8), arena))
                return false;
        }
    if (road->pavement <= 0) return true;
    for (int k = 0; k < 4; k++) {
        const double d = road->half + road->pavement * (k & 2 ? 0.4 : 0.7);
        if (!layout_add_stream(layout, &road->axis, k & 1 ? d : -d, k & 2, TRAFFIC_WALKERS, 1.2 + 0.1 * k, 1,
                               arena))
            return false;
    }
    const double kerb = road->half - 0.45;
    return layout_add_stream(layout, &road->axis, -kerb * layout->side, false, TRAFFIC_CYCLES, 4.2, 1,
                             arena) &&
           layout_add_stream(layout, &road->axis, kerb * layout->side, true, TRAFFIC_CYCLES, 4.6, 1, arena);
}

static struct road make_road(struct chain axis, int lanes, double lane_width, double median, double pavement)
{
    return (struct road){.axis = axis,
                         .lanes = lanes,
                         .lane_width = lane_width,
                         .median = median,
                         .half = lanes * lane_width + median / 2 + 0.5,
                         .pavement = pavement,
                         .gap_from = 1e9,
                         .gap_to = -1e9};
}

/* One road past the camera: along the view or across it, or bending. */
static bool one_road(struct layout *layout, struct rng *rng, struct arena *arena)
{
    const bool motorway = layout->lens.stand > 8.5 && rng_next_real(rng) < 0.6;
    const int lanes = motorway ? 2 + rng_next_int(rng, 2) : 1 + rng_next_int(rng, 2);
    const double median = motorway ? rng_uniform(rng, 2, 4) : 0;
    const bool across = layout->setting == SETTING_STRAIGHT && !motorway && rng_next_real(rng) < 0.35;
    const double sign = rng_next_int(rng, 2) ? 1 : -1;
    double turn = across ? sign * rng_uniform(rng, 0.9, 1.4) : sign * rng_uniform(rng, 0.08, 0.55);
    const double width = lanes * 3.4 * 2 + median;
    /* Beside the camera when the road runs along the view, so that nothing passes through the pole. */
    const double beside = layout->lens.stand < 6 ? 0.5 + 2.5 / width : 0.1;
    const double x = across ? 0 : -sign * rng_uniform(rng, beside, beside + 0.25) * width;
    const double reach = layout->sight + 20;
    const double heading = SPACE_PI / 2 - turn, back = across ? 130 : layout->focus + 25;
    struct chain axis =
        chain_start(x - space_cos(heading) * back, layout->focus - space_sin(heading) * back, heading, 0,
                    layout->setting == SETTING_CURVE ? back + rng_uniform(rng, -8, 12) : reach);
    if (layout->setting == SETTING_CURVE) {
        const double bend = (rng_next_real(rng) < 0.75 ? sign : -sign) / rng_uniform(rng, 70, 170);
        const double length = rng_uniform(rng, 0.5, 1.0) / fabs(bend);
        chain_add(&axis, bend, length);
        chain_add(&axis, 0, reach / 2);
    }
    struct road *road = &layout->roads[layout->road_count++];
    *road = make_road(axis, lanes, motorway ? 3.6 : 3.3, median, motorway ? 0 : rng_uniform(rng, 1.8, 3.5));
    return populate(layout, road, motorway ? rng_uniform(rng, 19, 26) : rng_uniform(rng, 8.5, 14),
                    motorway ? 1 : 0.8, arena);
}

/* Bays on both sides of aisles; a street passes behind. */
static bool car_park(struct layout *layout, struct rng *rng, struct arena *arena)
{
    const double heading = rng_uniform(rng, -0.5, 0.5), module = 16.5;
    const int aisles = 2 + rng_next_int(rng, 2);
    struct lot *lot = &layout->lot;
    *lot = (struct lot){0,
                        layout->focus + 2,
                        space_cos(heading),
                        space_sin(heading),
                        rng_uniform(rng, 26, 36),
                        aisles * module / 2};
    for (int aisle = 0; aisle < aisles; aisle++)
        for (int side = -1; side <= 1; side += 2)
            for (double x = -lot->half_x + 5; x < lot->half_x - 5; x += 2.6) {
                if (layout->bay_count == LAYOUT_MAX_BAYS) break;
                const double y = (aisle + 0.5) * module - lot->half_y + side * 5.7;
                layout->bays[layout->bay_count++] = (struct bay){lot->x + x * lot->cosine - y * lot->sine,
                                                                 lot->y + x * lot->sine + y * lot->cosine,
                                                                 -lot->sine * side, lot->cosine * side};
            }
    const double y = lot->half_y + 7.5;
    const struct chain street = chain_start(lot->x - 130 * lot->cosine - y * lot->sine,
                                            lot->y - 130 * lot->sine + y * lot->cosine, heading, 0, 260);
    struct road *road = &layout->roads[layout->road_count++];
    *road = make_road(street, 1, 3.3, 0, 2);
    if (!populate(layout, road, 10, 0.6, arena)) return false;
    for (int aisle = 0; aisle < aisles; aisle++)
        for (int back = 0; back < 2; back++) {
            const double at = (aisle + 0.5) * module - lot->half_y - lot->half_y - 7.5;
            const double d = at + (back ? 1.4 : -1.4) * layout->side;
            if (!layout_add_stream(layout, &street, d, back, TRAFFIC_VEHICLES, 4, 0.16, arena) ||
                !layout_add_stream(layout, &street, at + (back ? 2.6 : -2.6), back, TRAFFIC_WALKERS, 1.2, 0.7,
                                   arena))
                return false;
        }
    return true;
}

bool layout_make(struct layout *layout, const struct site *site, int width, int height, struct arena *arena)
{
    struct rng rng = {rng_key(site->seed, "world.layout"), 0};
    *layout = (struct layout){.site = site};
    const double kind = rng_next_real(&rng);
    layout->setting = kind < 0.3    ? SETTING_STRAIGHT
                      : kind < 0.5  ? SETTING_CURVE
                      : kind < 0.7  ? SETTING_JUNCTION
                      : kind < 0.85 ? SETTING_CAR_PARK
                                    : SETTING_ROUNDABOUT;
    aim(layout, width, height);
    layout->side = rng_next_real(&rng) < 0.65 ? 1 : -1;
    switch (layout->setting) {
    case SETTING_JUNCTION:
        return layout_junction(layout, rng_uniform(&rng, 0.15, 1.4), 1, arena);
    case SETTING_ROUNDABOUT:
        return layout_roundabout(layout, rng_uniform(&rng, 0, 1.5), arena);
    case SETTING_CAR_PARK:
        return car_park(layout, &rng, arena);
    default:
        return one_road(layout, &rng, arena);
    }
}

double layout_edge(const struct layout *layout, double x, double y, int *road, double *s, double *d)
{
    const double fillet = 6;
    double best = 1e9, second = 1e9;
    *road = -1;
    *s = *d = 0;
    for (int i = 0; i < layout->road_count; i++) {
        double along, left;
        chain_locate(&layout->roads[i].axis, x, y, &along, &left);
        const double out = fabs(left) - layout->roads[i].half;
        if (out < best) {
            second = best;
            best = out;
            *road = i;
            *s = along;
            *d = left;
        } else if (out < second)
            second = out;
    }
    if (layout->ring.radius > 0) {
        const double dx = x - layout->ring.x, dy = y - layout->ring.y;
        const double out = fabs(sqrt(dx * dx + dy * dy) - layout->ring.radius) - layout->ring.half;
        /* Inside the outer edge the arms end, whatever their axes say. */
        if (out < best || sqrt(dx * dx + dy * dy) < layout->ring.radius) {
            second = sqrt(dx * dx + dy * dy) < layout->ring.radius ? 1e9 : best;
            best = out;
            *road = -1;
        } else if (out < second)
            second = out;
    }
    if (layout->lot.half_x > 0) {
        const double dx = x - layout->lot.x, dy = y - layout->lot.y;
        const double lx = fabs(dx * layout->lot.cosine + dy * layout->lot.sine) - layout->lot.half_x;
        const double ly = fabs(dy * layout->lot.cosine - dx * layout->lot.sine) - layout->lot.half_y;
        const double out = lx > ly ? lx : ly;
        if (out < best) {
            best = out;
            *road = -1;
        }
    }
    if (best > 0 && best < fillet && second < fillet) {
        const double a = fillet - best, b = fillet - second, round = fillet - sqrt(a * a + b * b);
        if (round < best) best = round;
    }
    return best;
}
