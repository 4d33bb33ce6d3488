/* One case for each entry of struct kernels, in its order. Limits keep every argument in the range of its
 * contract. */
#include "check_kernels.h"

#define UNUSED_OUTPUT 0.f /* limit of an output whose old contents do not matter */

/* A matrix of the same shape as the input, or the input itself. */
static float *output_or(struct kernel_run *run, float *input, int rows, int cols, ptrdiff_t *stride)
{
    if (draw_int(run, 0, 1)) return input;
    *stride = cols + draw_int(run, 0, 5);
    return draw_matrix(run, rows, cols, *stride, UNUSED_OUTPUT);
}

static ptrdiff_t draw_stride(struct kernel_run *run, int cols)
{
    return draw_int(run, 0, 2) ? cols + draw_int(run, 0, 5) : cols;
}

static enum activation draw_activation(struct kernel_run *run)
{
    return (enum activation)draw_int(run, ACT_NONE, ACT_SIGMOID);
}

static struct norm_params draw_norm(struct kernel_run *run, int cols)
{
    float *mean = draw_row(run, cols, 2.f), *inv = draw_range(run, cols, .01f, 30.f);
    float *gamma = draw_row(run, cols, 3.f), *beta = draw_row(run, cols, 2.f);
    return (struct norm_params){mean, inv, gamma, beta};
}

static void run_sum(const struct kernels *k, struct kernel_run *run)
{
    const int n = draw_size(run);
    keep_result(run, k->sum(draw_row(run, n, 100.f), n));
}

static void run_max(const struct kernels *k, struct kernel_run *run)
{
    const int n = draw_size(run) + 1;
    keep_result(run, k->max(draw_row(run, n, draw_int(run, 0, 1) ? 100.f : 0x1p-40f), n));
}

static void run_dot(const struct kernels *k, struct kernel_run *run)
{
    const int n = draw_size(run);
    const float *x = draw_row(run, n, 10.f), *y = draw_row(run, n, 10.f);
    keep_result(run, k->dot(x, y, n));
}

static void run_dots(const struct kernels *k, struct kernel_run *run)
{
    enum { MOST = 9 };
    const int n = draw_size(run), rows = draw_int(run, 0, MOST);
    const float *x = draw_row(run, n, 10.f), *y[MOST];
    for (int r = 0; r < rows; r++) y[r] = draw_row(run, n, 10.f);
    k->dots(draw_row(run, rows, 1.f), x, y, n, rows);
}

static void run_sum_squares(const struct kernels *k, struct kernel_run *run)
{
    const int n = draw_size(run);
    const float *x = draw_row(run, n, 10.f), *mean = draw_row(run, 1, 3.f);
    keep_result(run, k->sum_squares(x, *mean, n));
}

static void run_column_sum(const struct kernels *k, struct kernel_run *run)
{
    const int rows = draw_int(run, 0, 20), cols = draw_size(run);
    const ptrdiff_t stride = draw_stride(run, cols);
    float *acc = draw_row(run, cols, 1.f);
    k->column_sum(acc, draw_matrix(run, rows, cols, stride, 10.f), stride, rows, cols);
}

static void run_column_sum_squares(const struct kernels *k, struct kernel_run *run)
{
    const int rows = draw_int(run, 0, 20), cols = draw_size(run);
    const ptrdiff_t stride = draw_stride(run, cols);
    float *acc = draw_row(run, cols, 1.f), *mean = draw_row(run, cols, 1.f);
    k->column_sum_squares(acc, draw_matrix(run, rows, cols, stride, 10.f), stride, mean, rows, cols);
}

static void run_column_dot(const struct kernels *k, struct kernel_run *run)
{
    const int rows = draw_int(run, 0, 20), cols = draw_size(run);
    const ptrdiff_t x_stride = draw_stride(run, cols), y_stride = draw_stride(run, cols);
    float *acc = draw_row(run, cols, 1.f);
    const float *x = draw_matrix(run, rows, cols, x_stride, 10.f),
                *y = draw_matrix(run, rows, cols, y_stride, 3.f);
    k->column_dot(acc, x, x_stride, y, y_stride, rows, cols);
}

static void run_activate(const struct kernels *k, struct kernel_run *run)
{
    const int rows = draw_int(run, 0, 6), cols = draw_size(run);
    ptrdiff_t x_stride = draw_stride(run, cols), y_stride = x_stride;
    float *x = draw_matrix(run, rows, cols, x_stride, draw_int(run, 0, 1) ? 8.f : 120.f);
    float *y = output_or(run, x, rows, cols, &y_stride);
    k->activate(y, y_stride, x, x_stride, rows, cols, draw_activation(run));
}

