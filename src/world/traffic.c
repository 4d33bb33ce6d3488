#include "world/traffic.h"

#include "base/rng.h"

#include <string.h>

enum { CYCLE = 64, PHASE = 16, GREEN = 12, MAX_GROUP = 7, RING_PLACES = 5 };

double traffic_density(uint64_t seed, enum traffic traffic, double clock, double motion)
{
    const uint64_t key = rng_key(seed, "world.density");
    const double hour = clock / 3600 - 24 * floor(clock / 86400);
    const double morning = 7.4 + 1.4 * rng_real(key, 0), evening = 16.8 + 1.6 * rng_real(key, 1);
    const double level = 0.55 + 0.35 * rng_real(key, 2);
    const double rush = space_bump(hour, morning, 2.1) + space_bump(hour, evening, 2.6);
    const double day = 0.42 * space_ramp(hour, 5, 8) * (1 - 0.85 * space_ramp(hour, 19, 23));
    double density = level * (0.035 + day + 0.55 * rush);
    if (traffic == TRAFFIC_WALKERS)
        density = 0.16 * (0.03 + space_ramp(hour, 6, 11) * (1 - space_ramp(hour, 18, 23)));
    if (traffic == TRAFFIC_CYCLES) density = 0.14 * (0.02 + day + 0.5 * rush);
    /* Waves of half a minute to minutes, some of them empty. */
    const uint32_t wave = (uint32_t)rng_u64(key, 3 + (uint64_t)traffic);
    const double swell =
        space_noise(wave, motion / 37, 0) * 0.6 + space_noise(wave + 1, motion / 171, 0) * 0.4;
    density *= 0.35 + 1.55 * space_ramp(swell, 0.18, 0.85);
    return space_clamp(density, 0, 0.92);
}

struct view {
    struct movers *movers;
    const struct layout *layout;
    const struct models *models;
    const struct times *times;
    double motion;
};

static void add(const struct view *view, const struct mover *mover)
{
    view->movers->movers[view->movers->count++] = *mover;
}

/* Whether nobody else comes, not even with a rider. */
static bool is_full(const struct view *view) { return view->movers->count + 2 > TRAFFIC_MAX_MOVERS; }

/* Puts the mover at s of the way, and a rider on what needs one. */
static void place(const struct view *view, struct mover *mover, const struct track *track, double s,
                  double aside)
{
    if (s < 0 || s > track->length || is_full(view)) return;
    mover->pose = track_pose(track, s);
    mover->pose.x -= mover->pose.sine * aside;
    mover->pose.y += mover->pose.cosine * aside;
    if (mover->kind == KIND_PERSON) mover->model += (int)(s / 0.38) % MODEL_STEPS;
    add(view, mover);
    if (mover->kind != KIND_MOTORCYCLE && mover->kind != KIND_BICYCLE) return;
    struct mover rider = *mover;
    const int machine = mover->model;
    rider.id += 1;
    traffic_dress(&rider, view->models, TRAFFIC_WALKERS, 0, view->layout->site);
    rider.kind = KIND_RIDER;
    rider.scale = mover->scale;
    rider.model = view->models->first[KIND_RIDER];
    rider.model +=
        mover->kind == KIND_BICYCLE ? 2 + (int)(s / 1.5) % 2 : machine - view->models->first[KIND_MOTORCYCLE];
    add(view, &rider);
}

/* The mover of place j, or false when the place is empty. *enters is its time at the beginning of the way. */
static bool occupant(struct mover *mover, const struct view *view, int stream, const struct stream *st,
                     int64_t j, double *enters, uint64_t *key)
{
    *key = rng_step(rng_step(rng_key(view->layout->site->seed, "world.traffic"), (uint64_t)stream),
                    (uint64_t)(j + (1 << 30)));
    *enters = ((double)j + 0.25 * rng_real(*key, 0)) * st->headway;
    /* The hour at which it is half way. */
    const double clock = times_clock(view->times, *enters + st->ways[0].length / 2 / st->speed);
    const double density =
        st->weight * traffic_density(view->layout->site->seed, st->traffic, clock, *enters);
    if (rng_real(*key, 1) >= density) return false;
    *mover = (struct mover){.id = *key, .speed = st->speed};
    traffic_dress(mover, view->models, st->traffic, clock, view->layout->site);
    return true;
}

