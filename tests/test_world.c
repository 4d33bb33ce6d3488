/* The camera world: frames are functions of seed and index alone, and the truth is that of the pixels. */
#include "check.h"

#include "base/hash.h"
#include "world/model.h"
#include "world/scenery.h"
#include "world/track.h"
#include "world/traffic.h"
#include "world/world.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 224, HEIGHT = 126 };

struct seen {
    char hash[SHA256_HEX];
    struct world_truth truth;
};

static void hash_truth(struct sha256 *hash, const struct world_truth *t)
{
    sha256_add(hash, &t->count, sizeof t->count);
    for (int i = 0; i < t->count; i++) {
        const struct world_object *o = &t->objects[i];
        sha256_add(hash, &o->id, sizeof o->id);
        sha256_add(hash, o->box, sizeof o->box);
        sha256_add(hash, o->whole, sizeof o->whole);
        sha256_add(hash, &o->depth, sizeof o->depth);
        sha256_add(hash, &o->visibility, sizeof o->visibility);
    }
}

static enum status remember(void *context, int64_t index, const struct image *image, const uint8_t *mask,
                            const struct world_truth *truth, int worker, struct error *err)
{
    struct seen *seen = (struct seen *)context + index;
    struct sha256 hash;
    (void)worker, (void)err;
    sha256_init(&hash);
    sha256_add(&hash, image->pixels, image_bytes(image));
    sha256_add(&hash, mask, (size_t)image->width * image->height);
    hash_truth(&hash, truth);
    sha256_hex(&hash, seen->hash);
    seen->truth = *truth;
    assert_int_equal(image->width, WIDTH);
    assert_int_equal(image->height, HEIGHT);
    return OK;
}

static enum status ignore_frame(void *context, int64_t index, const struct image *image, const uint8_t *mask,
                                const struct world_truth *truth, int worker, struct error *err)
{
    (void)context, (void)index, (void)image, (void)mask, (void)truth, (void)worker, (void)err;
    return OK;
}

static struct world *open_world(uint64_t seed, double start, double rate, enum weather weather, int threads)
{
    struct error err;
    struct world *world;
    struct world_options o = world_default_options();
    o.seed = seed;
    o.width = WIDTH;
    o.height = HEIGHT;
    o.start = start * 3600;
    o.rate = rate;
    o.weather = weather;
    o.threads = threads;
    check_ok(world_open(&world, &o, &err), &err);
    return world;
}

static void see(struct seen *seen, uint64_t seed, double start, double rate, int first, int count,
                int threads)
{
    struct error err;
    struct world *world = open_world(seed, start, rate, WEATHER_AUTO, threads);
    const struct world_sink sink = {seen, remember};
    check_ok(world_render(world, first, count, &sink, &err), &err);
    world_close(world);
}

static void threads_do_not_matter(void **state)
{
    enum { FRAMES = 7 };
    struct seen *one = calloc(FRAMES, sizeof *one), *three = calloc(FRAMES, sizeof *three);
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        see(one, seed, 16.5, 900, 0, FRAMES, 1);
        see(three, seed, 16.5, 900, 0, FRAMES, 3);
        for (int i = 0; i < FRAMES; i++) assert_string_equal(one[i].hash, three[i].hash);
    }
    free(one);
    free(three);
}

/* In a car park, too, where bays are left and taken while the light holds. */
static void frames_do_not_need_the_ones_before(void **state)
{
    enum { FRAMES = 45, CAR_PARK = 21 };
    struct seen *all = calloc(FRAMES, sizeof *all), *late = calloc(FRAMES, sizeof *late);
    (void)state;
    for (int park = 0; park < 2; park++) {
        const uint64_t seed = park ? CAR_PARK : 4;
        const double rate = park ? 120 : 1;
        see(all, seed, 8, rate, 0, FRAMES, 1);
        for (int i = 5; i < FRAMES; i += 6) {
            see(late, seed, 8, rate, i, 1, 1);
            assert_string_equal(all[i].hash, late[i].hash);
            assert_string_not_equal(all[i - 1].hash, all[i].hash);
        }
    }
    free(all);
    free(late);
}

