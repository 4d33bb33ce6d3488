/* The selection ledger: reasons, writing, reading back, refusals; and the seeds of the fuzzers. */
#include "select/ledger.h"

#include "base/file.h"
#include "check.h"
#include "check_json.h"
#include "select/stream.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Frames 0 to 9: warm-up 0, 2; no box 1, 5; then two of three wanted are kept. */
static void explain(struct ledger *ledger, struct arena *arena)
{
    static const double confidence[10] = {0.5, -1, 0.6, 0.55, 0.9, -1, 0.7, 0.8, 0.95, -1};
    struct select_options options = select_defaults();
    options.warmup = 2;
    options.wanted = 3;
    const struct select_bank bank = {.frames = 10, .confidence = confidence};
    struct selection selection;
    struct error err;
    check_ok(select_run(&selection, &options, &bank, arena, &err), &err);
    assert_int_equal(selection.count, 3);
    int frames[] = {0, 2}, ranks[] = {1, 0};
    double scores[] = {0.25, 0};
    const struct filter_result filtered = {.count = 2, .frames = frames, .ranks = ranks, .scores = scores};
    check_ok(
        ledger_explain(ledger, &options, &bank, &selection, FILTER_FARTHEST_FIRST, &filtered, arena, &err),
        &err);
}

static void test_reasons(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct ledger ledger;
    explain(&ledger, &arena);
    const enum ledger_reason expected[10] = {LEDGER_WARM_UP,         LEDGER_NO_VEHICLE, LEDGER_WARM_UP,
                                             LEDGER_BELOW_THRESHOLD, LEDGER_SELECTED,   LEDGER_NO_VEHICLE,
                                             LEDGER_FILTERED_OUT,    LEDGER_SELECTED,   LEDGER_WINDOW_CLOSED,
                                             LEDGER_WINDOW_CLOSED};
    assert_int_equal(ledger.count, 10);
    for (int i = 0; i < 10; i++) assert_int_equal(ledger.rows[i].reason, expected[i]);
    assert_true(ledger.rows[4].rank == 1 && ledger.rows[4].score == 0.25 && ledger.rows[7].rank == 0);
    assert_true(ledger.rows[6].rank == -1 && isnan(ledger.rows[6].score) && isnan(ledger.rows[1].confidence));
    assert_true(isnan(ledger.rows[0].tau) && ledger.rows[3].tau == ledger.rows[4].tau);

    struct select_options options = select_defaults();
    options.rule = SELECT_INTERVAL;
    options.wanted = 2;
    const struct select_bank bank = {.frames = 3};
    struct selection selection;
    check_ok(select_run(&selection, &options, &bank, &arena, NULL), NULL);
    check_ok(ledger_explain(&ledger, &options, &bank, &selection, FILTER_NONE, NULL, &arena, NULL), NULL);
    assert_true(ledger.rows[0].reason == LEDGER_SELECTED && ledger.rows[1].reason == LEDGER_NOT_CHOSEN &&
                ledger.rows[2].reason == LEDGER_SELECTED);
    arena_free(&arena);
}

static bool same(double a, double b) { return a == b || (isnan(a) && isnan(b)); }

static void test_write_and_read(void **state)
{
    (void)state;
    check_needs_json();
    struct arena arena = {0};
    struct error err;
    struct ledger written, read;
    explain(&written, &arena);
    written.rows[3].file = "with \"quotes\" and \xc3\xa9.jpg";
    written.rows[4].time = 1.0 / 3;
    char path[600];
    snprintf(path, sizeof path, "%s/ledger.jsonl", check_folder());
    check_ok(ledger_write(path, &written, &err), &err);
    check_ok(ledger_read(&read, path, &arena, &err), &err);
    assert_true(read.count == 10 && read.select == SELECT_TOP_CONFIDENCE &&
                read.filter == FILTER_FARTHEST_FIRST);
    for (int i = 0; i < read.count; i++) {
        const struct ledger_row *a = written.rows + i, *b = read.rows + i;
        assert_true(a->frame == b->frame && a->reason == b->reason && a->rank == b->rank);
        assert_true(same(a->time, b->time) && same(a->confidence, b->confidence));
        assert_true(same(a->tau, b->tau) && same(a->score, b->score));
        assert_true(a->file ? b->file && !strcmp(a->file, b->file) : !b->file);
    }
    arena_free(&arena);
}

#define HEADER "{\"format\":\"retort-selection\",\"version\":1,\"select\":\"uniform\",\"filter\":\"none\"}\n"

