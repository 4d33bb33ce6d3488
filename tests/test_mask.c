/* Mask rules and masked Adam over three phases, to the bit. */
#include "check.h"

#include "base/rng.h"
#include "kernels/kernels.h"
#include "nn/half.h"
#include "nn/weights.h"
#include "train/mask.h"

#if HAVE_JANSSON
#include <jansson.h>
#endif
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { P = 71, PHASES = 3, ITERATIONS = 5, COUNT = 18 };
#define FRACTION 0.25

/* The tensors of the reference, with the scale of each one's gradient. */
static const struct optim_tensor TENSORS[] = {
    {"a.conv.weight", 0, 12, OPTIM_WEIGHT, true, false}, {"a.bn.weight", 12, 9, OPTIM_NORM, true, false},
    {"b.dw.weight", 21, 25, OPTIM_WEIGHT, true, false},  {"b.bias", 46, 3, OPTIM_BIAS, true, false},
    {"c.weight", 49, 22, OPTIM_WEIGHT, true, false},
};
enum { TENSOR_COUNT = sizeof TENSORS / sizeof *TENSORS };
static const double SCALES[TENSOR_COUNT] = {1, 1e-3, 50, 1e-7, 0.1};
static const struct mask_table TABLE = {TENSORS, TENSOR_COUNT};

static const struct kernels *kernels;

static int set_up(void **state)
{
    (void)state;
    struct error err;
    check_ok(kernels_get(&kernels, NULL, &err), &err);
    return 0;
}

static void uniforms(double *values, const char *name, size_t n)
{
    float *u = malloc(n * sizeof *u);
    assert_non_null(u);
    check_uniform(u, name, n);
    for (size_t i = 0; i < n; i++) values[i] = u[i];
    free(u);
}

static void start_weights(float w[P])
{
    static const int64_t shapes[][2] = {{4, 3}, {9, 0}, {5, 5}, {3, 0}, {2, 11}};
    for (int i = 0; i < TENSOR_COUNT; i++)
        check_synth(w + TENSORS[i].offset, TENSORS[i].name, shapes[i], shapes[i][1] ? 2 : 1);
}

static void gradient(float g[P], int phase, int iteration)
{
    double u[P], bias[P];
    char name[32];
    snprintf(name, sizeof name, "grad.%d.%d", phase, iteration);
    uniforms(u, name, P);
    uniforms(bias, "grad.bias", P);
    for (int i = 0; i < TENSOR_COUNT; i++)
        for (size_t k = TENSORS[i].offset; k < TENSORS[i].offset + TENSORS[i].size; k++)
            g[k] = (float)(SCALES[i] * (2 * u[k] - 1) + 0.5 * SCALES[i] * (2 * bias[k] - 1));
    for (int k = P - 4; k < P; k++) g[k] = 0;
}

/* ---- three phases under one rule ---- */

struct run {
    float w[P], m[P], v[P], u[P], change[P], rounded[P];
    uint8_t mask[P];
    struct optim_clock clock;
    float rate;
};

typedef void visit(void *context, const struct run *run, int phase, int iteration);

static enum mask_rule rule_called(const char *name)
{
    int i = MASK_FULL;
    while (i <= MASK_FIRST_LAST && strcmp(name, mask_rule_name((enum mask_rule)i))) i++;
    assert_true(i <= MASK_FIRST_LAST);
    return (enum mask_rule)i;
}

static void choose(struct run *run, const char *rule, int phase)
{
    double draws[P];
    char name[40];
    enum mask_rule which = MASK_FULL;
    const bool first = !strncmp(rule, "previous_u", 10) && phase == 0;
    if (first)
        snprintf(name, sizeof name, "mask.first");
    else
        snprintf(name, sizeof name, "mask.%s.%d", rule, phase);
    uniforms(draws, name, P);
    const struct mask_draws recorded = {.recorded = draws};
    if (!strncmp(rule, "previous_u", 10))
        which = MASK_PREVIOUS_U;
    else if (strcmp(rule, "none"))
        which = rule_called(rule);
    switch (which) {
    case MASK_PREVIOUS_U:
        if (first)
            mask_random_exact(run->mask, TABLE, COUNT, recorded);
        else
            mask_top(run->mask, TABLE, run->u, COUNT, NULL);
        break;
    case MASK_RANDOM:
        mask_random(run->mask, TABLE, FRACTION, recorded);
        break;
    case MASK_FIRST:
    case MASK_LAST:
    case MASK_FIRST_LAST:
        mask_ends(run->mask, TABLE, which, FRACTION, recorded);
        break;
    default:
        mask_full(run->mask, TABLE);
    }
    if (!strcmp(rule, "none")) memset(run->mask, 0, sizeof run->mask);
}

