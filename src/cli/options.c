#include "cli/options.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NEAREST_MAX = 64 };

static void *place(const struct option *option, void *values) { return (char *)values + option->offset; }

static const void *const_place(const struct option *option, const void *values)
{
    return (const char *)values + option->offset;
}

static bool read_int(const char *text, size_t n, int64_t *value)
{
    char digits[24], *end;
    if (n == 0 || n >= sizeof digits) return false;
    memcpy(digits, text, n);
    digits[n] = 0;
    errno = 0;
    const long long read = strtoll(digits, &end, 10);
    *value = read;
    return errno == 0 && end == digits + n && digits[0] != ' ' && digits[0] != '+';
}

static bool read_bytes(const char *text, int64_t *value)
{
    static const char units[] = "KMG";
    const size_t n = strlen(text);
    const char *unit = n > 1 ? strchr(units, text[n - 1]) : NULL;
    if (!read_int(text, n - (unit != NULL), value) || *value < 0) return false;
    const int shift = unit ? 10 * (int)(unit - units + 1) : 0;
    if (*value > INT64_MAX >> shift) return false;
    *value <<= shift;
    return true;
}

/* Integers separated by `separator`; the number read, or -1. */
static int read_ints(const char *text, char separator, const struct option *option, int *values, int limit)
{
    int count = 0;
    for (const char *part = text;; part++) {
        const char *end = strchr(part, separator);
        const size_t n = end ? (size_t)(end - part) : strlen(part);
        int64_t value;
        if (count == limit || !read_int(part, n, &value) || (double)value < option->low ||
            (double)value > option->high)
            return -1;
        values[count++] = (int)value;
        if (!end) return count;
        part = end;
    }
}

static enum status wrong(const struct option *option, const char *expected, const char *found,
                         struct error *err)
{
    return fail(err, ERR_USAGE, "--%s: expected %s, found \"%.60s\"", option->name, expected, found);
}

bool option_choice_is_alias(const struct option_choice *table, const struct option_choice *choice)
{
    while (table < choice && table->value != choice->value) table++;
    return table < choice;
}

static enum status set_choice(const struct option *option, int *value, const char *text, struct error *err)
{
    struct text names = {0};
    for (const struct option_choice *choice = option->choices; choice->name; choice++) {
        if (!strcmp(choice->name, text)) {
            *value = choice->value;
            text_free(&names);
            return OK;
        }
        if (option_choice_is_alias(option->choices, choice)) continue;
        text_format(&names, "%s%s", names.size ? ", " : "", choice->name);
    }
    const enum status status = names.failed
                                   ? fail_memory(err, "a message", names.capacity)
                                   : fail(err, ERR_USAGE, "--%s: expected one of %s, found \"%.60s\"",
                                          option->name, names.data, text);
    text_free(&names);
    return status;
}

/* Each of these reads one type into *where; check = false lets a default lie outside the range. */

static enum status set_int(const struct option *option, int64_t *where, const char *text, bool check,
                           struct error *err)
{
    char expected[120];
    int64_t value = 0;
    if (read_int(text, strlen(text), &value) &&
        (!check || ((double)value >= option->low && (double)value <= option->high))) {
        *where = value;
        return OK;
    }
    snprintf(expected, sizeof expected, "an integer in [%.0f, %.0f]", option->low, option->high);
    return wrong(option, expected, text, err);
}

static enum status set_real(const struct option *option, double *where, const char *text, bool check,
                            struct error *err)
{
    char expected[120], *end;
    const double value = strtod(text, &end);
    if (end != text && !*end && *text != ' ' && (!check || (value >= option->low && value <= option->high))) {
        *where = value;
        return OK;
    }
    snprintf(expected, sizeof expected, "a number in [%g, %g]", option->low, option->high);
    return wrong(option, expected, text, err);
}

static enum status set_ints(const struct option *option, struct option_ints *where, const char *text,
                            struct error *err)
{
    char expected[120];
    where->count = read_ints(text, ',', option, where->values, OPTION_MAX_INTS);
    if (where->count >= 0) return OK;
    snprintf(expected, sizeof expected, "integers in [%.0f, %.0f] with commas between", option->low,
             option->high);
    return wrong(option, expected, text, err);
}

static enum status set_bytes(const struct option *option, int64_t *where, const char *text, bool check,
                             struct error *err)
{
    char expected[120];
    int64_t value = 0;
    if (read_bytes(text, &value) &&
        (!check || ((double)value >= option->low && (double)value <= option->high))) {
        *where = value;
        return OK;
    }
    snprintf(expected, sizeof expected, "bytes, like 512M, in [%.0fM, %.0fG]", option->low / (1 << 20),
             option->high / (1 << 30));
    return wrong(option, expected, text, err);
}

