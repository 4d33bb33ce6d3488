/* Patch grid to token row [ViT]: class token, registers, patches, each with its place.
 *
 * The packed weights are one row for every token (class token and position, register, position) and the two
 * matrices A_r [rows][grid] and A_c [columns][grid] that resample the stored table: patch (r, c) has the
 * position sum over i, j of A_r[r][i] * A_c[c][j] * table[i][j]. Coordinates are float32, as in the library
 * that made the published embeddings; weights and sums are double, rounded once. A grid of the stored size is
 * taken as it is. */
#include "nn/op.h"

#include "base/par.h"
#include "nn/pixels.h"

#include <string.h>

struct tokens {
    const struct net *net;
    struct token_options o;
    int rows, columns, channels, extra, count; /* extra: class token and registers; count: tokens */
    bool as_stored;
    float *table, *row_matrix, *column_matrix; /* packed */
    struct view x, y, dy;
    double *sums; /* scratch of backward: [count][channels], then narrowed [rows][grid][channels] */
    double *narrowed;
    float *grid_gradient; /* of the stored table's row 1 */
};

static struct tokens tokens_of(const struct net *net, const struct node *node)
{
    const struct tensor *in = net->graph->tensors + node->input[0];
    struct tokens t = {.net = net,
                       .o = node->as.tokens,
                       .rows = in->height,
                       .columns = in->width,
                       .channels = in->channels,
                       .extra = 1 + node->as.tokens.registers};
    t.count = t.extra + t.rows * t.columns;
    t.as_stored = t.rows == t.o.grid && t.columns == t.o.grid;
    return t;
}

static struct tokens packed_tokens(const struct net *net, const struct node *node)
{
    struct tokens t = tokens_of(net, node);
    t.table = op_packed(net, node);
    t.row_matrix = t.table + (size_t)t.count * (size_t)t.channels;
    t.column_matrix = t.row_matrix + (size_t)t.rows * (size_t)t.o.grid;
    return t;
}

/* ---- The resampling matrices ---- */

