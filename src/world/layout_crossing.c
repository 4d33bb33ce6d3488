/* Junctions with signals, and roundabouts. */
#include "world/layout.h"

#include "base/rng.h"

#include <assert.h>

enum { ARM = 130, POINTS = 2 * ARM + 160 };

static struct stream *new_stream(struct layout *layout, enum traffic traffic, double speed, double headway,
                                 double weight)
{
    assert(layout->stream_count < LAYOUT_MAX_STREAMS);
    struct stream *stream = &layout->streams[layout->stream_count++];
    *stream = (struct stream){
        .traffic = traffic, .speed = speed, .headway = headway, .weight = weight, .phase = -1};
    return stream;
}

static bool add_way(struct stream *stream, const struct chain *chain, struct arena *arena)
{
    return track_of_chain(&stream->ways[stream->way_count++], chain, arena);
}

/* Straight on, then an arc by `turn` (radians, to the left when positive) that is tangent to both roads'
 * lanes. The lanes cross at `crossing` metres. */
static struct chain turning(const struct chain *lane, double crossing, double turn, double radius)
{
    const struct piece p = lane->pieces[0];
    const double half = fabs(turn) / 2, tangent = radius * space_sin(half) / space_cos(half);
    struct chain out = chain_start(p.x, p.y, p.heading, 0, crossing - tangent);
    chain_add(&out, (turn > 0 ? 1 : -1) / radius, radius * fabs(turn));
    chain_add(&out, 0, ARM);
    return out;
}

/* Where two straight chains cross: metres along the first. */
static double crossing_of(const struct chain *a, const struct chain *b)
{
    const struct piece p = a->pieces[0], q = b->pieces[0];
    const double c = p.cosine, s = p.sine, e = q.cosine, f = q.sine;
    return ((q.x - p.x) * f - (q.y - p.y) * e) / (c * f - s * e);
}

static bool approach(struct layout *layout, int phase, const double headings[4], struct arena *arena)
{
    /* Lanes of the four approaches: approach k drives along headings[k]. */
    struct chain lanes[4];
    for (int k = 0; k < 4; k++) {
        const struct chain axis =
            chain_start(-ARM * space_cos(headings[k]), layout->focus - ARM * space_sin(headings[k]),
                        headings[k], 0, 2 * ARM);
        lanes[k] = chain_beside(&axis, -layout->side * layout->roads[0].lane_width * 0.5);
    }
    struct stream *stream = new_stream(layout, TRAFFIC_VEHICLES, 9.5, 3, 0.9);
    stream->phase = phase;
    stream->stop = ARM - layout->roads[phase & 1].gap_to + ARM;
    if (!add_way(stream, &lanes[phase], arena)) return false;
    for (int side = -1; side <= 1; side += 2) { /* to the right, to the left */
        const int out = (phase + side + 4) % 4;
        double turn = headings[out] - headings[phase];
        while (turn > SPACE_PI) turn -= 2 * SPACE_PI;
        while (turn < -SPACE_PI) turn += 2 * SPACE_PI;
        const double radius = side == -layout->side ? 7.5 : 10;
        const struct chain way =
            turning(&lanes[phase], crossing_of(&lanes[phase], &lanes[out]), turn, radius);
        if (!add_way(stream, &way, arena)) return false;
    }
    return true;
}

/* People who walk round the corner between the arms k and k + 1. */
static bool corner(struct layout *layout, double from, double to, double beside, bool back,
                   struct arena *arena)
{
    const struct chain a = chain_start(ARM * space_cos(from), layout->focus + ARM * space_sin(from),
                                       from + SPACE_PI, 0, 2 * ARM);
    const struct chain b = chain_start(0, layout->focus, to, 0, 2 * ARM);
    const struct chain in = chain_beside(&a, -beside), out = chain_beside(&b, -beside);
    struct stream *stream = new_stream(layout, TRAFFIC_WALKERS, 1.2, 4, 0.8);
    double turn = to - from - SPACE_PI;
    while (turn > SPACE_PI) turn -= 2 * SPACE_PI;
    while (turn < -SPACE_PI) turn += 2 * SPACE_PI;
    struct chain way = turning(&in, crossing_of(&in, &out), turn, 4);
    if (back) way = chain_reversed(&way);
    return add_way(stream, &way, arena);
}

bool layout_junction(struct layout *layout, double heading, int lanes, struct arena *arena)
{
    const double angle = 1.45;
    const double headings[4] = {heading, heading + angle, heading + SPACE_PI, heading + angle + SPACE_PI};
    const double lane_width = 3.4, half = lanes * lane_width + 0.4, gap = half + 7;
    for (int i = 0; i < 2; i++)
        layout->roads[layout->road_count++] = (struct road){
            .axis = chain_start(-ARM * space_cos(headings[i]), layout->focus - ARM * space_sin(headings[i]),
                                headings[i], 0, 2 * ARM),
            .lanes = lanes,
            .lane_width = lane_width,
            .half = half,
            .pavement = 3,
            .gap_from = ARM - gap,
            .gap_to = ARM + gap,
            .stop_lines = true};
    for (int k = 0; k < 4; k++)
        if (!approach(layout, k, headings, arena)) return false;
    for (int k = 0; k < 4; k++)
        for (int back = 0; back < 2; back++)
            if (!corner(layout, headings[k], headings[(k + 1) % 4], half + 1 + back, back, arena))
                return false;
    return true;
}

