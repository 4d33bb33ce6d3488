/* Batch norms folded into the convolutions, for files that are only run. */
#include "detect/model.h"

#include "base/flush.h"
#include "nn/fold.h"

#include <stdio.h>
#include <string.h>

struct layer {
    float *weight, *bias; /* of the folded model */
    const float *from;    /* the other's weight */
    const float *gamma, *beta, *mean, *variance;
    size_t out, row;
};

static const float *part(const struct model *model, const char *stem, int length, const char *end)
{
    char name[PARAM_MAX_NAME + 32];
    snprintf(name, sizeof name, "%.*s%s", length, stem, end);
    const int index = params_find(&model->params, name);
    return index < 0 ? NULL : params_values(&model->params, index);
}

/* Whether parameter `index` of the folded model, "STEM.conv.weight", has a batch norm "STEM.bn" in the other.
 */
static bool find_layer(struct layer *layer, const struct model *folded, int index, const struct model *model)
{
    static const char end[] = ".conv.weight";
    const struct param *param = folded->params.list + index;
    const int length = (int)strlen(param->name) - (int)strlen(end);
    if (length <= 0 || strcmp(param->name + length, end)) return false;
    *layer = (struct layer){.weight = params_values(&folded->params, index),
                            .bias = (float *)part(folded, param->name, length, ".conv.bias"),
                            .from = part(model, param->name, length, end),
                            .gamma = part(model, param->name, length, ".bn.weight"),
                            .beta = part(model, param->name, length, ".bn.bias"),
                            .mean = part(model, param->name, length, ".bn.running_mean"),
                            .variance = part(model, param->name, length, ".bn.running_var"),
                            .out = (size_t)param->shape[0],
                            .row = param->size / (size_t)param->shape[0]};
    return layer->gamma != NULL;
}

/* As packing does it, so that the folded model gives the same bits. */
static void fold(const struct layer *l)
{
    for (size_t o = 0; o < l->out; o++) {
        const double factor = fold_factor(l->gamma[o], l->variance[o], YOLO11_NORM_EPS);
        for (size_t i = 0; i < l->row; i++)
            l->weight[o * l->row + i] = flush_double(l->from[o * l->row + i] * factor);
        l->bias[o] = flush_double(fold_bias(l->beta[o], l->mean[o], factor));
    }
}

enum status model_fold(struct model *to, const struct model *from, struct error *err)
{
    struct yolo11_config config = from->config;
    if (config.folded) return model_copy(to, from, err);
    config.folded = true;
    TRY(model_make(to, config, err));
    for (int i = 0; i < to->params.count; i++) {
        struct layer layer;
        const int same = params_find(&from->params, to->params.list[i].name);
        if (find_layer(&layer, to, i, from))
            fold(&layer);
        else if (same >= 0)
            memcpy(params_values(&to->params, i), params_values(&from->params, same),
                   to->params.list[i].size * sizeof(float));
    }
    const enum status status = model_copy_names(to, from, err);
    if (status != OK) model_free(to);
    return status;
}