static void run_phases(struct run *run, const char *rule, int threads, visit *each, void *context)
{
    const struct optim optim = {kernels, TENSORS, TENSOR_COUNT, threads};
    const bool probing = !strcmp(rule, "probe"), rounding = !strcmp(rule, "previous_u_rounded");
    *run = (struct run){.clock = OPTIM_CLOCK_START};
    start_weights(run->w);
    for (int phase = 0; phase < PHASES; phase++) {
        choose(run, rule, phase);
        for (int k = 0; k < ITERATIONS; k++) {
            float g[P], before[P];
            struct optim_clock next = run->clock;
            gradient(g, phase, k);
            memcpy(before, run->w, sizeof before);
            run->rate = optim_adam_constants(&next, 1e-3).rate;
            const struct optim_arrays arrays = {run->w, run->m, run->v, run->u, g, run->mask};
            optim_adam(&optim, &arrays, &run->clock, 1e-3);
            if (probing && k == 0) {
                mask_change(run->change, run->w, before, P);
                mask_top(run->mask, TABLE, run->change, COUNT, NULL);
                for (int i = 0; i < P; i++)
                    if (!run->mask[i]) run->w[i] = before[i];
            }
            if (k == ITERATIONS - 1)
                for (int i = 0; i < P; i++)
                    run->rounded[i] = run->mask[i] ? half_to_float(half_from_float(run->w[i])) : run->w[i];
            if (each) each(context, run, phase, k);
        }
        if (rounding) memcpy(run->w, run->rounded, sizeof run->w);
    }
}

static const char *const RULES[] = {"previous_u", "previous_u_rounded", "probe", "random", "first",
                                    "last",       "first_last",         "full",  "none"};
enum { RULE_COUNT = sizeof RULES / sizeof *RULES };

/* ---- against the stored tensors ---- */

struct stored {
    const struct weights *file;
    const char *rule;
    int compared;
};

static void compare(struct stored *stored, const char *name, const void *values, bool bytes)
{
    const struct weight_tensor *tensor = weights_find(stored->file, name);
    if (!tensor) return;
    assert_int_equal(tensor->count, P);
    if (memcmp(values, tensor->data, P * (bytes ? 1 : sizeof(float)))) {
        print_error("%s: %s differs\n", stored->rule, name);
        _fail(__FILE__, __LINE__);
    }
    stored->compared++;
}

static void compare_all(void *context, const struct run *run, int phase, int k)
{
    char name[40];
    const float *const values[] = {run->w, run->m, run->v, run->u};
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "phase%d.iter%d.%c", phase, k, "wmvu"[i]);
        compare(context, name, values[i], false);
    }
    if (k < ITERATIONS - 1) return;
    snprintf(name, sizeof name, "phase%d.mask", phase);
    compare(context, name, run->mask, true);
    snprintf(name, sizeof name, "phase%d.change", phase);
    compare(context, name, run->change, false);
    snprintf(name, sizeof name, "phase%d.rounded_w", phase);
    compare(context, name, run->rounded, false);
}

static void masked_adam_equals_every_stored_tensor(void **state)
{
    (void)state;
    static const int tensors[RULE_COUNT] = {63, 12, 66, 6, 6, 6, 6, 63, 63};
    for (int r = 0; r < RULE_COUNT; r++) {
        char path[80];
        struct weights file;
        struct error err;
        struct run run;
        snprintf(path, sizeof path, "golden/ams/adam_%s.safetensors", RULES[r]);
        check_ok(weights_open(&file, check_shared(path), &err), &err);
        struct stored stored = {&file, RULES[r], 0};
        run_phases(&run, RULES[r], 1, compare_all, &stored);
        assert_int_equal(stored.compared, tensors[r]);
        assert_int_equal(stored.compared, file.count);
        weights_close(&file);
    }
}

#if HAVE_JANSSON
static json_t *load(const char *path)
{
    json_error_t why;
    json_t *root = json_load_file(path, 0, &why);
    if (!root) print_error("%s: %s\n", path, why.text);
    assert_non_null(root);
    return root;
}

struct small {
    const json_t *expected, *rates;
    int iteration;
};

static void compare_small(void *context, const struct run *run, int phase, int k)
{
    struct small *small = context;
    char hex[P * 8 + 1], digits[P + 1];
    uint32_t bits;
    memcpy(&bits, &run->rate, sizeof bits);
    snprintf(hex, sizeof hex, "%08x", bits);
    assert_string_equal(hex, json_string_value(json_array_get(small->rates, (size_t)small->iteration++)));
    for (int i = 0; i < P; i++) digits[i] = (char)('0' + run->mask[i]);
    digits[P] = 0;
    const json_t *masks = json_object_get(small->expected, "mask");
    if (masks && k == ITERATIONS - 1)
        assert_string_equal(digits, json_string_value(json_array_get(masks, (size_t)phase)));
}

