#include "train/recipe.h"

#include "nn/load.h"

#include <string.h>

static void add_set(struct sha256 *hash, const struct trainer_validation *set)
{
    sha256_add_number(hash, set->score != NULL);
    if (set->recipe) sha256_add(hash, set->recipe, strlen(set->recipe) + 1);
}

void recipe_add_options(struct sha256 *hash, const struct trainer_options *o, int freeze)
{
    const struct schedule_options *s = &o->schedule;
    const struct augment_options *a = &o->augment;
    const double numbers[] = {o->batch,
                              o->epochs,
                              o->patience,
                              o->clip,
                              o->frozen_norm,
                              net_plan_number(o->plan),
                              freeze,
                              (double)o->seed,
                              o->mask,
                              o->fraction,
                              o->mask_warmup,
                              s->nominal_batch,
                              s->optimizer,
                              s->rate,
                              s->momentum,
                              s->weight_decay,
                              s->final_factor,
                              s->warmup_epochs,
                              s->warmup_floor,
                              s->warmup_bias_rate,
                              s->warmup_momentum,
                              s->plain_epochs,
                              a->size,
                              a->mosaic,
                              a->scale,
                              a->translate,
                              a->hue,
                              a->saturation,
                              a->value,
                              a->flip,
                              a->soft,
                              o->guard.start,
                              o->guard.loss};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) sha256_add_number(hash, numbers[i]);
}

void recipe_hash(char recipe[SHA256_HEX], const struct trainer_options *o, const struct pictures *pictures,
                 const struct model *model)
{
    struct sha256 hash;
    char hex[SHA256_HEX];
    sha256_init(&hash);
    recipe_add_options(&hash, o, model->config.freeze);
    params_hash(&model->params, hex);
    sha256_add(&hash, hex, sizeof hex);
    for (int i = 0; i < pictures->count; i++) {
        const struct picture *p = pictures->list + i;
        sha256_add(&hash, p->image.pixels, image_bytes(&p->image));
        labels_hash(&hash, &p->labels, o->augment.soft);
    }
    add_set(&hash, &o->validation);
    add_set(&hash, &o->guard.set);
    sha256_hex(&hash, recipe);
}
