/* Frames that score the main job's result are refused wherever else they turn up. */
#include "check_distill.h"

#include "base/file.h"
#include "image/decode.h"
#include "image/encode.h"

#include <string.h>

enum { SIDE = CHECK_DISTILL_SIDE };

/* A data set of one picture: frame 7 with `change` added to one byte, in the format of `name`. */
static const char *make_set(struct arena *arena, const char *set, const char *name, int change)
{
    struct error err;
    struct image image = {0};
    const char *path = check_distill_path(arena, set), label[] = "1 0.5 0.5 0.4 0.3\n";
    check_ok(file_make_folder(arena_printf(arena, "%s/images", path), &err), &err);
    check_ok(file_make_folder(arena_printf(arena, "%s/labels", path), &err), &err);
    check_ok(image_read(&image, check_distill_path(arena, "frames/07.ppm"), &err), &err);
    image.pixels[SIDE * SIDE] = (uint8_t)(image.pixels[SIDE * SIDE] ^ change);
    check_ok(image_write(arena_printf(arena, "%s/images/%s", path, name), &image, 95, &err), &err);
    check_ok(file_write(arena_printf(arena, "%s/labels/one.txt", path), label, sizeof label - 1, &err), &err);
    image_free(&image);
    return path;
}

static void refused(struct check_distill *f, const struct distill_options *o, const char *file,
                    const char *same)
{
    assert_int_equal(distill_run(&f->result, o, NULL, &f->arena, &f->err), ERR_INPUT);
    assert_non_null(strstr(f->err.message, file));
    assert_non_null(strstr(f->err.message, same));
    assert_false(file_exists(o->folder)); /* nothing that the next try would take for an earlier run */
}

/* What scores the result has no part in making it, whatever the files are called and in whatever format. */
static void test_frames_stay_apart(void **state)
{
    struct check_distill *const f = *state;
    static const int vehicle[] = {1};
    const char *const png = HAVE_PNG ? "one.png" : "one.ppm";
    const char *const same_picture = HAVE_PNG ? "same/images/one.png" : "same/images/one.ppm";
    struct distill_options o = check_distill_options(&f->arena, "apart", 1);
    o.scoring.size = SIDE;
    o.scoring.label_list = o.scoring.vehicle_list = vehicle;
    o.scoring.label_count = o.scoring.vehicle_count = 1;
    const char *const other = make_set(&f->arena, "other", "one.ppm", 1);
    const char *const same = make_set(&f->arena, "same", png, 0);
    o.test = same;
    refused(f, &o, "frames/07.ppm", same_picture);
    o.select.rule = SELECT_N_FIRST; /* a frame that would not be taken, either */
    o.budget = o.gamma = 2;
    refused(f, &o, "frames/07.ppm", same_picture);
    o.test = make_set(&f->arena, "stored", "one.jpg", 0); /* as an earlier run would have stored it */
    o.select.rule = SELECT_ALL;
    refused(f, &o, "frames/07.ppm", "stored/images/one.jpg");
    o.test = other;
    o.validation = DISTILL_FOLDER;
    o.validation_folder = make_set(&f->arena, "val", png, 1);
    refused(f, &o, "val/images/", "other/images/one.ppm");
    o.guard = o.validation_folder;
    o.validation = DISTILL_NO_VALIDATION;
    refused(f, &o, "val/images/", "other/images/one.ppm");
    o.guard = same;
    check_ok(distill_run(&f->result, &o, NULL, &f->arena, &f->err), &f->err);
    assert_int_equal(f->result.before.images, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK_DISTILL_TEST(test_frames_stay_apart),
    };
    return cmocka_run_group_tests_name("distill_apart", tests, NULL, NULL);
}