static enum status set_size(const struct option *option, struct option_size *where, const char *text,
                            struct error *err)
{
    char expected[120];
    int sides[2];
    const int count = read_ints(text, 'x', option, sides, 2);
    if (count > 0) {
        *where = (struct option_size){sides[0], sides[count - 1]};
        return OK;
    }
    snprintf(expected, sizeof expected, "N or WIDTHxHEIGHT, each in [%.0f, %.0f]", option->low, option->high);
    return wrong(option, expected, text, err);
}

static enum status set_value(const struct option *option, void *values, const char *text, bool check,
                             struct error *err)
{
    void *where = place(option, values);
    switch (option->type) {
    case OPTION_FLAG:
        *(bool *)where = text != NULL;
        return OK;
    case OPTION_INT:
        return set_int(option, where, text, check, err);
    case OPTION_REAL:
        return set_real(option, where, text, check, err);
    case OPTION_INTS:
        return set_ints(option, where, text, err);
    case OPTION_BYTES:
        return set_bytes(option, where, text, check, err);
    case OPTION_SIZE:
        return set_size(option, where, text, err);
    case OPTION_CHOICE:
        return set_choice(option, where, text, err);
    case OPTION_TEXT:
        break;
    case OPTION_INPUT:
    case OPTION_SOURCE:
    case OPTION_OUTPUT:
    case OPTION_OUTPUT_FOLDER:
        if (!*text) return wrong(option, "a path", text, err);
    }
    *(const char **)where = text;
    return OK;
}

enum status option_set_text(const struct option *option, void *values, const char *text, struct error *err)
{
    return set_value(option, values, text, true, err);
}

enum status options_default(const struct option_set *sets, int set_count, struct error *err)
{
    for (int i = 0; i < set_count; i++)
        for (const struct option *option = sets[i].table; option->name; option++)
            if (option->value) TRY(set_value(option, sets[i].values, option->value, false, err));
    return OK;
}

void options_apply(const struct option_set *set, const struct option_preset *preset)
{
    for (const char *const *setting = preset->settings; *setting; setting += 2) {
        const struct option *option = set->table;
        while (option->name && strcmp(option->name, *setting)) option++;
        assert(option->name);
        struct error err;
        const enum status status = option_set_text(option, set->values, setting[1], &err);
        assert(status == OK);
        (void)status;
    }
}

bool option_given(const struct option *option, const void *values)
{
    const void *where = const_place(option, values);
    switch (option->type) {
    case OPTION_FLAG:
        return true;
    case OPTION_CHOICE: {
        const struct option_choice *choice = option->choices;
        while (choice->name && choice->value != *(const int *)where) choice++;
        return choice->name != NULL;
    }
    case OPTION_INT:
    case OPTION_BYTES: {
        const double value = (double)*(const int64_t *)where;
        return value >= option->low && value <= option->high;
    }
    case OPTION_REAL:
        return *(const double *)where >= option->low && *(const double *)where <= option->high;
    case OPTION_INTS:
        return ((const struct option_ints *)where)->count > 0;
    case OPTION_SIZE:
        return ((const struct option_size *)where)->width > 0;
    default:
        return *(const char *const *)where != NULL;
    }
}

