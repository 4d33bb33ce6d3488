/* The camera world: pictures, masks and boxes of three places by day, at night and in the rain. */
#include "golden.h"

#include "world/world.h"

#include <string.h>

enum { WIDTH = 96, HEIGHT = 64 };

struct emitter {
    struct golden *golden;
    const char *stage;
};

static enum status emit(void *context, int64_t index, const struct image *image, const uint8_t *mask,
                        const struct world_truth *truth, int worker, struct error *err)
{
    static uint8_t bytes[WIDTH * HEIGHT * 4 + WORLD_MAX_OBJECTS * 16];
    const struct emitter *emitter = context;
    size_t n = image_bytes(image);
    (void)index, (void)worker, (void)err;
    memcpy(bytes, image->pixels, n);
    memcpy(bytes + n, mask, (size_t)WIDTH * HEIGHT);
    n += (size_t)WIDTH * HEIGHT;
    for (int i = 0; i < truth->count; i++, n += 16) memcpy(bytes + n, truth->objects[i].box, 16);
    golden_emit_bytes(emitter->golden, emitter->stage, bytes, n);
    return OK;
}

void golden_world(struct golden *golden)
{
    static const struct {
        const char *stage;
        uint64_t seed;
        double hour;
        enum weather weather;
    } cases[] = {{"world.day", 4, 9, WEATHER_CLEAR},
                 {"world.night", 3, 22, WEATHER_AUTO},
                 {"world.rain", 2, 16, WEATHER_RAIN}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err;
        struct world *world;
        struct world_options o = world_default_options();
        o.seed = cases[i].seed;
        o.width = WIDTH;
        o.height = HEIGHT;
        o.start = cases[i].hour * 3600;
        o.weather = cases[i].weather;
        o.threads = golden->threads;
        struct emitter emitter = {golden, cases[i].stage};
        const struct world_sink sink = {&emitter, emit};
        enum status status = world_open(&world, &o, &err);
        if (status == OK) status = world_render(world, 77, 1, &sink, &err);
        if (status != OK) golden_fail(golden, cases[i].stage, err.message);
        world_close(world);
    }
}
