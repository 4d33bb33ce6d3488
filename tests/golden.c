/* Runs the golden stages on one ISA and thread count and compares them with tests/golden.txt.
 *
 *   golden [--isa NAME] [--threads N] [--only PATTERN] [--file PATH] [--update | --list]
 *
 * --only runs the table entries whose name contains PATTERN; --update writes what was computed in place of
 * the old lines; --list prints the tables that this CPU runs. Exit status: 0 all equal, 1 not, 2 usage or an
 * ISA that this CPU lacks, 4 no such file. */
#include "golden.h"

#include "base/fpu.h"
#include "base/hash.h"
#include "base/rng.h"
#include "base/status.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    void (*run)(struct golden *golden);
} entries[] = {
    {"rng", golden_rng},           {"dmath", golden_dmath},   {"math", golden_math},   {"rows", golden_rows},
    {"conv", golden_conv},         {"optim", golden_optim},   {"image", golden_image}, {"ops", golden_ops},
    {"models", golden_models},     {"train", golden_train},   {"world", golden_world}, {"int8", golden_int8},
    {"contrast", golden_contrast}, {"select", golden_select}, {"fuse", golden_fuse},
};
enum { ENTRIES = sizeof entries / sizeof *entries, MAX_LINES = 1024, HASH_DIGITS = 16 };

struct line {
    char stage[64], plan[16], hash[HASH_DIGITS + 1];
    bool seen;
};

struct golden_book {
    struct line line[MAX_LINES];
    int lines;
    const char *entry; /* table entry that is running */
    bool update;
    int passed, failed;
};

static struct line *find(struct golden_book *book, const char *stage, const char *plan)
{
    for (int i = 0; i < book->lines; i++)
        if (!strcmp(book->line[i].stage, stage) && !strcmp(book->line[i].plan, plan)) return &book->line[i];
    return NULL;
}

static struct line *append(struct golden_book *book, const char *stage, const char *plan)
{
    assert(book->lines < MAX_LINES);
    struct line *const line = &book->line[book->lines++];
    snprintf(line->stage, sizeof line->stage, "%s", stage);
    snprintf(line->plan, sizeof line->plan, "%s", plan);
    return line;
}

static void check(struct golden *golden, const char *stage, const char *hash)
{
    struct golden_book *const book = golden->book;
    const size_t prefix = strlen(book->entry);
    assert(!strncmp(stage, book->entry, prefix) && stage[prefix] == '.' && strlen(stage) < 64);
    struct line *line = find(book, stage, golden->plan);
    if (line && line->seen) {
        golden_fail(golden, stage, "emitted twice");
        return;
    }
    if (book->update) {
        if (!line) line = append(book, stage, golden->plan);
        memcpy(line->hash, hash, HASH_DIGITS);
    }
    if (line) line->seen = true;
    if (line && !memcmp(line->hash, hash, HASH_DIGITS)) {
        book->passed++;
        return;
    }
    book->failed++;
    printf("  %s %s: expected %s, found %.16s\n", stage, golden->plan, line ? line->hash : "no line", hash);
}

void golden_emit(struct golden *golden, const char *stage, const float *values, size_t n)
{
    struct sha256 hash;
    char hex[SHA256_HEX];
    sha256_init(&hash);
    sha256_add_floats(&hash, values, n);
    sha256_hex(&hash, hex);
    check(golden, stage, hex);
}

void golden_emit_bytes(struct golden *golden, const char *stage, const void *data, size_t n)
{
    char hex[SHA256_HEX];
    sha256_bytes(data, n, hex);
    check(golden, stage, hex);
}

void golden_fail(struct golden *golden, const char *stage, const char *reason)
{
    golden->book->failed++;
    printf("  %s %s: %s\n", stage, golden->plan, reason);
}

void golden_uniform(float *values, const char *name, size_t n, float scale)
{
    const uint64_t key = rng_key(0, name);
    for (size_t i = 0; i < n; i++) values[i] = ((float)(rng_u64(key, i) >> 40) * 0x1p-23f - 1.f) * scale;
}

