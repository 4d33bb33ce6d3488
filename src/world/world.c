#include "world/world.h"

#include "base/par.h"
#include "world/frame.h"

#include <assert.h>
#include <stdlib.h>

/* Seconds of the day for which one backdrop holds. */
enum { STRETCH = 360 };

struct world {
    struct arena arena;
    struct site site;
    struct world_options options;
    struct place place;
    struct models models;
    struct sensor sensor;
    struct backdrop backdrop;
    int64_t stretch; /* of the backdrop */
    bool lit;
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
    return work->image.pixels && work->mask && canvas_make(&work->canvas, &world->place, &world->arena) &&
           painter_make(&work->painter, &world->place.layout.lens, &world->arena);
}

static bool make(struct world *world)
{
    const struct world_options *o = &world->options;
    struct arena *arena = &world->arena;
    site_make(&world->site, o->seed);
    world->works = arena_alloc(arena, (size_t)o->threads, sizeof *world->works);
    if (!world->works || !models_make(&world->models, &world->site, arena) ||
        !place_make(&world->place, &world->site, o->width, o->height, o->threads, arena) ||
        !backdrop_alloc(&world->backdrop, &world->place, arena) ||
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

static void light_stretch(struct world *world, int64_t stretch)
{
    if (world->lit && world->stretch == stretch) return;
    const double clock = ((double)stretch + 0.5) * STRETCH;
    struct light light;
    light_at(&light, world->options.seed, clock, world->options.weather);
    backdrop_make(&world->backdrop, &world->place, &light, clock, world->options.threads);
    world->stretch = stretch;
    world->lit = true;
}

struct job {
    struct world *world;
    const struct world_sink *sink;
    int64_t first;
    enum status status[PAR_MAX_THREADS];
    struct error errors[PAR_MAX_THREADS];
};

static void render_frames(void *context, int64_t begin, int64_t end, int worker)
{
    struct job *job = context;
    struct frame_work *work = &job->world->works[worker];
    for (int64_t i = begin; i < end && job->status[worker] == OK; i++) {
        frame_render(work, &job->world->backdrop, job->first + i);
        job->status[worker] = job->sink->frame(job->sink->context, job->first + i, &work->image, work->mask,
                                               &work->truth, worker, &job->errors[worker]);
    }
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
        const int64_t stretch = stretch_of(world, first + done);
        int run = 1;
        while (done + run < count && stretch_of(world, first + done + run) == stretch) run++;
        light_stretch(world, stretch);
        job->first = first + done;
        par_for(world->options.threads, run, 1, render_frames, job);
        for (int i = 0; i < world->options.threads && status == OK; i++)
            if (job->status[i] != OK) status = fail(err, job->status[i], "%s", job->errors[i].message);
        done += run;
    }
    free(job);
    return status;
}