static void test_refused(void **state)
{
    (void)state;
    check_needs_json();
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"", "bad: expected a selection ledger, found no line"},
        {"{}", "bad: line 1: expected a newline at its end, found none"},
        {HEADER "\n", "bad: line 2: expected a row, found 0 characters"},
        {HEADER "{\"frame\":1,\"reason\":\"dislike of it\"}\n",
         "bad: line 2: reason: unknown \"dislike of it\""},
        {HEADER "{\"frame\":1,\"reason\":\"not chosen\"}",
         "bad: line 2: expected a newline at its end, found none"},
        {"{\"format\":\"other\"}\n", "bad: line 1: format: expected \"retort-selection\", found \"other\""},
        {"{\"format\":\"retort-selection\",\"version\":1,\"select\":\"best\",\"filter\":\"none\"}\n",
         "bad: line 1: select: unknown rule \"best\""},
        {"{\"format\":\"retort-selection\",\"version\":1,\"select\":\"uniform\",\"filter\":\"fine\"}\n",
         "bad: line 1: filter: unknown rule \"fine\""},
        /* Other modules write the text of these. */
        {"{}\n", NULL},
        {"[]\n", NULL},
        {"{\"format\":\"retort-selection\",\"version\":2,\"select\":\"uniform\",\"filter\":\"none\"}\n",
         NULL},
        {HEADER "not JSON at all, but long enough\n", NULL},
        {HEADER "{\"frame\":-1,\"reason\":\"not chosen\"}\n", NULL},
        {HEADER "{\"frame\":1.5,\"reason\":\"not chosen\"}\n", NULL},
        {HEADER "{\"frame\":1,\"reason\":\"not chosen\"}\n{\"frame\":1,\"reason\":\"not chosen\"}\n", NULL},
        {HEADER "{\"frame\":1,\"reason\":\"not chosen\",\"rank\":-1}\n", NULL},
        {HEADER "{\"frame\":1,\"reason\":\"not chosen\",\"tau\":\"high\"}\n", NULL},
        {HEADER "{\"frame\":1,\"reason\":\"not chosen\",\"file\":7}\n", NULL},
        {HEADER "{\"frame\":1,\"frame\":2,\"reason\":\"not chosen\"}\n", NULL},
        {HEADER HEADER, NULL},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct arena arena = {0};
        struct error err;
        struct ledger ledger;
        assert_int_equal(ledger_parse(&ledger, bad[i].text, strlen(bad[i].text), "bad", &arena, &err),
                         ERR_INPUT);
        if (bad[i].message) assert_string_equal(err.message, bad[i].message);
        arena_free(&arena);
    }
    struct error err;
    struct arena arena = {0};
    struct ledger ledger;
    assert_int_equal(ledger_read(&ledger, "tests/data/absent.jsonl", &arena, &err), ERR_INPUT);
    arena_free(&arena);
}

/* Files whose name starts with "good" are accepted, all others refused. */
static void replay(const char *folder, enum status (*parse)(const uint8_t *data, size_t size))
{
    DIR *list = opendir(folder);
    assert_non_null(list);
    int count = 0;
    for (const struct dirent *entry; (entry = readdir(list));) {
        if (entry->d_name[0] == '.') continue;
        char path[600];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        struct file_view view;
        check_ok(file_map(&view, path, NULL), NULL);
        assert_int_equal(parse(view.data, view.size), strncmp(entry->d_name, "good", 4) ? ERR_INPUT : OK);
        file_unmap(&view);
        count++;
    }
    closedir(list);
    assert_true(count >= 2);
}

static enum status parse_ledger(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct ledger ledger;
    const enum status status = ledger_parse(&ledger, data, size, "seed", &arena, NULL);
    arena_free(&arena);
    return status;
}

static enum status parse_state(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct select_stream stream;
    struct select_options options = select_defaults();
    options.warmup = options.window = 4;
    check_ok(select_stream_open(&stream, &options, (struct draws){0}, &arena, NULL), NULL);
    const enum status status = select_stream_load(&stream, data, size, NULL);
    arena_free(&arena);
    return status;
}

static void test_fuzz_seeds(void **state)
{
    (void)state;
    check_needs_json();
    replay("fuzz/corpus/ledger", parse_ledger);
    replay("fuzz/corpus/select_state", parse_state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_write_and_read),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_fuzz_seeds),
    };
    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
