#include "train/augment.h"

#include "base/rng.h"
#include "image/hsv.h"
#include "image/letterbox.h"
#include "image/orient.h"
#include "image/warp.h"
#include "train/box_terms.h"
#include "train/polygon.h"

#include <assert.h>

/* What must be left of a box for it to stay a label. */
#define LEAST_SIDE 2.0   /* pixels */
#define LEAST_SHARE 0.10 /* of its scaled area */
#define LEAST_POLYGON_SHARE 0.01
#define LONGEST_RATIO 100.0

void augment_draw(double draws[AUGMENT_DRAWS], uint64_t seed, int epoch, int position)
{
    assert(epoch >= 0 && position >= 0);
    const uint64_t key = rng_step(rng_step(rng_key(seed, "augment"), (uint64_t)epoch), (uint64_t)position);
    for (int i = 0; i < AUGMENT_DRAWS; i++) draws[i] = rng_real(key, (uint64_t)i);
}

static double between(double low, double high, double u) { return low + (high - low) * u; }

struct augment_plan augment_plan(const struct augment_options *o, const double draws[AUGMENT_DRAWS],
                                 int pictures)
{
    const double low = 0.5 * o->size, high = 1.5 * o->size;
    struct augment_plan plan = {
        .mosaic = draws[AUGMENT_MOSAIC] < o->mosaic,
        .flip = draws[AUGMENT_FLIP] < o->flip,
        .centre_x = (int)between(low, high, draws[AUGMENT_CENTRE_X]),
        .centre_y = (int)between(low, high, draws[AUGMENT_CENTRE_Y]),
        .scale = between(1 - o->scale, 1 + o->scale, draws[AUGMENT_SCALE]),
        .shift_x = between(0.5 - o->translate, 0.5 + o->translate, draws[AUGMENT_SHIFT_X]) * o->size,
        .shift_y = between(0.5 - o->translate, 0.5 + o->translate, draws[AUGMENT_SHIFT_Y]) * o->size,
        .hue = between(-1, 1, draws[AUGMENT_HUE]) * o->hue,
        .saturation = between(-1, 1, draws[AUGMENT_SATURATION]) * o->saturation,
        .value = between(-1, 1, draws[AUGMENT_VALUE]) * o->value,
    };
    for (int i = 0; i < 3; i++) plan.others[i] = rng_int_of(draws[AUGMENT_OTHERS + i], pictures);
    return plan;
}

/* How a sample lies on the canvas that is warped; without a mosaic the canvas is its picture. */
struct place {
    int left, top, width, height; /* of the picture */
    double matrix[2][3];          /* canvas to result */
    bool clip;                    /* labels end at the canvas, of this side */
    int canvas;
    double size;
    bool soft;
    const struct augment_plan *plan;
};

static double clamp(double x, double high) { return smaller(larger(x, 0), high); }

static bool visible(double w, double h, double was, bool polygon)
{
    const double least = polygon ? LEAST_POLYGON_SHARE : LEAST_SHARE;
    return w > LEAST_SIDE && h > LEAST_SIDE && w * h / (was + 1e-16) > least &&
           larger(w / h, h / w) < LONGEST_RATIO;
}

/* Corners follow the matrix as they are: there is no half-pixel shift. low, high: the box of the label on the
 * canvas; becomes what is seen of it, or of its polygon, in the result. */
static bool move_box(double low[2], double high[2], const struct label *in, const struct place *place)
{
    const int sides[2] = {place->width, place->height}, origin[2] = {place->left, place->top};
    struct polygon_move move;
    for (int k = 0; k < 2; k++) {
        const double scale = place->matrix[k][k], shift = place->matrix[k][2];
        move.scale[k] = scale * sides[k];
        move.shift[k] = scale * origin[k] + shift;
        low[k] = clamp(scale * low[k] + shift, place->size);
        high[k] = clamp(scale * high[k] + shift, place->size);
    }
    return !in->points || polygon_box_inside(low, high, in->points, in->point_count, &move);
}

static bool move_label(struct target *out, const struct label *in, const struct place *place, int image)
{
    const double centre[2] = {in->cx, in->cy}, extent[2] = {in->w, in->h};
    const int sides[2] = {place->width, place->height}, origin[2] = {place->left, place->top};
    double low[2], high[2], was = place->plan->scale * place->plan->scale;
    for (int k = 0; k < 2; k++) {
        low[k] = (centre[k] - extent[k] / 2) * sides[k] + origin[k];
        high[k] = (centre[k] + extent[k] / 2) * sides[k] + origin[k];
        if (place->clip) {
            low[k] = clamp(low[k], place->canvas);
            high[k] = clamp(high[k], place->canvas);
        }
        was *= high[k] - low[k];
    }
    if (!move_box(low, high, in, place)) return false;
    const double w = high[0] - low[0], h = high[1] - low[1];
    if (!visible(w, h, was, in->points != NULL)) return false;
    double cx = (low[0] + high[0]) / 2;
    if (place->plan->flip) cx = place->size - cx;
    *out = (struct target){.image = image,
                           .class_id = in->class_id,
                           .cx = (float)(cx / place->size),
                           .cy = (float)((low[1] + high[1]) / 2 / place->size),
                           .w = (float)(w / place->size),
                           .h = (float)(h / place->size),
                           .doubt = place->soft && in->confidence >= 0 ? 1 - in->confidence : 0};
    return true;
}

/* Pictures 0 and 2 end at the centre, 1 and 3 begin there; likewise 0, 1 above it and 2, 3 below. */
static void put_on_canvas(struct place *place, const struct augment_plan *plan, const struct image *picture,
                          int k)
{
    place->left = k % 2 ? plan->centre_x : plan->centre_x - picture->width;
    place->top = k / 2 ? plan->centre_y : plan->centre_y - picture->height;
}

enum status augment_apply(struct image *out, struct target *labels, int *count, struct image *canvas,
                          const struct augment_options *options, const struct augment_plan *plan,
                          const struct augment_sample *samples, int image, struct error *err)
{
    const int size = options->size, used = plan->mosaic ? 4 : 1;
    const struct image *source = samples[0].picture;
    struct place place = {.clip = plan->mosaic, .canvas = 2 * size, .size = size, .soft = options->soft, .plan = plan};
    if (plan->mosaic) {
        TRY(image_reserve(canvas, 2 * size, 2 * size, err));
        image_fill(canvas, LETTERBOX_BORDER);
        source = canvas;
    }
    const double matrix[2][3] = {{plan->scale, 0, plan->shift_x - plan->scale * source->width / 2},
                                 {0, plan->scale, plan->shift_y - plan->scale * source->height / 2}};
    for (int i = 0; i < 6; i++) place.matrix[i / 3][i % 3] = matrix[i / 3][i % 3];
    *count = 0;
    for (int k = 0; k < used; k++) {
        const struct image *picture = samples[k].picture;
        place.width = picture->width;
        place.height = picture->height;
        if (plan->mosaic) {
            put_on_canvas(&place, plan, picture, k);
            image_paste(canvas, picture, place.left, place.top);
        }
        for (int i = 0; i < samples[k].count; i++)
            *count += move_label(&labels[*count], &samples[k].labels[i], &place, image);
    }
    TRY(warp_affine(out, source, matrix, size, size, LETTERBOX_BORDER, err));
    if (options->hue > 0 || options->saturation > 0 || options->value > 0)
        hsv_jitter(out, plan->hue, plan->saturation, plan->value);
    if (plan->flip) orient_mirror(out);
    return OK;
}
