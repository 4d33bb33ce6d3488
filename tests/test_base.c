/* Arena, files, hash, random numbers, parallel-for. */
#include "check.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/par.h"
#include "base/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void arena_gives_aligned_zeroed_memory(void **state)
{
    (void)state;
    struct arena arena = {0};
    for (size_t n = 1; n < 200000; n = n * 3 + 1) {
        unsigned char *p = arena_alloc(&arena, n, 1);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 64, 0);
        for (size_t i = 0; i < n; i++) assert_int_equal(p[i], 0);
        memset(p, 0xff, n);
    }
    assert_null(arena_alloc(&arena, SIZE_MAX / 2, 8));
    assert_string_equal(arena_printf(&arena, "%s-%d", "layer", 7), "layer-7");
    arena_free(&arena);
    assert_int_equal(arena.used, 0);
}

static void hash_matches_published_vectors(void **state)
{
    (void)state;
    char hex[SHA256_HEX];
    sha256_bytes("", 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, hex);
    assert_string_equal(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void random_streams_match_the_specification(void **state)
{
    (void)state;
    assert_true(rng_u64(0, 0) == 0xE220A8397B1DCDAFu && rng_u64(0, 1) == 0x6E789E6AA1B965F4u);
    const uint64_t key = rng_key(0, "random_filter");
    assert_true(key == 0x616132538A3E8B77u && rng_u64(key, 0) == 0x930AB22926A79030u);
    static const int expected[8] = {5, 8, 4, 6, 3, 6, 0, 5};
    for (int i = 0; i < 8; i++) assert_int_equal(rng_int(key, (uint64_t)i, 10), expected[i]);
    struct rng rng = {key, 0};
    int picks[3], order[8];
    rng_choose(&rng, 8, 3, picks, order);
    assert_int_equal(picks[0], 4);
    assert_int_equal(picks[1], 6);
    assert_int_equal(picks[2], 0);
}

static void writing_is_atomic(void **state)
{
    (void)state;
    struct error err;
    char path[600];
    snprintf(path, sizeof path, "%s/value", check_folder());
    check_ok(file_write(path, "old", 3, &err), &err);
    struct file_writer writer;
    check_ok(file_create(&writer, path, &err), &err);
    fputs("half of the new", writer.stream);
    file_discard(&writer);
    struct file_view view;
    check_ok(file_map(&view, path, &err), &err);
    assert_int_equal(view.size, 3);
    assert_memory_equal(view.data, "old", 3);
    file_unmap(&view);
    assert_int_equal(file_map(&view, "/nowhere/at/all", &err), ERR_INPUT);
    assert_non_null(strstr(err.message, "/nowhere/at/all"));
}

static void devices_and_links_stay(void **state)
{
    (void)state;
    struct error err;
    struct stat info;
    char path[600], link[600];
    snprintf(path, sizeof path, "%s/pipe", check_folder());
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(file_write(path, "new", 3, &err), ERR_INPUT);
    assert_non_null(strstr(err.message, "pipe or a device"));
    assert_true(stat(path, &info) == 0 && S_ISFIFO(info.st_mode));
    assert_int_equal(file_write(check_folder(), "new", 3, &err), ERR_INPUT);
    assert_int_equal(file_make_folder(path, &err), ERR_INPUT);
    snprintf(path, sizeof path, "%s/file", check_folder());
    snprintf(link, sizeof link, "%s/link", check_folder());
    check_ok(file_write(path, "old", 3, &err), &err);
    assert_int_equal(symlink("file", link), 0);
    check_ok(file_write(link, "longer", 6, &err), &err);
    assert_true(lstat(link, &info) == 0 && S_ISLNK(info.st_mode));
    assert_true(stat(path, &info) == 0 && info.st_size == 6);
}

static void a_full_disk_leaves_the_old_file(void **state)
{
    (void)state;
    struct error err;
    struct file_writer writer;
    char path[600];
    snprintf(path, sizeof path, "%s/full", check_folder());
    check_ok(file_write(path, "old", 3, &err), &err);
    check_ok(file_create(&writer, path, &err), &err);
    FILE *full = fopen("/dev/full", "wb");
    assert_non_null(full);
    fclose(writer.stream);
    writer.stream = full;
    fputs("does not fit", writer.stream);
    assert_int_equal(file_commit(&writer, &err), ERR_SYSTEM);
    struct file_view view;
    check_ok(file_map(&view, path, &err), &err);
    assert_int_equal(view.size, 3);
    assert_memory_equal(view.data, "old", 3);
    file_unmap(&view);
}

static void mark(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    for (int64_t i = begin; i < end; i++) ((int *)context)[i]++;
}

static void parallel_shares_cover_each_output_once(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 9; threads++)
        for (int n = 0; n < 50; n += 7) {
            int seen[50] = {0};
            par_for(threads, n, 4, mark, seen);
            for (int i = 0; i < 50; i++) assert_int_equal(seen[i], i < n);
            for (int turn = 0; turn < 2; turn++) par_pass(threads, n, 4, mark, seen);
            for (int i = 0; i < 50; i++) assert_int_equal(seen[i], 3 * (i < n));
        }
}

struct seen_workers {
    int threads, busy[PAR_MAX_THREADS];
    int64_t last[PAR_MAX_THREADS];
    bool wrong, descends;
};

static void watch_worker(void *context, int64_t begin, int64_t end, int worker)
{
    struct seen_workers *s = context;
    if (worker < 0 || worker >= s->threads || s->busy[worker]++ ||
        (s->descends ? end > s->last[worker] : begin < s->last[worker]))
        s->wrong = true;
    s->last[worker] = s->descends ? begin : end;
    s->busy[worker]--;
}

static void workers_are_unique_and_their_shares_ascend(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 9; threads++) {
        struct seen_workers s = {.threads = threads};
        par_for(threads, 1000, 3, watch_worker, &s);
        assert_false(s.wrong);
    }
}

