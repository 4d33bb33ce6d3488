#include "check_corpus.h"

#include "base/file.h"
#include "check.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void replay(const char *path, int (*one_input)(const uint8_t *, size_t))
{
    struct file_view view;
    struct error err;
    check_ok(file_map(&view, path, &err), &err);
    for (size_t n = 0; n <= view.size; n++) {
        uint8_t *const copy = malloc(n + !n); /* of its own, so that a sanitizer sees the end */
        assert_non_null(copy);
        memcpy(copy, view.data, n);
        assert_int_equal(one_input(copy, n), 0);
        free(copy);
    }
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