static void seeds_are_places(void **state)
{
    struct seen *a = calloc(1, sizeof *a), *b = calloc(1, sizeof *b);
    bool settings[5] = {false};
    static const char *const names[5] = {"straight", "curve", "junction", "car park", "roundabout"};
    (void)state;
    see(a, 1, 12, 1, 0, 1, 1);
    see(b, 2, 12, 1, 0, 1, 1);
    assert_string_not_equal(a->hash, b->hash);
    for (uint64_t seed = 0; seed < 24; seed++) {
        struct world *world = open_world(seed, 12, 1, WEATHER_CLEAR, 1);
        for (int i = 0; i < 5; i++) settings[i] |= !strcmp(world_setting(world), names[i]);
        world_close(world);
    }
    for (int i = 0; i < 5; i++) assert_true(settings[i]);
    free(a);
    free(b);
}

/* Every mask pixel is explained by a box of its class, and boxes end where their pixels do. */
static enum status compare_mask(void *context, int64_t index, const struct image *image, const uint8_t *mask,
                                const struct world_truth *truth, int worker, struct error *err)
{
    int *boxes = context;
    int64_t pixels = 0, masked = 0;
    (void)index, (void)worker, (void)err;
    double nearest = 0;
    for (int i = 0; i < truth->count; i++) {
        const struct world_object *o = &truth->objects[i];
        pixels += o->pixels;
        assert_true(o->depth >= nearest); /* the order of depth */
        nearest = o->depth;
        assert_true(o->visibility >= 0 && o->visibility <= 1);
        for (int k = 0; k < 2; k++) assert_true(o->whole[k] >= 0 && o->whole[k] < o->whole[k + 2]);
        assert_true(o->whole[2] <= image->width && o->whole[3] <= image->height);
        if (!o->pixels) {
            assert_true(o->ignored);
            continue;
        }
        for (int k = 0; k < 2; k++) assert_true(o->box[k] >= o->whole[k] && o->box[k + 2] <= o->whole[k + 2]);
        if (o->ignored) continue;
        assert_true(o->visibility >= WORLD_MIN_VISIBILITY);
        /* Each side of the box touches a pixel of the class. */
        bool touched[4] = {false};
        for (int y = o->box[1]; y < o->box[3]; y++)
            for (int x = o->box[0]; x < o->box[2]; x++) {
                if (mask[y * image->width + x] != o->class_id + 1) continue;
                touched[0] |= x == o->box[0];
                touched[1] |= y == o->box[1];
                touched[2] |= x == o->box[2] - 1;
                touched[3] |= y == o->box[3] - 1;
            }
        for (int k = 0; k < 4; k++) assert_true(touched[k]);
        ++*boxes;
    }
    for (int i = 0; i < image->width * image->height; i++) masked += mask[i] != 0;
    assert_int_equal(pixels, masked);
    return OK;
}

static void truth_is_that_of_the_pixels(void **state)
{
    int boxes = 0;
    struct error err;
    const struct world_sink sink = {&boxes, compare_mask};
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world *world = open_world(seed, 8, 1, WEATHER_AUTO, 1);
        check_ok(world_render(world, 40, 3, &sink, &err), &err);
        world_close(world);
    }
    assert_true(boxes > 40);
}

/* Where a labelled vehicle is gone in the next frame or elsewhere, pixels changed much more than the noise
 * does. */
static enum status keep(void *context, int64_t index, const struct image *image, const uint8_t *mask,
                        const struct world_truth *truth, int worker, struct error *err)
{
    uint8_t *pixels = (uint8_t *)context + (size_t)index * image_bytes(image);
    (void)mask, (void)truth, (void)worker, (void)err;
    memcpy(pixels, image->pixels, image_bytes(image));
    return OK;
}

static void neighbours_are_alike(void **state)
{
    const size_t bytes = (size_t)WIDTH * HEIGHT * 3;
    uint8_t *pixels = malloc(bytes * 300);
    struct error err;
    const struct world_sink sink = {pixels, keep};
    struct world *world = open_world(3, 8, 1, WEATHER_CLEAR, 1);
    (void)state;
    check_ok(world_render(world, 0, 2, &sink, &err), &err);
    check_ok(world_render(world, 299, 1, &sink, &err), &err);
    double near = 0, far = 0;
    for (size_t i = 0; i < bytes; i++) {
        near += fabs((double)pixels[i] - pixels[bytes + i]);
        far += fabs((double)pixels[i] - pixels[299 * bytes + i]);
    }
    assert_true(near / (double)bytes < 8);
    assert_true(far > near);
    world_close(world);
    free(pixels);
}

/* Expected share of taken places on a main road at an hour of the day, without the waves of minutes. */
static double density(uint64_t seed, double hour)
{
    double sum = 0;
    for (int i = 0; i < 64; i++) sum += traffic_density(seed, TRAFFIC_VEHICLES, hour * 3600, i * 53.0);
    return sum / 64;
}

