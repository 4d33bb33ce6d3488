#include "check_gradients.h"

#include "check.h"
#include "check_net.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Tensors whose gradient is zero in real arithmetic: what is there is rounding noise. */
static bool zero_by_construction(const char *name)
{
    return strstr(name, "attn.proj.bn.bias") || strstr(name, "attn.pe.bn.bias") ||
           strstr(name, "ffn.1.bn.bias") || strstr(name, "attn.qkv.bn.bias");
}

/* qkv's bias: the k part of each head (32..63 of 128) is zero by construction, the rest counts. */
static void drop_key_part(float *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (i % 128 >= 32 && i % 128 < 64) values[i] = 0;
}

void check_gradients(const struct params *params, const float *gradients, const char *file)
{
    struct error err;
    struct weights reference;
    double worst = 0, sum = 0;
    int compared = 0;
    check_ok(weights_open(&reference, check_shared(file), &err), &err);
    for (int i = 0; i < params->count; i++) {
        const struct param *p = params->list + i;
        char prefixed[128];
        snprintf(prefixed, sizeof prefixed, "grad.%s", p->name);
        const char *name = weights_find(&reference, p->name) ? p->name : prefixed;
        const bool keys = strstr(p->name, "attn.qkv.bn.bias") != NULL;
        if (p->kind != PARAM_TRAINABLE || !weights_find(&reference, name)) continue;
        if (zero_by_construction(p->name) && !keys) continue;
        float *expected = check_reference(&reference, name, NULL), *found = malloc(p->size * sizeof *found);
        assert_non_null(found);
        memcpy(found, gradients + p->offset, p->size * sizeof *found);
        if (keys) {
            drop_key_part(expected, p->size);
            drop_key_part(found, p->size);
        }
        const double difference = check_relative_l2(found, expected, p->size);
        if (difference > 1e-3) print_error("%s: relative l2 %g\n", p->name, difference);
        assert_true(difference <= 1e-3); /* expected 1e-4: what two float32 programs differ by */
        worst = fmax(worst, difference);
        sum += difference;
        compared++;
        free(expected);
        free(found);
    }
    printf("%d gradients: relative l2 mean %.2g, worst %.2g\n", compared, sum / compared, worst);
    assert_true(compared > 10);
    weights_close(&reference);
}
