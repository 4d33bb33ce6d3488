/* Reductions, softmax, layer norm, batch norm and cross-entropy on rows of every length up to a few vectors.
 */
#include "golden.h"

#include "base/par.h"

#include <string.h>

enum { ROWS = 70, COLS = 70, CELLS = ROWS * COLS }; /* row r uses its first r + 1 values in the row stages */

static float x[CELLS], dy[CELLS], y[CELLS], gamma[COLS], beta[COLS];

static void reductions(struct golden *golden)
{
    const struct kernels *const k = golden->kernels;
    float out[ROWS][4];
    for (int r = 0; r < ROWS; r++) {
        const float *const row = x + r * COLS;
        out[r][0] = k->sum(row, r + 1);
        out[r][1] = k->max(row, r + 1);
        out[r][2] = k->dot(row, dy + r * COLS, r + 1);
        out[r][3] = k->sum_squares(row, 0.125f, r + 1);
    }
    golden_emit(golden, "rows.reduce", out[0], sizeof out / sizeof(float));
}

static void columns(struct golden *golden)
{
    const struct kernels *const k = golden->kernels;
    float acc[3][COLS] = {{0}};
    k->column_sum(acc[0], x, COLS, ROWS, COLS);
    k->column_sum_squares(acc[1], x, COLS, beta, ROWS, COLS);
    k->column_dot(acc[2], x, COLS, dy, COLS, ROWS, COLS);
    golden_emit(golden, "rows.columns", acc[0], sizeof acc / sizeof(float));
}

static void softmax_share(void *context, int64_t begin, int64_t end, int worker)
{
    const struct kernels *const k = context;
    (void)worker;
    for (int64_t r = begin; r < end; r++) k->softmax(y + r * COLS, x + r * COLS, (int)r + 1);
}

static void softmax(struct golden *golden)
{
    static float dx[CELLS];
    memset(y, 0, sizeof y);
    memset(dx, 0, sizeof dx);
    union {
        const struct kernels *k;
        void *context;
    } pass = {golden->kernels};
    par_for(golden->threads, ROWS, 1, softmax_share, pass.context);
    golden_emit(golden, "rows.softmax", y, CELLS);
    for (int r = 0; r < ROWS; r++)
        golden->kernels->softmax_backward(dx + r * COLS, dy + r * COLS, y + r * COLS, r + 1);
    golden_emit(golden, "rows.softmax-backward", dx, CELLS);
}

static void layer_norm(struct golden *golden)
{
    const struct kernels *const k = golden->kernels;
    float stats[ROWS][2], params[2][COLS] = {{0}};
    memset(y, 0, sizeof y);
    for (int r = 0; r < ROWS; r++)
        k->layer_norm(y + r * COLS, x + r * COLS, gamma, beta, 0x1p-20f, r + 1, stats[r]);
    golden_emit(golden, "rows.layer-norm", y, CELLS);
    golden_emit(golden, "rows.layer-norm-stats", stats[0], sizeof stats / sizeof(float));
    for (int r = 0; r < ROWS; r++)
        k->layer_norm_backward(y + r * COLS, dy + r * COLS, x + r * COLS, gamma, stats[r], r + 1, r & 1);
    golden_emit(golden, "rows.layer-norm-backward", y, CELLS);
    k->layer_norm_backward_params(params[0], params[1], dy, COLS, x, COLS, stats[0], ROWS, COLS);
    golden_emit(golden, "rows.layer-norm-params", params[0], sizeof params / sizeof(float));
}

static void batch_norm(struct golden *golden)
{
    const struct kernels *const k = golden->kernels;
    float inv[COLS], sums[2][COLS] = {{0}}, a[COLS], b[COLS], scale[COLS];
    for (int c = 0; c < COLS; c++) inv[c] = 1.f + gamma[c] * gamma[c];
    const struct norm_params norm = {beta, inv, gamma, beta};
    k->batch_norm(y, COLS, x, COLS, norm, ROWS, COLS, ACT_SILU);
    golden_emit(golden, "rows.batch-norm", y, CELLS);
    k->batch_norm_backward_sums(y, COLS, dy, COLS, x, COLS, norm, sums[0], sums[1], ROWS, COLS, ACT_SILU);
    golden_emit(golden, "rows.batch-norm-sums", sums[0], sizeof sums / sizeof(float));
    k->scale(a, sums[1], 1.f / ROWS, COLS);
    k->scale(b, sums[0], 1.f / ROWS, COLS);
    for (int c = 0; c < COLS; c++) scale[c] = gamma[c] * inv[c];
    k->batch_norm_backward(y, COLS, y, COLS, x, COLS, norm, scale, a, b, ROWS, COLS);
    golden_emit(golden, "rows.batch-norm-backward", y, CELLS);
}

static void cross_entropy(struct golden *golden)
{
    float loss[ROWS];
    memset(y, 0, sizeof y);
    for (int r = 0; r < ROWS; r++) {
        float target[COLS];
        for (int c = 0; c < COLS; c++) target[c] = c % 3 ? 0.f : gamma[c] * gamma[c];
        loss[r] = golden->kernels->binary_cross_entropy(y + r * COLS, x + r * COLS, target, 0.5f, r + 1);
    }
    golden_emit(golden, "rows.cross-entropy", loss, ROWS);
    golden_emit(golden, "rows.cross-entropy-backward", y, CELLS);
}

static void elementwise(struct golden *golden)
{
    const struct kernels *const k = golden->kernels;
    k->add(y, COLS, x, COLS, dy, COLS, ROWS, COLS);
    k->scale_add(y, COLS, y, COLS, dy, COLS, gamma, ROWS, COLS);
    k->scale_columns(y, COLS, y, COLS, beta, ROWS, COLS - 1);
    static float pair[CELLS];
    memcpy(pair, y, sizeof pair / 2);
    memcpy(pair + CELLS / 2, x, sizeof pair / 2);
    k->maximum_window(y, pair, CELLS, CELLS / 2, 1, 2, CELLS / 2);
    golden_emit(golden, "rows.elementwise", y, CELLS);
}

void golden_rows(struct golden *golden)
{
    golden_uniform(x, "rows.x", CELLS, 8);
    golden_uniform(dy, "rows.dy", CELLS, 1);
    golden_uniform(gamma, "rows.gamma", COLS, 1);
    golden_uniform(beta, "rows.beta", COLS, 1);
    reductions(golden);
    columns(golden);
    softmax(golden);
    layer_norm(golden);
    batch_norm(golden);
    cross_entropy(golden);
    elementwise(golden);
}
