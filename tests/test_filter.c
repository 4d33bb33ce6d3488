/* The FILTER rules against the reference cases, by hand-made vectors, and at any number of threads. */
#include "base/dmath.h"
#include "select/filter.h"

#include "check.h"
#include "check_select.h"
#include "select/embeddings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *rule;
    enum filter_rule filter;
} rules[] = {{"farthest_first", FILTER_FARTHEST_FIRST},
             {"tfdp", FILTER_TFDP},
             {"moderate", FILTER_MODERATE},
             {"least_confidence_filter", FILTER_LEAST_CONFIDENCE},
             {"top_confidence_filter", FILTER_TOP_CONFIDENCE},
             {"max_entropy", FILTER_ENTROPY},
             {"random", FILTER_RANDOM},
             {"kmeans", FILTER_K_MEANS},
             {"spherical_kmeans", FILTER_SPHERICAL_K_MEANS},
             {"kmedoids", FILTER_K_MEDOIDS}};
#define RULES                                                                                                \
    "farthest_first tfdp moderate least_confidence_filter top_confidence_filter max_entropy random kmeans "  \
    "spherical_kmeans kmedoids"

static void set_rows(struct filter_frames *frames, struct check_rows rows)
{
    frames->count = rows.count;
    frames->embeddings = rows.values;
    frames->embedding_stride = frames->width = rows.width;
}

/* "boxes_wh": [w, h] per box, or "frames": a confidence per box */
static void set_boxes(struct filter_frames *frames, const struct json *lists, struct arena *arena)
{
    frames->count = (int)json_count(lists);
    int *first = arena_alloc(arena, (size_t)frames->count + 1, sizeof *first);
    for (int i = 0; i < frames->count; i++)
        first[i + 1] = first[i] + (int)json_count(json_item(lists, (size_t)i));
    struct filter_box *boxes = arena_alloc(arena, (size_t)first[frames->count], sizeof *boxes);
    for (int i = 0; i < frames->count; i++)
        for (int k = first[i]; k < first[i + 1]; k++) {
            const struct json *box = json_item(json_item(lists, (size_t)i), (size_t)(k - first[i]));
            boxes[k].confidence = json_number(box, 0);
            boxes[k].width = json_number(json_item(box, 0), 0);
            boxes[k].height = json_number(json_item(box, 1), 0);
        }
    frames->first_box = first;
    frames->boxes = boxes;
}

/* The picks in the order of picking. */
static const int *picking_order(const struct filter_result *result, struct arena *arena)
{
    int *order = arena_alloc(arena, (size_t)result->count, sizeof *order);
    for (int i = 0; i < result->count; i++) order[result->ranks[i]] = result->frames[i];
    return order;
}

/* Of a frame's row from the mean row, where the case lists no distances. */
static double distance_to_mean(const struct filter_frames *frames, int frame)
{
    double sum = 0;
    for (int j = 0; j < frames->width; j++) {
        const float *column = frames->embeddings + j;
        double mean = 0;
        for (int i = 0; i < frames->count; i++) mean += (double)column[i * frames->embedding_stride];
        const double d = (double)column[frame * frames->embedding_stride] - mean / frames->count;
        sum += d * d;
    }
    return sqrt(sum);
}

/* Scores are made of distances and their median: |distance - median| by the value rule, the distance by the
 * rank rule, whose window holds the median unless it is too narrow. Relative 1e-12 of the distance. */
static void check_moderate(const struct check_case *c, const struct filter_options *options,
                           const struct filter_frames *frames, const struct filter_result *result)
{
    const struct json *distances = json_member(c->expect, "distances");
    const double median = json_number(json_member(c->expect, "median"), NAN);
    const int m = frames->count, b = options->budget;
    const bool by_rank = options->moderate_rule == MODERATE_RANK;
    if (b == m) return; /* all, unseen */
    for (int i = 0; i < b; i++) {
        const int frame = result->frames[i];
        const double d = distances ? json_number(json_item(distances, (size_t)frame), NAN)
                                   : distance_to_mean(frames, frame);
        CHECK_CASE(c, fabs(result->scores[i] - (by_rank ? d : fabs(d - median))) <= 1e-12 * d);
        if (by_rank && result->ranks[i] == (m - 1) / 2 - (m - b + 1) / 2)
            CHECK_CASE(c, fabs(result->scores[i] - median) <= 1e-12 * median);
    }
}

