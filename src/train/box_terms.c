#include "train/box_terms.h"

#include "base/dmath.h"

#define EPS 1e-7
#define PI 3.14159265358979323846

double box_terms_side(double p[HEAD_BINS], double *log_sum, const float logits[HEAD_BINS])
{
    double highest = logits[0], sum = 0, distance = 0;
    for (int j = 1; j < HEAD_BINS; j++)
        if (logits[j] > highest) highest = logits[j];
    for (int j = 0; j < HEAD_BINS; j++) {
        p[j] = dmath_exp(logits[j] - highest);
        sum += p[j];
    }
    for (int j = 0; j < HEAD_BINS; j++) {
        p[j] /= sum;
        distance += j * p[j];
    }
    if (log_sum) *log_sum = highest + dmath_log(sum);
    return distance;
}

void box_terms_decode(double box[4], const float logits[HEAD_BOX_LOGITS], double x, double y)
{
    double p[HEAD_BINS];
    box[0] = x - box_terms_side(p, NULL, logits);
    box[1] = y - box_terms_side(p, NULL, logits + HEAD_BINS);
    box[2] = x + box_terms_side(p, NULL, logits + 2 * HEAD_BINS);
    box[3] = y + box_terms_side(p, NULL, logits + 3 * HEAD_BINS);
}

/* Share of the derivative of min or max that belongs to a where a < b decides: halved on equality. */
static double below(double a, double b) { return a < b ? 1 : a == b ? 0.5 : 0; }

/* The quantities of one axis; w carries the epsilon where the definition wants one. */
struct axis {
    double w[2];                    /* sides of box and target */
    double overlap, hull;           /* signed overlap; enclosing side */
    double shift;                   /* twice the distance of the centres, signed */
    double d_overlap[2], d_hull[2]; /* with respect to the box's lower and upper edge */
};

static struct axis measure(double low, double high, double target_low, double target_high, double eps)
{
    return (struct axis){
        .w = {high - low + eps, target_high - target_low + eps},
        .overlap = smaller(high, target_high) - larger(low, target_low),
        .hull = larger(high, target_high) - smaller(low, target_low),
        .shift = target_low + target_high - low - high,
        .d_overlap = {-below(target_low, low), below(high, target_high)},
        .d_hull = {-below(low, target_low), below(target_high, high)},
    };
}

double box_terms_ciou(double gradient[4], const double box[4], const double target[4])
{
    /* the definition adds its epsilon to heights only */
    const struct axis x = measure(box[0], box[2], target[0], target[2], 0);
    const struct axis y = measure(box[1], box[3], target[1], target[3], EPS);
    const double iw = larger(x.overlap, 0), ih = larger(y.overlap, 0), inter = iw * ih;
    const double all = x.w[0] * y.w[0] + x.w[1] * y.w[1] - inter + EPS, iou = inter / all;
    const double diagonal = x.hull * x.hull + y.hull * y.hull + EPS;
    const double offset = (x.shift * x.shift + y.shift * y.shift) / 4, apart = offset / diagonal;
    const double turn = dmath_atan(x.w[1] / y.w[1]) - dmath_atan(x.w[0] / y.w[0]);
    const double v = 4 / (PI * PI) * turn * turn, alpha = v / (1 - iou + v + EPS);

    for (int side = 0; gradient && side < 4; side++) {
        const struct axis *a = side % 2 ? &y : &x;
        const int end = side / 2;
        const double sign = end ? 1 : -1, dw = side % 2 ? 0 : sign, dh = side % 2 ? sign : 0;
        const double other = side % 2 ? iw : ih;
        const double d_inter = a->overlap >= 0 ? a->d_overlap[end] * other : 0;
        const double d_all = dw * y.w[0] + dh * x.w[0] - d_inter;
        const double d_iou = (d_inter - iou * d_all) / all;
        const double d_apart = (-a->shift / 2 - apart * (2 * a->hull * a->d_hull[end])) / diagonal;
        const double d_v =
            8 / (PI * PI) * turn * -(y.w[0] * dw - x.w[0] * dh) / (x.w[0] * x.w[0] + y.w[0] * y.w[0]);
        gradient[side] = d_iou - d_apart - alpha * d_v;
    }
    return iou - (apart + v * alpha);
}
