/* Quantile, image confidence and the SELECT rules against the reference cases; the stream against the stored
 * form. */
#include "select/select.h"

#include "base/rng.h"
#include "check.h"
#include "check_select.h"
#include "select/confidence.h"
#include "select/quantile.h"
#include "select/stream.h"
#include "train/mask.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void run_quantile(const struct check_case *c)
{
    const struct json *list = json_member(c->input, "values");
    size_t n = json_count(list);
    double values[720];
    if (json_text(list)) { /* "0,1,...,719" */
        n = 720;
        for (size_t i = 0; i < n; i++) values[i] = (double)(n - 1 - i);
    }
    for (size_t i = 0; i < n && !json_text(list); i++) values[i] = json_number(json_item(list, i), NAN);
    CHECK_CASE(c, !n == check_expects_error(c)); /* of no values there is none */
    if (!n) return;
    quantile_sort(values, n);
    const double result = quantile_sorted(values, n, json_number(json_member(c->input, "q"), NAN));
    CHECK_CASE(c, result == json_number(json_member(c->expect, "value"), NAN));
}

static void run_confidence(const struct check_case *c)
{
    const struct json *list = json_member(c->input, "boxes");
    double boxes[16];
    const int n = (int)json_count(list);
    for (int i = 0; i < n; i++) boxes[i] = json_number(json_item(list, (size_t)i), NAN);
    struct confidence confidence = {.aggregation =
                                        check_aggregation(json_text(json_member(c->input, "aggregation")))};
    for (int i = 0; i < n; i++) confidence_add(&confidence, boxes[i]);
    const double result = confidence_result(&confidence);
    const struct json *expected = json_member(c->expect, "value");
    if (json_kind(expected) == JSON_KIND_NULL)
        CHECK_CASE(c, result == CONFIDENCE_NONE);
    else
        CHECK_CASE(c, result == json_number(expected, NAN));
}

/* The confidences of a case's frames: lists of boxes, or one of two formulas. */
static double *case_confidences(const struct check_case *c, int *frames, enum aggregation aggregation)
{
    const struct json *source = json_member(c->input, "frames");
    const char *formula = json_text(json_member(source, "formula"));
    const bool formed = formula != NULL;
    const int n = formed ? (int)json_int(json_member(source, "N"), 0) : (int)json_count(source);
    double *confidences = arena_alloc(c->arena, (size_t)n + 1, sizeof *confidences);
    *frames = n;
    const char *tag = json_text(json_member(source, "tag"));
    const int most = (int)json_int(json_member(source, "maxbox"), 1);
    struct draws counts = {0}, values = {0};
    if (formed && !strcmp(formula, "stream")) {
        counts = check_draws(c->arena, arena_printf(c->arena, "%s.nbox", tag), n);
        values = check_draws(c->arena, arena_printf(c->arena, "%s.conf", tag), n * most);
    } else if (formed) {
        values = check_draws(c->arena, tag, n);
    }
    int next = 0;
    for (int i = 0; i < n; i++) {
        const struct json *boxes = json_item(source, (size_t)i);
        const int count = !formed     ? (int)json_count(boxes)
                          : counts.at ? (int)floor(most * draws_at(counts, i))
                                      : 1;
        struct confidence sum = {.aggregation = aggregation};
        for (int k = 0; k < count; k++)
            confidence_add(&sum, formed ? 0.25 + 0.75 * draws_at(values, next++)
                                        : json_number(json_item(boxes, (size_t)k), NAN));
        confidences[i] = confidence_result(&sum);
    }
    return confidences;
}

static struct select_options case_options(const struct check_case *c, enum select_rule rule)
{
    struct select_options options = select_defaults();
    options.rule = rule;
    options.policy = END_SHORT;
    options.wanted = (int)json_int(json_member(c->input, "n"), -1);
    options.warmup = (int)json_int(json_member(c->input, "w"), options.warmup);
    options.alpha = json_number(json_member(c->input, "alpha"), options.alpha);
    options.rate = json_number(json_member(c->input, "rate"), options.rate);
    const char *policy = json_text(json_member(c->input, "policy"));
    if (policy)
        options.policy = !strcmp(policy, "close")   ? END_CLOSE
                         : !strcmp(policy, "relax") ? END_RELAX
                                                    : END_SHORT;
    return options;
}