static void free_stream(const struct view *view, int index, const struct stream *st)
{
    const struct track *way = &st->ways[0];
    const double spread = st->traffic == TRAFFIC_WALKERS ? 0.5 : st->traffic == TRAFFIC_CYCLES ? 0.15 : 0.35;
    const int64_t last = (int64_t)floor(view->motion / st->headway);
    const int64_t first = (int64_t)floor((view->motion - way->length / st->speed) / st->headway) - 1;
    for (int64_t j = first; j <= last; j++) {
        struct mover mover;
        double enters;
        uint64_t key;
        if (!occupant(&mover, view, index, st, j, &enters, &key)) continue;
        place(view, &mover, way, (view->motion - enters) * st->speed, spread * (rng_real(key, 3) - 0.5));
    }
}

/* How far a mover has come at `now` that brakes to stand at `stand` and moves off at `off`; *moving is its
 * speed. */
static double stop_and_go(double now, double enters, double speed, double stand, double off, double *moving)
{
    const double brake = 2.4, pull = 1.9;
    const double begin = enters + (stand - speed * speed / (2 * brake)) / speed,
                 still = begin + speed / brake;
    if (off < still) off = still;
    *moving = speed;
    if (now < begin) return (now - enters) * speed;
    if (now < still) {
        *moving = brake * (still - now);
        return stand - brake * (still - now) * (still - now) / 2;
    }
    if (now < off) {
        *moving = 0;
        return stand;
    }
    const double t = now - off, up = speed / pull;
    if (t < up) {
        *moving = pull * t;
        return stand + pull * t * t / 2;
    }
    return stand + speed * up / 2 + speed * (t - up);
}

/* Those of a stream who pass in one green: they arrive after the last one ended and before this one does. */
static void signal_group(const struct view *view, int index, const struct stream *st, double green)
{
    const double reach = st->stop / st->speed, end = green + GREEN;
    const int64_t first = (int64_t)floor((end - CYCLE - reach) / st->headway),
                  last = (int64_t)floor((end - reach) / st->headway);
    double queue = 0, free_from = green;
    int waiting = 0, passed = 0;
    for (int64_t j = first; j <= last && passed < MAX_GROUP; j++) {
        struct mover mover;
        double enters, s = 0;
        uint64_t key;
        if (!occupant(&mover, view, index, st, j, &enters, &key)) continue;
        const double length = view->models->models[mover.model].length * mover.scale;
        const double arrives = enters + reach;
        if (arrives < end - CYCLE || arrives >= end) continue;
        if (arrives < free_from + 0.5 && st->stop - queue > 45) {
            const double stand = st->stop - queue - length / 2 - 0.8;
            s = stop_and_go(view->motion, enters, st->speed, stand, green + 1 + 1.1 * waiting, &mover.speed);
            mover.braking = mover.speed < st->speed - 0.5 && view->motion < green + 1 + 1.1 * waiting;
            queue += length + 2.2;
            waiting++;
            free_from = green + 3 + 2.6 * waiting;
        } else if (arrives < free_from)
            continue;
        else {
            s = (view->motion - enters) * st->speed;
            free_from = arrives + 1.5;
        }
        passed++;
        const double u = rng_real(key, 2);
        const int way = mover.kind == KIND_BUS || mover.kind == KIND_LORRY || u < 0.6 ? 0 : u < 0.82 ? 1 : 2;
        place(view, &mover, &st->ways[way < st->way_count ? way : 0], s, 0.2 * (rng_real(key, 3) - 0.5));
    }
}

static void signal_stream(const struct view *view, int index, const struct stream *st)
{
    const int64_t now = (int64_t)floor(view->motion / CYCLE);
    for (int64_t cycle = now - 1; cycle <= now + 2; cycle++)
        signal_group(view, index, st, (double)cycle * CYCLE + st->phase * PHASE);
}

