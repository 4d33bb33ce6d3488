/* The vision transformer against the reference implementation: forward, position tables, gradients. */
#include "check.h"
#include "check_json.h"
#include "check_net.h"

#include "base/json.h"
#include "select/vit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct vit_config vit_s = {.dim = 384, .depth = 12, .heads = 6, .mlp = 1536, .grid = 37};
static const struct vit_config vit_tiny = {.dim = 96, .depth = 2, .heads = 3, .mlp = 384, .grid = 5};

struct run {
    struct params params;
    struct graph graph;
    struct vit model;
    struct net net;
};

static void start(struct run *run, struct vit_config config, enum net_mode mode, enum net_plan plan, int height,
                  int width)
{
    struct error err;
    const struct kernels *kernels;
    check_ok(kernels_get(&kernels, NULL, &err), &err);
    run->params = (struct params){0};
    graph_begin(&run->graph, &run->params);
    check_ok(vit_build(&run->model, &run->graph, config, height, width, mode != NET_INFERENCE, &err), &err);
    check_synth_params(&run->params);
    const struct net_options options = {.batch = 1, .threads = 2, .mode = mode, .plan = plan};
    check_ok(net_create(&run->net, &run->graph, kernels, options, &err), &err);
    const struct view input = net_value(&run->net, run->graph.input);
    const size_t n = (size_t)input.pixels * 3;
    float *x = malloc(n * sizeof *x);
    check_uniform(x, "x", n);
    check_from_nchw(input, x);
    free(x);
}

static void finish(struct run *run)
{
    net_free(&run->net);
    graph_free(&run->graph);
    params_free(&run->params);
}

static void open_reference(struct weights *reference, const char *path)
{
    struct error err;
    check_ok(weights_open(reference, path, &err), &err);
}

/* A few tensors of the references that a lone checkout has. */
static const char *const small = "tests/data/vit_small.safetensors";

/* Rows first, first + 1, ... of a token tensor against a reference tensor of any number of whole rows. */
static void rows_match(const struct run *run, int tensor, int first, const struct weights *reference,
                       const char *name, double tolerance)
{
    size_t n;
    float *expected = check_reference(reference, name, &n);
    const struct view v = net_value(&run->net, tensor);
    assert_int_equal(v.stride, v.channels);
    assert_int_equal(n % (size_t)v.channels, 0);
    assert_true(first + (int64_t)n / v.channels <= v.pixels);
    const double difference = check_max_difference(v.data + first * v.stride, expected, n);
    printf("%s: %.2g (limit %.0e)\n", name, difference, tolerance);
    assert_true(difference <= tolerance);
    free(expected);
}

/* Sums over all tokens, of which the tensors above hold the first eight: no further away than all values
 * together may be. */
static void sums_match(const struct run *run, int tensor, const struct json *taps, const char *name,
                       double tolerance)
{
    const struct json *tap = json_member(taps, name), *shape = json_member(tap, "shape");
    const struct view v = net_value(&run->net, tensor);
    assert_int_equal(v.stride, v.channels);
    assert_int_equal(json_int(json_item(shape, 0), -1), v.pixels);
    assert_int_equal(json_int(json_item(shape, 1), -1), v.channels);
    const int64_t n = v.pixels * v.channels;
    double sum = 0, sum_abs = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += (double)v.data[i];
        sum_abs += fabs((double)v.data[i]);
    }
    const double signed_difference = fabs(sum - json_number(json_member(tap, "sum"), NAN));
    const double difference = fabs(sum_abs - json_number(json_member(tap, "sum_abs"), NAN));
    printf("%s: sums %.2g and %.2g (limit %.2g)\n", name, signed_difference, difference,
           tolerance * (double)n);
    assert_true(signed_difference <= tolerance * (double)n && difference <= tolerance * (double)n);
}

static void sums_of_s_match(const struct run *run)
{
    struct json *root;
    struct error err;
    check_ok(json_read_file(&root, check_shared("golden/vit/vit.json"), 1 << 20, &err), &err);
    const struct json *taps = json_member(root, "tap_sums_f64");
    sums_match(run, run->model.tokens, taps, "tokens", 2e-5);
    sums_match(run, run->model.block[0], taps, "block1", 2e-5);
    sums_match(run, run->model.block[5], taps, "block6", 1e-4);
    sums_match(run, run->model.block[11], taps, "block12", 1e-4);
    sums_match(run, run->model.norm, taps, "norm", 2e-5);
    json_free(root);
}

