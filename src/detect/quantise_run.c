#include "detect/quantise_run.h"

#include "image/letterbox.h"

void quantise_end(struct quantise_runner *r)
{
    net_free(&r->net);
    graph_free(&r->graph);
}

enum status quantise_plan(struct quantise_runner *r, const struct model *model, const struct quant *quant,
                          int height, int width, struct error *err)
{
    const struct tensor *input = r->net.memory ? r->graph.tensors + r->graph.input : NULL;
    if (input && input->height == height && input->width == width) return OK;
    quantise_end(r);
    graph_begin(&r->graph, (struct params *)&model->params);
    TRY(yolo11_build(&r->network, &r->graph, model->config, height, width, err));
    TRY(quant_apply(&r->graph, quant, err));
    return net_create(
        &r->net, &r->graph, r->kernels,
        (struct net_options){.batch = 1, .threads = r->threads, .mode = NET_INFERENCE, .plan = r->plan}, err);
}

enum status quantise_run(struct quantise_runner *r, const struct model *model, const struct quant *quant,
                         const struct image *canvas, const struct net_watch *watch, struct error *err)
{
    TRY(quantise_plan(r, model, quant, canvas->height, canvas->width, err));
    letterbox_input(net_value(&r->net, r->graph.input).data, canvas);
    r->net.watch = watch;
    net_forward(&r->net);
    return OK;
}
