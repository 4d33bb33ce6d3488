/* Fusion of the boxes of several views: values computed by hand. */
#include "check.h"

#include "detect/fuse.h"

/* One for all tests: each begins anew. */
static struct fuse fuse;
static struct detection out[NMS_MAX_DETECTIONS];

static struct detection at(float x1, float x2, float confidence, int class_id)
{
    return (struct detection){{x1, 0, x2, 8}, confidence, class_id, 5};
}

static void expect(const struct detection *d, float x1, float x2, float confidence, int class_id)
{
    assert_true(d->box.x1 == x1 && d->box.x2 == x2 && d->box.y1 == 0 && d->box.y2 == 8);
    assert_true(d->confidence == confidence);
    assert_int_equal(d->class_id, class_id);
    assert_int_equal(d->anchor, -1);
}

#define OFFER(...)                                                                                           \
    do {                                                                                                     \
        const struct detection offered_[] = {__VA_ARGS__};                                                   \
        fuse_offer(&fuse, offered_, (int)(sizeof offered_ / sizeof *offered_));                              \
    } while (0)

/* 0.75 and 0.25 weigh three to one: x2 = (3 * 16 + 12) / 4 = 15, confidence (0.75 + 0.25) / 2 of both views. */
static void boxes_are_averaged_by_confidence(void **state)
{
    (void)state;
    fuse_begin(&fuse);
    OFFER(at(0, 12, 0.25f, 3));
    OFFER(at(0, 16, 0.75f, 3));
    assert_int_equal(fuse_run(&fuse, 0.25f, out), 1);
    expect(&out[0], 0, 15, 0.5f, 3);
}

/* One, two, three and four of four views saw an object of confidence 0.5; a fifth is found twice in each. */
static void what_few_views_found_counts_for_less(void **state)
{
    (void)state;
    fuse_begin(&fuse);
    for (int view = 0; view < 4; view++) {
        struct detection found[6];
        int count = 0;
        for (int object = view; object < 4; object++)
            found[count++] = at((float)(100 * object), (float)(100 * object + 8), 0.5f, 0);
        for (int twice = 0; twice < 2; twice++) found[count++] = at(400, 408, 0.25f, 0);
        fuse_offer(&fuse, found, count);
    }
    assert_int_equal(fuse_run(&fuse, 0, out), 5);
    expect(&out[0], 300, 308, 0.5f, 0);
    expect(&out[1], 200, 208, 0.375f, 0);
    expect(&out[2], 100, 108, 0.25f, 0); /* began before the other of 0.25 */
    expect(&out[3], 400, 408, 0.25f, 0); /* eight members of four views count as four */
    expect(&out[4], 0, 8, 0.125f, 0);
}

static void the_threshold_is_strict(void **state)
{
    (void)state;
    for (int more = 0; more < 2; more++) {
        fuse_begin(&fuse);
        OFFER(at(0, 8, more ? 0.500001f : 0.5f, 0));
        fuse_offer(&fuse, NULL, 0);
        assert_int_equal(fuse_run(&fuse, 0.25f, out), more);
    }
}

static void nothing_found_fuses_to_nothing(void **state)
{
    (void)state;
    fuse_begin(&fuse);
    assert_int_equal(fuse_run(&fuse, 0, out), 0);
    fuse_offer(&fuse, NULL, 0);
    fuse_offer(&fuse, NULL, 0);
    assert_int_equal(fuse_run(&fuse, 0, out), 0);
}

static void classes_stay_apart(void **state)
{
    (void)state;
    fuse_begin(&fuse);
    OFFER(at(0, 8, 0.5f, 2));
    OFFER(at(0, 8, 0.75f, 7));
    assert_int_equal(fuse_run(&fuse, 0, out), 2);
    expect(&out[0], 0, 8, 0.375f, 7);
    expect(&out[1], 0, 8, 0.25f, 2);
}

/* [0, 8] and [0, 4] overlap by exactly one half. */
static void half_an_overlap_is_not_enough(void **state)
{
    (void)state;
    for (int more = 0; more < 2; more++) {
        fuse_begin(&fuse);
        OFFER(at(0, 8, 0.5f, 0));
        OFFER(at(0, more ? 4.001f : 4, 0.5f, 0));
        assert_int_equal(fuse_run(&fuse, 0, out), 2 - more);
    }
}