/* Masks of all phases and the last weights, kept here; on every kernel table and thread count. */
static void masked_adam_equals_the_last_weights(void **state)
{
    (void)state;
    json_t *root = load("tests/data/masked_adam.json");
    int tables;
    const struct kernels *const *all = kernels_available(&tables);
    for (int t = 0; t < tables; t++)
        for (int r = 0; r < RULE_COUNT; r++) {
            struct small small = {json_object_get(root, RULES[r]), json_object_get(root, "rate"), 0};
            struct run run;
            char hex[P * 8 + 1];
            kernels = all[t];
            run_phases(&run, RULES[r], 1 + r % 3, compare_small, &small);
            for (int i = 0; i < P; i++) {
                uint32_t bits;
                memcpy(&bits, &run.w[i], sizeof bits);
                snprintf(hex + i * 8, 9, "%08x", bits);
            }
            assert_string_equal(hex, json_string_value(json_object_get(small.expected, "w")));
        }
    kernels = all[0];
    json_decref(root);
}

static void check_set(const uint8_t *mask, size_t n, const json_t *set)
{
    size_t next = 0;
    for (size_t i = 0; i < n; i++) {
        if (!mask[i]) continue;
        assert_int_equal(mask[i], 1);
        assert_int_equal(i, json_integer_value(json_array_get(set, next++)));
    }
    assert_int_equal(next, json_array_size(set));
}

static void check_ends(const json_t *ends)
{
    static const size_t sizes[] = {432, 32, 32, 512, 16, 16, 96, 1536, 300, 7, 5000, 1000, 19};
    enum { N = 13, ALL = 8998 };
    struct optim_tensor tensors[N];
    static uint8_t mask[ALL];
    static double draws[ALL];
    for (size_t i = 0, offset = 0; i < N; offset += sizes[i++])
        tensors[i] = (struct optim_tensor){"t", offset, sizes[i], OPTIM_WEIGHT, true, false};
    size_t i;
    json_t *expected;
    json_array_foreach(ends, i, expected)
    {
        char name[40];
        const char *mode = json_string_value(json_object_get(expected, "mode"));
        snprintf(name, sizeof name, "ends.%s", mode);
        uniforms(draws, name, ALL);
        mask_ends(mask, (struct mask_table){tensors, N}, rule_called(mode),
                  json_number_value(json_object_get(expected, "gamma")),
                  (struct mask_draws){.recorded = draws});
        int64_t indices = 0;
        for (size_t t = 0; t < N; t++) {
            int count = 0;
            for (size_t k = tensors[t].offset; k < tensors[t].offset + sizes[t]; k++)
                if (mask[k]) count++, indices += (int64_t)k;
            assert_int_equal(count,
                             json_integer_value(json_array_get(json_object_get(expected, "per_tensor"), t)));
        }
        assert_int_equal(indices, json_integer_value(json_object_get(expected, "index_sum")));
    }
    assert_int_equal(i, 12);
}

static void keep_changes(void *context, const struct run *run, int phase, int k)
{
    float *changes = context;
    if (k == 0) memcpy(changes + phase * P, run->change, P * sizeof *changes);
}

static void check_strict(const json_t *strict)
{
    static float changes[(PHASES + 1) * P];
    struct run run;
    run_phases(&run, "probe", 1, keep_changes, changes);
    for (int i = 0; i < P; i++) changes[PHASES * P + i] = i < 60 ? 1e-3f : 2e-3f;
    for (size_t i = 0; i <= PHASES; i++) {
        uint8_t mask[P];
        const json_t *expected = json_array_get(strict, i);
        const double cut = mask_above_quantile(mask, TABLE, changes + i * P, FRACTION);
        assert_true(cut == json_number_value(json_object_get(expected, "cut")));
        check_set(mask, P, json_object_get(expected, "set"));
    }
}

static void mask_rules_equal_the_reference(void **state)
{
    (void)state;
    json_t *root = load("tests/data/masks.json"), *expected;
    size_t i;
    json_array_foreach(json_object_get(root, "count"), i, expected)
    {
        assert_int_equal(mask_count(json_number_value(json_object_get(expected, "gamma")),
                                    (size_t)json_integer_value(json_object_get(expected, "P"))),
                         json_integer_value(json_object_get(expected, "count")));
    }
    static const float ties[] = {1, -1, .5f, 1, -1, 1, 0, 2};
    const struct optim_tensor tensor = {"t", 0, 8, OPTIM_WEIGHT, true, false};
    json_array_foreach(json_object_get(root, "top_with_ties"), i, expected)
    {
        uint8_t mask[8];
        mask_top(mask, (struct mask_table){&tensor, 1}, ties,
                 (size_t)json_integer_value(json_object_get(expected, "n")), NULL);
        check_set(mask, 8, json_object_get(expected, "set"));
    }
    check_ends(json_object_get(root, "ends"));
    check_strict(json_object_get(root, "probe_strict"));
    json_decref(root);
}
#endif

