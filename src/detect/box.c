#include "detect/box.h"

#include <math.h>

static float smaller(float a, float b) { return a < b ? a : b; }

static float larger(float a, float b) { return a > b ? a : b; }

static float area(struct box b) { return (b.x2 - b.x1) * (b.y2 - b.y1); }

static float intersection(struct box a, struct box b)
{
    const float w = larger(smaller(a.x2, b.x2) - larger(a.x1, b.x1), 0);
    const float h = larger(smaller(a.y2, b.y2) - larger(a.y1, b.y1), 0);
    return w * h;
}

float box_iou(struct box a, struct box b)
{
    const float inter = intersection(a, b);
    return inter > 0 ? inter / (area(a) + area(b) - inter) : 0;
}

float box_iou_metric(struct box truth, struct box found)
{
    const float inter = intersection(truth, found);
    return inter / (area(truth) + area(found) - inter + 1e-7f);
}

double box_iou_coco(const double found[4], const double truth[4], int crowd)
{
    const double x1 = found[0] > truth[0] ? found[0] : truth[0];
    const double y1 = found[1] > truth[1] ? found[1] : truth[1];
    const double found_x2 = found[0] + found[2], truth_x2 = truth[0] + truth[2];
    const double found_y2 = found[1] + found[3], truth_y2 = truth[1] + truth[3];
    const double w = (found_x2 < truth_x2 ? found_x2 : truth_x2) - x1;
    const double h = (found_y2 < truth_y2 ? found_y2 : truth_y2) - y1;
    if (!(w > 0 && h > 0)) return 0;
    const double inter = w * h, own = found[2] * found[3];
    return inter / (crowd ? own : own + truth[2] * truth[3] - inter);
}

static float to_picture(float v, float pad, float gain, float limit)
{
    return smaller(larger((v - pad) / gain, 0), limit);
}

struct box box_to_picture(struct box box, const struct box_mapping *m)
{
    return (struct box){to_picture(box.x1, m->pad_x, m->gain_x, m->width),
                        to_picture(box.y1, m->pad_y, m->gain_y, m->height),
                        to_picture(box.x2, m->pad_x, m->gain_x, m->width),
                        to_picture(box.y2, m->pad_y, m->gain_y, m->height)};
}
