#include "check_net.h"

#include "check.h"

#include <stdlib.h>
#include <string.h>

void check_synth_params(struct params *params)
{
    for (int i = 0; i < params->count; i++) {
        const struct param *p = params->list + i;
        check_synth(params_values(params, i), p->name, p->shape, p->dims);
    }
}

static float *element(struct view view, int image, int c, int y, int x)
{
    return view.data + (((int64_t)image * view.height + y) * view.width + x) * view.stride + c;
}

#define FOR_EACH(view, image, c, y, x)                                                                       \
    for (int image = 0; image < view.images; image++)                                                        \
        for (int c = 0; c < view.channels; c++)                                                              \
            for (int y = 0; y < view.height; y++)                                                            \
                for (int x = 0; x < view.width; x++)

void check_from_nchw(struct view view, const float *values)
{
    FOR_EACH(view, image, c, y, x) * element(view, image, c, y, x) = *values++;
}

float *check_to_nchw(struct view view)
{
    float *values = malloc((size_t)view.pixels * (size_t)view.channels * sizeof *values), *next = values;
    assert_non_null(values);
    FOR_EACH(view, image, c, y, x) *next++ = *element(view, image, c, y, x);
    return values;
}

float *check_reference(const struct weights *reference, const char *name, size_t *count)
{
    const struct weight_tensor *tensor = weights_find(reference, name);
    if (!tensor) print_error("%s has no tensor %s\n", reference->path, name);
    assert_non_null(tensor);
    float *values = malloc((size_t)(tensor->count ? tensor->count : 1) * sizeof *values);
    assert_non_null(values);
    weights_read(values, tensor);
    if (count) *count = (size_t)tensor->count;
    return values;
}

double check_view(struct view view, const struct weights *reference, const char *name)
{
    size_t n;
    float *expected = check_reference(reference, name, &n), *found = check_to_nchw(view);
    assert_int_equal(n, (size_t)view.pixels * (size_t)view.channels);
    const double difference = check_max_difference(found, expected, n);
    free(expected);
    free(found);
    return difference;
}
