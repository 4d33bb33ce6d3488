#include "check_gradients.h"

#include "check.h"
#include "check_net.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Not so tensors whose gradient is zero in real arithmetic: what is there is rounding noise. */
static bool counts(const char *name)
{
    return !strstr(name, "attn.proj.bn.bias") && !strstr(name, "attn.pe.bn.bias") &&
           !strstr(name, "ffn.1.bn.bias");
}

/* qkv's bias: the k part of each head (32..63 of 128) is zero by construction, the rest counts. */
static void drop_key_part(float *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (i % 128 >= 32 && i % 128 < 64) values[i] = 0;
}

/* The relative difference of one tensor, below 0 where it does not count. Changes both arrays. */
static double difference_of(const struct param *p, float *found, float *expected)
{
    const bool keys = strstr(p->name, "attn.qkv.bn.bias") != NULL;
    if (p->kind != PARAM_TRAINABLE || !counts(p->name)) return -1;
    if (keys) {
        drop_key_part(expected, p->size);
        drop_key_part(found, p->size);
    }
    const double difference = check_relative_l2(found, expected, p->size);
    if (difference > 1e-3) print_error("%s: relative l2 %g\n", p->name, difference);
    assert_true(difference <= 1e-3); /* expected 1e-4: what two float32 programs differ by */
    return difference;
}

static float *copy_of(const float *values, size_t n)
{
    float *copy = malloc(n * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, values, n * sizeof *copy);
    return copy;
}

struct summary {
    double worst, sum;
    int compared;
};

static void compare(struct summary *s, const struct param *p, const float *gradients, float *expected)
{
    float *found = copy_of(gradients + p->offset, p->size);
    const double difference = difference_of(p, found, expected);
    free(found);
    if (difference < 0) return;
    s->worst = fmax(s->worst, difference);
    s->sum += difference;
    s->compared++;
}

static void conclude(const struct summary *s, int tensors)
{
    printf("%d gradients: relative l2 mean %.2g, worst %.2g\n", s->compared, s->sum / s->compared, s->worst);
    assert_int_equal(s->compared, tensors);
}

void check_gradients(const struct params *params, const float *gradients, const char *file, int tensors)
{
    struct error err;
    struct weights reference;
    struct summary summary = {0};
    check_ok(weights_open(&reference, check_shared(file), &err), &err);
    for (int i = 0; i < params->count; i++) {
        const struct param *p = params->list + i;
        char prefixed[128];
        snprintf(prefixed, sizeof prefixed, "grad.%s", p->name);
        const char *name = weights_find(&reference, p->name) ? p->name : prefixed;
        if (p->kind != PARAM_TRAINABLE || !weights_find(&reference, name)) continue;
        float *expected = check_reference(&reference, name, NULL);
        compare(&summary, p, gradients, expected);
        free(expected);
    }
    conclude(&summary, tensors);
    weights_close(&reference);
}

void check_gradients_agree(const struct params *params, const float *gradients, const float *others,
                           int tensors)
{
    struct summary summary = {0};
    for (int i = 0; i < params->count; i++) {
        const struct param *p = params->list + i;
        if (p->kind != PARAM_TRAINABLE) continue;
        float *expected = copy_of(others + p->offset, p->size);
        compare(&summary, p, gradients, expected);
        free(expected);
    }
    conclude(&summary, tensors);
}
