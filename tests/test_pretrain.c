/* Pretraining without labels: the same bits from any number of threads and
 * after an interruption, and that something is learned. */
#include "check.h"

#include "base/file.h"
#include "select/embed.h"
#include "train/pretrain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 28, CAMERAS = 3, PICTURES = 6 };

/* A camera's pictures: its pattern, and a spot that goes its way. */
static struct views make_views(void)
{
    struct error err;
    struct views views = {.side = SIDE};
    struct image image;
    check_ok(image_alloc(&image, 64, 48, &err), &err);
    for (int i = 0; i < CAMERAS * PICTURES; i++) {
        const int camera = i / PICTURES, moment = i % PICTURES;
        for (int y = 0; y < 48; y++)
            for (int x = 0; x < 64; x++) {
                uint8_t *pixel = image.pixels + 3 * (y * 64 + x);
                const bool spot = x / 10 == moment && y / 16 == 1;
                pixel[0] = spot ? 250 : (uint8_t)(40 + 60 * camera);
                pixel[1] = spot ? 240 : (uint8_t)(x / 8 * 20);
                pixel[2] = spot ? (uint8_t)(40 * moment) : (uint8_t)(y * 4);
            }
        check_ok(views_add(&views, &image, moment == 0, &err), &err);
    }
    image_free(&image);
    return views;
}

static struct pretrain_options small(int steps, int threads)
{
    struct pretrain_options o = pretrain_defaults();
    o.dim = 32;
    o.depth = 2;
    o.pairs = 6;
    o.moments = 3;
    o.steps = steps;
    o.warmup = 2;
    o.rate = 2e-3;
    o.threads = threads;
    o.checkpoint_every = 4;
    return o;
}

static struct pretrain_result pretrain(struct params *params, const struct views *views,
                                       const struct pretrain_options *o, const struct progress *progress,
                                       enum status wanted)
{
    struct error err;
    const struct kernels *kernels;
    struct pretrain_result result;
    *params = (struct params){0};
    check_ok(kernels_get(&kernels, NULL, &err), &err);
    const enum status status = pretrain_run(&result, params, views, kernels, o, progress, &err);
    if (status != wanted) print_error("%s\n", err.message);
    assert_int_equal(status, wanted);
    return result;
}

static void pairs_are_moments_of_one_camera(void **state)
{
    (void)state;
    struct views views = make_views();
    struct views_pair pairs[6];
    int same = 0;
    for (int step = 0; step < 50; step++) {
        views_choose(&views, 1, step, 6, 2, pairs);
        for (int i = 0; i < 6; i++) {
            const int a = pairs[i].picture[0], b = pairs[i].picture[1];
            assert_in_range(a, 0, CAMERAS * PICTURES - 1);
            assert_int_equal(a / PICTURES, b / PICTURES);
            assert_true(abs(a - b) <= 1);
            assert_int_equal(a % PICTURES * 2 / PICTURES, i % 2); /* its half of the day */
            same += a == b;
        }
        for (int i = 0; i < 6; i += 2) {
            assert_int_equal(pairs[i].picture[0] / PICTURES, pairs[i + 1].picture[0] / PICTURES);
            assert_int_not_equal(pairs[i].picture[0] / PICTURES, pairs[(i + 2) % 6].picture[0] / PICTURES);
        }
    }
    assert_in_range(same, 110, 190); /* half of 300, five deviations */
    views_free(&views);
}

/* A view differs from row to row and step to step, and not otherwise. */
static void views_are_draws(void **state)
{
    (void)state;
    struct error err;
    struct views views = make_views();
    struct image scratch = {0};
    static float a[SIDE * SIDE * 3], b[SIDE * SIDE * 3];
    check_ok(views_make(&views, 2, 1, 5, 3, &scratch, a, &err), &err);
    check_ok(views_make(&views, 2, 1, 5, 3, &scratch, b, &err), &err);
    assert_memory_equal(a, b, sizeof a);
    check_ok(views_make(&views, 2, 1, 5, 4, &scratch, b, &err), &err);
    assert_memory_not_equal(a, b, sizeof a);
    check_ok(views_make(&views, 2, 1, 6, 3, &scratch, b, &err), &err);
    assert_memory_not_equal(a, b, sizeof a);
    image_free(&scratch);
    views_free(&views);
}