static void count_single(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    int *const seen = context;
    seen[begin] += end - begin == 1 ? 1 : 2;
}

static void each_output_is_a_share(void **state)
{
    (void)state;
    for (int threads = 2; threads <= 9; threads++)
        for (int n = 0; n <= 50; n += n < 3 ? 1 : 9) {
            int seen[50] = {0};
            par_each(threads, n, count_single, seen);
            for (int i = 0; i < 50; i++) assert_int_equal(seen[i], i < n);
        }
    int ones[50] = {0};
    par_each(1, 50, mark, ones);
    for (int i = 0; i < 50; i++) assert_int_equal(ones[i], 1);
}

enum { PASS = 1000 };

static void note_first_share(void *context, int64_t begin, int64_t end, int worker)
{
    int *const side = context; /* on which worker 0 begins: -1, 1 or 0, not known */
    if (worker == 0 && !*side) *side = begin == 0 ? -1 : end == PASS ? 1 : 2;
}

static void passes_begin_at_alternating_sides(void **state)
{
    (void)state;
    for (int threads = 2; threads <= 9; threads++) {
        int sides[2] = {0};
        for (int turn = 0; turn < 2; turn++) par_pass(threads, PASS, 3, note_first_share, sides + turn);
        assert_int_equal(abs(sides[0]), 1);
        assert_int_equal(sides[0], -sides[1]);
        for (int turn = 0; turn < 2; turn++) {
            struct seen_workers s = {.threads = threads, .descends = sides[turn] == 1};
            for (int i = 0; s.descends && i < threads; i++) s.last[i] = PASS;
            par_pass(threads, PASS, 3, watch_worker, &s);
            assert_false(s.wrong);
            /* What is one share turns nothing. */
            par_pass(1, PASS, 3, watch_worker, &(struct seen_workers){.threads = 1});
            par_pass(threads, 3, 3, watch_worker, &(struct seen_workers){.threads = threads});
            par_pass(threads, 0, 3, watch_worker, &(struct seen_workers){.threads = threads});
        }
    }
}

static void a_quota_is_rounded_up(void **state)
{
    (void)state;
    assert_int_equal(par_quota("max 100000\n"), 0);
    assert_int_equal(par_quota("200000 100000\n"), 2);
    assert_int_equal(par_quota("150000 100000\n"), 2);
    assert_int_equal(par_quota("1000 100000\n"), 1);
    assert_int_equal(par_quota("9223372036854775807 1\n"), PAR_MAX_THREADS);
    assert_int_equal(par_quota(""), 0);
    assert_int_equal(par_quota("100000"), 0);
    assert_int_equal(par_quota("100000 0"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_gives_aligned_zeroed_memory),
        cmocka_unit_test(hash_matches_published_vectors),
        cmocka_unit_test(random_streams_match_the_specification),
        cmocka_unit_test(writing_is_atomic),
        cmocka_unit_test(devices_and_links_stay),
        cmocka_unit_test(a_full_disk_leaves_the_old_file),
        cmocka_unit_test(parallel_shares_cover_each_output_once),
        cmocka_unit_test(workers_are_unique_and_their_shares_ascend),
        cmocka_unit_test(each_output_is_a_share),
        cmocka_unit_test(passes_begin_at_alternating_sides),
        cmocka_unit_test(a_quota_is_rounded_up),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
