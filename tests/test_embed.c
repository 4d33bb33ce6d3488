/* Embedders of both kinds: preprocessing and class tokens against the reference, refusals, repeated runs. */
#include "check.h"
#include "check_net.h"

#include "image/decode.h"
#include "image/resize.h"
#include "nn/load.h"
#include "nn/safetensors.h"
#include "select/embed.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct kernels *kernels_here(void)
{
    struct error err;
    const struct kernels *kernels;
    check_ok(kernels_get(&kernels, NULL, &err), &err);
    return kernels;
}

/* A file of synthetic weights with the given configuration, in the test's folder. */
static const char *vit_file_for(struct vit_config config, const char *name, const char *image_size)
{
    static char path[600];
    struct params params = {0};
    struct graph graph;
    struct vit model;
    struct error err;
    graph_begin(&graph, &params);
    check_ok(vit_build(&model, &graph, config, 224, 224, false, &err), &err);
    check_synth_params(&params);
    snprintf(path, sizeof path, "%s/%s", check_folder(), name);
    const struct weight_text metadata = {"image_size", image_size};
    check_ok(params_save(&params, path, false, &metadata, image_size ? 1 : 0, &err), &err);
    graph_free(&graph);
    params_free(&params);
    return path;
}

static const char *vit_file(struct vit_config config, const char *name)
{
    return vit_file_for(config, name, NULL);
}

static const char *detector_file(void)
{
    static char path[600];
    struct params params = {0};
    struct graph graph;
    struct yolo11 model;
    struct error err;
    graph_begin(&graph, &params);
    check_ok(yolo11_build(&model, &graph, (struct yolo11_config){.scale = YOLO11_PICO, .classes = 3}, 64, 64,
                          &err),
             &err);
    check_synth_params(&params);
    snprintf(path, sizeof path, "%s/detector.safetensors", check_folder());
    check_ok(params_save(&params, path, false, NULL, 0, &err), &err);
    graph_free(&graph);
    params_free(&params);
    return path;
}

static const struct vit_config vit_s = {384, 12, 6, 1536, 37, 0, false};
static const struct vit_config vit_tiny = {96, 2, 3, 384, 5, 0, false};

static void noise(struct image *image, int width, int height, unsigned seed)
{
    struct error err;
    check_ok(image_reserve(image, width, height, &err), &err);
    for (size_t i = 0; i < image_bytes(image); i++) {
        seed = seed * 1664525u + 1013904223u;
        image->pixels[i] = (uint8_t)(seed >> 24);
    }
}

static double length(const float *values, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += (double)values[i] * values[i];
    return sqrt(sum);
}

/* golden/vit's tolerances: class token 2e-5 given the pixels, embedding 2e-6. The class token is compared
 * through the norm that the reference's class token has. */
static void pictures_give_the_reference_embeddings(void **state)
{
    (void)state;
    static const char *const ids[] = {"000000000009", "000000000072", "000000000086"};
    struct weights reference;
    struct embedder embedder;
    struct error err;
    const char *golden = check_shared("golden/vit/jpeg_embedding.safetensors");
    check_ok(weights_open(&reference, golden, &err), &err);
    check_ok(embedder_open(&embedder, vit_file(vit_s, "s14.safetensors"), kernels_here(), 2, &err), &err);
    assert_int_equal(embedder.kind, EMBEDDER_VIT);
    assert_int_equal(embedder.dim, 384);
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        char name[64];
        struct image image = {0}, small = {0};
        snprintf(name, sizeof name, "data/coco128/images/%s.jpg", ids[i]);
        check_ok(image_read(&image, check_shared(name), &err), &err);

        check_ok(resize_antialias(&small, &image, 224, 224, RESIZE_HORIZONTAL_FIRST, &err), &err);
        snprintf(name, sizeof name, "%s.rgb224", ids[i]);
        const struct weight_tensor *pixels = weights_find(&reference, name);
        assert_non_null(pixels);
        assert_int_equal(pixels->count, image_bytes(&small));
        assert_memory_equal(pixels->data, small.pixels, image_bytes(&small));

        float *input = malloc(image_bytes(&small) * sizeof *input);
        embed_input(input, &small);
        snprintf(name, sizeof name, "%s.input_row0", ids[i]);
        float *row = check_reference(&reference, name, NULL);
        for (int c = 0; c < 3; c++)
            for (int x = 0; x < 224; x++) assert_true(fabsf(row[c * 224 + x] - input[3 * x + c]) <= 5e-7f);
        free(row);
        free(input);

        float found[384];
        bool zero;
        check_ok(embed_image(&embedder, &image, found, &zero, &err), &err);
        assert_false(zero);
        snprintf(name, sizeof name, "%s.embedding", ids[i]);
        float *expected = check_reference(&reference, name, NULL);
        const double unit = check_max_difference(found, expected, 384);
        free(expected);
        snprintf(name, sizeof name, "%s.cls", ids[i]);
        expected = check_reference(&reference, name, NULL);
        const double token =
            check_max_difference(net_value(&embedder.net, embedder.features).data, expected, 384);
        free(expected);
        printf("%s: class token %.2g (limit 2e-5), embedding %.2g (limit 2e-6)\n", ids[i], token, unit);
        assert_true(token <= 2e-5 && unit <= 2e-6);
        image_free(&image);
        image_free(&small);
    }
    embedder_close(&embedder);
    weights_close(&reference);
}