/* The cubic kernel of parameter a at distance x >= 0. */
static double cubic(double x, double a)
{
    if (x <= 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    return x < 2.0 ? ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a : 0.0;
}

/* One row: bicubic, a = -0.75, at step grid / (n + 0.1); taps beyond the edge count for the edge. */
static void plain_row(float *row, int i, int n, int grid)
{
    const float step = (float)(1.0 / ((n + 0.1) / grid));
    const float x = step * ((float)i + 0.5f) - 0.5f;
    int first = (int)floorf(x);
    if (first > grid - 1) first = grid - 1;
    double t = (double)(x - (float)first);
    t = t < 0.0 ? 0.0 : t > 1.0 ? 1.0 : t;
    const double weight[4] = {cubic(t + 1.0, -0.75), cubic(t, -0.75), cubic(1.0 - t, -0.75),
                              cubic(2.0 - t, -0.75)};
    for (int k = 0; k < 4; k++) {
        const int tap = first - 1 + k;
        row[tap < 0 ? 0 : tap > grid - 1 ? grid - 1 : tap] += (float)weight[k];
    }
}

/* One row of the register models: antialiased, a = -0.5, taps beyond the edge left out. */
static void antialias_row(float *row, int i, int n, int grid)
{
    const float scale = (float)grid / (float)n, wide = scale > 1.f ? scale : 1.f;
    const float centre = scale * ((float)i + 0.5f);
    const int from = (int)(centre - 2.f * wide + 0.5f), to = (int)(centre + 2.f * wide + 0.5f);
    const int first = from < 0 ? 0 : from, end = to > grid ? grid : to;
    double total = 0;
    for (int j = first; j < end; j++) total += cubic(fabs((double)(((float)j - centre + 0.5f) / wide)), -0.5);
    for (int j = first; j < end; j++)
        row[j] = (float)(cubic(fabs((double)(((float)j - centre + 0.5f) / wide)), -0.5) / total);
}

static void fill_matrix(float *matrix, int n, struct token_options o)
{
    memset(matrix, 0, (size_t)n * (size_t)o.grid * sizeof *matrix);
    for (int i = 0; i < n; i++)
        (o.antialias ? antialias_row : plain_row)(matrix + (ptrdiff_t)i * o.grid, i, n, o.grid);
}

/* ---- Packing: the table for this size of picture ---- */

/* The position of patch (r, c), 16 channels at a time. */
static void resample_patch(const struct tokens *t, const float *grid, int r, int c, float *out)
{
    enum { AT_ONCE = 16 };
    const float *ar = t->row_matrix + (ptrdiff_t)r * t->o.grid,
                *ac = t->column_matrix + (ptrdiff_t)c * t->o.grid;
    for (int d = 0; d < t->channels; d += AT_ONCE) {
        const int n = t->channels - d < AT_ONCE ? t->channels - d : AT_ONCE;
        double sum[AT_ONCE] = {0};
        for (int i = 0; i < t->o.grid; i++) {
            if (ar[i] == 0.f) continue;
            double line[AT_ONCE] = {0};
            for (int j = 0; j < t->o.grid; j++) {
                if (ac[j] == 0.f) continue;
                const float *entry = grid + (ptrdiff_t)(i * t->o.grid + j) * t->channels + d;
                for (int k = 0; k < n; k++) line[k] += (double)ac[j] * entry[k];
            }
            for (int k = 0; k < n; k++) sum[k] += (double)ar[i] * line[k];
        }
        for (int k = 0; k < n; k++) out[d + k] = flush_double(sum[k]);
    }
}

static void tokens_pack(struct net *net, const struct node *node)
{
    const struct tokens t = packed_tokens(net, node);
    const float *cls = op_param(net, node, 0), *position = op_param(net, node, 1);
    const float *grid = position + t.channels;
    const size_t row = (size_t)t.channels * sizeof(float);
    fill_matrix(t.row_matrix, t.rows, t.o);
    fill_matrix(t.column_matrix, t.columns, t.o);
    net->kernels->add(t.table, t.channels, cls, t.channels, position, t.channels, 1, t.channels);
    if (t.o.registers) memcpy(t.table + t.channels, op_param(net, node, 2), (size_t)t.o.registers * row);
    float *place = t.table + (ptrdiff_t)t.extra * t.channels;
    if (t.as_stored) {
        memcpy(place, grid, (size_t)(t.rows * t.columns) * row);
        return;
    }
    for (int r = 0; r < t.rows; r++)
        for (int c = 0; c < t.columns; c++, place += t.channels) resample_patch(&t, grid, r, c, place);
}

/* ---- Forward ---- */

static void forward_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct tokens *t = context;
    const size_t row = (size_t)t->channels * sizeof(float);
    for (int64_t i = begin; i < end; i++) {
        const int64_t image = i / t->count, token = i % t->count;
        const float *place = t->table + token * t->channels;
        if (token < t->extra)
            memcpy(view_row(&t->y, i), place, row);
        else
            t->net->kernels->add(view_row(&t->y, i), t->y.stride,
                                 view_row(&t->x, image * t->rows * t->columns + token - t->extra),
                                 t->x.stride, place, t->channels, 1, t->channels);
    }
}

static void tokens_forward(struct net *net, const struct node *node)
{
    struct tokens t = packed_tokens(net, node);
    t.x = op_input(net, node, 0);
    t.y = op_output(net, node);
    par_for(net->options.threads, t.y.pixels, 8, forward_rows, &t);
}

/* ---- Backward: sums over images, then A_r^T d A_c, columns first ---- */

/* Columns [column, column + n) of one token. */
static void sum_columns(const struct tokens *t, int64_t token, int column, int n)
{
    double stack[TREE_MAX_LEVELS * TREE_COLUMNS], row[TREE_COLUMNS] = {0};
    for (int image = 0; image < t->dy.images; image++) {
        const float *dy = view_row(&t->dy, (int64_t)image * t->count + token) + column;
        for (int c = 0; c < n; c++) row[c] = dy[c];
        tree_feed_double(stack, TREE_COLUMNS, image, t->dy.images, row, (size_t)n);
    }
    memcpy(t->sums + token * t->channels + column, row, (size_t)n * sizeof *row);
}

static void sum_tokens(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct tokens *t = context;
    for (int64_t token = begin; token < end; token++)
        for (int c = 0; c < t->channels; c += TREE_COLUMNS)
            sum_columns(t, token, c, t->channels - c < TREE_COLUMNS ? t->channels - c : TREE_COLUMNS);
}