static void run_activate_backward(const struct kernels *k, struct kernel_run *run)
{
    const int rows = draw_int(run, 0, 6), cols = draw_size(run);
    ptrdiff_t x_stride = draw_stride(run, cols), dy_stride = draw_stride(run, cols), dx_stride = dy_stride;
    const float *x = draw_matrix(run, rows, cols, x_stride, draw_int(run, 0, 1) ? 8.f : 120.f);
    float *dy = draw_matrix(run, rows, cols, dy_stride, 5.f);
    float *dx = output_or(run, dy, rows, cols, &dx_stride);
    k->activate_backward(dx, dx_stride, dy, dy_stride, x, x_stride, rows, cols, draw_activation(run));
}

static void run_add(const struct kernels *k, struct kernel_run *run)
{
    const int rows = draw_int(run, 0, 6), cols = draw_size(run);
    ptrdiff_t a_stride = draw_stride(run, cols), b_stride = draw_stride(run, cols), y_stride = a_stride;
    float *a = draw_matrix(run, rows, cols, a_stride, 9.f), *b = draw_matrix(run, rows, cols, b_stride, 9.f);
    float *y = output_or(run, a, rows, cols, &y_stride);
    k->add(y, y_stride, a, a_stride, b, b_stride, rows, cols);
}

static void run_scale(const struct kernels *k, struct kernel_run *run)
{
    const int n = draw_size(run);
    float *x = draw_row(run, n, 9.f);
    ptrdiff_t stride = n;
    float *y = output_or(run, x, 1, n, &stride);
    k->scale(y, x, *draw_range(run, 1, -2.f, 2.f), (size_t)n);
}

static void run_scale_add(const struct kernels *k, struct kernel_run *run)
{
    const int rows = draw_int(run, 0, 6), cols = draw_size(run);
    ptrdiff_t x_stride = draw_stride(run, cols), f_stride = draw_stride(run, cols), y_stride = x_stride;
    float *x = draw_matrix(run, rows, cols, x_stride, 9.f), *f = draw_matrix(run, rows, cols, f_stride, 9.f);
    float *gamma = draw_row(run, cols, 2.f), *y = output_or(run, x, rows, cols, &y_stride);
    k->scale_add(y, y_stride, x, x_stride, f, f_stride, gamma, rows, cols);
}

static void run_scale_columns(const struct kernels *k, struct kernel_run *run)
{
    const int rows = draw_int(run, 0, 6), cols = draw_size(run);
    ptrdiff_t x_stride = draw_stride(run, cols), y_stride = x_stride;
    float *x = draw_matrix(run, rows, cols, x_stride, 9.f), *gamma = draw_row(run, cols, 2.f);
    float *y = output_or(run, x, rows, cols, &y_stride);
    k->scale_columns(y, y_stride, x, x_stride, gamma, rows, cols);
}

static void run_copy(const struct kernels *k, struct kernel_run *run)
{
    const int rows = draw_int(run, 0, 6), cols = draw_size(run);
    const ptrdiff_t x_stride = draw_stride(run, cols), y_stride = draw_stride(run, cols);
    const float *x = draw_matrix(run, rows, cols, x_stride, 9.f);
    k->copy(draw_matrix(run, rows, cols, y_stride, UNUSED_OUTPUT), y_stride, x, x_stride, rows, cols);
}

static void run_fill(const struct kernels *k, struct kernel_run *run)
{
    const int rows = draw_int(run, 0, 6), cols = draw_size(run);
    const ptrdiff_t stride = draw_stride(run, cols);
    const float value = *draw_row(run, 1, 3.f);
    k->fill(draw_matrix(run, rows, cols, stride, UNUSED_OUTPUT), stride, value, rows, cols);
}

static void run_batch_norm(const struct kernels *k, struct kernel_run *run)
{
    const int rows = draw_int(run, 0, 40), cols = draw_size(run);
    ptrdiff_t x_stride = draw_stride(run, cols), y_stride = x_stride;
    float *x = draw_matrix(run, rows, cols, x_stride, 9.f);
    const struct norm_params norm = draw_norm(run, cols);
    float *y = output_or(run, x, rows, cols, &y_stride);
    k->batch_norm(y, y_stride, x, x_stride, norm, rows, cols, draw_activation(run));
}