/* Places that turn with the ring: in each turn a place takes one or more people on, arm after arm. */
static void ring_traffic(const struct view *view)
{
    const struct layout *layout = view->layout;
    const double turn = 2 * SPACE_PI * layout->ring.radius / layout->ring_speed,
                 entry = layout->ring_ways[0][1].entry;
    const double before = entry / layout->ring_speed, after = before + turn;
    const int64_t first = (int64_t)floor((view->motion - after) / turn) - 1,
                  last = (int64_t)floor((view->motion + before) / turn) + 1;
    const uint64_t stream = rng_key(layout->site->seed, "world.ring");
    for (int64_t round = first; round <= last; round++)
        for (int slot = 0; slot < RING_PLACES; slot++) {
            const double passes = ((double)round + slot / (double)RING_PLACES) * turn;
            const uint64_t key = rng_step(rng_step(stream, (uint64_t)(round + (1 << 30))), (uint64_t)slot);
            int arm = 0;
            for (uint64_t draw = 0; arm < layout->arms; draw += 4) {
                const double at = passes + turn * arm / layout->arms, enters = at - before;
                const double clock = times_clock(view->times, at);
                const double density = traffic_density(layout->site->seed, TRAFFIC_VEHICLES, clock, enters);
                if (rng_real(key, draw) >= density) {
                    arm++;
                    continue;
                }
                const int farthest = arm ? layout->arms - arm : layout->arms - 1;
                const int out = 1 + rng_int(key, draw + 1, farthest);
                const struct ring_way *way =
                    &layout->ring_ways[layout->side > 0 ? arm : (layout->arms - arm) % layout->arms][out];
                struct mover mover = {.id = rng_step(key, draw + 2), .speed = layout->ring_speed};
                traffic_dress(&mover, view->models, TRAFFIC_VEHICLES, clock, layout->site);
                if (mover.kind == KIND_LORRY && view->models->models[mover.model].length > 12)
                    mover.model = view->models->first[KIND_LORRY];
                place(view, &mover, &way->track, (view->motion - enters) * layout->ring_speed, 0);
                arm += out;
            }
        }
}

/* Bays are taken for stretches of the day, more of them in its busy hours. */
static void parked(const struct view *view)
{
    const struct layout *layout = view->layout;
    const double clock = times_clock(view->times, view->motion), stay = 5400;
    for (int i = 0; i < layout->bay_count; i++) {
        const uint64_t bay = rng_step(rng_key(layout->site->seed, "world.bays"), (uint64_t)i);
        const double shifted = clock / stay + rng_real(bay, 0);
        const int64_t stretch = (int64_t)floor(shifted);
        const uint64_t key = rng_step(bay, (uint64_t)(stretch + (1 << 30)));
        const double hour = ((double)stretch + 0.5 - rng_real(bay, 0)) * stay / 3600,
                     of_day = hour - 24 * floor(hour / 24);
        const double full = 0.12 + 0.65 * space_ramp(of_day, 7, 10.5) * (1 - space_ramp(of_day, 16.5, 21));
        if (rng_real(key, 0) >= full || is_full(view)) continue;
        struct mover mover = {.id = key, .parked = true};
        traffic_dress(&mover, view->models, TRAFFIC_VEHICLES, clock, layout->site);
        if (mover.kind != KIND_CAR && mover.kind != KIND_VAN) {
            mover.kind = KIND_CAR;
            mover.model = view->models->first[KIND_CAR];
            memcpy(mover.colours[1], mover.colours[0], sizeof mover.colours[1]);
        }
        const struct bay *b = &layout->bays[i];
        const double way = rng_real(key, 1) < 0.7 ? 1 : -1, aside = 0.4 * (rng_real(key, 2) - 0.5);
        mover.pose =
            (struct pose){b->x - b->sine * aside, b->y + b->cosine * aside, b->cosine * way, b->sine * way};
        add(view, &mover);
    }
}

void traffic_at(struct movers *movers, const struct layout *layout, const struct models *models,
                const struct times *times, double motion)
{
    const struct view view = {movers, layout, models, times, motion};
    movers->count = 0;
    for (int i = 0; i < layout->stream_count; i++) {
        const struct stream *st = &layout->streams[i];
        if (st->phase >= 0)
            signal_stream(&view, i, st);
        else
            free_stream(&view, i, st);
    }
    if (layout->arms) ring_traffic(&view);
    parked(&view);
}
