/* Help and manual pages from the option tables. */
#include "cli/options.h"

#include <stdio.h>
#include <string.h>

enum { WIDTH = 80, HELP_COLUMN = 28 };

void text_wrap(struct text *out, const char *words, int indent, int column)
{
    const int start = column;
    bool first = true;
    while (*words) {
        const size_t n = strcspn(words, " \n");
        if (!first && column + 1 + (int)n > WIDTH - 1) {
            text_format(out, "\n%*s", indent, "");
            column = indent;
            first = true;
        }
        text_format(out, "%s%.*s", first ? "" : " ", (int)n, words);
        column += (int)n + !first;
        first = false;
        words += n;
        if (*words == '\n') { /* a line break in the source is one in the page */
            text_format(out, "\n%*s", indent, "");
            column = indent;
            first = true;
        }
        words += *words != 0;
    }
    if (column != start) text_add(out, "\n");
}

static const char *value_name(const struct option *option)
{
    if (option->place) return option->place;
    switch (option->type) {
    case OPTION_FLAG:
        return NULL;
    case OPTION_INT:
        return "N";
    case OPTION_REAL:
        return "X";
    case OPTION_CHOICE:
        return "NAME";
    case OPTION_INTS:
        return "N,...";
    case OPTION_BYTES:
        return "SIZE";
    case OPTION_SIZE:
        return "N|WxH";
    case OPTION_TEXT:
        return "TEXT";
    case OPTION_SOURCE:
        return "SOURCE";
    case OPTION_INPUT:
    case OPTION_OUTPUT:
        return "FILE";
    case OPTION_OUTPUT_FOLDER:
        return "DIR";
    }
    return NULL;
}

/* The sentence, the names of a choice, the range and the default. */
static void describe(struct text *out, const struct option *option)
{
    text_add(out, option->help);
    if (option->type == OPTION_CHOICE) {
        text_add(out, ": ");
        for (const struct option_choice *choice = option->choices; choice->name; choice++)
            if (!option_choice_is_alias(option->choices, choice))
                text_format(out, "%s%s", choice == option->choices ? "" : ", ", choice->name);
    }
    if (option->required) text_add(out, " (needed)");
    if (!option->value || option->type == OPTION_FLAG) return;
    const bool number =
        option->type == OPTION_INT || option->type == OPTION_REAL || option->type == OPTION_BYTES;
    double value;
    if (number && (sscanf(option->value, "%lf", &value) != 1 || value < option->low || value > option->high))
        return;
    text_format(out, " [%s]", option->value);
}

void options_help(struct text *out, const struct option *table)
{
    for (const struct option *option = table; option->name; option++) {
        struct text left = {0}, right = {0};
        if (option->letter)
            text_format(&left, "  -%c, ", option->letter);
        else
            text_add(&left, "      ");
        text_format(&left, "--%s", option->name);
        const char *place = value_name(option);
        if (place) text_format(&left, "=%s", place);
        describe(&right, option);
        if (left.failed || right.failed) {
            out->failed = true;
        } else {
            text_add(out, left.data);
            if (left.size + 2 > HELP_COLUMN)
                text_format(out, "\n%*s", HELP_COLUMN, "");
            else
                text_format(out, "%*s", HELP_COLUMN - (int)left.size, "");
            text_wrap(out, right.data, HELP_COLUMN, HELP_COLUMN);
        }
        text_free(&left);
        text_free(&right);
    }
}

void man_escape(struct text *out, const char *words)
{
    bool line_start = true;
    for (; *words; words++) {
        if (line_start && (*words == '.' || *words == '\'')) text_add(out, "\\&");
        if (*words == '\\')
            text_add(out, "\\e");
        else if (*words == '-')
            text_add(out, "\\-");
        else
            text_bytes(out, words, 1);
        line_start = *words == '\n';
    }
}

void options_man(struct text *out, const struct option *table)
{
    for (const struct option *option = table; option->name; option++) {
        struct text right = {0};
        text_add(out, ".TP\n");
        if (option->letter) text_format(out, "\\fB\\-%c\\fR, ", option->letter);
        text_add(out, "\\fB\\-\\-");
        man_escape(out, option->name);
        text_add(out, "\\fR");
        const char *place = value_name(option);
        if (place) {
            text_add(out, "=\\fI");
            man_escape(out, place);
            text_add(out, "\\fR");
        }
        text_add(out, "\n");
        describe(&right, option);
        if (right.failed)
            out->failed = true;
        else
            man_escape(out, right.data);
        text_add(out, "\n");
        text_free(&right);
    }
}
