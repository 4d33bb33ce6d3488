/* Every operation of the graph: gradients against central differences, planted errors, and equal bits on
 * every table and thread count. */
#include "check.h"
#include "op_cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Gradients against central differences ---- */

/* A case with its gradients, and the loss sum(output * weight) as a function of its parameters and input. */
struct probe {
    struct op_run run;
    float *weight; /* of the outputs */
    float *input;  /* values that the forward pass starts from */
    float *input_gradient;
    size_t inputs;
};

static void probe_start(struct probe *p, const struct op_case *c)
{
    struct error err;
    const struct kernels *kernels;
    check_ok(kernels_get(&kernels, NULL, &err), &err);
    check_ok(op_case_start(&p->run, c, c->mode, kernels, 1, &err), &err);
    struct op_run *run = &p->run;
    const struct view x = net_value(&run->net, run->graph.input), y = net_value(&run->net, run->output);
    p->inputs = (size_t)x.pixels * (size_t)x.channels;
    p->input = malloc(p->inputs * sizeof(float));
    p->input_gradient = malloc(p->inputs * sizeof(float));
    p->weight = malloc((size_t)y.pixels * (size_t)y.stride * sizeof(float));
    run->gradients = calloc(run->params.trainable + 1, sizeof(float));
    assert_true(p->input && p->input_gradient && p->weight && run->gradients);
    assert_int_equal(x.stride, x.channels);
    assert_int_equal(y.stride, y.channels);
    memcpy(p->input, x.data, p->inputs * sizeof(float));
    op_case_uniform(p->weight, "loss", (size_t)y.pixels * (size_t)y.stride);
    net_forward(&run->net);
    op_case_backward(run);
    memcpy(p->input_gradient, net_gradient(&run->net, run->graph.input).data, p->inputs * sizeof(float));
}

static void probe_finish(struct probe *p)
{
    free(p->input);
    free(p->input_gradient);
    free(p->weight);
    free(p->run.gradients);
    op_case_finish(&p->run);
}

static double loss_at(struct probe *p)
{
    struct net *net = &p->run.net;
    memcpy(net_value(net, p->run.graph.input).data, p->input, p->inputs * sizeof(float));
    net_pack(net);
    net_forward(net);
    const struct view y = net_value(net, p->run.output);
    double loss = 0;
    for (int64_t i = 0; i < y.pixels * y.stride; i++) loss += (double)y.data[i] * p->weight[i];
    return loss;
}

/* Along a vector of random signs a right gradient g gives a slope of about |g|. The difference quotient with
 * step 2^-13 is off by the loss's rounding, some 1e-7 / 2^-13 = 8e-4, by its curvature, and where an
 * activation or a maximum has its kink within the step; 1e-2 of |g| covers these and no wrong factor, sign or
 * index. */
static const float step = 0x1p-13f;
static const double tolerance = 1e-2;
enum { DIRECTIONS = 3 };

static bool slopes_agree(struct probe *p, float *values, const float *gradient, size_t n, double *worst)
{
    float *kept = malloc(n * sizeof *kept), *sign = malloc(n * sizeof *sign);
    bool agree = true;
    double norm = 0;
    memcpy(kept, values, n * sizeof *kept);
    for (size_t i = 0; i < n; i++) norm += (double)gradient[i] * gradient[i];
    norm = sqrt(norm);
    for (int d = 0; d < DIRECTIONS; d++) {
        double expected = 0, side[2];
        for (size_t i = 0; i < n; i++) {
            sign[i] = rng_u64((uint64_t)d + 1, i) >> 63 ? -1.f : 1.f;
            expected += (double)gradient[i] * sign[i];
        }
        for (int s = 0; s < 2; s++) {
            for (size_t i = 0; i < n; i++) values[i] = kept[i] + (s ? step : -step) * sign[i];
            side[s] = loss_at(p);
        }
        const double off = fabs((side[1] - side[0]) / (2.0 * step) - expected);
        agree = agree && off <= tolerance * norm;
        if (off > *worst * norm) *worst = off / norm;
        memcpy(values, kept, n * sizeof *kept);
    }
    free(kept);
    free(sign);
    return agree;
}

