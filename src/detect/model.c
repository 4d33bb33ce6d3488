#include "detect/model.h"

#include "base/dmath.h"
#include "base/flush.h"
#include "base/rng.h"
#include "detect/class_names.h"
#include "nn/load.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SMALLEST = 32 };

/* Declares all parameters by building the smallest graph. */
static enum status declare(struct model *model, struct yolo11_config config, struct error *err)
{
    struct graph graph;
    struct yolo11 network;
    graph_begin(&graph, &model->params);
    const enum status status = yolo11_build(&network, &graph, config, SMALLEST, SMALLEST, err);
    model->config = network.config;
    graph_free(&graph);
    return status;
}

static bool ends_with(const char *name, const char *end)
{
    const size_t n = strlen(name), m = strlen(end);
    return n >= m && !strcmp(name + n - m, end);
}

static enum status default_names(struct model *model, struct error *err)
{
    const int n = model->config.classes;
    const char **names = arena_alloc(&model->arena, (size_t)n, sizeof *names);
    for (int i = 0; names && i < n; i++) {
        names[i] = n == CLASS_NAMES_COCO ? class_names_coco(i) : arena_printf(&model->arena, "%d", i);
        if (!names[i]) names = NULL;
    }
    model->names = names;
    return names ? OK : fail_memory(err, "class names", (size_t)n * sizeof *names);
}

enum status model_set_names(struct model *model, const char *lines, struct error *err)
{
    const int n = model->config.classes;
    const char **names = arena_alloc(&model->arena, (size_t)n, sizeof *names);
    if (!names) return fail_memory(err, "class names", (size_t)n * sizeof *names);
    for (int i = 0; i < n; i++) {
        const size_t length = strcspn(lines, "\n");
        if (!length) return fail(err, ERR_INPUT, "class names: expected %d lines, found %d", n, i);
        names[i] = arena_strndup(&model->arena, lines, length);
        if (!names[i]) return fail_memory(err, "class names", length);
        lines += length + (lines[length] == '\n');
    }
    model->names = names;
    return OK;
}

/* Parameters without values, or with zeros. */
static enum status outline(struct model *model, struct yolo11_config config, bool borrowed, struct error *err)
{
    *model = (struct model){.params.borrowed = borrowed};
    enum status status = declare(model, config, err);
    if (status == OK) status = default_names(model, err);
    if (status != OK) model_free(model);
    return status;
}

enum status model_make(struct model *model, struct yolo11_config config, struct error *err)
{
    TRY(outline(model, config, false, err));
    for (int i = 0; i < model->params.count; i++)
        if (ends_with(model->params.list[i].name, "running_var"))
            for (size_t j = 0; j < model->params.list[i].size; j++) params_values(&model->params, i)[j] = 1.f;
    return OK;
}

static enum status read_file(struct model *model, const struct weights *weights, bool borrowed,
                             struct error *err)
{
    struct yolo11_config config;
    TRY(yolo11_identify(&config, weights, err));
    TRY(outline(model, config, borrowed, err));
    const char *names = weights_metadata(weights, "classes");
    enum status status = names ? model_set_names(model, names, err) : OK;
    if (status == OK) status = params_load(&model->params, weights, err);
    if (status == OK) status = quant_read(&model->quant, weights, err);
    if (status != OK) {
        model_free(model);
        return status;
    }
    model->from_half = weights_find(weights, "model.0.conv.weight")->type == WEIGHT_F16;
    return OK;
}

enum status model_open(struct model *model, const char *path, struct error *err)
{
    struct weights weights;
    *model = (struct model){0};
    TRY(weights_open(&weights, path, err));
    const enum status status = read_file(model, &weights, false, err);
    weights_close(&weights);
    return status;
}

enum status model_open_mapped(struct model *model, const char *path, struct error *err)
{
    struct weights weights;
    *model = (struct model){0};
    TRY(weights_open(&weights, path, err));
    const bool mapped = file_is_mapped(&weights.view);
    const enum status status = read_file(model, &weights, mapped, err);
    if (status == OK && mapped)
        model->file = weights;
    else
        weights_close(&weights);
    return status;
}

static enum status copy_names(struct model *to, const char *const *from, struct error *err)
{
    const int n = to->config.classes;
    const char **names = arena_alloc(&to->arena, (size_t)n, sizeof *names);
    for (int i = 0; names && i < n; i++)
        if (!(names[i] = arena_strdup(&to->arena, from[i]))) names = NULL;
    to->names = names;
    return names ? OK : fail_memory(err, "class names", (size_t)n * sizeof *names);
}