/* The reference's class tokens of three input sizes become its embeddings. */
static void normalising_matches(void **state)
{
    (void)state;
    static const char *const sizes[] = {"224x224", "196x196", "140x224"};
    struct weights reference;
    struct error err;
    check_ok(weights_open(&reference, check_shared("golden/vit/vits14_synth.safetensors"), &err), &err);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.cls", sizes[i]);
        float *token = check_reference(&reference, name, NULL);
        snprintf(name, sizeof name, "%s.embedding", sizes[i]);
        float *expected = check_reference(&reference, name, NULL);
        assert_true(embed_normalise(token, 384));
        assert_true(check_max_difference(token, expected, 384) <= 2e-6);
        free(token);
        free(expected);
    }
    weights_close(&reference);
}

static void a_zero_vector_stays_and_is_reported(void **state)
{
    (void)state;
    float values[3] = {0, 0, 0}, other[2] = {3, 4};
    assert_false(embed_normalise(values, 3));
    assert_true(values[0] == 0 && values[1] == 0 && values[2] == 0);
    assert_true(embed_normalise(other, 2));
    assert_true(other[0] == 0.6f && other[1] == 0.8f);
}

/* Wide, tall, wide again: the plan follows the size and leaves nothing behind. */
static void a_detector_embeds_pictures_of_any_shape(void **state)
{
    (void)state;
    struct embedder embedder;
    struct error err;
    struct image wide = {0}, tall = {0};
    noise(&wide, 320, 90, 1);
    noise(&tall, 50, 200, 2);
    check_ok(embedder_open(&embedder, detector_file(), kernels_here(), 2, &err), &err);
    assert_int_equal(embedder.kind, EMBEDDER_DETECTOR);
    float first[1024], second[1024], third[1024];
    bool zero;
    assert_in_range(embedder.dim, 1, 1024);
    check_ok(embed_image(&embedder, &wide, first, &zero, &err), &err);
    assert_int_equal(embedder.width, 640);
    assert_int_equal(embedder.height, 192);
    check_ok(embed_image(&embedder, &tall, second, NULL, &err), &err);
    assert_int_equal(embedder.width, 160);
    assert_int_equal(embedder.height, 640);
    check_ok(embed_image(&embedder, &wide, third, NULL, &err), &err);
    assert_memory_equal(first, third, (size_t)embedder.dim * sizeof(float));
    assert_false(zero);
    assert_true(fabs(length(first, embedder.dim) - 1) < 1e-6 &&
                fabs(length(second, embedder.dim) - 1) < 1e-6);
    assert_true(memcmp(first, second, (size_t)embedder.dim * sizeof(float)) != 0);
    embedder_close(&embedder);
    image_free(&wide);
    image_free(&tall);
}

