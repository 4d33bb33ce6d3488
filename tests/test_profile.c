/* retort profile: what it tells of a run adds up, and watching changes nothing. */
#include "check.h"
#include "check_json.h"

#include "base/json.h"
#include "cli/profile.h"
#include "nn/cost.h"
#include "nn/roof.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 64, ROUNDS = 2, LIMIT = 1 << 20 };

struct world {
    struct arena arena;
    struct model model;
    struct profile profile;
};

static void measure(struct world *w, bool train)
{
    const struct kernels *kernels;
    struct error err;
    const struct profile_options options = {
        .size = SIZE, .batch = 2, .threads = 2, .rounds = ROUNDS, .train = train};
    *w = (struct world){0};
    check_ok(kernels_get(&kernels, NULL, &err), &err);
    check_ok(model_make(&w->model, (struct yolo11_config){.scale = YOLO11_PICO, .classes = 3}, &err), &err);
    check_ok(profile_run(&w->profile, &w->model, kernels, &options, NULL, &w->arena, &err), &err);
}

static void leave(struct world *w)
{
    model_free(&w->model);
    arena_free(&w->arena);
}

/* The sum of the layers of a pass is the pass: every moment is counted once. */
static void check_pass(const struct profile *p, enum profile_phase phase)
{
    double sum = 0, before = p->begun[phase];
    for (int i = 0; i < p->count; i++) {
        const struct profile_row *row = p->rows + i;
        if (row->phase != phase) continue;
        assert_true(row->begun == before && row->ended >= row->begun);
        assert_true(row->time.minimum > 0 && row->time.minimum <= row->time.median && row->bytes > 0);
        before = row->ended;
        sum += row->ended - row->begun;
    }
    assert_true(before == p->ended[phase]);
    const double pass = p->ended[phase] - p->begun[phase];
    assert_true(sum > 0.999 * pass && sum < 1.001 * pass); /* rounding of doubles only */
    assert_true(p->phases[phase].minimum > 0);
}

static void inference_adds_up(void **state)
{
    (void)state;
    struct world w;
    measure(&w, false);
    check_pass(&w.profile, PROFILE_FORWARD);
    assert_true(w.profile.whole.minimum >= w.profile.phases[PROFILE_FORWARD].minimum);
    assert_true(w.profile.plain.minimum > 0 && w.profile.bandwidth > 0 && w.profile.peak_before > 0);
    assert_string_equal(w.profile.rows[0].text, "conv 3x3/2 3->8 at 32x32");
    assert_string_equal(w.profile.rows[0].algorithm, "patches");
    assert_true(w.profile.rows[0].flop == 2.0 * 2 * 32 * 32 * 8 * 27);
    assert_true(w.profile.rows[0].bytes == 4.0 * (2 * (64 * 64 * 3 + 32 * 32 * 8) + 8 * 27 + 4 * 8));
    leave(&w);
}

static void training_step_adds_up(void **state)
{
    (void)state;
    struct world w;
    measure(&w, true);
    const struct profile *p = &w.profile;
    check_pass(p, PROFILE_FORWARD);
    check_pass(p, PROFILE_BACKWARD);
    for (int i = 0; i + 1 < PROFILE_PHASES; i++) {
        assert_true(p->ended[i] >= p->begun[i] && p->begun[i + 1] >= p->ended[i]);
        assert_true(p->phases[i].minimum > 0);
    }
    /* The first layer's input needs no gradient, the second one's does: one factor, and two. */
    const struct profile_row *last = p->rows + p->count - 1;
    assert_true(last->flop == p->rows[0].flop && last[-1].flop == 2 * p->rows[1].flop);
    leave(&w);
}

static struct json *written(void (*write)(struct json_writer *, const struct profile *),
                            const struct profile *profile)
{
    char *text;
    size_t size;
    struct json *root;
    struct error err;
    struct json_writer out = {.stream = open_memstream(&text, &size)};
    assert_non_null(out.stream);
    write(&out, profile);
    assert_int_equal(fclose(out.stream), 0);
    check_ok(json_read_bytes(&root, text, size, "profile", LIMIT, &err), &err);
    free(text);
    return root;
}