static void density_follows_the_day(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 12; seed++) {
        double rush = 0, noon = density(seed, 12.5), night = density(seed, 3);
        for (double hour = 6; hour < 10; hour += 0.25) rush = fmax(rush, density(seed, hour));
        assert_true(rush > 1.3 * noon);
        assert_true(noon > 3 * night);
        assert_true(night > 0 && rush < 0.95);
    }
}

static void bad_options_are_refused(void **state)
{
    struct error err;
    struct world *world;
    (void)state;
    const struct world_options good = world_default_options();
    struct world_options bad[8] = {good, good, good, good, good, good, good, good};
    bad[0].width = WORLD_MIN_SIDE - 1;
    bad[1].height = WORLD_MAX_SIDE + 1;
    bad[2].fps = 0;
    bad[3].start = 86400;
    bad[4].rate = -1;
    bad[5].fps = NAN;
    bad[6].fps = WORLD_MIN_FPS / 2;
    bad[7].rate = 2 * WORLD_MAX_STEP * good.fps;
    for (int i = 0; i < 8; i++) {
        assert_int_equal(world_open(&world, &bad[i], &err), ERR_USAGE);
        assert_null(world);
    }
}

/* The last frames of the longest recording, with a gust among them. */
static void far_frames_are_drawn(void **state)
{
    (void)state;
    struct world *world;
    struct error err;
    struct world_options o = world_default_options();
    o.width = 96;
    o.height = 64;
    o.fps = WORLD_MIN_FPS;
    o.rate = WORLD_MAX_STEP * WORLD_MIN_FPS;
    check_ok(world_open(&world, &o, &err), &err);
    const struct world_sink sink = {NULL, ignore_frame};
    check_ok(world_render(world, WORLD_MAX_FRAMES - 40, 40, &sink, &err), &err);
    world_close(world);
}

static enum status refuse(void *context, int64_t index, const struct image *image, const uint8_t *mask,
                          const struct world_truth *truth, int worker, struct error *err)
{
    (void)context, (void)image, (void)mask, (void)truth, (void)worker;
    return index == 2 ? fail(err, ERR_SYSTEM, "frame %d", (int)index) : OK;
}

static void a_sink_can_stop_it(void **state)
{
    struct error err;
    const struct world_sink sink = {NULL, refuse};
    struct world *world = open_world(1, 8, 1, WEATHER_AUTO, 2);
    (void)state;
    assert_int_equal(world_render(world, 0, 4, &sink, &err), ERR_SYSTEM);
    assert_string_equal(err.message, "frame 2");
    world_close(world);
}

static void tracks_follow_their_chains(void **state)
{
    struct arena arena = {0};
    struct chain chain = chain_start(3, -2, 0.4, 0, 20);
    struct track track;
    (void)state;
    chain_add(&chain, 0.05, 25);
    chain_add(&chain, -0.02, 30);
    const struct chain beside = chain_beside(&chain, 2.5), back = chain_reversed(&chain);
    for (double s = 1; s < 75; s += 3.7) {
        const struct pose p = chain_pose(&chain, s);
        double along, left;
        chain_locate(&chain, p.x - 1.5 * p.sine, p.y + 1.5 * p.cosine, &along, &left);
        assert_true(fabs(along - s) < 1e-6 && fabs(left - 1.5) < 1e-6);
        const struct pose q = chain_pose(&back, 75 - s);
        assert_true(fabs(p.x - q.x) < 1e-6 && fabs(p.cosine + q.cosine) < 1e-6);
    }
    for (double s = 0; s < chain_length(&beside); s += 5) {
        const struct pose p = chain_pose(&beside, s);
        double along, left;
        chain_locate(&chain, p.x, p.y, &along, &left);
        assert_true(fabs(left - 2.5) < 1e-6);
    }
    assert_true(track_of_chain(&track, &chain, &arena));
    const struct pose a = chain_pose(&chain, 33.5), b = track_pose(&track, 33.5);
    assert_true(fabs(a.x - b.x) < 0.01 && fabs(a.y - b.y) < 0.01 && fabs(a.sine - b.sine) < 0.01);
    arena_free(&arena);
}

enum { MANY_SITES = 24 };

/* Longer sides, in the pixels of a picture 640 wide, of vehicles that are whole. */
struct sides {
    int count, bulk;
};