/* Calls slopes_agree for the input and every trainable parameter; `planted` negates the gradients first, and
 * then every one of them must be found wrong. */
static void check_case(const struct op_case *c, bool planted, double *worst)
{
    struct probe p;
    probe_start(&p, c);
    const struct params *params = &p.run.params;
    for (size_t i = 0; planted && i < params->trainable; i++) p.run.gradients[i] = -p.run.gradients[i];
    for (size_t i = 0; planted && i < p.inputs; i++) p.input_gradient[i] = -p.input_gradient[i];
    for (int t = -1; t < params->count; t++) {
        const struct param *param = t < 0 ? NULL : params->list + t;
        if (param && (param->kind != PARAM_TRAINABLE || param->frozen)) continue;
        const bool agree = param ? slopes_agree(&p, params_values(params, t), p.run.gradients + param->offset,
                                                param->size, worst)
                                 : slopes_agree(&p, p.input, p.input_gradient, p.inputs, worst);
        if (agree == planted)
            print_error("%s, %s: gradient %s\n", c->name, param ? param->name : "input",
                        planted ? "negated and not found out" : "does not fit the differences");
        assert_int_equal(agree, !planted);
    }
    probe_finish(&p);
}

static void gradients_fit_the_differences(void **state)
{
    (void)state;
    double all = 0;
    for (int i = 0; i < OP_CASES; i++) {
        double worst = 0;
        check_case(op_cases + i, false, &worst);
        if (worst > all) all = worst;
        printf("%-22s %.1e\n", op_cases[i].name, worst);
    }
    printf("largest difference to the quotient with step 2^-13: %.1e of the gradient's length (limit %.0e)\n",
           all, tolerance);
}

static void negated_gradients_are_found_out(void **state)
{
    (void)state;
    for (int i = 0; i < OP_CASES; i++) check_case(op_cases + i, true, &(double){0});
}

/* ---- Equal bits ---- */

/* Output, gradients and input gradient of a case; the statistics too, which training moves. */
static float *all_results(const struct op_case *c, enum net_mode mode, const struct kernels *kernels,
                          int threads, size_t *n)
{
    struct op_run run;
    struct error err;
    check_ok(op_case_start(&run, c, mode, kernels, threads, &err), &err);
    const struct view y = net_value(&run.net, run.output), x = net_value(&run.net, run.graph.input);
    const size_t outputs = (size_t)y.pixels * (size_t)y.stride, inputs = (size_t)x.pixels * (size_t)x.stride;
    *n = outputs + run.params.total + (mode == NET_INFERENCE ? 0 : run.params.trainable + inputs);
    float *all = calloc(*n, sizeof *all), *next = all;
    assert_non_null(all);
    net_forward(&run.net);
    memcpy(next, y.data, outputs * sizeof *all);
    next += outputs;
    if (run.params.total) memcpy(next, run.params.values, run.params.total * sizeof *all);
    next += run.params.total;
    if (mode != NET_INFERENCE) {
        run.gradients = next;
        op_case_backward(&run);
        memcpy(next + run.params.trainable, net_gradient(&run.net, run.graph.input).data,
               inputs * sizeof *all);
    }
    op_case_finish(&run);
    return all;
}

static void tables_and_threads_give_the_same_bits(void **state)
{
    (void)state;
    int count;
    const struct kernels *const *tables = kernels_available(&count);
    for (int i = 0; i < 2 * OP_CASES; i++) {
        const struct op_case *c = op_cases + i / 2;
        const enum net_mode mode = i % 2 ? NET_INFERENCE : c->mode;
        size_t n, m;
        float *first = all_results(c, mode, tables[0], 1, &n);
        for (int t = 0; t < 2 * count; t++) {
            float *other = all_results(c, mode, tables[t / 2], t % 2 ? 3 : 1, &m);
            assert_int_equal(n, m);
            if (memcmp(first, other, n * sizeof *first))
                print_error("%s: %s, %d threads\n", c->name, tables[t / 2]->name, t % 2 ? 3 : 1);
            assert_memory_equal(first, other, n * sizeof *first);
            free(other);
        }
        free(first);
    }
}