/* Two clusters, [5, 15] and [0, 10], overlap by a third. [2, 12] overlaps them by 7/13 and 8/12. */
static void a_box_joins_what_it_overlaps_most(void **state)
{
    (void)state;
    fuse_begin(&fuse);
    OFFER(at(5, 15, 0.75f, 0), at(0, 10, 0.5f, 0));
    OFFER(at(2, 12, 0.25f, 0));
    assert_int_equal(fuse_run(&fuse, 0, out), 2);
    expect(&out[0], 5, 15, 0.375f, 0); /* no more confident than the other, but began first */
    expect(&out[1], (float)(0.5 / 0.75), (float)(8 / 0.75), 0.375f, 0);
}

/* [2.5, 12.5] overlaps both by 7.5/12.5. */
static void a_tie_goes_to_the_earlier_cluster(void **state)
{
    (void)state;
    fuse_begin(&fuse);
    OFFER(at(5, 15, 0.75f, 0), at(0, 10, 0.75f, 0));
    OFFER(at(2.5f, 12.5f, 0.75f, 0));
    assert_int_equal(fuse_run(&fuse, 0, out), 2);
    expect(&out[0], 3.75f, 13.75f, 0.75f, 0);
    expect(&out[1], 0, 10, 0.375f, 0);
}

/* Clusters move while they grow: [0, 8] and [0, 12] become [0, 10], which [0, 18] overlaps by more than half and
 * [0, 8] by less. */
static void the_present_box_counts(void **state)
{
    (void)state;
    fuse_begin(&fuse);
    OFFER(at(0, 8, 0.75f, 0));
    OFFER(at(0, 12, 0.75f, 0));
    OFFER(at(0, 18, 0.75f, 0));
    assert_int_equal(fuse_run(&fuse, 0, out), 1);
    assert_true(out[0].confidence == 0.75f && out[0].box.x2 > 12 && out[0].box.x2 < 13);
}

/* Copies of a box are the same whichever view they come from, and so are views that lie apart. */
static void order_of_equals_does_not_matter(void **state)
{
    (void)state;
    static const struct detection views[3][2] = {
        {{{0, 0, 10, 10}, 0.5f, 0, 1}, {{50, 0, 60, 10}, 0.25f, 0, 2}},
        {{{50, 0, 60, 10}, 0.25f, 0, 3}, {{0, 0, 10, 10}, 0.5f, 0, 4}},
        {{{0, 0, 10, 10}, 0.5f, 0, 5}, {{90, 0, 99, 10}, 0.75f, 0, 6}}};
    static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    struct detection first[NMS_MAX_DETECTIONS];
    for (int i = 0; i < 6; i++) {
        fuse_begin(&fuse);
        for (int k = 0; k < 3; k++) fuse_offer(&fuse, views[orders[i][k]], 2);
        assert_int_equal(fuse_run(&fuse, 0, i ? out : first), 3);
        if (i) assert_memory_equal(out, first, 3 * sizeof *out);
    }
}

/* All views full of boxes that share nothing: the most confident are written, the rest is not. */
static void full_views_are_cut(void **state)
{
    (void)state;
    struct detection found[NMS_MAX_DETECTIONS];
    fuse_begin(&fuse);
    for (int view = 0; view < FUSE_MAX_VIEWS; view++) {
        for (int i = 0; i < NMS_MAX_DETECTIONS; i++) {
            const int n = view * NMS_MAX_DETECTIONS + i;
            found[i] = at((float)(10 * n), (float)(10 * n + 8), (float)(1 + n % 1024) / 1024, 0);
        }
        fuse_offer(&fuse, found, NMS_MAX_DETECTIONS);
    }
    assert_int_equal(fuse_run(&fuse, 0, out), NMS_MAX_DETECTIONS);
    for (int i = 0; i < NMS_MAX_DETECTIONS; i++) assert_true(out[i].confidence == (float)(1024 - i) / 4096);
    /* Used again, it is as good as new. */
    OFFER(at(0, 8, 0.5f, 1));
    assert_int_equal(fuse_run(&fuse, 0.25f, out), 1);
    expect(&out[0], 0, 8, 0.5f, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boxes_are_averaged_by_confidence),
        cmocka_unit_test(what_few_views_found_counts_for_less),
        cmocka_unit_test(the_threshold_is_strict),
        cmocka_unit_test(nothing_found_fuses_to_nothing),
        cmocka_unit_test(classes_stay_apart),
        cmocka_unit_test(half_an_overlap_is_not_enough),
        cmocka_unit_test(a_box_joins_what_it_overlaps_most),
        cmocka_unit_test(a_tie_goes_to_the_earlier_cluster),
        cmocka_unit_test(the_present_box_counts),
        cmocka_unit_test(order_of_equals_does_not_matter),
        cmocka_unit_test(full_views_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