static enum status measure_sides(void *context, int64_t index, const struct image *image, const uint8_t *mask,
                                 const struct world_truth *truth, int worker, struct error *err)
{
    struct sides *sides = context;
    (void)index, (void)mask, (void)worker, (void)err;
    for (int i = 0; i < truth->count; i++) {
        const struct world_object *o = &truth->objects[i];
        if (o->ignored || o->cut || o->class_id < 2) continue;
        const int across = o->box[2] - o->box[0], down = o->box[3] - o->box[1];
        const double longer = (across > down ? across : down) * 640.0 / image->width;
        assert_true((across < down ? across : down) >= WORLD_MIN_BOX);
        sides->count++;
        sides->bulk += longer >= 10 && longer <= 150;
    }
    return OK;
}

static void vehicles_fit_the_picture(void **state)
{
    struct error err;
    struct sides sides = {0};
    const struct world_sink sink = {&sides, measure_sides};
    (void)state;
    for (uint64_t seed = 200; seed < 200 + MANY_SITES; seed++) {
        struct world *world = open_world(seed, 9, 1200, WEATHER_CLEAR, 1);
        check_ok(world_render(world, 0, 8, &sink, &err), &err);
        world_close(world);
    }
    assert_true(sides.count > 100);
    assert_true(sides.bulk > 0.9 * sides.count);
}

static void mean_colour(double mean[3], const uint8_t *pixels)
{
    for (int k = 0; k < 3; k++) mean[k] = 0;
    for (int i = 0; i < WIDTH * HEIGHT * 3; i++) mean[i % 3] += pixels[i] / (double)(WIDTH * HEIGHT);
}

static double colour_distance(const double a[3], const double b[3])
{
    double sum = 0;
    for (int k = 0; k < 3; k++) sum += fabs(a[k] - b[k]);
    return sum;
}

/* Sites differ more from each other than a site does from itself. */
static void sites_have_colours_of_their_own(void **state)
{
    enum { SITES = 12 };
    const size_t bytes = (size_t)WIDTH * HEIGHT * 3;
    uint8_t *pixels = malloc(2 * bytes);
    const struct world_sink sink = {pixels, keep};
    double means[SITES][2][3], within = 0, between = 0;
    struct error err;
    (void)state;
    assert_non_null(pixels);
    for (int i = 0; i < SITES; i++) {
        struct world *world = open_world((uint64_t)i, 12, 300, WEATHER_CLEAR, 1);
        check_ok(world_render(world, 0, 2, &sink, &err), &err);
        for (int k = 0; k < 2; k++) mean_colour(means[i][k], pixels + (size_t)k * bytes);
        world_close(world);
    }
    for (int i = 0; i < SITES; i++) {
        within = fmax(within, colour_distance(means[i][0], means[i][1]));
        for (int k = 0; k < i; k++) between += colour_distance(means[i][0], means[k][0]);
    }
    assert_true(between / (SITES * (SITES - 1) / 2.0) > 2 * within);
    free(pixels);
}

static void cameras_are_of_all_kinds(void **state)
{
    double low = 1e9, high = 0, steep = 1e9, flat = 0;
    bool infrared = false, grey = false;
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct site site, again;
        site_make(&site, seed);
        site_make(&again, seed);
        assert_memory_equal(&site.camera, &again.camera, sizeof site.camera);
        low = fmin(low, site.camera.stand);
        high = fmax(high, site.camera.stand);
        steep = fmin(steep, site.camera.reach);
        flat = fmax(flat, site.camera.reach);
        infrared |= site.look.infrared;
        grey |= site.look.saturation == 0;
        const double others =
            site.fleet.vans + site.fleet.buses + site.fleet.lorries + site.fleet.motorcycles;
        assert_true(others > 0 && others < 1);
        for (int variant = 0; variant < 16; variant++) {
            const struct proportions p = site_proportions(&site, KIND_CAR, variant);
            assert_true(fabs(p.length - 1) <= 0.15 && fabs(p.width - 1) <= 0.15 &&
                        fabs(p.height - 1) <= 0.15);
        }
    }
    assert_true(low < 5 && high > 22 && steep < 0.5 && flat > 4.5);
    assert_true(infrared && grey);
}