static void run_case(const struct check_case *c)
{
    struct filter_options options = filter_defaults();
    struct filter_frames frames = {.count = (int)json_int(json_member(c->input, "M"), 0)};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (!strcmp(rules[i].rule, c->rule)) options.rule = rules[i].filter;
    options.budget = (int)json_int(json_member(c->input, "B"), -1);
    const char *how = json_text(json_member(c->input, "how"));
    if (how) options.aggregation = check_aggregation(how);
    options.entropy_aggregation = options.aggregation;
    const char *variant = json_text(json_member(c->input, "variant"));
    options.moderate_rule = variant && !strcmp(variant, "rank") ? MODERATE_RANK : MODERATE_VALUE;
    if (filter_needs_embeddings(options.rule)) set_rows(&frames, check_embeddings(c));
    if (options.rule == FILTER_TFDP) {
        set_boxes(&frames, json_member(c->input, "boxes_wh"), c->arena);
        frames.image_width = json_number(json_member(c->input, "W"), 0);
        frames.image_height = json_number(json_member(c->input, "H"), 0);
        options.pixels = frames.image_width > 1;
    } else if (json_member(c->input, "frames")) {
        set_boxes(&frames, json_member(c->input, "frames"), c->arena);
    }
    if (options.budget > 0)
        frames.draws = check_draws(c->arena, options.rule == FILTER_RANDOM ? "rnd" : "kpp", options.budget);

    for (int threads = 1; threads <= 3; threads++) {
        struct filter_result result;
        const enum status status =
            filter_run(&result, &options, &frames, check_kernels(), threads, c->arena, NULL);
        CHECK_CASE(c, (status != OK) == check_expects_error(c));
        if (status != OK) return;
        CHECK_CASE(c, check_list(json_member(c->expect, "selected"), result.frames, result.count));
        const struct json *picks = json_member(c->expect, "picks");
        if (picks) CHECK_CASE(c, check_list(picks, picking_order(&result, c->arena), result.count));
        const struct json *start = json_member(c->expect, "seeds");
        if (!start) start = json_member(c->expect, "start");
        if (json_kind(start) == JSON_KIND_ARRAY)
            CHECK_CASE(c, check_list(start, result.start, options.budget));
        const int64_t iterations = json_int(json_member(c->expect, "iterations"), -1);
        CHECK_CASE(c, iterations < 0 || iterations == result.iterations);
        const struct json *scores = json_member(c->expect, "scores");
        for (int i = 0; scores && i < result.count; i++)
            CHECK_CASE(c, options.budget == frames.count ||
                              check_near(result.scores[i], json_item(scores, (size_t)result.frames[i])));
        if (options.rule == FILTER_MODERATE) check_moderate(c, &options, &frames, &result);
    }
}

static void test_small_cases(void **state)
{
    (void)state;
    check_cases("tests/data/filter.json", RULES, run_case);
}

static void test_reference(void **state)
{
    (void)state;
    check_cases(check_shared("golden/select/filter.json"), RULES, run_case);
}

/* Picks by margins above 2e-6 must be equal; an implementation may first differ at a listed position only,
 * because rounding decides there. */
static void run_large(const struct check_case *c)
{
    struct filter_options options = filter_defaults();
    struct filter_frames frames = {0};
    set_rows(&frames, check_embeddings(c));
    options.budget = (int)json_int(json_member(c->input, "B"), -1);
    struct filter_result result;
    check_ok(filter_run(&result, &options, &frames, check_kernels(), 2, c->arena, NULL), NULL);
    const int *picks = picking_order(&result, c->arena);
    const struct json *expected = json_member(c->expect, "picks");
    assert_int_equal(json_count(expected), result.count);
    int first = 0;
    while (first < result.count && json_int(json_item(expected, (size_t)first), -1) == picks[first]) first++;
    printf("%s: first difference at %d of %d\n", c->name, first, result.count);
    if (first == result.count) return;
    const struct json *near = json_member(c->expect, "margins_below_2e-6");
    bool listed = false;
    for (size_t i = 0; i < json_count(near); i++)
        listed |= json_int(json_item(json_item(near, i), 0), -1) == first;
    CHECK_CASE(c, listed);
}

