/* The default validation of the main job: frames held out of the chosen ones. */
#include "check_distill.h"

#include "base/file.h"
#include "base/text.h"

#include <string.h>

enum { FRAMES = CHECK_DISTILL_FRAMES, SIDE = CHECK_DISTILL_SIDE, HELD = 4 };
static const int held[HELD] = {0, 3, 7, 11}; /* of twelve frames: floor(k * 11 / 3) */

static bool is_held(int frame)
{
    for (int i = 0; i < HELD; i++)
        if (held[i] == frame) return true;
    return false;
}

/* The training's loss with all twelve frames chosen; frames whose bit is set have another label. */
static double loss_of_training(struct check_distill *f, unsigned others, int run)
{
    const char label[] = "1 0.5 0.5 0.4 0.3\n", wide[] = "1 0.4 0.5 0.8 0.6\n";
    for (int i = 0; i < FRAMES; i++)
        check_ok(file_write(arena_printf(&f->arena, "%s/labels/%02d.txt", check_folder(), i),
                            others >> i & 1 ? wide : label, sizeof label - 1, &f->err),
                 &f->err);
    struct distill_options o =
        check_distill_options(&f->arena, arena_printf(&f->arena, "held%d", run), 1 + run % 2);
    o.validation = DISTILL_HOLDOUT;
    o.scoring.size = SIDE;
    o.budget = FRAMES;
    o.trainer.epochs = 1;
    check_ok(distill_run(&f->result, &o, NULL, &f->arena, &f->err), &f->err);
    assert_int_equal(f->result.chosen_count, FRAMES);
    assert_int_equal(f->result.validation_frames, HELD);
    assert_int_equal(f->result.training.count, 1);
    return f->result.training.epochs[0].loss.total;
}

/* The default validation: a tenth, but at least four frames, at even distances over the chosen ones, first
 * and last among them. Their labels leave the training as it is, bit for bit and on any number of threads, so
 * they take no part in it; the label of any other frame changes it. */
static void held_out_frames_do_not_teach(void **state)
{
    struct check_distill *const f = *state;
    unsigned all_held = 0;
    for (int i = 0; i < HELD; i++) all_held |= 1u << held[i];
    const double usual = loss_of_training(f, 0, 0);
    assert_true(loss_of_training(f, all_held, 1) == usual);
    for (int i = 0; i < FRAMES; i++)
        if (!is_held(i)) assert_true(loss_of_training(f, 1u << i, 2 + i) != usual);
}

/* And they are what validates: when they alone have no object, nobody knows whether the student got better.
 */
static void held_out_frames_validate(void **state)
{
    struct check_distill *const f = *state;
    struct distill_options o = check_distill_options(&f->arena, "judged", 1);
    o.validation = DISTILL_HOLDOUT;
    o.scoring.size = SIDE;
    o.budget = FRAMES;
    o.ship_better = true;
    check_ok(distill_run(&f->result, &o, NULL, &f->arena, &f->err), &f->err);
    assert_false(f->result.withheld && strstr(f->result.withheld, "nobody knows"));
    for (int i = 0; i < HELD; i++)
        check_ok(file_write(arena_printf(&f->arena, "%s/labels/%02d.txt", check_folder(), held[i]), "", 0,
                            &f->err),
                 &f->err);
    o.folder = check_distill_path(&f->arena, "blind");
    check_ok(distill_run(&f->result, &o, NULL, &f->arena, &f->err), &f->err);
    assert_non_null(strstr(f->result.withheld, "nobody knows"));
}

/* A student that does not change scores the same, and the fifth decimal does not make it better. */
static void an_equal_score_is_no_rise(void **state)
{
    struct check_distill *const f = *state;
    struct model student;
    struct distill_options o = check_distill_options(&f->arena, "equal", 1);
    check_ok(model_make(&student, (struct yolo11_config){.scale = YOLO11_PICO, .classes = 1}, &f->err),
             &f->err);
    for (int i = 0; i < student.params.count; i++) {
        const struct param *p = student.params.list + i;
        check_synth(params_values(&student.params, i), p->name, p->shape, p->dims);
    }
    o.student = check_distill_path(&f->arena, "one.safetensors");
    check_ok(model_save(&student, o.student, false, NULL, NULL, &f->err), &f->err);
    model_free(&student);
    o.validation = DISTILL_HOLDOUT;
    o.scoring.size = 4 * SIDE; /* boxes of fresh weights are some 120 pixels wide */
    o.budget = FRAMES;
    o.ship_better = o.trainer.frozen_norm = true;
    o.trainer.epochs = 1;
    o.trainer.schedule.optimizer = OPTIMIZER_SGD;
    o.trainer.schedule.rate = o.trainer.schedule.warmup_bias_rate = 1e-30;
    struct text label = {0};
    for (int i = 0; i < 16; i++)
        text_format(&label, "1 0.%d 0.%d 0.%d 0.%d\n", 3 + i % 4, 3 + i / 4, 4 + i % 3, 4 + i % 3);
    for (int i = 0; i < FRAMES; i++)
        check_ok(file_write(arena_printf(&f->arena, "%s/labels/%02d.txt", check_folder(), i), label.data,
                            label.size, &f->err),
                 &f->err);
    text_free(&label);
    check_ok(distill_run(&f->result, &o, NULL, &f->arena, &f->err), &f->err);
    assert_true(f->result.training.best_score == trainer_rounded(f->result.validation_before));
    assert_true(f->result.training.best_score > f->result.validation_before); /* by rounding up */
    assert_non_null(f->result.withheld);
}

/* Below eight frames none is held out, else at least four; a tenth of many: tests/cli/distill.sh. */
static void at_least_four_are_held_out(void **state)
{
    struct check_distill *const f = *state;
    static const struct {
        int chosen, held;
    } cases[] = {{7, 0}, {8, 4}, {12, 4}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct distill_options o =
            check_distill_options(&f->arena, arena_printf(&f->arena, "tenth%zu", i), 1);
        o.validation = DISTILL_HOLDOUT;
        o.scoring.size = SIDE;
        o.budget = cases[i].chosen;
        o.trainer.epochs = 1;
        check_ok(distill_run(&f->result, &o, NULL, &f->arena, &f->err), &f->err);
        assert_int_equal(f->result.chosen_count, cases[i].chosen);
        assert_int_equal(f->result.validation_frames, cases[i].held);
        assert_int_equal(f->result.training.best_epoch >= 0, cases[i].held > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK_DISTILL_TEST(held_out_frames_do_not_teach),
        CHECK_DISTILL_TEST(held_out_frames_validate),
        CHECK_DISTILL_TEST(an_equal_score_is_no_rise),
        CHECK_DISTILL_TEST(at_least_four_are_held_out),
    };
    return cmocka_run_group_tests_name("distill_holdout", tests, NULL, NULL);
}
