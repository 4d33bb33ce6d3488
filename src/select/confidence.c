#include "select/confidence.h"

#include <assert.h>
#include <string.h>

const char *aggregation_name(enum aggregation aggregation)
{
    static const char *const names[AGGREGATIONS] = {"max", "min", "mean", "sum"};
    return names[aggregation];
}

void confidence_add(struct confidence *confidence, double box)
{
    const bool first = confidence->boxes++ == 0;
    switch (confidence->aggregation) {
    case AGGREGATE_MAX:
        if (first || box > confidence->value) confidence->value = box;
        break;
    case AGGREGATE_MIN:
        if (first || box < confidence->value) confidence->value = box;
        break;
    default:
        confidence->value += box;
    }
}

double confidence_result(const struct confidence *confidence)
{
    if (!confidence->boxes) return CONFIDENCE_NONE;
    return confidence->aggregation == AGGREGATE_MEAN ? confidence->value / confidence->boxes
                                                     : confidence->value;
}

enum status class_set_parse(struct class_set *set, const char *text, struct error *err)
{
    const char *at = text;
    *set = (struct class_set){0};
    if (!strcmp(text, "all")) {
        memset(set, 0xff, sizeof *set);
        return OK;
    }
    for (;; at++) {
        int number = 0;
        const char *start = at;
        for (; *at >= '0' && *at <= '9' && number < CLASS_LIMIT; at++) number = number * 10 + (*at - '0');
        if (at == start || number >= CLASS_LIMIT || (*at && *at != ','))
            return fail(err, ERR_USAGE,
                        "--classes: expected numbers below %d with commas between, or all, found \"%.60s\"",
                        CLASS_LIMIT, text);
        set->bits[number / 64] |= (uint64_t)1 << number % 64;
        if (!*at) return OK;
    }
}

bool class_set_has(const struct class_set *set, int class_number)
{
    assert(class_number >= 0);
    return class_number < CLASS_LIMIT && (set->bits[class_number / 64] >> class_number % 64 & 1);
}