static void test_large_reference(void **state)
{
    (void)state;
    check_cases(check_shared("golden/select/ff_large.json"), "farthest_first", run_large);
}

static struct filter_result run(const struct filter_options *options, const struct filter_frames *frames,
                                int threads, struct arena *arena)
{
    struct filter_result result;
    struct error err;
    check_ok(filter_run(&result, options, frames, check_kernels(), threads, arena, &err), &err);
    return result;
}

static bool is(const struct filter_result *result, const int *frames, int n)
{
    return result->count == n && !memcmp(result->frames, frames, (size_t)n * sizeof *frames);
}

/* T3: duplicates come last, or with their pick. */
static void test_farthest_duplicates(void **state)
{
    (void)state;
    struct arena arena = {0};
    float e[] = {1, 0, 1, 0, 0, 1, -1, 0};
    struct filter_frames frames = {.count = 4, .embeddings = e, .embedding_stride = 2, .width = 2};
    struct filter_options options = filter_defaults();
    options.budget = 3;
    struct filter_result result = run(&options, &frames, 1, &arena);
    assert_true(is(&result, (const int[]){0, 2, 3}, 3));
    assert_true(result.ranks[0] == 0 && result.ranks[1] == 2 && result.ranks[2] == 1);
    assert_true(result.scores[0] == 0 && result.scores[1] == 0 && result.scores[2] == -1);
    options.budget = 2;
    options.mark_duplicates = true;
    result = run(&options, &frames, 1, &arena);
    assert_true(is(&result, (const int[]){0, 1, 3}, 3) && result.ranks[1] == 0 && result.ranks[2] == 1);
    options.budget = 3; /* more asked for than there are different rows */
    result = run(&options, &frames, 2, &arena);
    assert_true(result.count == 4 && !result.incomplete);
    e[4] = 1, e[5] = 0;
    result = run(&options, &frames, 2, &arena);
    assert_true(result.count == 4 && result.ranks[2] == 0 && result.ranks[3] == 1);

    options = filter_defaults();
    options.budget = 3;
    options.max_cosine = 0.5;
    result = run(&options, &frames, 1, &arena);
    assert_true(is(&result, (const int[]){0, 3}, 2) && result.stopped && result.incomplete);
    arena_free(&arena);
}

static const float six[] = {1, 0, 0, 1, -0.6F, 0.8F, 0.6F, 0.8F, 0.8F, 0.6F, 0, -1};

/* T4, T8, T9 */
static void test_six_points(void **state)
{
    (void)state;
    struct arena arena = {0};
    const struct filter_frames frames = {.count = 6, .embeddings = six, .embedding_stride = 2, .width = 2};
    struct filter_options options = filter_defaults();
    const int order[] = {3, 5, 2, 0, 1, 4}, moderate[] = {1, 0, 4, 3, 2, 5};
    for (int budget = 1; budget < 6; budget++) {
        options.budget = budget;
        options.rule = FILTER_FARTHEST_FIRST;
        struct filter_result result = run(&options, &frames, 2, &arena);
        for (int i = 0; i < budget; i++) assert_int_equal(picking_order(&result, &arena)[i], order[i]);
        options.rule = FILTER_MODERATE;
        result = run(&options, &frames, 2, &arena);
        for (int i = 0; i < budget; i++) assert_int_equal(picking_order(&result, &arena)[i], moderate[i]);
    }
    options.budget = 2;
    options.moderate_rule = MODERATE_RANK;
    struct filter_result result = run(&options, &frames, 1, &arena);
    assert_true(is(&result, (const int[]){0, 1}, 2));
    /* The vectors of the specification have six decimals. */
    assert_true(fabs(result.scores[0] - 0.790218) < 1e-6 && fabs(result.scores[1] - 0.700793) < 1e-6);

    /* Median centre: x of {-.6, 0, 0, .6, .8, 1} is 0.3, y of {-1, 0, .6, .8, .8, 1} is 0.7. */
    options.moderate_center = CENTER_MEDIAN;
    options.budget = 5;
    result = run(&options, &frames, 1, &arena);
    assert_true(fabs(result.scores[0] - sqrt(0.7 * 0.7 + 0.7 * 0.7)) < 1e-6);
    arena_free(&arena);
}