/* One window frame by frame, saved and loaded again after every frame of the first thousand. */
static void stream_gives(const struct check_case *c, const struct select_options *options,
                         const double *confidences, int frames, struct draws draws,
                         const struct selection *expected)
{
    struct select_stream streams[2], *stream = streams;
    for (int i = 0; i < 2; i++)
        check_ok(select_stream_open(streams + i, options, draws, c->arena, NULL), NULL);
    uint8_t *state = arena_alloc(c->arena, 1, 1 << 16);
    int count = 0;
    for (int i = 0; i < frames; i++) {
        const enum select_verdict verdict =
            select_stream_push(stream, confidences ? confidences[i] : CONFIDENCE_NONE);
        if (verdict == VERDICT_SELECTED) {
            CHECK_CASE(c, count < expected->count && expected->frames[count] == i);
            count++;
        }
        CHECK_CASE(c,
                   (verdict == VERDICT_CLOSED) == (count == options->wanted && verdict != VERDICT_SELECTED));
        if (i >= 1000) continue;
        const size_t size = select_stream_size(stream);
        CHECK_CASE(c, size <= 1 << 16);
        select_stream_save(stream, state);
        stream = streams + (stream == streams);
        check_ok(select_stream_load(stream, state, size, NULL), NULL);
    }
    CHECK_CASE(c, count == expected->count);
    CHECK_CASE(c, stream->warm == expected->warm);
    if (expected->warm) CHECK_CASE(c, stream->tau == expected->tau);
}

static void run_by_confidence(const struct check_case *c)
{
    struct select_options options =
        case_options(c, *c->rule == 't' ? SELECT_TOP_CONFIDENCE : SELECT_LEAST_CONFIDENCE);
    enum aggregation aggregation = AGGREGATE_MAX;
    const char *how = json_text(json_member(c->input, "how"));
    if (how) aggregation = check_aggregation(how);
    struct select_bank bank = {0};
    bank.confidence = case_confidences(c, &bank.frames, aggregation);
    struct selection selection;
    const enum status status = select_run(&selection, &options, &bank, c->arena, NULL);
    CHECK_CASE(c, (status != OK) == check_expects_error(c));
    if (status != OK) return;
    CHECK_CASE(c, check_list(json_member(c->expect, "selected"), selection.frames, selection.count));
    bool warm, relaxed;
    check_ok(json_get_bool(&warm, c->expect, "warm", c->name, NULL), NULL);
    check_ok(json_get_bool(&relaxed, c->expect, "relaxed", c->name, NULL), NULL);
    CHECK_CASE(c, selection.warm == warm && selection.relaxed == relaxed);
    CHECK_CASE(c, check_near(selection.alpha, json_member(c->expect, "alpha")));
    if (warm) CHECK_CASE(c, check_near(selection.tau, json_member(c->expect, "tau")));
    if (options.policy != END_SHORT) return;
    stream_gives(c, &options, bank.confidence, bank.frames, (struct draws){0}, &selection);
    options.policy = END_CLOSE;
    options.window = bank.frames;
    stream_gives(c, &options, bank.confidence, bank.frames, (struct draws){0}, &selection);
}