static void add_scaled(double *sum, double factor, const double *row, int n)
{
    if (factor == 0.0) return;
    for (int i = 0; i < n; i++) sum[i] += factor * row[i];
}

/* narrowed[r][j] = sum over c of A_c[c][j] * sums of patch (r, c) */
static void narrow_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct tokens *t = context;
    for (int64_t i = begin; i < end; i++) {
        const int64_t r = i / t->o.grid, j = i % t->o.grid;
        double *sum = t->narrowed + i * t->channels;
        memset(sum, 0, (size_t)t->channels * sizeof *sum);
        for (int c = 0; c < t->columns; c++)
            add_scaled(sum, (double)t->column_matrix[c * t->o.grid + j],
                       t->sums + (t->extra + r * t->columns + c) * t->channels, t->channels);
    }
}

/* Gradient of the stored grid's entry (i, j): sum over r of A_r[r][i] * narrowed[r][j] */
static void grid_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct tokens *t = context;
    for (int64_t entry = begin; entry < end; entry++) {
        const int64_t i = entry / t->o.grid, j = entry % t->o.grid;
        for (int d = 0; d < t->channels; d++) {
            double sum = 0;
            for (int r = 0; r < t->rows; r++) {
                const double factor = (double)t->row_matrix[r * t->o.grid + i];
                if (factor != 0.0) sum += factor * t->narrowed[(r * t->o.grid + j) * t->channels + d];
            }
            t->grid_gradient[entry * t->channels + d] += flush_double(sum);
        }
    }
}

static void add_to(float *gradient, const double *sums, int64_t n)
{
    for (int64_t i = 0; gradient && i < n; i++) gradient[i] += (float)sums[i];
}

static void parameters_backward(struct net *net, const struct node *node, struct tokens *t)
{
    const int threads = net->options.threads;
    float *position = op_param_gradient(net, node, 1);
    par_for(threads, t->count, 1, sum_tokens, t);
    add_to(op_param_gradient(net, node, 0), t->sums, t->channels);
    if (t->o.registers)
        add_to(op_param_gradient(net, node, 2), t->sums + t->channels, (int64_t)t->o.registers * t->channels);
    if (!position) return;
    add_to(position, t->sums, t->channels);
    t->grid_gradient = position + t->channels;
    if (t->as_stored) {
        add_to(t->grid_gradient, t->sums + (ptrdiff_t)t->extra * t->channels,
               (int64_t)t->rows * t->columns * t->channels);
        return;
    }
    par_for(threads, (int64_t)t->rows * t->o.grid, 1, narrow_rows, t);
    par_for(threads, (int64_t)t->o.grid * t->o.grid, 1, grid_rows, t);
}

static void tokens_backward(struct net *net, const struct node *node)
{
    struct tokens t = packed_tokens(net, node);
    t.dy = net_gradient(net, node->output);
    t.sums = (double *)op_scratch(net);
    t.narrowed = t.sums + (ptrdiff_t)t.count * t.channels;
    parameters_backward(net, node, &t);
    if (!op_needs_gradient(net, node, 0)) return;
    struct view to = net_gradient(net, node->input[0]), from = t.dy;
    to.pixels = from.pixels = (int64_t)t.rows * t.columns;
    for (int image = 0; image < t.dy.images; image++) {
        from.data = view_row(&t.dy, (int64_t)image * t.count + t.extra);
        op_deliver(net, to, from, op_accumulates(net, node, 0));
        to.data += to.pixels * to.stride;
    }
}

static size_t tokens_packed(const struct net *net, const struct node *node)
{
    const struct tokens t = tokens_of(net, node);
    return (size_t)t.count * (size_t)t.channels + (size_t)(t.rows + t.columns) * (size_t)t.o.grid;
}

static size_t tokens_scratch(const struct net *net, const struct node *node)
{
    const struct tokens t = tokens_of(net, node);
    return op_training(net) ? 2 * (size_t)(t.count + t.rows * t.o.grid) * (size_t)t.channels : 0;
}

const struct op op_tokens = {.packed = tokens_packed,
                             .scratch = tokens_scratch,
                             .pack = tokens_pack,
                             .forward = tokens_forward,
                             .backward = tokens_backward};