static void threads_and_tables_give_the_same_embedding(void **state)
{
    (void)state;
    struct error err;
    struct image image = {0};
    float first[96], found[96];
    int count;
    const struct kernels *const *tables = kernels_available(&count);
    const char *path = vit_file(vit_tiny, "tiny.safetensors");
    noise(&image, 100, 60, 3);
    for (int i = 0; i < 2 * count; i++) {
        struct embedder embedder;
        check_ok(embedder_open(&embedder, path, tables[i / 2], i % 2 ? 3 : 1, &err), &err);
        check_ok(embed_image(&embedder, &image, found, NULL, &err), &err);
        if (!i) memcpy(first, found, sizeof first);
        assert_memory_equal(first, found, sizeof first);
        embedder_close(&embedder);
    }
    image_free(&image);
}

static void files_are_recognised_by_their_shapes(void **state)
{
    (void)state;
    static const struct vit_config cases[] = {
        {96, 2, 3, 384, 5, 0, false}, {128, 1, 2, 200, 3, 4, true}, {64, 3, 1, 64, 37, 0, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct weights weights;
        struct vit_config found;
        struct error err;
        check_ok(weights_open(&weights, vit_file(cases[i], "case.safetensors"), &err), &err);
        check_ok(vit_identify(&found, &weights, &err), &err);
        const struct vit_config want = cases[i];
        assert_true(found.dim == want.dim && found.depth == want.depth && found.heads == want.heads);
        assert_true(found.mlp == want.mlp && found.grid == want.grid);
        assert_true(found.registers == want.registers && found.antialias == want.antialias);
        weights_close(&weights);
    }
}

static void files_name_the_size_of_their_pictures(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "0", "13", "100", "112px", "14000"};
    struct error err;
    struct embedder embedder;
    struct image image = {0};
    float found[96];
    noise(&image, 100, 60, 3);
    check_ok(
        embedder_open(&embedder, vit_file_for(vit_tiny, "side.safetensors", "112"), kernels_here(), 1, &err),
        &err);
    assert_int_equal(embedder.side, 112);
    check_ok(embed_image(&embedder, &image, found, NULL, &err), &err);
    assert_int_equal(embedder.canvas.width, 112);
    embedder_close(&embedder);
    image_free(&image);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const char *path = vit_file_for(vit_tiny, "side.safetensors", wrong[i]);
        assert_int_equal(embedder_open(&embedder, path, kernels_here(), 1, &err), ERR_INPUT);
        assert_non_null(strstr(err.message, "image_size"));
    }
}

/* A file with the named tensors of the given sizes and zeros in them. */
static enum status open_odd(const struct safetensors_item *items, size_t count, struct error *err)
{
    char path[600];
    struct embedder embedder;
    snprintf(path, sizeof path, "%s/odd.safetensors", check_folder());
    check_ok(safetensors_write(path, items, count, NULL, 0, err), err);
    return embedder_open(&embedder, path, kernels_here(), 1, err);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    static const float zeros[1024];
    struct error err;
    struct embedder embedder;
    const struct safetensors_item neither[] = {{.name = "x", .dims = 1, .shape = {3}, .values = zeros}};
    assert_int_equal(open_odd(neither, 1, &err), ERR_INPUT);
    assert_non_null(strstr(err.message, "neither"));
    const struct safetensors_item part[] = {
        {.name = "cls_token", .dims = 3, .shape = {1, 1, 96}, .values = zeros},
        {.name = "pos_embed", .dims = 3, .shape = {1, 7, 96}, .values = zeros}};
    assert_int_equal(open_odd(part, 2, &err), ERR_INPUT);
    assert_non_null(strstr(err.message, "7 positions"));
    const struct safetensors_item stem[] = {
        {.name = "model.0.conv.weight", .dims = 4, .shape = {16, 3, 3, 3}, .values = zeros}};
    assert_int_equal(open_odd(stem, 1, &err), ERR_INPUT);
    assert_int_equal(embedder_open(&embedder, "no/such/file", kernels_here(), 1, &err), ERR_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_give_the_reference_embeddings),
        cmocka_unit_test(normalising_matches),
        cmocka_unit_test(a_zero_vector_stays_and_is_reported),
        cmocka_unit_test(a_detector_embeds_pictures_of_any_shape),
        cmocka_unit_test(threads_and_tables_give_the_same_embedding),
        cmocka_unit_test(files_are_recognised_by_their_shapes),
        cmocka_unit_test(files_name_the_size_of_their_pictures),
        cmocka_unit_test(other_files_are_refused),
    };
    return cmocka_run_group_tests_name("embed", tests, NULL, NULL);
}