enum status model_copy_names(struct model *to, const struct model *from, struct error *err)
{
    return copy_names(to, from->names, err);
}

enum status model_copy(struct model *to, const struct model *from, struct error *err)
{
    TRY(model_make(to, from->config, err));
    const enum status status = model_copy_names(to, from, err);
    if (status != OK) {
        model_free(to);
        return status;
    }
    for (int i = 0; i < to->params.count; i++)
        memcpy(params_values(&to->params, i), params_values(&from->params, i),
               to->params.list[i].size * sizeof(float));
    return OK;
}

enum status model_save(const struct model *model, const char *path, bool half, const char *licence,
                       const char *origin, struct error *err)
{
    struct arena arena = {0};
    size_t length = 1, used = 0;
    for (int i = 0; i < model->config.classes; i++) length += strlen(model->names[i]) + 1;
    char *names = arena_alloc(&arena, length, 1);
    for (int i = 0; names && i < model->config.classes; i++)
        used += (size_t)snprintf(names + used, length - used, "%s%s", i ? "\n" : "", model->names[i]);
    struct weight_text metadata[4] = {{"architecture", yolo11_name(model->config.scale)}, {"classes", names}};
    size_t count = 2;
    if (licence) metadata[count++] = (struct weight_text){"licence", licence};
    if (origin) metadata[count++] = (struct weight_text){"origin", origin};
    enum status status = OK;
    if (!names)
        status = fail_memory(err, "class names", length);
    else if (model->quant.count)
        status = quant_save(&model->quant, &model->params, path, metadata, count, err);
    else
        status = params_save(&model->params, path, half, metadata, count, err);
    arena_free(&arena);
    return status;
}

enum status model_network(struct yolo11 *network, struct graph *graph, const struct model *model, int height,
                          int width, struct error *err)
{
    /* Graphs of one model share its parameters; building another one declares nothing new. */
    graph_begin(graph, (struct params *)&model->params);
    TRY(yolo11_build(network, graph, model->config, height, width, err));
    return quant_apply(graph, &model->quant, err);
}

void model_free(struct model *model)
{
    params_free(&model->params);
    weights_close(&model->file);
    quant_free(&model->quant);
    arena_free(&model->arena);
    *model = (struct model){0};
}

/* ---- Fresh weights, head surgery ---- */

/* Of the last layer of a class branch, "model.23.cv3.I.2.weight" or ".bias", else -1. */
static int level_of(const char *name)
{
    int level = -1, length = 0;
    if (sscanf(name, "model.23.cv3.%d.2.%n", &level, &length) == 1 && length > 0) return level;
    return -1;
}

static bool ends_box_branch(const char *name) /* "model.23.cv2.I.2.bias" */
{
    int level, length = 0;
    return sscanf(name, "model.23.cv2.%d.2.bias%n", &level, &length) == 1 && length > 0;
}

static void fresh_weight(float *values, const struct param *param, uint64_t seed)
{
    size_t fan_in = 1;
    for (int i = 1; i < param->dims; i++) fan_in *= (size_t)param->shape[i];
    const double limit = 1.0 / sqrt((double)fan_in);
    const uint64_t key = rng_step(rng_key(seed, "init"), rng_fnv1a(param->name));
    for (size_t i = 0; i < param->size; i++) values[i] = (float)(limit * (2.0 * rng_real(key, i) - 1.0));
}

static void fresh_values(struct model *model, int index, uint64_t seed)
{
    const struct param *param = model->params.list + index;
    float *values = params_values(&model->params, index);
    const int level = level_of(param->name);
    if (param->dims >= 2) {
        fresh_weight(values, param, seed);
        return;
    }
    float value = ends_with(param->name, "bn.weight") || ends_with(param->name, "running_var") ? 1.f : 0.f;
    if (level >= 0 && ends_with(param->name, ".bias")) {
        const double cells = 640.0 / (8 << level);
        value = (float)dmath_log(5.0 / model->config.classes / (cells * cells));
    }
    if (ends_box_branch(param->name)) value = 2.f;
    for (size_t i = 0; i < param->size; i++) values[i] = value;
}

enum status model_fresh(struct model *model, struct yolo11_config config, uint64_t seed, struct error *err)
{
    assert(!config.folded);
    TRY(model_make(model, config, err));
    for (int i = 0; i < model->params.count; i++) {
        fresh_values(model, i, seed);
        flush_floats(params_values(&model->params, i), model->params.list[i].size);
    }
    return OK;
}