static void run_batch_norm_backward_sums(const struct kernels *k, struct kernel_run *run)
{
    const int rows = draw_int(run, 0, 40), cols = draw_size(run);
    ptrdiff_t x_stride = draw_stride(run, cols), dy_stride = draw_stride(run, cols), du_stride = dy_stride;
    const float *x = draw_matrix(run, rows, cols, x_stride, 9.f);
    float *dy = draw_matrix(run, rows, cols, dy_stride, 3.f);
    const struct norm_params norm = draw_norm(run, cols);
    float *dgamma = draw_row(run, cols, 1.f), *dbeta = draw_row(run, cols, 1.f);
    float *du = output_or(run, dy, rows, cols, &du_stride);
    k->batch_norm_backward_sums(du, du_stride, dy, dy_stride, x, x_stride, norm, dgamma, dbeta, rows, cols,
                                draw_activation(run));
}

static void run_batch_norm_backward(const struct kernels *k, struct kernel_run *run)
{
    const int rows = draw_int(run, 0, 40), cols = draw_size(run);
    ptrdiff_t x_stride = draw_stride(run, cols), du_stride = draw_stride(run, cols), dx_stride = du_stride;
    const float *x = draw_matrix(run, rows, cols, x_stride, 9.f);
    float *du = draw_matrix(run, rows, cols, du_stride, 3.f);
    const struct norm_params norm = draw_norm(run, cols);
    const float *scale = draw_row(run, cols, 5.f), *a = draw_row(run, cols, 1.f),
                *b = draw_row(run, cols, 1.f);
    float *dx = output_or(run, du, rows, cols, &dx_stride);
    k->batch_norm_backward(dx, dx_stride, du, du_stride, x, x_stride, norm, scale, a, b, rows, cols);
}

static void run_layer_norm(const struct kernels *k, struct kernel_run *run)
{
    const int n = draw_size(run) + 1;
    float *x = draw_row(run, n, 5.f), *gamma = draw_row(run, n, 2.f), *beta = draw_row(run, n, 2.f);
    ptrdiff_t stride = n;
    float *y = output_or(run, x, 1, n, &stride);
    k->layer_norm(y, x, gamma, beta, 1e-6f, n, draw_row(run, 2, UNUSED_OUTPUT));
}

static void run_layer_norm_backward(const struct kernels *k, struct kernel_run *run)
{
    const int n = draw_size(run) + 1;
    const float *x = draw_row(run, n, 5.f), *gamma = draw_row(run, n, 2.f),
                *stats = draw_range(run, 2, .1f, 4.f);
    const float *dy = draw_row(run, n, 2.f);
    float *dx = draw_row(run, n, 1.f);
    k->layer_norm_backward(dx, dy, x, gamma, stats, n, draw_int(run, 0, 1));
}

static void run_layer_norm_backward_params(const struct kernels *k, struct kernel_run *run)
{
    const int rows = draw_int(run, 0, 20), cols = draw_size(run);
    const ptrdiff_t x_stride = draw_stride(run, cols), dy_stride = draw_stride(run, cols);
    const float *x = draw_matrix(run, rows, cols, x_stride, 5.f),
                *stats = draw_range(run, 2 * rows, .1f, 4.f);
    const float *dy = draw_matrix(run, rows, cols, dy_stride, 2.f);
    float *dgamma = draw_row(run, cols, 1.f), *dbeta = draw_row(run, cols, 1.f);
    k->layer_norm_backward_params(dgamma, dbeta, dy, dy_stride, x, x_stride, stats, rows, cols);
}

static void run_softmax(const struct kernels *k, struct kernel_run *run)
{
    const int n = draw_size(run);
    float *x = draw_row(run, n, draw_int(run, 0, 1) ? 5.f : 90.f);
    ptrdiff_t stride = n;
    k->softmax(output_or(run, x, 1, n, &stride), x, n);
}

static void run_softmax_backward(const struct kernels *k, struct kernel_run *run)
{
    const int n = draw_size(run);
    float *dy = draw_row(run, n, 3.f), *y = draw_range(run, n, 0x1p-30f, 1.f);
    ptrdiff_t stride = n;
    k->softmax_backward(output_or(run, dy, 1, n, &stride), dy, y, n);
}

static void run_array(void (*function)(float *, const float *, size_t), float *x, int n,
                      struct kernel_run *run)
{
    ptrdiff_t stride = n;
    function(output_or(run, x, 1, n, &stride), x, (size_t)n);
}

static void run_exp(const struct kernels *k, struct kernel_run *run)
{
    const int n = draw_size(run);
    run_array(k->exp, draw_row(run, n, draw_int(run, 0, 1) ? 3.f : 100.f), n, run);
}

