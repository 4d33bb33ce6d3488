/* Any number of threads, more than there are CPUs too, and pictures of odd sizes: the same bits, nothing read
 * or written beside them. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "check.h"
#include "check_net.h"

#include "base/rng.h"
#include "detect/detector.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { MOST = 50 };

struct world {
    const struct kernels *kernels;
    struct model model;
};

static void begin(struct world *w)
{
    struct error err;
    check_ok(kernels_get(&w->kernels, NULL, &err), &err);
    check_ok(model_make(&w->model, (struct yolo11_config){.scale = YOLO11_PICO, .classes = 3}, &err), &err);
    check_synth_params(&w->model.params);
}

/* Raw outputs of the network on noise: [levels] boxes, then scores, malloc'ed. */
static float *outputs(struct world *w, int height, int width, int batch, int threads, enum net_plan plan,
                      size_t *bytes)
{
    struct graph graph;
    struct yolo11 network;
    struct net net;
    struct error err;
    graph_begin(&graph, &w->model.params);
    check_ok(yolo11_build(&network, &graph, w->model.config, height, width, &err), &err);
    const struct net_options options = {
        .batch = batch, .threads = threads, .mode = NET_INFERENCE, .plan = plan};
    check_ok(net_create(&net, &graph, w->kernels, options, &err), &err);
    const struct view in = net_value(&net, graph.input);
    const uint64_t key = rng_key(1, "pixels");
    for (int64_t i = 0; i < in.pixels * 3; i++) in.data[i] = (float)rng_real(key, (uint64_t)i);
    net_forward(&net);
    float *values = NULL;
    size_t used = 0;
    for (int k = 0; k < 2 * HEAD_LEVELS; k++) {
        const struct view v =
            net_value(&net, (k < HEAD_LEVELS ? network.boxes : network.scores)[k % HEAD_LEVELS]);
        values = realloc(values, (used + (size_t)(v.pixels * v.channels)) * sizeof *values);
        assert_non_null(values);
        for (int64_t p = 0; p < v.pixels; p++, used += (size_t)v.channels)
            memcpy(values + used, v.data + p * v.stride, (size_t)v.channels * sizeof *values);
    }
    net_free(&net);
    graph_free(&graph);
    *bytes = used * sizeof *values;
    return values;
}

static void any_number_of_threads(void **state)
{
    (void)state;
    struct world w = {0};
    begin(&w);
    static const int counts[] = {2, 3, 5, 8, 17, 31, 64};
    for (int plan = 0; plan < 2; plan++) {
        size_t bytes, other;
        float *one = outputs(&w, 96, 160, 2, 1, plan ? PLAN_FAST : PLAN_EXACT, &bytes);
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            float *many = outputs(&w, 96, 160, 2, counts[i], plan ? PLAN_FAST : PLAN_EXACT, &other);
            assert_int_equal(bytes, other);
            assert_memory_equal(one, many, bytes);
            free(many);
        }
        free(one);
    }
    model_free(&w.model);
}

/* Every image of a batch is what it is alone. */
static void any_batch(void **state)
{
    (void)state;
    struct world w = {0};
    begin(&w);
    size_t bytes, all;
    float *one = outputs(&w, 32, 64, 1, 2, PLAN_FAST, &bytes);
    static const int batches[] = {2, 7, 32};
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        float *many = outputs(&w, 32, 64, batches[i], 3, PLAN_FAST, &all);
        assert_int_equal(all, bytes * (size_t)batches[i]);
        /* The first level's first image, of [batch][4 * 8][64]. */
        assert_memory_equal(one, many, 4 * 8 * HEAD_BOX_LOGITS * sizeof *one);
        free(many);
    }
    free(one);
    model_free(&w.model);
}

/* Pictures of any shape through the predict call, at several input sizes. */
static void odd_sizes(void **state)
{
    (void)state;
    static const struct {
        int width, height, size;
    } cases[] = {{32, 32, 32},       {33, 47, 64},    {1, 1, 32},       {2048, 3, 320}, {3, 2048, 320},
                 {2048, 1081, 2048}, {640, 359, 640}, {97, 1025, 1024}, {1023, 32, 96}};
    struct world w = {0};
    begin(&w);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct detection found[2][MOST];
        int count[2];
        struct error err;
        struct image image = {0};
        check_ok(image_alloc(&image, cases[i].width, cases[i].height, &err), &err);
        for (size_t k = 0; k < image_bytes(&image); k++) image.pixels[k] = (uint8_t)(k * 2654435761u >> 13);
        for (int run = 0; run < 2; run++) {
            struct detector detector;
            struct nms_options nms = nms_predict_options();
            nms.confidence = 0.001f;
            nms.max_detections = MOST;
            detector_begin(&detector, &w.model, w.kernels, run ? 5 : 1, &nms);
            check_ok(detector_predict(&detector, &image, cases[i].size, true, found[run], &count[run], &err),
                     &err);
            detector_end(&detector);
        }
        assert_int_equal(count[0], count[1]);
        for (int k = 0; k < count[0]; k++) {
            const struct box *b = &found[0][k].box;
            assert_memory_equal(b, &found[1][k].box, sizeof *b);
            assert_true(found[0][k].confidence == found[1][k].confidence);
            assert_true(b->x1 >= 0 && b->y1 >= 0 && b->x2 <= (float)cases[i].width &&
                        b->y2 <= (float)cases[i].height);
        }
        image_free(&image);
    }
    model_free(&w.model);
}

struct watcher {
    const struct world *world;
    const struct model *model;
    struct detection found[MOST];
    int count;
};

static void *watch(void *context)
{
    struct watcher *const at = context;
    struct detector detector;
    struct error err;
    struct image image = {0};
    struct nms_options nms = nms_predict_options();
    nms.confidence = 0.001f;
    nms.max_detections = MOST;
    check_ok(image_alloc(&image, 97, 64, &err), &err);
    for (size_t k = 0; k < image_bytes(&image); k++) image.pixels[k] = (uint8_t)(k * 2654435761u >> 13);
    detector_begin(&detector, at->model, at->world->kernels, 1, &nms);
    check_ok(detector_predict(&detector, &image, 96, true, at->found, &at->count, &err), &err);
    detector_end(&detector);
    image_free(&image);
    return NULL;
}

/* A model serves detectors of several threads at a time: making them writes nothing into it. */
static void one_model_for_several_threads(void **state)
{
    (void)state;
    struct world w = {0};
    begin(&w);
    struct model *const shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    *shared = w.model;
    assert_int_equal(mprotect(shared, sizeof *shared, PROT_READ), 0);
    static struct watcher watchers[2];
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        watchers[i] = (struct watcher){.world = &w, .model = shared};
        assert_int_equal(pthread_create(threads + i, NULL, watch, watchers + i), 0);
    }
    for (int i = 0; i < 2; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(watchers[0].count > 0);
    assert_int_equal(watchers[0].count, watchers[1].count);
    assert_memory_equal(watchers[0].found, watchers[1].found,
                        (size_t)watchers[0].count * sizeof *watchers[0].found);
    munmap(shared, sizeof *shared);
    model_free(&w.model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_threads),
        cmocka_unit_test(any_batch),
        cmocka_unit_test(odd_sizes),
        cmocka_unit_test(one_model_for_several_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
