#include "check_corpus.h"

#include "base/file.h"
#include "base/rng.h"
#include "check.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CUTS = 512, FLIPS = 128, MAX_BITS = 4 };

/* The first n bytes, with so many flipped bits. */
static void feed(const struct file_view *view, size_t n, int bits, struct rng *rng,
                 int (*one_input)(const uint8_t *, size_t))
{
    uint8_t *const copy = malloc(n + !n); /* of its own, so that a sanitizer sees the end */
    assert_non_null(copy);
    memcpy(copy, view->data, n);
    for (int i = 0; i < bits; i++) copy[rng_next_int(rng, (int)n)] ^= (uint8_t)(1 << rng_next_int(rng, 8));
    assert_int_equal(one_input(copy, n), 0);
    free(copy);
}

static void replay(const char *path, int (*one_input)(const uint8_t *, size_t))
{
    struct file_view view;
    struct error err;
    struct rng rng = {rng_key(1, path), 0};
    check_ok(file_map(&view, path, &err), &err);
    feed(&view, view.size, 0, &rng, one_input);
    const size_t cuts = view.size < CUTS ? view.size : CUTS;
    for (size_t i = 0; i < cuts; i++) feed(&view, i * view.size / cuts, 0, &rng, one_input);
    for (int i = 0; i < FLIPS && view.size; i++)
        feed(&view, view.size, 1 + rng_next_int(&rng, MAX_BITS), &rng, one_input);
    file_unmap(&view);
}

void check_corpus(const char *name, int (*one_input)(const uint8_t *data, size_t size))
{
    char folder[256], path[600];
    snprintf(folder, sizeof folder, "fuzz/corpus/%s", name);
    DIR *const d = opendir(folder);
    assert_non_null(d);
    int files = 0;
    for (const struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        replay(path, one_input);
        files++;
    }
    closedir(d);
    assert_true(files > 0);
}