static void run_log(const struct kernels *k, struct kernel_run *run)
{
    const int n = draw_size(run);
    run_array(k->log, draw_range(run, n, 0x1p-126f, draw_int(run, 0, 1) ? 3.f : 1e30f), n, run);
}

static void run_erf(const struct kernels *k, struct kernel_run *run)
{
    const int n = draw_size(run);
    run_array(k->erf, draw_row(run, n, 5.f), n, run);
}

static void run_tanh(const struct kernels *k, struct kernel_run *run)
{
    const int n = draw_size(run);
    run_array(k->tanh, draw_row(run, n, 12.f), n, run);
}

static void run_sigmoid(const struct kernels *k, struct kernel_run *run)
{
    const int n = draw_size(run);
    run_array(k->sigmoid, draw_row(run, n, draw_int(run, 0, 1) ? 6.f : 100.f), n, run);
}

static void run_binary_cross_entropy(const struct kernels *k, struct kernel_run *run)
{
    const int n = draw_size(run);
    const float *z = draw_row(run, n, draw_int(run, 0, 1) ? 6.f : 100.f), *t = draw_range(run, n, 0.f, 1.f);
    float *dz = draw_int(run, 0, 2) ? draw_row(run, n, UNUSED_OUTPUT) : NULL;
    keep_result(run, k->binary_cross_entropy(dz, z, t, *draw_range(run, 1, .001f, 0x1p32f), n));
}

static void run_adam(const struct kernels *k, struct kernel_run *run)
{
    const int n = draw_size(run);
    const struct adam_step step = {.9f, .999f, .1f, .001f, 3e-4f, 1e-8f};
    float *w = draw_row(run, n, 1.f), *m = draw_row(run, n, .1f), *v = draw_range(run, n, 0.f, .01f);
    float *u = draw_row(run, n, UNUSED_OUTPUT), *g = draw_row(run, n, 1.f);
    k->adam(w, m, v, u, g, draw_mask(run, n), step, (size_t)n);
}

static void run_adamw(const struct kernels *k, struct kernel_run *run)
{
    const int n = draw_size(run);
    const struct adamw_step step = {.9f, .999f, .1f, .001f, .002f, .3f, 1e-8f, 1e-6f};
    float *w = draw_row(run, n, 1.f), *m = draw_row(run, n, .1f), *v = draw_range(run, n, 0.f, .01f);
    const float *g = draw_row(run, n, 1.f);
    k->adamw(w, m, v, g, draw_mask(run, n), step, (size_t)n);
}

static void run_sgd(const struct kernels *k, struct kernel_run *run)
{
    const int n = draw_size(run);
    float *w = draw_row(run, n, 1.f), *m = draw_row(run, n, .1f);
    const float *g = draw_row(run, n, 1.f);
    const int nesterov = draw_int(run, 0, 1);
    k->sgd(w, m, g, draw_mask(run, n), .01f, .937f, 5e-4f, nesterov, (size_t)n);
}

static void run_ema(const struct kernels *k, struct kernel_run *run)
{
    const int n = draw_size(run);
    float *average = draw_row(run, n, 1.f);
    k->ema(average, draw_row(run, n, 1.f), .0123f, (size_t)n);
}

#define CASE(entry)                                                                                          \
    {                                                                                                        \
#entry, run_##entry                                                                                  \
    }
const struct kernel_case kernel_cases[] = {
    CASE(sum),
    CASE(max),
    CASE(dot),
    CASE(dots),
    CASE(sum_squares),
    CASE(column_sum),
    CASE(column_sum_squares),
    CASE(column_dot),
    CASE(activate),
    CASE(activate_backward),
    CASE(add),
    CASE(scale),
    CASE(scale_add),
    CASE(scale_columns),
    CASE(copy),
    CASE(fill),
    CASE(batch_norm),
    CASE(batch_norm_backward_sums),
    CASE(batch_norm_backward),
    CASE(layer_norm),
    CASE(layer_norm_backward),
    CASE(layer_norm_backward_params),
    CASE(softmax),
    CASE(softmax_backward),
    CASE(exp),
    CASE(log),
    CASE(erf),
    CASE(tanh),
    CASE(sigmoid),
    CASE(binary_cross_entropy),
    CASE(adam),
    CASE(adamw),
    CASE(sgd),
    CASE(ema),
};
const int kernel_case_count = (int)(sizeof kernel_cases / sizeof kernel_cases[0]);