static void outputs_tell_the_same(void **state)
{
    (void)state;
    check_needs_json();
    struct world w;
    measure(&w, true);
    struct json *json = written(profile_json, &w.profile);
    const struct json *layers = json_member(json, "layers");
    assert_int_equal(json_count(layers), w.profile.count);
    assert_string_equal(json_text(json_member(json_item(layers, 0), "algorithm")), "patches");
    assert_true(json_number(json_member(json_item(layers, 0), "flop"), 0) == w.profile.rows[0].flop);
    assert_int_equal(json_count(json_member(json, "phases")), PROFILE_PHASES);
    json_free(json);

    json = written(profile_trace, &w.profile);
    const struct json *events = json_member(json, "traceEvents");
    assert_int_equal(json_count(events), 2 + PROFILE_PHASES + w.profile.count);
    const struct json *event = json_item(events, 2 + PROFILE_PHASES);
    assert_string_equal(json_text(json_member(event, "ph")), "X");
    assert_string_equal(json_text(json_member(event, "name")), w.profile.rows[0].layer);
    assert_true(json_number(json_member(event, "dur"), -1) >= 0);
    json_free(json);

    struct text table = {0};
    profile_table(&table, &w.profile);
    assert_non_null(strstr(table.data, "conv 3x3/2 3->8 at 32x32"));
    assert_non_null(strstr(table.data, "\noptimiser "));
    text_free(&table);
    leave(&w);
}

struct count {
    int begun[3], ended[3];
};

static void count_marks(void *context, enum net_pass pass, int node)
{
    struct count *c = context;
    if (node < 0)
        c->begun[pass]++;
    else
        c->ended[pass]++;
}

static void watching_changes_no_bit(void **state)
{
    (void)state;
    const struct kernels *kernels;
    struct error err;
    struct model model;
    struct graph graph;
    struct yolo11 network;
    struct net net;
    struct count count = {0};
    check_ok(kernels_get(&kernels, NULL, &err), &err);
    check_ok(model_make(&model, (struct yolo11_config){.scale = YOLO11_PICO, .classes = 3}, &err), &err);
    for (size_t i = 0; i < model.params.trainable; i++)
        model.params.values[i] = 0.01f * (float)(i % 7) - 0.02f;
    graph_begin(&graph, &model.params);
    check_ok(yolo11_build(&network, &graph, model.config, SIZE, SIZE, &err), &err);
    const struct net_options options = {.batch = 1, .threads = 1, .mode = NET_INFERENCE};
    check_ok(net_create(&net, &graph, kernels, options, &err), &err);
    const struct net_watch watch = {count_marks, &count};
    float *first = NULL;
    size_t bytes = 0;
    for (int run = 0; run < 2; run++) {
        const struct view in = net_value(&net, graph.input);
        for (int64_t i = 0; i < in.pixels * 3; i++) in.data[i] = (float)(i % 256) / 255.f;
        net.watch = run ? &watch : NULL;
        net_forward(&net);
        const struct view out = net_value(&net, network.boxes[0]);
        bytes = (size_t)(out.pixels * out.stride) * sizeof(float);
        if (run) {
            assert_memory_equal(first, out.data, bytes);
        } else {
            assert_non_null(first = malloc(bytes));
            memcpy(first, out.data, bytes);
        }
    }
    assert_int_equal(count.begun[NET_FORWARD], 1);
    assert_int_equal(count.ended[NET_FORWARD], graph.node_count);
    free(first);
    net_free(&net);
    graph_free(&graph);
    model_free(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inference_adds_up),
        cmocka_unit_test(training_step_adds_up),
        cmocka_unit_test(outputs_tell_the_same),
        cmocka_unit_test(watching_changes_no_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