enum { NAIVE_ROWS = 301, NAIVE_WIDTH = 37, NAIVE_PICKS = 60 };

/* The next pick and its similarity, looking at all pairs anew. */
static int next_naive(float *similarity, const float *rows, const int *picks, int count)
{
    int best = -1;
    float lowest = 0;
    for (int i = 0; i < NAIVE_ROWS; i++) {
        bool taken = false;
        float highest = -INFINITY;
        for (int j = 0; j < count; j++) {
            const float *pick = rows + picks[j] * NAIVE_WIDTH;
            const float now = check_kernels()->dot(rows + i * NAIVE_WIDTH, pick, NAIVE_WIDTH);
            if (now > highest) highest = now;
            taken |= picks[j] == i;
        }
        if (!taken && (best < 0 || highest < lowest)) best = i, lowest = highest;
    }
    *similarity = lowest;
    return best;
}

static void expect_naive_with(struct check_rows rows, int budget, int threads)
{
    struct arena arena = {0};
    struct filter_frames frames = {0};
    set_rows(&frames, rows);
    struct filter_options options = filter_defaults();
    options.budget = budget;
    const struct filter_result result = run(&options, &frames, threads, &arena);
    const int *picks = picking_order(&result, &arena);
    assert_int_equal(result.count, budget);
    for (int k = 1; k < budget; k++) {
        float similarity;
        assert_int_equal(picks[k], next_naive(&similarity, rows.values, picks, k));
        for (int i = 0; i < result.count; i++)
            if (result.ranks[i] == k) assert_true(result.scores[i] == (double)similarity);
    }
    arena_free(&arena);
}

static void expect_naive(struct check_rows rows)
{
    expect_naive_with(rows, NAIVE_PICKS, 1);
    expect_naive_with(rows, NAIVE_PICKS, 3);
    expect_naive_with(rows, NAIVE_ROWS - 1, 2);
}

/* T5: comparing only what may be next equals looking at all pairs anew: for rows far from each other, on an arc, of
 * other lengths than 1, and where a few vectors stand for all, so that ties abound in every block. */
static void test_farthest_naive(void **state)
{
    (void)state;
    struct arena arena = {0};
    const struct check_rows rows = check_unit(&arena, "naive", NAIVE_ROWS, NAIVE_WIDTH);
    expect_naive(rows);
    for (int i = 0; i < NAIVE_ROWS; i++) {
        float *row = rows.values + i * NAIVE_WIDTH;
        const double angle = 20 * (double)row[0];
        memset(row, 0, NAIVE_WIDTH * sizeof *row);
        row[3] = (float)dmath_cos(angle);
        row[30] = (float)dmath_cos(angle - 1.5707963267948966);
    }
    expect_naive(rows);
    for (int i = 0; i < NAIVE_ROWS; i++)
        for (int j = 0; j < NAIVE_WIDTH; j++) rows.values[i * NAIVE_WIDTH + j] *= 2;
    expect_naive(rows);
    for (int i = 0; i < NAIVE_ROWS; i++)
        for (int j = 0; j < NAIVE_WIDTH; j++) rows.values[i * NAIVE_WIDTH + j] = j == i * i % 7;
    expect_naive(rows);
    arena_free(&arena);
}

