/* One picture like the other takes no memory. The functions of this name below stand in front of the C
 * library's. */
#include "check.h"

#include "detect/detector.h"

#include <stdio.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || !defined(__GLIBC__)
#define SANITIZED 1
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum { SIZE = 96, FOUND = 300 };

static int allocations;

#if !SANITIZED /* sanitizers have an allocator of their own */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t n);
void *__libc_memalign(size_t alignment, size_t n);

void *malloc(size_t n)
{
    allocations++;
    return __libc_malloc(n);
}

void *calloc(size_t count, size_t size)
{
    allocations++;
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t n)
{
    allocations++;
    return __libc_realloc(memory, n);
}

void *aligned_alloc(size_t alignment, size_t n)
{
    allocations++;
    return __libc_memalign(alignment, n);
}
#endif

static void fill(struct image *image, int shade)
{
    for (size_t i = 0; i < image_bytes(image); i++) image->pixels[i] = (uint8_t)(i * i / 7 + (size_t)shade);
}

static void detections_allocate_nothing(void **state)
{
    (void)state;
    static struct detection found[FOUND];
    const struct kernels *kernels;
    struct error err;
    struct model model;
    struct detector detector;
    struct image picture;
    int count;
    if (SANITIZED) {
        printf("skip: this allocator is another's\n");
        skip();
    }
    check_ok(kernels_get(&kernels, NULL, &err), &err);
    check_ok(model_make(&model, (struct yolo11_config){.scale = YOLO11_PICO, .classes = 3}, &err), &err);
    for (int i = 0; i < model.params.count; i++) {
        const struct param *p = model.params.list + i;
        check_synth(params_values(&model.params, i), p->name, p->shape, p->dims);
    }
    struct nms_options nms = nms_predict_options();
    nms.confidence = 0.001f;
    detector_begin(&detector, &model, kernels, 1, &nms);
    check_ok(image_alloc(&picture, 150, 110, &err), &err);
    for (int i = 0; i < 6; i++) { /* predicted thrice, then validated, which resizes twice */
        const struct letterbox box = letterbox_validate(150, 110, SIZE, SIZE, SIZE);
        if (i == 3) detector_end(&detector), detector_begin(&detector, &model, kernels, 1, &nms);
        fill(&picture, 9 * i);
        const int before = allocations;
        check_ok(i < 3 ? detector_predict(&detector, &picture, SIZE, true, found, &count, &err)
                       : detector_run(&detector, &picture, &box, found, &count, &err),
                 &err);
        if (i % 3)
            assert_int_equal(allocations, before);
        else
            assert_true(allocations > before); /* they are counted */
        assert_true(count > 0);
    }
    detector_end(&detector);
    image_free(&picture);
    model_free(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(detections_allocate_nothing),
    };
    return cmocka_run_group_tests_name("steady", tests, NULL, NULL);
}