/* The mean of the source's rows of the vehicle classes, in the order of the list. */
static void mean_rows(float *values, const struct param *param, const float *source, const int *vehicles,
                      int count)
{
    const size_t row = param->size / (size_t)param->shape[0];
    for (size_t i = 0; i < param->size; i++) {
        double sum = 0;
        for (int v = 0; v < count; v++) sum += source[(size_t)vehicles[v] * row + i % row];
        values[i] = (float)(sum / count);
    }
}

static bool equal_shape(const struct param *a, const struct param *b)
{
    return a->dims == b->dims && !memcmp(a->shape, b->shape, (size_t)a->dims * sizeof *a->shape);
}

enum status model_check_trainable(const struct model *model, const char *name, struct error *err)
{
    if (!model->config.folded) return OK;
    return fail(err, ERR_INPUT,
                "%s: batch norms are folded in, and only models with their batch norms are trained; give the "
                "file as it was before folding",
                name);
}

enum status model_restart(struct model *model, const struct model *source, int classes, enum head_start start,
                          const int *vehicles, int vehicle_count, int freeze, uint64_t seed,
                          struct error *err)
{
    *model = (struct model){0};
    TRY(model_check_trainable(source, "the start weights", err));
    for (int i = 0; i < vehicle_count; i++)
        if (vehicles[i] < 0 || vehicles[i] >= source->config.classes)
            return fail(err, ERR_USAGE, "vehicle class %d: the student has classes 0 to %d", vehicles[i],
                        source->config.classes - 1);
    struct yolo11_config config = source->config;
    const bool same_classes = classes == config.classes;
    config.classes = classes;
    config.freeze = freeze;
    if (start == HEAD_REBUILD && !same_classes) config.class_width = 0;
    TRY(model_make(model, config, err));
    for (int i = 0; i < model->params.count; i++) {
        const struct param *param = model->params.list + i;
        const int from = params_find(&source->params, param->name);
        const bool last = level_of(param->name) >= 0;
        float *values = params_values(&model->params, i);
        if (from >= 0 && equal_shape(param, source->params.list + from)) {
            memcpy(values, params_values(&source->params, from), param->size * sizeof *values);
        } else if (from >= 0 && last && start == HEAD_KEEP && vehicle_count) {
            mean_rows(values, param, params_values(&source->params, from), vehicles, vehicle_count);
        } else {
            fresh_values(model, i, seed);
            model->params.list[i].fresh = true;
        }
        flush_floats(values, param->size);
    }
    const enum status status = same_classes ? model_copy_names(model, source, err) : OK;
    if (status != OK) model_free(model);
    return status;
}

/* ---- Classes found again by name ---- */

static const char *trimmed(const char *text, size_t *length)
{
    text += strspn(text, " \t\r");
    *length = strlen(text);
    while (*length && strchr(" \t\r", text[*length - 1])) (*length)--;
    return text;
}

static int lower(char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; }

static bool same_name(const char *a, const char *b)
{
    size_t n, m;
    a = trimmed(a, &n);
    b = trimmed(b, &m);
    if (n != m || !n) return false;
    for (size_t i = 0; i < n; i++)
        if (lower(a[i]) != lower(b[i])) return false;
    return true;
}

/* "7" for class 7 stands for a name that nobody knows. */
static bool is_number(const char *name, int class_id)
{
    char number[16];
    snprintf(number, sizeof number, "%d", class_id);
    return !strcmp(name, number);
}

static int find_class(const struct model *model, const char *name)
{
    for (int i = 0; i < model->config.classes; i++)
        if (!is_number(model->names[i], i) && same_name(model->names[i], name)) return i;
    return -1;
}

static void copy_row(struct model *to, int row, const struct model *from, int from_row)
{
    for (int i = 0; i < to->params.count; i++) {
        const struct param *param = to->params.list + i;
        const int k = level_of(param->name) < 0 ? -1 : params_find(&from->params, param->name);
        if (k < 0) continue;
        const struct param *other = from->params.list + k;
        const size_t size = param->size / (size_t)param->shape[0];
        if (other->size / (size_t)other->shape[0] != size) continue;
        memcpy(params_values(&to->params, i) + (size_t)row * size,
               params_values(&from->params, k) + (size_t)from_row * size, size * sizeof(float));
    }
}

enum status model_name_classes(struct model *model, const char *const *names, const struct model *source,
                               struct error *err)
{
    for (int i = 0; i < model->config.classes; i++)
        if (!names[i][0]) return fail(err, ERR_INPUT, "class names: class %d has none", i);
    TRY(copy_names(model, names, err));
    for (int i = 0; source && i < model->config.classes; i++) {
        const int from = is_number(names[i], i) ? -1 : find_class(source, names[i]);
        if (from >= 0) copy_row(model, i, source, from);
    }
    return OK;
}