static void run_by_count(const struct check_case *c)
{
    enum select_rule rule = SELECT_N_FIRST;
    if (!strcmp(c->rule, "interval")) rule = SELECT_INTERVAL;
    if (!strcmp(c->rule, "uniform_stream")) rule = SELECT_UNIFORM;
    if (!strcmp(c->rule, "chunk_diversity")) rule = SELECT_CHUNK_DIVERSITY;
    struct select_options options = case_options(c, rule);
    struct select_bank bank = {.frames = (int)json_int(json_member(c->input, "N"), -1),
                               .kernels = check_kernels()};
    if (rule == SELECT_CHUNK_DIVERSITY) {
        const struct check_rows rows = check_embeddings(c);
        bank.embeddings = rows.values;
        bank.embedding_stride = bank.width = rows.width;
    }
    if (rule == SELECT_UNIFORM) {
        bool relax;
        check_ok(json_get_bool(&relax, c->input, "relax", c->name, NULL), NULL);
        options.policy = relax ? END_RELAX : END_SHORT;
        bank.draws = check_draws(c->arena, "uni", bank.frames);
    }
    struct selection selection;
    const enum status status = select_run(&selection, &options, &bank, c->arena, NULL);
    CHECK_CASE(c, (status != OK) == check_expects_error(c));
    if (status != OK) return;
    CHECK_CASE(c, check_list(json_member(c->expect, "selected"), selection.frames, selection.count));
    if (rule == SELECT_UNIFORM) CHECK_CASE(c, check_near(selection.rate, json_member(c->expect, "rate")));
    if (rule == SELECT_N_FIRST || (rule == SELECT_UNIFORM && options.policy == END_SHORT))
        stream_gives(c, &options, NULL, bank.frames, bank.draws, &selection);
}

static void run_file(const char *path)
{
    check_cases(path, "top_confidence least_confidence", run_by_confidence);
    check_cases(path, "n_first interval uniform_stream chunk_diversity", run_by_count);
}

static void test_small_cases(void **state)
{
    (void)state;
    check_cases("tests/data/select.json", "quantile", run_quantile);
    check_cases("tests/data/select.json", "image_confidence", run_confidence);
    run_file("tests/data/select.json");
}

static void test_reference(void **state)
{
    (void)state;
    check_cases(check_shared("golden/select/quantile.json"), "quantile", run_quantile);
    check_cases(check_shared("golden/select/image_confidence.json"), "image_confidence", run_confidence);
    run_file(check_shared("golden/select/select.json"));
}

/* Warm-up of 0..719: tau is 647.1 above and 71.9 below (T1); the warm-up alone selects nothing (T2). */
static void test_warm_up(void **state)
{
    (void)state;
    struct arena arena = {0};
    double confidence[1500];
    struct select_options options = select_defaults();
    options.wanted = 2;
    options.policy = END_SHORT;
    for (int i = 0; i < 720; i++) confidence[2 * i] = i, confidence[2 * i + 1] = CONFIDENCE_NONE;
    confidence[1440] = 647.1;
    confidence[1441] = 648;
    confidence[1442] = 71.9;
    confidence[1443] = 71;
    struct select_bank bank = {.frames = 1440, .confidence = confidence};
    struct selection selection;
    check_ok(select_run(&selection, &options, &bank, &arena, NULL), NULL);
    assert_true(selection.warm && selection.count == 0 && selection.incomplete && selection.tau == 647.1);
    bank.frames = 1444;
    check_ok(select_run(&selection, &options, &bank, &arena, NULL), NULL);
    assert_true(selection.count == 1 && selection.frames[0] == 1441);
    options.rule = SELECT_LEAST_CONFIDENCE;
    check_ok(select_run(&selection, &options, &bank, &arena, NULL), NULL);
    assert_true(selection.tau == 71.9 && selection.count == 1 && selection.frames[0] == 1443);

    options.empty_is_zero = true; /* 720 frames are then 360 with a box and 360 of confidence 0 */
    check_ok(select_run(&selection, &options, &bank, &arena, NULL), NULL);
    assert_true(selection.tau == 0 && selection.count == 0);
    arena_free(&arena);
}

static void test_n_first_reserve(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct error err;
    struct select_options options = select_defaults();
    options.rule = SELECT_N_FIRST;
    options.wanted = 5;
    options.reserve_last = 300;
    struct selection selection;
    struct select_bank bank = {.frames = 305};
    check_ok(select_run(&selection, &options, &bank, &arena, &err), &err);
    assert_true(selection.count == 5 && selection.frames[4] == 4);
    bank.frames = 304;
    assert_int_equal(select_run(&selection, &options, &bank, &arena, &err), ERR_INPUT);
    assert_string_equal(err.message, "n-first: expected at least 5 frames, found 4");
    bank.frames = 3;
    assert_int_equal(select_run(&selection, &options, &bank, &arena, &err), ERR_INPUT);
    arena_free(&arena);
}

