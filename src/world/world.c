#include "world/world.h"

#include "base/par.h"
#include "world/frame.h"

#include <assert.h>
#include <stdlib.h>

/* Seconds of the day for which one backdrop holds. */
enum { STRETCH = 720 };

/* Backdrops that are kept at once: so many stretches are rendered without a pause, as long as they take no more
 * than this. */
enum { MAX_BACKDROPS = 12, MAX_BACKDROP_BYTES = 1 << 26 };

struct lit_place {
    struct backdrop backdrop;
    struct stills stills;
    int64_t stretch; /* -1: none yet */
    int64_t first;   /* the frame of it whose parked cars are painted */
};

struct world {
    struct arena arena;
    struct site site;
    struct world_options options;
    struct place place;
    struct models models;
    struct sensor sensor;
    int lit_count;
    struct lit_place lit[MAX_BACKDROPS];
    struct frame_work *works; /* of each thread */
};

struct world_options world_default_options(void)
{
    return (struct world_options){
        .width = 640, .height = 360, .fps = 5, .start = 8 * 3600, .rate = 1, .threads = 1};
}

static enum status check(const struct world_options *o, struct error *err)
{
    if (o->width < WORLD_MIN_SIDE || o->width > WORLD_MAX_SIDE || o->height < WORLD_MIN_SIDE ||
        o->height > WORLD_MAX_SIDE)
        return fail(err, ERR_USAGE, "size: expected sides in [%d, %d], found %dx%d", WORLD_MIN_SIDE,
                    WORLD_MAX_SIDE, o->width, o->height);
    if (!(o->fps >= WORLD_MIN_FPS && o->fps <= 1000))
        return fail(err, ERR_USAGE, "fps: expected a number in [%g, 1000], found %g", WORLD_MIN_FPS, o->fps);
    if (!(o->start >= 0 && o->start < 86400))
        return fail(err, ERR_USAGE, "start: expected seconds in [0, 86400), found %g", o->start);
    if (!(o->rate >= 0 && o->rate / o->fps <= WORLD_MAX_STEP))
        return fail(err, ERR_USAGE, "rate: expected at most %g seconds of the day a frame, found %g",
                    WORLD_MAX_STEP, o->rate / o->fps);
    assert(o->threads >= 1);
    return OK;
}

static bool make_work(struct frame_work *work, struct world *world)
{
    const struct world_options *o = &world->options;
    work->place = &world->place;
    work->models = &world->models;
    work->sensor = &world->sensor;
    work->times = (struct times){o->start, o->rate};
    work->fps = o->fps;
    work->still = o->still;
    work->image =
        (struct image){o->width, o->height, arena_alloc(&world->arena, (size_t)o->width * o->height, 3)};
    work->mask = arena_alloc(&world->arena, (size_t)o->width * o->height, 1);
    work->develop = sensor_develop_make(&world->arena);
    return work->image.pixels && work->mask && work->develop &&
           canvas_make(&work->canvas, &world->place, &world->arena) &&
           painter_make(&work->painter, &world->place.layout.lens, &world->arena);
}

static bool make_backdrops(struct world *world)
{
    const size_t bytes = backdrop_bytes(&world->place) + stills_bytes(&world->place);
    const size_t fit = MAX_BACKDROP_BYTES / bytes;
    world->lit_count = fit < 1 ? 1 : fit < MAX_BACKDROPS ? (int)fit : MAX_BACKDROPS;
    for (int i = 0; i < world->lit_count; i++) {
        world->lit[i].stretch = -1;
        if (!backdrop_alloc(&world->lit[i].backdrop, &world->place, &world->arena) ||
            !stills_alloc(&world->lit[i].stills, &world->place, &world->arena))
            return false;
    }
    return true;
}

static bool make(struct world *world)
{
    const struct world_options *o = &world->options;
    struct arena *arena = &world->arena;
    site_make(&world->site, o->seed);
    world->works = arena_alloc(arena, (size_t)o->threads, sizeof *world->works);
    if (!world->works || !models_make(&world->models, &world->site, arena) ||
        !place_make(&world->place, &world->site, o->width, o->height, o->threads, arena) ||
        !make_backdrops(world) ||
        !sensor_make(&world->sensor, &world->site, &world->place.layout.lens, arena))
        return false;
    for (int i = 0; i < o->threads; i++)
        if (!make_work(&world->works[i], world)) return false;
    return true;
}

enum status world_open(struct world **world, const struct world_options *options, struct error *err)
{
    *world = NULL;
    TRY(check(options, err));
    struct world *w = calloc(1, sizeof *w);
    if (!w) return fail_memory(err, "a camera world", sizeof *w);
    w->options = *options;
    if (!make(w)) {
        const unsigned long long used = w->arena.used;
        world_close(w);
        return fail_memory(err, "a camera world", used);
    }
    *world = w;
    return OK;
}