static const struct op_case *case_named(const char *name)
{
    const struct op_case *found = NULL;
    for (int i = 0; i < OP_CASES; i++)
        if (!strcmp(op_cases[i].name, name)) found = op_cases + i;
    assert_non_null(found);
    return found;
}

static void check_equal_results(const struct op_case *one, const struct op_case *two, enum net_mode mode)
{
    const struct kernels *kernels;
    struct error err;
    size_t n, m;
    check_ok(kernels_get(&kernels, NULL, &err), &err);
    float *a = all_results(one, mode, kernels, 2, &n), *b = all_results(two, mode, kernels, 2, &m);
    assert_int_equal(n, m);
    if (memcmp(a, b, n * sizeof *a)) print_error("%s\n", one->name);
    assert_memory_equal(a, b, n * sizeof *a);
    free(a);
    free(b);
}

static int build_linear_then_gelu(struct graph *g, int x)
{
    return graph_activation(g, build_linear(g, x), ACT_GELU);
}
static int build_conv_then_relu(struct graph *g, int x)
{
    return graph_activation(g, build_conv_3x3(g, x), ACT_RELU);
}
static int build_depthwise_then_silu(struct graph *g, int x)
{
    return graph_activation(g, build_depthwise(g, x), ACT_SILU);
}
static int build_winograd_then_silu(struct graph *g, int x)
{
    const struct conv_options options = {.kernel = 3, .padding = 1};
    return graph_activation(g, op_case_conv(g, x, 32, options), ACT_SILU);
}
static int build_polyphase_then_silu(struct graph *g, int x)
{
    const struct conv_options options = {.kernel = 3, .padding = 1, .stride = 2};
    return graph_activation(g, op_case_conv(g, x, 32, options), ACT_SILU);
}
static int build_strassen_then_gelu(struct graph *g, int x)
{
    const struct conv_options options = {.kernel = 1, .linear = true};
    return graph_activation(g, op_case_conv(g, x, 416, options), ACT_GELU);
}

static void activation_within_a_convolution_is_that_behind_it(void **state)
{
    (void)state;
    static const struct {
        const char *within;
        int (*behind)(struct graph *graph, int x);
    } pairs[] = {{"linear_gelu", build_linear_then_gelu},
                 {"conv_relu", build_conv_then_relu},
                 {"depthwise_silu", build_depthwise_then_silu},
                 {"winograd_silu", build_winograd_then_silu},
                 {"polyphase", build_polyphase_then_silu},
                 {"strassen", build_strassen_then_gelu}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const struct op_case *within = case_named(pairs[i].within);
        struct op_case behind = *within; /* keeps the name, so that both get the same input */
        behind.build = pairs[i].behind;
        check_equal_results(within, &behind, NET_INFERENCE);
        check_equal_results(within, &behind, NET_TRAINING);
    }
}

/* Nodes that compute their middle again. */
static int dropped_nodes(const struct op_case *c)
{
    struct op_run run;
    struct error err;
    const struct kernels *kernels;
    int count = 0;
    check_ok(kernels_get(&kernels, NULL, &err), &err);
    check_ok(op_case_start(&run, c, c->mode, kernels, 1, &err), &err);
    for (int i = 0; i < run.graph.node_count; i++) count += run.net.dropped[i];
    op_case_finish(&run);
    return count;
}