/* Feet of furniture touch neither carriageways nor the car park. */
static void furniture_keeps_off_the_road(void **state)
{
    struct arena arena = {0};
    static struct layout layout;
    static struct scenery scenery;
    int found = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 3 * MANY_SITES; seed++) {
        struct site site;
        site_make(&site, seed);
        assert_true(layout_make(&layout, &site, WIDTH, HEIGHT, &arena));
        scenery_make(&scenery, &layout);
        for (int i = 0; i < scenery.prop_count; i++) {
            const struct prop *p = &scenery.props[i];
            if (p->look < LOOK_PLAIN) continue;
            found++;
            for (int k = 0; k < 9; k++) {
                const double x = (k % 3 - 1) * p->half_x, y = (k / 3 - 1) * p->half_y;
                int road;
                double s, d;
                const double edge = layout_edge(&layout, p->centre.x + x * p->cosine - y * p->sine,
                                                p->centre.y + x * p->sine + y * p->cosine, &road, &s, &d);
                assert_true(edge > 0);
                assert_true(road < 0 || fabs(d) > layout.roads[road].half);
            }
        }
        arena_free(&arena);
    }
    assert_true(found > 500);
}

/* No list of props, lamps or movers is full: a place would lack what comes last. Where vehicles are drawn there is
 * ground. */
static void lists_are_long_enough(void **state)
{
    static struct layout layout;
    static struct scenery scenery;
    static struct movers movers;
    int props = 0, lamps = 0, most = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 150; seed++) {
        struct arena arena = {0};
        struct site site;
        struct models models;
        site_make(&site, seed);
        assert_true(layout_make(&layout, &site, WIDTH, HEIGHT, &arena));
        assert_true(models_make(&models, &site, &arena));
        assert_true(layout.sight < layout.end);
        scenery_make(&scenery, &layout);
        if (scenery.prop_count > props) props = scenery.prop_count;
        if (scenery.lamp_count > lamps) lamps = scenery.lamp_count;
        for (int hour = 7; hour < 20; hour++) {
            const struct times times = {hour * 3600.0, 1};
            traffic_at(&movers, &layout, &models, &times, 100.0 * hour);
            if (movers.count > most) most = movers.count;
        }
        arena_free(&arena);
    }
    assert_in_range(props, 500, SCENERY_MAX_PROPS - 1);
    assert_in_range(lamps, 10, SCENERY_MAX_LAMPS - 1);
    assert_in_range(most, 100, TRAFFIC_MAX_MOVERS - 2);
}

/* The volume that outward faces enclose is positive, so none is turned inside out as a whole; sizes are
 * plausible. */
static void check_shape(const struct model *m)
{
    double volume = 0, low = 1e9, high = -1e9;
    for (int f = 0; f < m->mesh.face_count; f++) {
        const struct mesh_face *face = &m->mesh.faces[f];
        const struct point *p = m->mesh.points;
        volume += point_dot(p[face->point[0]], point_cross(p[face->point[1]], p[face->point[2]])) / 6;
        for (int k = 0; k < 3; k++) {
            const float *n = face->normal[k];
            assert_true(fabs(sqrt((double)n[0] * n[0] + (double)n[1] * n[1] + (double)n[2] * n[2]) - 1) <
                        1e-4);
            low = fmin(low, p[face->point[k]].x);
            high = fmax(high, p[face->point[k]].x);
        }
    }
    assert_true(m->kind == KIND_BICYCLE || volume > 0.02);
    assert_true(high - low < m->length * 1.25 + 0.3 && m->height < 4.6);
}

static void shapes_are_solid(void **state)
{
    struct arena arena = {0};
    static struct models models;
    (void)state;
    for (uint64_t seed = 0; seed < MANY_SITES; seed++) {
        struct site site;
        site_make(&site, seed);
        assert_true(models_make(&models, &site, &arena));
        for (int kind = 0; kind < KIND_COUNT; kind++)
            assert_true(models.first[kind] < models.first[kind + 1]);
        for (int i = 0; i < models.count; i++) check_shape(&models.models[i]);
        arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(frames_do_not_need_the_ones_before),
        cmocka_unit_test(seeds_are_places),
        cmocka_unit_test(truth_is_that_of_the_pixels),
        cmocka_unit_test(neighbours_are_alike),
        cmocka_unit_test(density_follows_the_day),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(far_frames_are_drawn),
        cmocka_unit_test(a_sink_can_stop_it),
        cmocka_unit_test(tracks_follow_their_chains),
        cmocka_unit_test(shapes_are_solid),
        cmocka_unit_test(vehicles_fit_the_picture),
        cmocka_unit_test(sites_have_colours_of_their_own),
        cmocka_unit_test(cameras_are_of_all_kinds),
        cmocka_unit_test(furniture_keeps_off_the_road),
        cmocka_unit_test(lists_are_long_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