/* Products beyond the range of floats are the largest there are, and frames all the same. */
static void test_farthest_of_huge_rows(void **state)
{
    (void)state;
    static float huge[12];
    for (int i = 0; i < 6; i++) huge[2 * i] = 1e20F;
    struct arena arena = {0};
    const struct filter_frames frames = {.count = 6, .embeddings = huge, .embedding_stride = 2, .width = 2};
    struct filter_options options = filter_defaults();
    options.budget = 5;
    const struct filter_result result = run(&options, &frames, 2, &arena);
    assert_true(is(&result, (const int[]){0, 1, 2, 3, 4}, 5));
    options.rule = FILTER_K_MEDOIDS;
    assert_int_equal(run(&options, &frames, 2, &arena).count, 5);
    arena_free(&arena);
}

/* Two hundred frames of seven vectors: the first round each takes its duplicates along, whole blocks among them. */
static void test_duplicates_fill_blocks(void **state)
{
    (void)state;
    enum { COUNT = 200, WIDTH = 7 };
    static float values[COUNT * WIDTH];
    for (int i = 0; i < COUNT; i++) values[i * WIDTH + (i < 140 ? 0 : i % WIDTH)] = 1;
    struct arena arena = {0};
    const struct filter_frames frames = {
        .count = COUNT, .embeddings = values, .embedding_stride = WIDTH, .width = WIDTH};
    struct filter_options options = filter_defaults();
    options.mark_duplicates = true;
    options.budget = WIDTH;
    const struct filter_result result = run(&options, &frames, 3, &arena);
    assert_int_equal(result.count, COUNT);
    for (int k = 0; k < result.count; k++)
        for (int other = 0; other < k; other++) {
            const float *const a = values + result.frames[k] * WIDTH;
            const float *const b = values + result.frames[other] * WIDTH;
            assert_true(!memcmp(a, b, WIDTH * sizeof *a) == (result.ranks[k] == result.ranks[other]));
        }
    arena_free(&arena);
}

/* The same bits from every kernel table at any number of threads. */
static void test_tables_and_threads(void **state)
{
    (void)state;
    enum { B = 40 };
    struct arena arena = {0};
    struct filter_frames frames = {0};
    set_rows(&frames, check_clusters(&arena, "threads", 301, 37, 9));
    frames.draws = check_draws(&arena, "threads", B);
    struct filter_options options = filter_defaults();
    options.budget = B;
    int tables;
    const struct kernels *const *table = kernels_available(&tables);
    for (int rule = 0; rule < FILTER_RULES; rule++) {
        if (!filter_needs_embeddings((enum filter_rule)rule)) continue;
        options.rule = (enum filter_rule)rule;
        const struct filter_result one = run(&options, &frames, 1, &arena);
        for (int t = 0; t < tables; t++)
            for (int threads = 1; threads <= 5; threads += 2) {
                struct filter_result result;
                check_ok(filter_run(&result, &options, &frames, table[t], threads, &arena, NULL), NULL);
                assert_true(is(&result, one.frames, one.count) && result.iterations == one.iterations);
                assert_memory_equal(result.ranks, one.ranks, B * sizeof(int));
                assert_memory_equal(result.scores, one.scores, B * sizeof(double));
            }
    }
    arena_free(&arena);
}

/* T6, T7; the constants of the specification have seven decimals. */
static void test_shape_complexity(void **state)
{
    (void)state;
    assert_true(fabs(filter_shape_complexity(0.1, 0.1) - 1.1283792) < 1e-7);
    assert_true(fabs(filter_shape_complexity(0.2, 0.1) - 1.1968268) < 1e-7);
    assert_true(fabs(filter_shape_complexity(0.1, 0.4) - 1.4104740) < 1e-7);
    assert_true(fabs(filter_shape_complexity(90.0 / 1600, 90.0 / 900) - 1.1753950) < 1e-7);
    assert_true(filter_shape_complexity(0, 0.3) == 0 && filter_shape_complexity(0.1, -1) == 0);

    struct arena arena = {0};
    const struct filter_box boxes[] = {{0.1, 0.1, 0.5}, {0.2, 0.1, 0.5}, {0.2, 0.1, 0.5}, {0.4, 0.1, 0.5}};
    const int first[] = {0, 1, 3, 3, 4};
    const struct filter_frames frames = {.count = 4, .boxes = boxes, .first_box = first};
    struct filter_options options = filter_defaults();
    options.rule = FILTER_TFDP;
    options.budget = 2;
    const struct filter_result result = run(&options, &frames, 1, &arena);
    assert_true(is(&result, (const int[]){1, 3}, 2) && result.ranks[0] == 0 && result.ranks[1] == 1);
    assert_true(fabs(result.scores[0] - 2.3936537) < 1e-7);
    arena_free(&arena);
}