/* T22: after a short window the threshold is the quantile 1 - alpha - 0.05 of warm-up and window; each
 * further one lowers it by 0.05, to the median at most; a full window resets it. */
static void test_close(void **state)
{
    (void)state;
    struct arena arena = {0};
    double confidence[40], sorted[40];
    struct select_options options = select_defaults();
    options.wanted = 3;
    options.warmup = 20;
    options.window = 20;
    for (int i = 0; i < 40; i++) confidence[i] = 0.25 + (i * 17 % 40) * 0.01 - (i >= 20 ? 0.1 : 0);
    struct select_bank bank = {.frames = 40, .confidence = confidence};
    struct selection selection;
    check_ok(select_run(&selection, &options, &bank, &arena, NULL), NULL);
    assert_true(selection.incomplete && selection.warm);

    struct select_stream stream;
    check_ok(select_stream_open(&stream, &options, (struct draws){0}, &arena, NULL), NULL);
    for (int i = 0; i < 40; i++) {
        assert_false(select_stream_closed(&stream));
        assert_int_not_equal(select_stream_push(&stream, confidence[i]), VERDICT_CLOSED);
    }
    assert_true(select_stream_closed(&stream) && stream.selected == selection.count);
    assert_int_equal(select_stream_push(&stream, 0.99), VERDICT_CLOSED);
    assert_true(stream.frames == 40);

    memcpy(sorted, confidence, sizeof sorted);
    quantile_sort(sorted, 40);
    select_stream_next_window(&stream, false);
    assert_true(stream.tau == quantile_sorted(sorted, 40, 1 - (0.1 + 0.05 * 1)) &&
                stream.tau == selection.next_tau);
    for (int window = 2; window < 12; window++) {
        select_stream_next_window(&stream, false); /* an empty window is a short one */
        memcpy(sorted, confidence, 20 * sizeof *sorted);
        quantile_sort(sorted, 20);
        const double level = 1 - (0.1 + 0.05 * window);
        assert_true(stream.tau == quantile_sorted(sorted, 20, level > 0.5 ? level : 0.5));
    }
    for (int i = 0; i < 3; i++) assert_int_equal(select_stream_push(&stream, 0.99), VERDICT_SELECTED);
    assert_true(select_stream_closed(&stream));
    select_stream_next_window(&stream, true);
    assert_true(!stream.warm && stream.short_windows == 0 && stream.selected == 0);
    assert_int_equal(select_stream_push(&stream, 0.5), VERDICT_WARMING);
    assert_int_equal(select_stream_push(&stream, CONFIDENCE_NONE), VERDICT_EMPTY);
    assert_int_equal(select_stream_push(&stream, NAN), VERDICT_EMPTY);

    options.rule = SELECT_LEAST_CONFIDENCE;
    assert_true(select_window_level(&options, 1) == 0.1 + 0.05 && select_window_level(&options, 19) == 0.5);
    options.alpha = 0.7; /* beyond the median already */
    assert_true(select_window_level(&options, 3) == 0.7);
    arena_free(&arena);
}