/* So many layers that one is less than a tenth of the work. */
static int build_chain(struct graph *g, int x)
{
    enum { LAYERS = 12 };
    for (int i = 0; i < LAYERS; i++) {
        const struct conv_options options = {.kernel = 1, .activation = i % 2 ? ACT_GELU : ACT_SILU};
        char name[16];
        snprintf(name, sizeof name, "layer.%d", i);
        const struct conv_layer layer = graph_conv_layer(g, name, 16, 16, options);
        x = graph_conv(g, &layer, x);
    }
    return x;
}

static void what_is_made_again_has_the_bits_that_were_kept(void **state)
{
    (void)state;
    static const struct op_case chain = OP_CASE(NET_TRAINING, 4, 5, 16, 2, chain);
    for (int i = 0; i <= OP_CASES; i++) {
        const struct op_case *again = i < OP_CASES ? op_cases + i : &chain;
        struct op_case kept = *again;
        kept.spare = SIZE_MAX;
        assert_int_equal(dropped_nodes(&kept), 0);
        check_equal_results(again, &kept, again->mode);
    }
    assert_true(dropped_nodes(&chain) > 0);
}

/* Gradients add to what the caller's array holds. */
static void gradients_are_added(void **state)
{
    (void)state;
    for (int i = 0; i < OP_CASES; i++) {
        struct probe p;
        probe_start(&p, op_cases + i);
        const size_t n = p.run.params.trainable;
        float *once = malloc((n + 1) * sizeof *once);
        memcpy(once, p.run.gradients, n * sizeof *once);
        loss_at(&p);
        op_case_backward(&p.run);
        for (size_t k = 0; k < n; k++) assert_true(p.run.gradients[k] == once[k] + once[k]);
        free(once);
        probe_finish(&p);
    }
}

/* Corners aligned: a ramp stays a ramp between the same corner values, and a single pixel fills everything.
 */
static void bilinear_keeps_a_ramp(void **state)
{
    (void)state;
    static const struct op_case cases[] = {OP_CASE(NET_INFERENCE, 3, 4, 5, 2, bilinear_up),
                                           OP_CASE(NET_INFERENCE, 9, 4, 5, 2, bilinear_down),
                                           OP_CASE(NET_INFERENCE, 4, 3, 5, 2, bilinear_to_point),
                                           OP_CASE(NET_INFERENCE, 1, 1, 5, 2, bilinear_up)};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct op_run run;
        struct error err;
        const struct kernels *kernels;
        check_ok(kernels_get(&kernels, NULL, &err), &err);
        check_ok(op_case_start(&run, cases + i, NET_INFERENCE, kernels, 2, &err), &err);
        const struct view in = net_value(&run.net, run.graph.input), out = net_value(&run.net, run.output);
        for (int64_t p = 0; p < in.pixels; p++)
            for (int c = 0; c < in.channels; c++)
                in.data[p * in.stride + c] =
                    (float)(p / in.width % in.height * 8 + p % in.width) + 100.f * (float)c;
        net_forward(&run.net);
        for (int64_t p = 0; p < out.pixels; p++)
            for (int c = 0; c < out.channels; c++) {
                const double y = (double)(p / out.width % out.height), x = (double)(p % out.width);
                const double from_y = out.height > 1 ? y * (in.height - 1) / (out.height - 1) : 0;
                const double from_x = out.width > 1 ? x * (in.width - 1) / (out.width - 1) : 0;
                const double expected = 8 * from_y + from_x + 100 * c;
                /* half a unit in the last place of 512 */
                assert_true(fabs((double)out.data[p * out.stride + c] - expected) <= 0x1p-15);
            }
        op_case_finish(&run);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_fit_the_differences),
        cmocka_unit_test(negated_gradients_are_found_out),
        cmocka_unit_test(tables_and_threads_give_the_same_bits),
        cmocka_unit_test(activation_within_a_convolution_is_that_behind_it),
        cmocka_unit_test(what_is_made_again_has_the_bits_that_were_kept),
        cmocka_unit_test(gradients_are_added),
        cmocka_unit_test(bilinear_keeps_a_ramp),
    };
    return cmocka_run_group_tests_name("ops", tests, NULL, NULL);
}