/* Edit distance (insert, delete, replace, swap of neighbours), rows kept on the stack; long words are far. */
static int distance(const char *a, const char *b)
{
    const int n = (int)strlen(a), m = (int)strlen(b);
    int rows[3][NEAREST_MAX + 1] = {{0}};
    if (n > NEAREST_MAX || m > NEAREST_MAX) return NEAREST_MAX;
    for (int j = 0; j <= m; j++) rows[0][j] = j;
    for (int i = 1; i <= n; i++) {
        int *row = rows[i % 3];
        const int *above = rows[(i - 1) % 3], *second = rows[(i + 1) % 3];
        row[0] = i;
        for (int j = 1; j <= m; j++) {
            int best = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < best) best = above[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && second[j - 2] + 1 < best)
                best = second[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[n % 3][m];
}

const char *nearest_name(const char *word, const char *const *names, int count)
{
    const int length = (int)strlen(word);
    const char *nearest = NULL;
    int best = length < 4 ? 2 : length / 3 + 2; /* exclusive */
    for (int i = 0; i < count; i++) {
        const int d = length >= 3 && !strncmp(word, names[i], (size_t)length) ? 0 : distance(word, names[i]);
        if (d < best) {
            best = d;
            nearest = names[i];
        }
    }
    return nearest;
}

struct found {
    const struct option *option;
    void *values;
};

static struct found find(const struct option_set *sets, int set_count, const char *name, size_t n,
                         char letter)
{
    for (int i = 0; i < set_count; i++)
        for (const struct option *option = sets[i].table; option->name; option++)
            if (name ? strlen(option->name) == n && !memcmp(option->name, name, n) : option->letter == letter)
                return (struct found){option, sets[i].values};
    return (struct found){0};
}

static void unknown(const struct option_set *sets, int set_count, const char *name, size_t n,
                    struct error *err)
{
    const char *names[NEAREST_MAX];
    int count = 0;
    char word[NEAREST_MAX];
    for (int i = 0; i < set_count; i++)
        for (const struct option *option = sets[i].table; option->name && count < NEAREST_MAX; option++)
            names[count++] = option->name;
    snprintf(word, sizeof word, "%.*s", (int)n, name);
    const char *nearest = nearest_name(word, names, count);
    if (nearest)
        fail(err, ERR_USAGE, "--%s: unknown option, did you mean --%s?", word, nearest);
    else
        fail(err, ERR_USAGE, "--%s: unknown option", word);
}

/* Appends one mistake to the lines already in *err. */
static void gather(struct error *err, const struct error *one)
{
    const size_t used = strlen(err->message);
    snprintf(err->message + used, sizeof err->message - used, "%s%s", used ? "\n" : "", one->message);
}

/* The argument behind the option, or NULL and a message. */
static char *next_argument(const char *shown, int *at, int argc, char **argv, struct error *err)
{
    if (*at + 1 < argc) return argv[++*at];
    fail(err, ERR_USAGE, "%s: expected a value, found the end of the command line", shown);
    return NULL;
}

static enum status parse_long(const struct option_set *sets, int set_count, int *at, int argc, char **argv,
                              struct error *err)
{
    const char *name = argv[*at] + 2, *equals = strchr(name, '=');
    const size_t n = equals ? (size_t)(equals - name) : strlen(name);
    const struct found found = find(sets, set_count, name, n, 0);
    if (!found.option) {
        unknown(sets, set_count, name, n, err);
        return ERR_USAGE;
    }
    if (found.option->type == OPTION_FLAG) {
        if (equals)
            return fail(err, ERR_USAGE, "--%s: takes no value, found \"%.60s\"", found.option->name,
                        equals + 1);
        return option_set_text(found.option, found.values, "", err);
    }
    const char *value = equals ? equals + 1 : next_argument(argv[*at], at, argc, argv, err);
    return value ? option_set_text(found.option, found.values, value, err) : ERR_USAGE;
}

static enum status parse_short(const struct option_set *sets, int set_count, int *at, int argc, char **argv,
                               struct error *err)
{
    for (const char *letter = argv[*at] + 1; *letter; letter++) {
        const struct found found = find(sets, set_count, NULL, 0, *letter);
        if (!found.option) return fail(err, ERR_USAGE, "-%c: unknown option", *letter);
        if (found.option->type == OPTION_FLAG) {
            TRY(option_set_text(found.option, found.values, "", err));
            continue;
        }
        const char shown[3] = {'-', *letter, 0};
        const char *value = letter[1] ? letter + 1 : next_argument(shown, at, argc, argv, err);
        return value ? option_set_text(found.option, found.values, value, err) : ERR_USAGE;
    }
    return OK;
}

enum status options_parse(const struct option_set *sets, int set_count, int argc, char **argv,
                          char **operands, int *operand_count, struct error *err)
{
    assert(err);
    struct error one;
    bool ended = false;
    *operand_count = 0;
    *err = (struct error){0};
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        enum status status = OK;
        if (ended || word[0] != '-' || !word[1])
            operands[(*operand_count)++] = argv[i];
        else if (!strcmp(word, "--"))
            ended = true;
        else if (word[1] == '-')
            status = parse_long(sets, set_count, &i, argc, argv, &one);
        else
            status = parse_short(sets, set_count, &i, argc, argv, &one);
        if (status != OK) {
            err->status = ERR_USAGE;
            gather(err, &one);
        }
    }
    return err->status;
}

enum status options_require(const struct option_set *sets, int set_count, struct error *err)
{
    struct error one;
    *err = (struct error){0};
    for (int i = 0; i < set_count; i++)
        for (const struct option *option = sets[i].table; option->name; option++) {
            if (!option->required || option_given(option, sets[i].values)) continue;
            err->status = fail(&one, ERR_USAGE, "--%s: is needed", option->name);
            gather(err, &one);
        }
    return err->status;
}