static void test_options_refused(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct error err;
    struct selection selection;
    struct select_stream stream;
    const double confidence[4] = {0.5, 0.5, 0.5, 0.5};
    const struct select_bank bank = {.frames = 4, .confidence = confidence};
    struct select_options bad[7];
    for (int i = 0; i < 7; i++) {
        bad[i] = select_defaults();
        bad[i].wanted = 1;
    }
    bad[0].wanted = 0;
    bad[1].warmup = 0;
    bad[2].alpha = 1.5;
    bad[3].alpha = NAN;
    bad[4].rate = 0;
    bad[5].reserve_last = -1;
    bad[6].wanted = -7;
    for (int i = 0; i < 7; i++) {
        assert_int_equal(select_run(&selection, bad + i, &bank, &arena, &err), ERR_USAGE);
        assert_int_equal(select_stream_open(&stream, bad + i, (struct draws){0}, &arena, &err), ERR_USAGE);
    }
    struct select_options options = select_defaults();
    options.policy = END_RELAX;
    assert_int_equal(select_stream_open(&stream, &options, (struct draws){0}, &arena, &err), ERR_USAGE);
    options = select_defaults();
    options.rule = SELECT_INTERVAL;
    assert_int_equal(select_stream_open(&stream, &options, (struct draws){0}, &arena, &err), ERR_USAGE);
    assert_string_equal(err.message, "interval needs a stored stream");
    options = select_defaults();
    options.window = 0;
    assert_int_equal(select_stream_open(&stream, &options, (struct draws){0}, &arena, &err), ERR_USAGE);
    options.window = options.warmup = INT32_MAX;
    assert_int_equal(select_stream_open(&stream, &options, (struct draws){0}, &arena, &err), ERR_USAGE);
    arena_free(&arena);
}

static void test_names(void **state)
{
    (void)state;
    struct error err;
    for (int i = 0; i < SELECT_RULES; i++) {
        enum select_rule rule;
        check_ok(select_rule_parse(&rule, select_rule_name((enum select_rule)i), &err), &err);
        assert_int_equal(rule, i);
    }
    enum select_rule rule;
    assert_int_equal(select_rule_parse(&rule, "top", &err), ERR_USAGE);
}