/* Around a ring of radius r from arm a over `turn` radians: in along the arm, blended into the ring, and out.
 * The direction is that of side 1 (counter-clockwise) before mirroring. */
static int ring_points(double (*points)[2], const struct layout *layout, double in, double turn, double lane,
                       double *entry)
{
    const struct ring *ring = &layout->ring;
    const double blend = 15, slant = 0.42, r = ring->radius, direction = layout->side;
    int n = 0;
    for (double out = ARM; out >= 0; out -= 1) {
        const double t = space_clamp(1 - out / blend, 0, 1), bend = slant * t * t;
        const double radius = r + out, beside = lane / radius * (1 - t);
        const double angle = in + direction * (beside + bend);
        points[n][0] = ring->x + radius * space_cos(angle);
        points[n++][1] = ring->y + radius * space_sin(angle);
    }
    *entry = ARM;
    const double arc = turn - 2 * slant;
    for (double at = 1; at < arc * r; at += 1) {
        const double angle = in + direction * (slant + at / r);
        points[n][0] = ring->x + r * space_cos(angle);
        points[n++][1] = ring->y + r * space_sin(angle);
    }
    for (double out = 0; out <= ARM; out += 1) {
        const double t = space_clamp(1 - out / blend, 0, 1), bend = slant * t * t;
        const double radius = r + out, beside = lane / radius * (1 - t);
        const double angle = in + direction * (turn - beside - bend);
        points[n][0] = ring->x + radius * space_cos(angle);
        points[n++][1] = ring->y + radius * space_sin(angle);
    }
    assert(n <= POINTS + 100);
    return n;
}

static bool ring_walkers(struct layout *layout, double from, double to, double lane, bool back,
                         struct arena *arena)
{
    double points[2 * ARM + 200][2];
    const double r = layout->ring.radius + layout->ring.half + 3, side = layout->roads[0].half + lane;
    int n = 0;
    for (double out = ARM; out > 6; out -= 1) {
        const double angle =
            from + side / (r + out) * space_ramp(out, 0, 12) + 0.28 * (1 - space_ramp(out, 0, 12));
        points[n][0] = layout->ring.x + (r + out) * space_cos(angle);
        points[n++][1] = layout->ring.y + (r + out) * space_sin(angle);
    }
    for (double out = 6; out <= ARM; out += 1) {
        const double angle =
            to - side / (r + out) * space_ramp(out, 0, 12) - 0.28 * (1 - space_ramp(out, 0, 12));
        points[n][0] = layout->ring.x + (r + out) * space_cos(angle);
        points[n++][1] = layout->ring.y + (r + out) * space_sin(angle);
    }
    for (int i = 0; back && i < n / 2; i++)
        for (int a = 0; a < 2; a++) {
            const double kept = points[i][a];
            points[i][a] = points[n - 1 - i][a];
            points[n - 1 - i][a] = kept;
        }
    struct stream *stream = new_stream(layout, TRAFFIC_WALKERS, 1.25, 4, 0.7);
    return track_of_points(&stream->ways[stream->way_count++], (const double(*)[2])points, n, arena);
}

bool layout_roundabout(struct layout *layout, double heading, struct arena *arena)
{
    struct rng rng = {rng_key(layout->site->seed, "world.roundabout"), 0};
    layout->arms = 3 + rng_next_int(&rng, 2);
    layout->ring = (struct ring){rng_uniform(&rng, -4, 4), layout->focus + 4, rng_uniform(&rng, 11, 16), 3.6};
    layout->ring_speed = 7.5;
    const double lane_width = 3.6;
    for (int a = 0; a < layout->arms; a++) {
        const double angle = heading + 2 * SPACE_PI * a / layout->arms;
        layout->arm_angles[a] = angle;
        layout->roads[layout->road_count++] =
            (struct road){.axis = chain_start(layout->ring.x, layout->ring.y, angle, 0, ARM + 30),
                          .lanes = 1,
                          .lane_width = lane_width,
                          .half = lane_width + 0.4,
                          .pavement = 2.5,
                          .gap_from = -1e9,
                          .gap_to = layout->ring.radius + layout->ring.half + 2};
    }
    for (int a = 0; a < layout->arms; a++)
        for (int b = 1; b < layout->arms; b++) {
            double points[POINTS + 100][2];
            struct ring_way *way = &layout->ring_ways[a][b];
            const int n = ring_points(points, layout, layout->arm_angles[a], 2 * SPACE_PI * b / layout->arms,
                                      lane_width / 2, &way->entry);
            if (!track_of_points(&way->track, (const double(*)[2])points, n, arena)) return false;
        }
    for (int a = 0; a < layout->arms; a++)
        for (int back = 0; back < 2; back++)
            if (!ring_walkers(layout, layout->arm_angles[a], heading + 2 * SPACE_PI * (a + 1) / layout->arms,
                              0.8 + back, back, arena))
                return false;
    return true;
}
