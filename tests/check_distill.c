#include "check_distill.h"

#include "base/file.h"
#include "base/rng.h"
#include "image/encode.h"

enum { FRAMES = CHECK_DISTILL_FRAMES, SIDE = CHECK_DISTILL_SIDE };

char *check_distill_path(struct arena *arena, const char *name)
{
    return arena_printf(arena, "%s/%s", check_folder(), name);
}

static void make_frames(struct arena *arena)
{
    struct error err;
    check_ok(file_make_folder(check_distill_path(arena, "frames"), &err), &err);
    check_ok(file_make_folder(check_distill_path(arena, "labels"), &err), &err);
    for (int i = 0; i < FRAMES; i++) {
        struct image image;
        check_ok(image_alloc(&image, SIDE, SIDE, &err), &err);
        for (int p = 0; p < SIDE * SIDE * 3; p++)
            image.pixels[p] =
                (uint8_t)rng_int(rng_key(3, "pixels"), (uint64_t)(i / 3 * SIDE * SIDE * 3 + p), 200 + i);
        check_ok(image_write(arena_printf(arena, "%s/frames/%02d.ppm", check_folder(), i), &image, 90, &err),
                 &err);
        image_free(&image);
        const char label[] = "1 0.5 0.5 0.4 0.3\n3 0.2 0.2 0.1 0.1\n";
        check_ok(file_write(arena_printf(arena, "%s/labels/%02d.txt", check_folder(), i), label,
                            sizeof label - 1, &err),
                 &err);
    }
}

void check_distill_break(struct arena *arena, int i)
{
    struct error err;
    const char text[] = "P6\n64 64\n255\nand nothing";
    check_ok(
        file_write(arena_printf(arena, "%s/frames/%02d.ppm", check_folder(), i), text, sizeof text - 1, &err),
        &err);
}

static const char *make_student(struct arena *arena)
{
    struct error err;
    struct model model;
    const char *path = check_distill_path(arena, "student.safetensors");
    check_ok(model_make(&model, (struct yolo11_config){.scale = YOLO11_PICO, .classes = 4}, &err), &err);
    for (int i = 0; i < model.params.count; i++) {
        const struct param *p = model.params.list + i;
        check_synth(params_values(&model.params, i), p->name, p->shape, p->dims);
    }
    check_ok(model_save(&model, path, false, NULL, NULL, &err), &err);
    model_free(&model);
    return path;
}

struct distill_options check_distill_options(struct arena *arena, const char *folder, int threads)
{
    static const int classes[2] = {1, 2};
    struct error err;
    struct distill_options o = {.student = make_student(arena),
                                .frames = check_distill_path(arena, "frames"),
                                .folder = check_distill_path(arena, folder),
                                .teacher_labels = check_distill_path(arena, "labels"),
                                .teacher = teacher_default_options(),
                                .budget = CHECK_DISTILL_BUDGET,
                                .gamma = 2,
                                .select = select_defaults(),
                                .filter = filter_defaults(),
                                .vehicles = classes,
                                .vehicle_count = 2,
                                .size = SIDE,
                                .trainer = trainer_defaults(),
                                .validation = DISTILL_NO_VALIDATION,
                                .scoring = evaluate_default_options(),
                                .threads = threads};
    o.teacher.class_list = classes;
    o.teacher.class_count = 2;
    o.select.rule = SELECT_ALL;
    o.trainer.threads = threads;
    o.trainer.epochs = 2;
    o.trainer.batch = 2;
    o.trainer.augment.size = SIDE;
    check_ok(kernels_get(&o.kernels, NULL, &err), &err);
    return o;
}

int check_distill_begin(void **state)
{
    static struct check_distill f;
    f = (struct check_distill){0};
    make_frames(&f.arena);
    *state = &f;
    return 0;
}

int check_distill_end(void **state)
{
    struct check_distill *const f = *state;
    arena_free(&f->arena);
    return 0;
}
