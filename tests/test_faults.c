/* Calls of the system that fail: what the library makes of it. The functions of this name below stand in
 * front of the C library's. */
#include "check.h"

#include "base/file.h"
#include "cli/console.h"
#include "cli/manifest.h"
#include "detect/dataset.h"
#include "image/source_list.h"
#include "train/distill_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <wchar.h>

static int entries;      /* that readdir still gives before it fails */
static int fclose_fails; /* the errno of a flushed stream that cannot be closed, or 0 */
static int umask_calls;

struct dirent *readdir(DIR *folder)
{
    static struct dirent entry;
    (void)folder;
    if (entries-- > 0) {
        strcpy(entry.d_name, "000001.jpg");
        return &entry;
    }
    errno = EIO;
    return NULL;
}

/* Streams of this program stay open: closing is what is tried. */
int fclose(FILE *stream)
{
    const int flushed = fflush(stream);
    if (!fclose_fails) return flushed;
    errno = fclose_fails;
    return EOF;
}

mode_t umask(mode_t mask)
{
    umask_calls++;
    return mask;
}

/* A list that ends early would be taken for the whole. */
static void folders_that_cannot_be_read_are_refused(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct error err;
    struct source_list list = {0};
    struct dataset set;
    struct manifest_entry entry;
    const char *const folder = check_folder(), *const images = arena_printf(&arena, "%s/images", folder);
    check_ok(file_make_folder(arena_printf(&arena, "%s/candidates", folder), &err), &err);
    check_ok(file_make_folder(images, &err), &err);
    entries = 1;
    assert_int_equal(source_list_folder(&list, &arena, images, &err), ERR_SYSTEM);
    entries = 1;
    assert_int_equal(dataset_open(&set, folder, DATASET_TRAIN, &err), ERR_SYSTEM);
    assert_non_null(strstr(err.message, "/images: "));
    entries = 0;
    assert_int_equal(manifest_hash(&entry, "frames", images, 1, &arena, &err), ERR_SYSTEM);
    assert_non_null(strstr(err.message, "/images/: "));
    entries = 0;
    assert_int_equal(distill_open_folder(folder, "recipe", &arena, &err), ERR_SYSTEM);
    assert_non_null(strstr(err.message, "/candidates: "));
    arena_free(&arena);
}

static void what_closing_says_is_told(void **state)
{
    (void)state;
    struct error err;
    char path[600];
    snprintf(path, sizeof path, "%s/value", check_folder());
    fclose_fails = EDQUOT;
    errno = 0;
    assert_int_equal(file_write_loose(path, "value", 5, &err), ERR_SYSTEM);
    fclose_fails = 0;
    assert_non_null(strstr(err.message, strerror(EDQUOT)));
    assert_false(file_exists(path));
}

/* The mask is the process's: while it is another, files of the host's other threads are open to all. */
static void the_mask_of_the_process_stays(void **state)
{
    (void)state;
    struct error err;
    struct stat info, plain;
    char path[600], other[600];
    snprintf(path, sizeof path, "%s/value", check_folder());
    snprintf(other, sizeof other, "%s/other", check_folder());
    check_ok(file_write(path, "value", 5, &err), &err);
    assert_int_equal(umask_calls, 0);
    FILE *const stream = fopen(other, "w");
    assert_non_null(stream);
    assert_true(stat(path, &info) == 0 && stat(other, &plain) == 0);
    assert_int_equal(info.st_mode, plain.st_mode);
}

static void results_that_cannot_be_made_are_told(void **state)
{
    (void)state;
    struct console console;
    struct error err;
    console_open(&console, true, false);
    check_ok(console_close(&console, &err), &err);
    console_print(&console, "%lc", (wint_t)0x10ffff); /* no character of the C locale */
    assert_int_equal(console_close(&console, &err), ERR_SYSTEM);
    assert_non_null(strstr(err.message, "a result is missing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_that_cannot_be_read_are_refused),
        cmocka_unit_test(what_closing_says_is_told),
        cmocka_unit_test(the_mask_of_the_process_stays),
        cmocka_unit_test(results_that_cannot_be_made_are_told),
    };
    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