/* ---- selection against a sort ---- */

static const float *sorted_scores;

static int descending(const void *a, const void *b)
{
    const size_t i = *(const size_t *)a, j = *(const size_t *)b;
    const float x = fabsf(sorted_scores[i]), y = fabsf(sorted_scores[j]);
    return x != y ? (x < y ? 1 : -1) : (i > j) - (i < j);
}

static void selection_equals_a_sort_with_frozen_and_forced_tensors(void **state)
{
    (void)state;
    enum { N = 3000 };
    static float score[N];
    static size_t order[N];
    static uint8_t mask[N];
    static const struct optim_tensor tensors[] = {
        {"a", 0, 1000, OPTIM_WEIGHT, true, false},
        {"frozen", 1000, 500, OPTIM_WEIGHT, false, false},
        {"forced", 1500, 100, OPTIM_BIAS, true, false},
        {"b", 1600, 1400, OPTIM_WEIGHT, true, false},
    };
    static const bool forced[] = {false, false, true, false};
    const struct mask_table table = {tensors, 4};
    const uint64_t key = rng_key(7, "test");
    assert_int_equal(mask_candidates(table), 2500);
    /* few distinct values over 40 binades, so that ties straddle every cut */
    for (size_t i = 0; i < N; i++)
        score[i] = ldexpf((float)(rng_int(key, 2 * i, 7) - 3), -rng_int(key, 2 * i + 1, 40));
    size_t n = 0;
    for (size_t i = 0; i < N; i++)
        if (i < 1000 || i >= 1600) order[n++] = i;
    sorted_scores = score;
    qsort(order, n, sizeof *order, descending);
    for (size_t count = 0; count <= 2500; count += 99) {
        uint8_t expected[N] = {0};
        for (size_t i = 1500; i < 1600 && i < 1500 + count; i++) expected[i] = 1;
        for (size_t i = 0; i + 100 < count; i++) expected[order[i]] = 1;
        mask_top(mask, table, score, count, forced);
        assert_memory_equal(mask, expected, N);
    }
}

/* The forced last layers of one-round training, section 13.4; and the score it ranks the rest by. */
static void moment_scores_are_scale_free(void **state)
{
    (void)state;
    const float m[] = {0.5f, -2, 0, 1e-12f}, v[] = {0.25f, 16, 0, 0};
    float score[4];
    mask_moment_score(score, m, v, 4);
    assert_true(fabsf(score[0] - 1) < 1e-6f && fabsf(score[1] - 0.5f) < 1e-6f && score[2] == 0);
    assert_true(fabsf(score[3] - 1e-4f) < 1e-9f);
}

/* AMS vectors U4 and U23: exact counts, the same set every time, another in the next phase. */
static void exact_random_masks_have_exact_counts(void **state)
{
    (void)state;
    enum { N = 2113043 };
    const struct optim_tensor tensor = {"t", 0, N, OPTIM_WEIGHT, true, false};
    const struct mask_table table = {&tensor, 1};
    static uint8_t a[N], b[N];
    static const struct {
        double fraction;
        size_t count;
    } cases[] = {{0.01, 21130}, {0.05, 105652}, {0.1, 211304}, {0.2, 422609}};
    for (size_t i = 0; i < 4; i++) {
        size_t count = 0;
        mask_make(a, table, MASK_PREVIOUS_U, cases[i].fraction, NULL, NULL, 0, 0);
        for (size_t k = 0; k < N; k++) count += a[k];
        assert_int_equal(count, cases[i].count);
    }
    mask_make(b, table, MASK_RANDOM_EXACT, 0.2, NULL, NULL, 0, 0);
    assert_memory_equal(a, b, N);
    mask_make(b, table, MASK_RANDOM_EXACT, 0.2, NULL, NULL, 0, 1);
    assert_true(memcmp(a, b, N) != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masked_adam_equals_every_stored_tensor),
#if HAVE_JANSSON
        cmocka_unit_test(masked_adam_equals_the_last_weights),
        cmocka_unit_test(mask_rules_equal_the_reference),
#endif
        cmocka_unit_test(selection_equals_a_sort_with_frozen_and_forced_tensors),
        cmocka_unit_test(moment_scores_are_scale_free),
        cmocka_unit_test(exact_random_masks_have_exact_counts),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