void world_close(struct world *world)
{
    if (!world) return;
    arena_free(&world->arena);
    free(world);
}

const char *world_setting(const struct world *world) { return setting_names[world->place.layout.setting]; }

static int64_t stretch_of(const struct world *world, int64_t index)
{
    const struct world_options *o = &world->options;
    return (int64_t)floor((o->start + o->rate * ((double)index / o->fps)) / STRETCH);
}

static void light_place(struct world *world, struct lit_place *lit, int worker, int threads)
{
    const double clock = ((double)lit->stretch + 0.5) * STRETCH;
    struct light light;
    light_at(&light, world->options.seed, clock, world->options.weather);
    backdrop_make(&lit->backdrop, &world->place, &light, clock, threads);
    frame_stills(&world->works[worker], &lit->stills, &lit->backdrop, lit->first);
}

struct lighting {
    struct world *world;
    struct lit_place *dark[MAX_BACKDROPS]; /* those to be lit */
    int count;
};

static void light_places(void *context, int64_t begin, int64_t end, int worker)
{
    const struct lighting *lighting = context;
    for (int64_t i = begin; i < end; i++) light_place(lighting->world, lighting->dark[i], worker, 1);
}

/* The first n of world->lit become those of the n stretches, which begin at frames `first`. What is lit already is used
 * again where it was kept. */
static void light_stretches(struct world *world, const int64_t *stretches, const int64_t *first, int n)
{
    struct lighting lighting = {.world = world};
    for (int i = 0; i < n; i++) {
        int k = i;
        while (k < world->lit_count && world->lit[k].stretch != stretches[i]) k++;
        if (k < world->lit_count) {
            const struct lit_place found = world->lit[k];
            world->lit[k] = world->lit[i];
            world->lit[i] = found;
            continue;
        }
        world->lit[i].stretch = stretches[i];
        world->lit[i].first = first[i];
        lighting.dark[lighting.count++] = &world->lit[i];
    }
    /* One for each thread as long as there is one for all; what is left over, one after the other by all threads. */
    const int threads = world->options.threads, together = lighting.count - lighting.count % threads;
    par_for(threads, together, 1, light_places, &lighting);
    for (int i = together; i < lighting.count; i++) light_place(world, lighting.dark[i], 0, threads);
}

struct job {
    struct world *world;
    const struct world_sink *sink;
    int64_t first;
    int lit; /* backdrops of these frames */
    enum status status[PAR_MAX_THREADS];
    struct error errors[PAR_MAX_THREADS];
};

static const struct lit_place *lit_place_of(const struct job *job, int64_t index)
{
    const struct lit_place *lit = job->world->lit;
    const int64_t stretch = stretch_of(job->world, index);
    int i = 0;
    while (i < job->lit && lit[i].stretch != stretch) i++;
    assert(i < job->lit);
    return &lit[i];
}

static void render_frames(void *context, int64_t begin, int64_t end, int worker)
{
    struct job *job = context;
    struct frame_work *work = &job->world->works[worker];
    for (int64_t i = begin; i < end && job->status[worker] == OK; i++) {
        const struct lit_place *lit = lit_place_of(job, job->first + i);
        frame_render(work, &lit->backdrop, &lit->stills, job->first + i);
        job->status[worker] = job->sink->frame(job->sink->context, job->first + i, &work->image, work->mask,
                                               &work->truth, worker, &job->errors[worker]);
    }
}

/* Frames from `first` on, at most `count`, of no more stretches than there are backdrops; lights these. */
static int begin_run(struct job *job, int64_t first, int count)
{
    struct world *world = job->world;
    int64_t stretches[MAX_BACKDROPS], begins[MAX_BACKDROPS];
    int run = 0;
    job->first = first;
    job->lit = 0;
    for (; run < count; run++) {
        const int64_t stretch = stretch_of(world, first + run);
        if (job->lit && stretches[job->lit - 1] == stretch) continue;
        if (job->lit == world->lit_count) break;
        begins[job->lit] = first + run;
        stretches[job->lit++] = stretch;
    }
    light_stretches(world, stretches, begins, job->lit);
    return run;
}

enum status world_render(struct world *world, int64_t first, int count, const struct world_sink *sink,
                         struct error *err)
{
    assert(first >= 0 && count >= 0 && first + count <= WORLD_MAX_FRAMES);
    struct job *job = calloc(1, sizeof *job);
    if (!job) return fail_memory(err, "a camera world", sizeof *job);
    *job = (struct job){.world = world, .sink = sink};
    enum status status = OK;
    for (int done = 0; done < count && status == OK;) {
        const int run = begin_run(job, first + done, count - done);
        par_for(world->options.threads, run, 1, render_frames, job);
        for (int i = 0; i < world->options.threads && status == OK; i++)
            if (job->status[i] != OK) status = fail(err, job->status[i], "%s", job->errors[i].message);
        done += run;
    }
    free(job);
    return status;
}