/* All tolerances are golden/vit's: the reference differs between float32 and float64 by 3.5e-6 after the
 * embedding, 1.6e-5 after block 12 and 1.6e-6 in the class token. The plan fast is 2.1e-5 away after the first
 * block, by Strassen's sums, so blocks are compared under exact. */
static void every_block_of_s_matches(void **state)
{
    (void)state;
    check_needs_json();
    struct weights reference;
    struct run run;
    open_reference(&reference, check_shared("golden/vit/vits14_synth.safetensors"));
    start(&run, vit_s, NET_FROZEN, PLAN_EXACT, 224, 224);
    net_forward(&run.net);
    rows_match(&run, run.model.tokens, 0, &reference, "224x224.tokens", 2e-5);
    rows_match(&run, run.model.block[0], 0, &reference, "224x224.block1", 2e-5);
    rows_match(&run, run.model.block[5], 0, &reference, "224x224.block6", 1e-4);
    rows_match(&run, run.model.block[11], 0, &reference, "224x224.block12", 1e-4);
    rows_match(&run, run.model.norm, 0, &reference, "224x224.norm", 2e-5);
    sums_of_s_match(&run);
    finish(&run);
    weights_close(&reference);
}

static void class_token_of_s_matches_at_every_size(void **state)
{
    (void)state;
    static const int sizes[][2] = {{224, 224}, {196, 196}, {140, 224}};
    struct weights reference;
    open_reference(&reference, check_shared("golden/vit/vits14_synth.safetensors"));
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
        struct run run;
        char name[32];
        const int height = sizes[i / 2][0], width = sizes[i / 2][1];
        start(&run, vit_s, NET_INFERENCE, i % 2 ? PLAN_EXACT : PLAN_FAST, height, width);
        net_forward(&run.net);
        snprintf(name, sizeof name, "%dx%d.cls", height, width);
        rows_match(&run, run.model.norm, 0, &reference, name, 2e-5);
        snprintf(name, sizeof name, "%dx%d.cls_f64", height, width);
        rows_match(&run, run.model.norm, 0, &reference, name, 2e-5);
        finish(&run);
    }
    weights_close(&reference);
}

static void other_sizes_match(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct vit_config config;
    } cases[] = {
        {"s14_reg", {384, 12, 6, 1536, 37, 4, true}},
        {"b14", {768, 12, 12, 3072, 37, 0, false}},
        {"l14", {1024, 24, 16, 4096, 37, 0, false}},
    };
    struct weights reference;
    open_reference(&reference, check_shared("golden/vit/vit_sizes_synth.safetensors"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct run run;
        char name[32];
        start(&run, cases[i].config, NET_INFERENCE, PLAN_FAST, 224, 224);
        net_forward(&run.net);
        snprintf(name, sizeof name, "%s.cls", cases[i].name);
        rows_match(&run, run.model.norm, 0, &reference, name, 5e-5);
        if (cases[i].config.registers)
            rows_match(&run, run.model.norm, 1, &reference, "s14_reg.registers", 5e-5);
        finish(&run);
    }
    weights_close(&reference);
}

/* The token operation alone on patches of zeros: the class token is taken off the first row, the rest is the
 * table. Its first 8 channels are compared; channels do not meet. */
