/* Frames, labels and a student of a few pixels for tests of the main job. */
#ifndef RETORT_TESTS_CHECK_DISTILL_H
#define RETORT_TESTS_CHECK_DISTILL_H

#include "check.h"

#include "train/distill.h"

enum { CHECK_DISTILL_FRAMES = 12, CHECK_DISTILL_SIDE = 64, CHECK_DISTILL_BUDGET = 4 };

struct check_distill {
    struct error err;
    struct arena arena;
    struct distill_result result;
};

/* Every test has its frames anew: some break one. They are frames/00.ppm ... in the test's folder, each with
 * an object of class 1 and one of class 3 in labels/. */
int check_distill_begin(void **state);
int check_distill_end(void **state);
#define CHECK_DISTILL_TEST(name) cmocka_unit_test_setup_teardown(name, check_distill_begin, check_distill_end)

char *check_distill_path(struct arena *arena, const char *name); /* in the test's folder */

/* Cuts frame i off. */
void check_distill_break(struct arena *arena, int i);

/* Two epochs, every frame a candidate, no validation; the output goes to `folder` in the test's. */
struct distill_options check_distill_options(struct arena *arena, const char *folder, int threads);

#endif