/* T18: with as many candidates as the budget nothing is looked at; fewer are an error or all, by option. */
static void test_all_or_fewer(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct error err;
    struct filter_options options = filter_defaults();
    const struct filter_frames frames = {.count = 5};
    for (int rule = 0; rule < FILTER_RULES; rule++) {
        options.rule = (enum filter_rule)rule;
        options.allow_short = false;
        options.budget = 5;
        struct filter_result result = run(&options, &frames, 1, &arena);
        assert_true(is(&result, (const int[]){0, 1, 2, 3, 4}, 5) && !result.incomplete);
        options.budget = 6;
        if (rule != FILTER_NONE)
            assert_int_equal(filter_run(&result, &options, &frames, NULL, 1, &arena, &err), ERR_INPUT);
        options.allow_short = true;
        result = run(&options, &frames, 1, &arena);
        assert_true(result.count == 5 && result.incomplete);
        options.budget = 0;
        assert_int_equal(filter_run(&result, &options, &frames, NULL, 1, &arena, &err), ERR_USAGE);
    }
    assert_string_equal(err.message, "budget: expected at least 1 frame, found 0");
    arena_free(&arena);
}

/* T19: zero and non-finite rows have similarity 0 to everything, are counted, and no NaN comes out. */
static void test_bad_embeddings(void **state)
{
    (void)state;
    struct arena arena = {0};
    const float e[] = {1, 0, 0, 0, NAN, 1, 0, 1, INFINITY, 0, -1, 0, 1, 0};
    struct filter_frames frames = {.count = 7, .embeddings = e, .embedding_stride = 2, .width = 2};
    const double u[] = {0.1, 0.3, 0.5, 0.7, 0.9, 0.2};
    frames.draws = check_draws_of(u);
    struct filter_options options = filter_defaults();
    for (int rule = 0; rule < FILTER_RULES; rule++) {
        if (!filter_needs_embeddings((enum filter_rule)rule)) continue;
        options.rule = (enum filter_rule)rule;
        for (int budget = 1; budget < 7; budget++) {
            options.budget = budget;
            const struct filter_result result = run(&options, &frames, 2, &arena);
            assert_true(result.count == budget && result.bad == 3);
            for (int i = 0; i < budget; i++) assert_true(isfinite(result.scores[i]));
        }
    }
    options.rule = FILTER_FARTHEST_FIRST;
    options.budget = 3;
    const struct filter_result result = run(&options, &frames, 1, &arena);
    /* Row 0 shares the highest density; then -e1 at -1; then the first bad row at 0. */
    assert_true(is(&result, (const int[]){0, 1, 5}, 3) && result.scores[1] == 0);
    arena_free(&arena);
}

static void test_names(void **state)
{
    (void)state;
    struct error err;
    enum filter_rule rule;
    for (int i = 0; i < FILTER_RULES; i++) {
        check_ok(filter_rule_parse(&rule, filter_rule_name((enum filter_rule)i), &err), &err);
        assert_int_equal(rule, i);
    }
    assert_int_equal(filter_rule_parse(&rule, "kmeans", &err), ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_cases),
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_large_reference),
        cmocka_unit_test(test_farthest_duplicates),
        cmocka_unit_test(test_six_points),
        cmocka_unit_test(test_farthest_naive),
        cmocka_unit_test(test_farthest_of_huge_rows),
        cmocka_unit_test(test_duplicates_fill_blocks),
        cmocka_unit_test(test_tables_and_threads),
        cmocka_unit_test(test_shape_complexity),
        cmocka_unit_test(test_all_or_fewer),
        cmocka_unit_test(test_bad_embeddings),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests_name("filter", tests, NULL, NULL);
}