static void table_matches(const struct weights *reference, bool registers, int height, int width)
{
    struct params params = {0};
    struct graph graph;
    struct net net;
    struct error err;
    const struct kernels *kernels;
    char name[32];
    check_ok(kernels_get(&kernels, NULL, &err), &err);
    graph_begin(&graph, &params);
    const int x = graph_input(&graph, height / VIT_PATCH, width / VIT_PATCH, 384, false);
    const struct token_layer layer =
        graph_token_layer(&graph, 384, (struct token_options){registers ? 4 : 0, 37, registers});
    graph_output(&graph, graph_tokens(&graph, &layer, x));
    check_ok(graph_finish(&graph, &err), &err);
    check_synth_params(&params);
    memset(params_values(&params, params_find(&params, "cls_token")), 0, 384 * sizeof(float));
    check_ok(net_create(&net, &graph, kernels, (struct net_options){.batch = 1, .threads = 2}, &err), &err);
    net_forward(&net);

    size_t n;
    snprintf(name, sizeof name, "%s.%dx%d", registers ? "reg" : "std", height, width);
    float *expected = check_reference(reference, name, &n);
    const struct view found = net_value(&net, graph.output[0]);
    double worst = 0;
    assert_int_equal(n, 8 * (1 + (size_t)(height / VIT_PATCH) * (size_t)(width / VIT_PATCH)));
    for (size_t row = 0; row < n / 8; row++) {
        const int64_t token = row && registers ? (int64_t)row + 4 : (int64_t)row;
        const double d = check_max_difference(found.data + token * found.stride, expected + 8 * row, 8);
        if (!(d <= worst)) worst = d;
    }
    printf("%s: %.2g (limit 2e-6)\n", name, worst);
    assert_true(worst <= 2e-6);
    free(expected);
    net_free(&net);
    graph_free(&graph);
    params_free(&params);
}

static void position_tables_match(void **state)
{
    (void)state;
    static const int sizes[][2] = {{140, 224}, {196, 196}, {224, 224}, {336, 448}, {518, 224}};
    struct weights reference;
    open_reference(&reference, check_shared("golden/vit/pos_tables.safetensors"));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        table_matches(&reference, false, sizes[i][0], sizes[i][1]);
    table_matches(&reference, true, 224, 224);
    weights_close(&reference);
}

static void a_position_table_matches(void **state)
{
    (void)state;
    struct weights reference;
    open_reference(&reference, small);
    table_matches(&reference, false, 140, 224);
    weights_close(&reference);
}

/* At its own size the table is taken bit by bit. */
static void a_table_of_the_stored_size_is_unchanged(void **state)
{
    (void)state;
    struct params params = {0};
    struct graph graph;
    struct net net;
    struct error err;
    const struct kernels *kernels;
    check_ok(kernels_get(&kernels, NULL, &err), &err);
    graph_begin(&graph, &params);
    const int x = graph_input(&graph, 3, 3, 8, false);
    const struct token_layer layer = graph_token_layer(&graph, 8, (struct token_options){.grid = 3});
    graph_output(&graph, graph_tokens(&graph, &layer, x));
    check_ok(graph_finish(&graph, &err), &err);
    check_synth_params(&params);
    check_ok(net_create(&net, &graph, kernels, (struct net_options){.batch = 1, .threads = 2}, &err), &err);
    net_forward(&net);
    assert_memory_equal(net_value(&net, graph.output[0]).data + 8,
                        params_values(&params, params_find(&params, "pos_embed")) + 8, 9 * 8 * sizeof(float));
    net_free(&net);
    graph_free(&graph);
    params_free(&params);
}

/* 1e-5 + 1e-5 of the largest entry: the reference was computed in float64. */
static void gradient_matches(const struct weights *reference, const char *name, const float *found,
                             size_t count)
{
    size_t n;
    float *expected = check_reference(reference, name, &n);
    double largest = 0;
    assert_int_equal(n, count);
    for (size_t i = 0; i < n; i++)
        if (fabs((double)expected[i]) > largest) largest = fabs((double)expected[i]);
    const double difference = check_max_difference(found, expected, n);
    if (!(difference <= 1e-5 + 1e-5 * largest)) print_error("%s: %g of %g\n", name, difference, largest);
    assert_true(difference <= 1e-5 + 1e-5 * largest);
    free(expected);
}

/* loss = sum(cls * g) */
static void set_output_gradient(struct run *run, double *loss)
{
    const struct view norm = net_value(&run->net, run->model.norm);
    const struct view gradient = net_gradient(&run->net, run->model.norm);
    memset(gradient.data, 0, (size_t)gradient.pixels * (size_t)gradient.stride * sizeof(float));
    check_uniform(gradient.data, "g", (size_t)gradient.channels);
    *loss = 0;
    for (int c = 0; c < norm.channels; c++) *loss += (double)norm.data[c] * gradient.data[c];
}

