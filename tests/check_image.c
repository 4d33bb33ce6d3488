#include "check_image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if HAVE_JANSSON
#include <jansson.h>
#endif

void check_image_synth(struct image *image, const char *name, int width, int height)
{
    struct error err;
    check_ok(image_reserve(image, width, height, &err), &err);
    float *u = malloc(image_bytes(image) * sizeof *u);
    assert_non_null(u);
    check_uniform(u, name, image_bytes(image));
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const size_t at = ((size_t)y * (size_t)width + (size_t)x) * 3;
            const double ramp[3] = {x * 255 / (double)(width - 1), y * 255 / (double)(height - 1),
                                    (x / 8 + y / 8) % 2 * 200};
            for (size_t c = 0; c < 3; c++) {
                const double v = 0.7 * ramp[c] + (double)(76 * u[at + c]);
                image->pixels[at + 2 - c] = (uint8_t)(v > 255 ? 255 : v);
            }
        }
    free(u);
}

void check_image_hash(const struct image *image, bool bgr, char hex[SHA256_HEX])
{
    struct sha256 hash;
    sha256_init(&hash);
    for (size_t i = 0; i < image_bytes(image); i += 3) {
        const uint8_t *p = image->pixels + i;
        sha256_add(&hash, bgr ? (uint8_t[]){p[2], p[1], p[0]} : (uint8_t[]){p[0], p[1], p[2]}, 3);
    }
    sha256_hex(&hash, hex);
}

uint8_t *check_bytes(const char *path, size_t *n)
{
    FILE *file = fopen(path, "rb");
    if (!file) print_error("%s: cannot be opened\n", path);
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *n = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = malloc(*n + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *n, file), *n);
    fclose(file);
    return data;
}

size_t check_image_difference(const struct image *a, const struct image *b, int *largest)
{
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    size_t count = 0;
    *largest = 0;
    for (size_t i = 0; i < image_bytes(a); i++) {
        const int d = abs(a->pixels[i] - b->pixels[i]);
        count += d != 0;
        if (d > *largest) *largest = d;
    }
    return count;
}

#if HAVE_JANSSON
void check_image_tensor(struct image *image, const char *path, const char *name, bool bgr)
{
    size_t n;
    uint8_t *data = check_bytes(path, &n);
    uint64_t length = 0;
    for (int i = 0; i < 8; i++) length |= (uint64_t)data[i] << 8 * i;
    json_t *header = json_loadb((char *)data + 8, length, 0, NULL);
    json_t *entry = json_object_get(header, name), *shape = json_object_get(entry, "shape");
    if (!entry) print_error("%s: no tensor %s\n", path, name);
    assert_string_equal(json_string_value(json_object_get(entry, "dtype")), "U8");
    const size_t start =
        (size_t)json_integer_value(json_array_get(json_object_get(entry, "data_offsets"), 0));
    const uint8_t *in = data + 8 + length + start;
    const size_t dims = json_array_size(shape);
    int size[3] = {0, 0, 1};
    for (size_t i = 0; i < dims; i++) size[i] = (int)json_integer_value(json_array_get(shape, i));
    const bool planes = dims == 3 && size[2] != 3;
    struct error err;
    check_ok(image_reserve(image, size[planes ? 2 : 1], size[planes ? 1 : 0], &err), &err);
    const size_t n_pixels = image_bytes(image) / 3;
    for (size_t i = 0; i < n_pixels; i++)
        for (size_t c = 0; c < 3; c++)
            image->pixels[3 * i + c] = dims == 2 ? in[i]
                                       : planes  ? in[c * n_pixels + i]
                                                 : in[3 * i + (bgr ? 2 - c : c)];
    json_decref(header);
    free(data);
}
#else
void check_image_tensor(struct image *image, const char *path, const char *name, bool bgr)
{
    (void)image, (void)bgr;
    printf("skip: %s of %s needs jansson\n", name, path);
    skip();
}
#endif