static bool read_book(struct golden_book *book, const char *path)
{
    FILE *const file = fopen(path, "r");
    if (!file) return book->update;
    char text[256], stage[64], plan[16], hash[HASH_DIGITS + 1];
    int number = 0;
    bool good = true;
    while (good && fgets(text, sizeof text, file)) {
        number++;
        good = book->lines < MAX_LINES && sscanf(text, "%63s %15s %16s", stage, plan, hash) == 3 &&
               strlen(hash) == HASH_DIGITS && !find(book, stage, plan);
        if (good) strcpy(append(book, stage, plan)->hash, hash);
    }
    fclose(file);
    if (!good) fprintf(stderr, "%s: line %d: expected a new \"stage plan hash\"\n", path, number);
    return good;
}

static bool entry_of(const struct line *line, const char *name)
{
    const size_t n = strlen(name);
    return !strncmp(line->stage, name, n) && line->stage[n] == '.';
}

/* Lines of entry `name` that no stage wrote: dropped when updating, failures otherwise. */
static void settle_unseen(struct golden_book *book, const char *name)
{
    int kept = 0;
    for (int i = 0; i < book->lines; i++) {
        const struct line *const line = &book->line[i];
        const bool stale = entry_of(line, name) && !line->seen;
        if (stale && !book->update) {
            book->failed++;
            printf("  %s %s: no stage of that name ran\n", line->stage, line->plan);
        }
        if (!stale || !book->update) book->line[kept++] = *line;
    }
    book->lines = kept;
}

/* In the order of the table, then of emission, so that a change shows as one changed line. */
static bool write_book(const struct golden_book *book, const char *path)
{
    FILE *const file = fopen(path, "w");
    if (!file) return false;
    for (int e = 0; e < ENTRIES; e++)
        for (int i = 0; i < book->lines; i++)
            if (entry_of(&book->line[i], entries[e].name))
                fprintf(file, "%s %s %s\n", book->line[i].stage, book->line[i].plan, book->line[i].hash);
    return fclose(file) == 0;
}

static int usage(const char *word)
{
    fprintf(stderr,
            "golden: what is \"%s\"?\n"
            "usage: golden [--isa NAME] [--threads N] [--only PATTERN] [--file PATH] [--update | --list]\n",
            word);
    return ERR_USAGE;
}

static int list(void)
{
    int count;
    const struct kernels *const *const tables = kernels_available(&count);
    for (int i = 0; i < count; i++) puts(tables[i]->name);
    return OK;
}

int main(int argc, char **argv)
{
    static struct golden_book book;
    struct golden golden = {.threads = 1, .book = &book};
    const char *isa = NULL, *only = "", *path = "tests/golden.txt";
    for (int i = 1; i < argc; i++) {
        const char *const value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(argv[i], "--list")) return list();
        if (!strcmp(argv[i], "--update")) {
            book.update = true;
            continue;
        }
        if (!strcmp(argv[i], "--isa") && value)
            isa = value;
        else if (!strcmp(argv[i], "--only") && value)
            only = value;
        else if (!strcmp(argv[i], "--file") && value)
            path = value;
        else if (!strcmp(argv[i], "--threads") && value && atoi(value) > 0)
            golden.threads = atoi(value);
        else
            return usage(argv[i]);
        i++;
    }
    struct error err;
    if (kernels_get(&golden.kernels, isa, &err) != OK) {
        fprintf(stderr, "golden: %s\n", err.message);
        return err.status;
    }
    if (!read_book(&book, path)) {
        fprintf(stderr, "golden: %s: expected a list of golden hashes\n", path);
        return ERR_SYSTEM;
    }
    const uint64_t word = fpu_enter();
    for (int e = 0; e < ENTRIES; e++) {
        if (!strstr(entries[e].name, only)) continue;
        book.entry = entries[e].name;
        golden.plan = "-";
        entries[e].run(&golden);
        settle_unseen(&book, book.entry);
    }
    fpu_leave(word);
    if (book.update && !write_book(&book, path)) {
        perror(path);
        return ERR_SYSTEM;
    }
    printf("golden %s, %d thread%s: %d passed, %d failed\n", golden.kernels->name, golden.threads,
           golden.threads == 1 ? "" : "s", book.passed, book.failed);
    return book.failed ? ERR_CHECK : OK;
}
