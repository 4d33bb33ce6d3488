/* SELECT over a stream by every rule, and pictures embedded by a small transformer and by a detector's
 * backbone. */
#include "golden.h"

#include "base/rng.h"
#include "op_cases.h"
#include "select/confidence.h"
#include "select/embed.h"
#include "select/select.h"
#include "select/stream.h"

#include <stdio.h>

enum { FRAMES = 400, WIDTH = 24, VIT_SIDE = 56 };

/* ---- SELECT ---- */

/* A frame in eight has no box. */
static void draw_confidences(double *confidence)
{
    const uint64_t key = rng_key(5, "golden confidences");
    for (uint64_t i = 0; i < FRAMES; i++)
        confidence[i] = rng_int(key, 2 * i, 8) ? rng_real(key, 2 * i + 1) : CONFIDENCE_NONE;
}

static void emit_selection(struct golden *golden, const char *stage, const struct selection *s)
{
    int32_t numbers[FRAMES + 1] = {s->count};
    for (int i = 0; i < s->count; i++) numbers[i + 1] = s->frames[i];
    golden_emit_bytes(golden, stage, numbers, sizeof numbers);
}

static enum status stored(struct golden *golden, const struct select_bank *bank, struct arena *arena,
                          struct error *err)
{
    for (int rule = 0; rule < SELECT_ALL; rule++) {
        struct select_options o = select_defaults();
        struct selection s;
        char stage[64];
        o.rule = (enum select_rule)rule;
        o.wanted = 20;
        o.warmup = 60;
        o.rate = 0.0625;
        TRY(select_run(&s, &o, bank, arena, err));
        snprintf(stage, sizeof stage, "select.%s", select_rule_name(o.rule));
        emit_selection(golden, stage, &s);
        if (s.warm) {
            snprintf(stage, sizeof stage, "select.%s-threshold", select_rule_name(o.rule));
            golden_emit_bytes(golden, stage, &s.tau, sizeof s.tau);
        }
    }
    return OK;
}

/* One frame at a time, in windows of 120 frames whose threshold is that of all before. */
static enum status live(struct golden *golden, const double *confidence, struct arena *arena,
                        struct error *err)
{
    struct select_options o = select_defaults();
    struct select_stream stream;
    uint8_t verdicts[FRAMES];
    o.wanted = 20;
    o.warmup = 60;
    o.policy = END_CLOSE;
    o.window = 120;
    TRY(select_stream_open(&stream, &o, (struct draws){0}, arena, err));
    for (int i = 0; i < FRAMES; i++) {
        if (i && i % 120 == 0) select_stream_next_window(&stream, false);
        verdicts[i] = (uint8_t)select_stream_push(&stream, confidence[i]);
    }
    golden_emit_bytes(golden, "select.stream", verdicts, sizeof verdicts);
    golden_emit_bytes(golden, "select.stream-threshold", &stream.tau, sizeof stream.tau);
    return OK;
}

static enum status selection(struct golden *golden, struct arena *arena, struct error *err)
{
    static double confidence[FRAMES];
    static float rows[FRAMES * WIDTH];
    const uint64_t key = rng_key(5, "golden draws");
    draw_confidences(confidence);
    golden_uniform(rows, "select.rows", FRAMES * WIDTH, 1);
    for (int i = 0; i < FRAMES; i++) embed_normalise(rows + i * WIDTH, WIDTH);
    const struct select_bank bank = {.frames = FRAMES,
                                     .confidence = confidence,
                                     .embeddings = rows,
                                     .embedding_stride = WIDTH,
                                     .width = WIDTH,
                                     .draws = draws_of_key(&key),
                                     .kernels = golden->kernels};
    TRY(stored(golden, &bank, arena, err));
    return live(golden, confidence, arena, err);
}

/* ---- Embeddings ---- */

static enum status picture(struct image *image, int width, int height, struct error *err)
{
    TRY(image_alloc(image, width, height, err));
    for (size_t i = 0; i < image_bytes(image); i++)
        image->pixels[i] = (uint8_t)rng_int(rng_fnv1a("select.picture"), i, 256);
    return OK;
}

/* The graph of the first declaration goes again: the embedder plans its own for the picture. */
static enum status declare(struct embedder *e, struct error *err)
{
    struct graph graph;
    enum status status;
    graph_begin(&graph, &e->params);
    if (e->kind == EMBEDDER_VIT) {
        struct vit model;
        status = vit_build(&model, &graph, e->config.vit, e->side, e->side, false, err);
    } else {
        struct yolo11 model;
        status = yolo11_build_backbone(&model, &graph, e->config.detector, 32, 32, err);
    }
    graph_free(&graph);
    if (status == OK) op_case_params(&e->params);
    return status;
}

static enum status embed(struct golden *golden, struct embedder *e, const char *stage, int width, int height,
                         struct error *err)
{
    static float out[1024];
    bool zero = false;
    struct image image = {0};
    enum status status = declare(e, err);
    if (status == OK) status = picture(&image, width, height, err);
    if (status == OK) status = embed_image(e, &image, out, &zero, err);
    golden->plan = net_plan_name(e->plan);
    if (zero) golden_fail(golden, stage, "no features");
    if (status == OK) golden_emit(golden, stage, out, (size_t)e->dim);
    golden->plan = "-";
    image_free(&image);
    embedder_close(e);
    return status;
}

static enum status embeddings(struct golden *golden, struct error *err)
{
    struct embedder vit = {.kind = EMBEDDER_VIT, .kernels = golden->kernels, .threads = golden->threads};
    vit.side = VIT_SIDE;
    vit.config.vit = (struct vit_config){.dim = 96, .depth = 2, .heads = 3, .mlp = 384, .grid = 5};
    TRY(embed(golden, &vit, "select.embedding-vit", 70, 45, err));
    struct embedder detector = {
        .kind = EMBEDDER_DETECTOR, .kernels = golden->kernels, .threads = golden->threads};
    detector.config.detector = (struct yolo11_config){.scale = YOLO11_PICO, .classes = 3};
    return embed(golden, &detector, "select.embedding-detector", 160, 8, err); /* 640 x 32 in its letterbox */
}

void golden_select(struct golden *golden)
{
    struct arena arena = {0};
    struct error err;
    if (selection(golden, &arena, &err) != OK) golden_fail(golden, "select.frames", err.message);
    if (embeddings(golden, &err) != OK) golden_fail(golden, "select.embeddings", err.message);
    arena_free(&arena);
}