static void threads_change_no_bit(void **state)
{
    (void)state;
    struct views views = make_views();
    struct params one, three;
    const struct pretrain_options a = small(5, 1), b = small(5, 3);
    pretrain(&one, &views, &a, NULL, OK);
    pretrain(&three, &views, &b, NULL, OK);
    assert_memory_equal(one.values, three.values, one.total * sizeof *one.values);
    params_free(&one);
    params_free(&three);
    views_free(&views);
}

static bool stop_at_six(void *context, const char *stage, int64_t done, int64_t total, const char *note)
{
    (void)context, (void)stage, (void)total, (void)note;
    return done < 6;
}

static void an_interrupted_run_ends_with_the_same_bits(void **state)
{
    (void)state;
    struct error err;
    struct views views = make_views();
    struct params whole, part, again;
    struct pretrain_options o = small(10, 2);
    const struct progress stop = {stop_at_six, NULL};
    char folder[300], log[320];
    struct file_view view;
    snprintf(folder, sizeof folder, "%s/pretrain", check_folder());
    snprintf(log, sizeof log, "%s/train.jsonl", folder);
    const struct contrast_items last = pretrain(&whole, &views, &o, NULL, OK).items;
    o.folder = folder;
    pretrain(&part, &views, &o, &stop, ERR_INTERRUPTED);
    params_free(&part);
    pretrain(&part, &views, &o, NULL, ERR_USAGE); /* without resume */
    params_free(&part);
    o.resume = true;
    for (int i = 0; i < 2; i++) { /* the second time there is nothing left to do */
        const struct contrast_items items = pretrain(&again, &views, &o, NULL, OK).items;
        assert_memory_equal(whole.values, again.values, whole.total * sizeof *whole.values);
        assert_true(items.loss == last.loss && items.found == last.found);
        params_free(&again);
    }
    check_ok(file_map(&view, log, &err), &err);
    int lines = 0;
    for (size_t i = 0; i < view.size; i++) lines += view.data[i] == '\n';
    assert_int_equal(lines, 3);
    file_unmap(&view);
    struct pretrain_options others[] = {o, o, o};
    others[0].rate = 1e-3;
    others[1].checkpoint_every = 3; /* other lines in the log */
    others[2].plan = PLAN_FAST_0_1;
    for (int i = 0; i < 3; i++) {
        pretrain(&part, &views, &others[i], NULL, ERR_INPUT); /* another recipe */
        params_free(&part);
    }
    params_free(&whole);
    views_free(&views);
}

static void something_is_learned(void **state)
{
    (void)state;
    struct views views = make_views();
    struct params params;
    struct pretrain_options o = small(4, 2);
    const double before = pretrain(&params, &views, &o, NULL, OK).items.loss;
    params_free(&params);
    o.steps = 60;
    o.checkpoint_every = 10;
    const double after = pretrain(&params, &views, &o, NULL, OK).items.loss;
    params_free(&params);
    assert_true(after < 0.6 * before);
    views_free(&views);
}

static void cameras_need_moments(void **state)
{
    (void)state;
    struct views views = make_views();
    struct params params;
    struct pretrain_options o = small(2, 1);
    o.pairs = o.moments = PICTURES + 1;
    pretrain(&params, &views, &o, NULL, ERR_USAGE);
    params_free(&params);
    views_free(&views);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_are_moments_of_one_camera),
        cmocka_unit_test(views_are_draws),
        cmocka_unit_test(threads_change_no_bit),
        cmocka_unit_test(an_interrupted_run_ends_with_the_same_bits),
        cmocka_unit_test(something_is_learned),
        cmocka_unit_test(cameras_need_moments),
    };
    return cmocka_run_group_tests_name("pretrain", tests, NULL, NULL);
}