static void test_classes(void **state)
{
    (void)state;
    struct class_set set;
    struct error err;
    check_ok(class_set_parse(&set, CLASSES_VEHICLES, &err), &err);
    for (int i = 0; i < 300; i++)
        assert_int_equal(class_set_has(&set, i), i == 1 || i == 2 || i == 3 || i == 5 || i == 7);
    check_ok(class_set_parse(&set, "all", &err), &err);
    assert_true(class_set_has(&set, 0) && class_set_has(&set, 256) && class_set_has(&set, CLASS_LIMIT - 1));
    check_ok(class_set_parse(&set, "300,65535", &err), &err);
    assert_true(class_set_has(&set, 300) && class_set_has(&set, 65535) && !class_set_has(&set, 301));
    const char *const bad[] = {"", ",", "1,", "1,,2", "65536", "99999999999999", "-1", "1 2", "car", "all,1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(class_set_parse(&set, bad[i], &err), ERR_USAGE);
}

static void test_state_refused(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct error err;
    struct select_options options = select_defaults();
    options.warmup = 4;
    options.window = 4;
    struct select_stream stream, other;
    check_ok(select_stream_open(&stream, &options, (struct draws){0}, &arena, &err), &err);
    for (int i = 0; i < 6; i++) select_stream_push(&stream, 0.5);
    uint8_t bytes[512];
    const size_t size = select_stream_size(&stream);
    assert_true(size <= sizeof bytes);
    select_stream_save(&stream, bytes);
    for (size_t n = 0; n < size; n++)
        assert_int_equal(select_stream_load(&stream, bytes, n, &err), ERR_INPUT);
    int refused = 0;
    for (size_t i = 0; i < size; i++) { /* a flipped top bit makes a sign, a large count or another option */
        bytes[i] ^= 0x80;
        refused += select_stream_load(&stream, bytes, size, &err) != OK;
        bytes[i] ^= 0x80;
    }
    assert_true(refused > 16 * 8 - 20);
    options.alpha = 0.2;
    check_ok(select_stream_open(&other, &options, (struct draws){0}, &arena, &err), &err);
    assert_int_equal(select_stream_load(&other, bytes, size, &err), ERR_INPUT);
    assert_string_equal(err.message, "selection state: byte 32: written with other options");
    check_ok(select_stream_load(&stream, bytes, size, &err), &err);
    assert_true(stream.seen_count == 6 && stream.frames == 6);
    arena_free(&arena);
}

/* Takes every frame, more than were wanted, and goes on with that. */
static void test_all_goes_on(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct error err;
    struct select_options options = select_defaults();
    options.rule = SELECT_ALL;
    options.wanted = 2;
    struct select_stream stream, other;
    check_ok(select_stream_open(&stream, &options, (struct draws){0}, &arena, &err), &err);
    check_ok(select_stream_open(&other, &options, (struct draws){0}, &arena, &err), &err);
    for (int i = 0; i < 5; i++) assert_int_equal(select_stream_push(&stream, -1), VERDICT_SELECTED);
    uint8_t bytes[512];
    const size_t size = select_stream_size(&stream);
    assert_true(size <= sizeof bytes);
    select_stream_save(&stream, bytes);
    check_ok(select_stream_load(&other, bytes, size, &err), &err);
    assert_true(other.selected == 5 && other.frames == 5);
    assert_int_equal(select_stream_push(&other, 0.5), VERDICT_SELECTED);
    arena_free(&arena);
}

/* Eight of forty coordinates in index order, as a mask's first phase takes them. */
static void check_selection_sampling(uint64_t key, const struct json *expected)
{
    uint8_t mask[40];
    int chosen[40], count = 0;
    const struct optim_tensor tensor = {"t", 0, 40, OPTIM_WEIGHT, true, false};
    mask_random_exact(mask, (struct mask_table){&tensor, 1}, 8, (struct mask_draws){NULL, key});
    for (int i = 0; i < 40; i++)
        if (mask[i]) chosen[count++] = i;
    assert_true(check_list(expected, chosen, count));
}

/* The named random streams of the specification. */
static void test_named_streams(void **state)
{
    (void)state;
    struct json *root;
    struct error err;
    check_ok(json_read_file(&root, check_shared("golden/select/rng.json"), 1 << 20, &err), &err);
    const struct json *streams = json_member(root, "streams");
    assert_true(json_count(streams) > 0);
    for (size_t s = 0; s < json_count(streams); s++) {
        const struct json *item = json_item(streams, s);
        const uint64_t seed = strtoull(json_text(json_member(item, "seed")), NULL, 10);
        const char *name = json_text(json_member(item, "stream"));
        const uint64_t key = rng_key(seed, name);
        assert_true(key == strtoull(json_text(json_member(item, "key")), NULL, 16));
        assert_true(rng_fnv1a(name) == strtoull(json_text(json_member(item, "name_hash")), NULL, 16));
        const struct json *list = json_member(item, "outputs");
        for (size_t i = 0; i < json_count(list); i++)
            assert_true(rng_u64(key, i) == strtoull(json_text(json_item(list, i)), NULL, 16));
        list = json_member(item, "real");
        for (size_t i = 0; i < json_count(list); i++)
            assert_true(draws_at(draws_of_key(&key), (int64_t)i) == json_number(json_item(list, i), NAN));
        list = json_member(item, "int_below_10");
        for (size_t i = 0; i < json_count(list); i++)
            assert_int_equal(rng_int(key, i, 10), json_int(json_item(list, i), -1));
        const uint64_t step = rng_step(key, 7);
        assert_true(step == strtoull(json_text(json_member(item, "key_step7")), NULL, 16));
        assert_true(rng_u64(step, 0) == strtoull(json_text(json_member(item, "step7_output0")), NULL, 16));
        int picks[8], order[40];
        struct rng rng = {key, 0};
        rng_choose(&rng, 40, 8, picks, order);
        assert_true(check_list(json_member(item, "k_of_n_8_of_40_in_order"), picks, 8));
        check_selection_sampling(key, json_member(item, "selection_sampling_8_of_40"));
    }
    json_free(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_cases),   cmocka_unit_test(test_reference),
        cmocka_unit_test(test_warm_up),       cmocka_unit_test(test_n_first_reserve),
        cmocka_unit_test(test_close),         cmocka_unit_test(test_options_refused),
        cmocka_unit_test(test_names),         cmocka_unit_test(test_classes),
        cmocka_unit_test(test_state_refused), cmocka_unit_test(test_named_streams),
        cmocka_unit_test(test_all_goes_on),
    };
    return cmocka_run_group_tests_name("select", tests, NULL, NULL);
}