/* Returns how many of the parameters' gradients the file has. */
static int tiny_model_matches(const struct weights *reference, struct run *run)
{
    int compared = 0;
    double loss;
    float expected;
    rows_match(run, run->model.norm, 0, reference, "cls", 1e-5);
    set_output_gradient(run, &loss);
    assert_non_null(weights_find(reference, "loss"));
    weights_read(&expected, weights_find(reference, "loss"));
    assert_true(fabs(loss - (double)expected) <= 1e-5 * fabs((double)expected));

    float *gradients = calloc(run->params.trainable, sizeof *gradients);
    assert_non_null(gradients);
    net_backward(&run->net, gradients);
    for (int i = 0; i < run->params.count; i++) {
        const struct param *p = run->params.list + i;
        char name[PARAM_MAX_NAME + 8];
        snprintf(name, sizeof name, "grad.%s", p->name);
        if (!weights_find(reference, name)) continue;
        gradient_matches(reference, name, gradients + p->offset, p->size);
        compared++;
    }
    free(gradients);
    return compared;
}

static void gradients_of_a_small_model_match(void **state)
{
    (void)state;
    struct weights reference;
    struct run run;
    open_reference(&reference, check_shared("golden/vit/vit_tiny_grad.safetensors"));
    start(&run, vit_tiny, NET_TRAINING, PLAN_FAST, 56, 56);
    net_forward(&run.net);
    rows_match(&run, run.model.tokens, 0, &reference, "tokens", 1e-5);
    rows_match(&run, run.model.block[0], 0, &reference, "block1", 1e-5);
    rows_match(&run, run.model.block[1], 0, &reference, "block2", 1e-5);
    assert_int_equal(tiny_model_matches(&reference, &run), run.params.count);
    float *input = check_to_nchw(net_gradient(&run.net, run.graph.input));
    gradient_matches(&reference, "grad_input", input, 3 * 56 * 56);
    free(input);
    finish(&run);
    weights_close(&reference);
}

static void some_gradients_of_a_small_model_match(void **state)
{
    (void)state;
    struct weights reference;
    struct run run;
    open_reference(&reference, small);
    start(&run, vit_tiny, NET_TRAINING, PLAN_FAST, 56, 56);
    net_forward(&run.net);
    assert_int_equal(tiny_model_matches(&reference, &run), 7);
    finish(&run);
    weights_close(&reference);
}

static size_t parameters_of(struct vit_config config)
{
    struct params params = {0};
    struct graph graph;
    struct vit model;
    struct error err;
    graph_begin(&graph, &params);
    check_ok(vit_build(&model, &graph, config, 28, 14, false, &err), &err);
    const size_t count = params.trainable;
    assert_string_equal(params.list[0].name, "cls_token");
    assert_string_equal(params.list[config.registers ? 3 : 2].name, "patch_embed.proj.weight");
    assert_string_equal(params.list[params.count - 1].name, "norm.bias");
    graph_free(&graph);
    params_free(&params);
    return count;
}

/* Specification 1, less the mask_token's dim values. */
static void parameter_counts_are_the_published_ones(void **state)
{
    (void)state;
    assert_int_equal(parameters_of(vit_s), 22056576 - 384);
    assert_int_equal(parameters_of((struct vit_config){384, 12, 6, 1536, 37, 4, true}), 22058112 - 384);
    assert_int_equal(parameters_of((struct vit_config){768, 12, 12, 3072, 37, 0, false}), 86580480 - 768);
    assert_int_equal(parameters_of((struct vit_config){1024, 24, 16, 4096, 37, 0, false}), 304368640 - 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameter_counts_are_the_published_ones),
        cmocka_unit_test(every_block_of_s_matches),
        cmocka_unit_test(class_token_of_s_matches_at_every_size),
        cmocka_unit_test(other_sizes_match),
        cmocka_unit_test(a_table_of_the_stored_size_is_unchanged),
        cmocka_unit_test(a_position_table_matches),
        cmocka_unit_test(position_tables_match),
        cmocka_unit_test(some_gradients_of_a_small_model_match),
        cmocka_unit_test(gradients_of_a_small_model_match),
    };
    return cmocka_run_group_tests_name("vit", tests, NULL, NULL);
}
