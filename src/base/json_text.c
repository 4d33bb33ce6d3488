#include "base/json_text.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t json_text_sequence(const char *text)
{
    static const struct {
        unsigned char first, last, low, high; /* of the first and of the second byte */
        size_t length;
    } forms[] = {{0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
                 {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
                 {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    const unsigned char *const c = (const unsigned char *)text;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (c[0] < forms[i].first || c[0] > forms[i].last) continue;
        if (forms[i].length > 1 && (c[1] < forms[i].low || c[1] > forms[i].high)) return 0;
        for (size_t k = 2; k < forms[i].length; k++)
            if ((c[k] & 0xc0) != 0x80) return 0;
        return forms[i].length;
    }
    return 0;
}

void json_text_character(char spelt[8], const char **text)
{
    const size_t n = json_text_sequence(*text);
    const unsigned char c = (unsigned char)**text;
    if (!n)
        strcpy(spelt, JSON_TEXT_REPLACEMENT);
    else if (c == '"' || c == '\\')
        snprintf(spelt, 8, "\\%c", c);
    else if (c == '\n')
        strcpy(spelt, "\\n");
    else if (c == '\t')
        strcpy(spelt, "\\t");
    else if (c < 0x20 || c == 0x7f)
        snprintf(spelt, 8, "\\u%04x", c);
    else
        snprintf(spelt, 8, "%.*s", (int)n, *text);
    *text += n ? n : 1;
}

void json_text_double(char spelt[32], double value)
{
    strcpy(spelt, "null");
    const bool finite = value - value == 0;
    for (int digits = 15; finite && digits <= 17; digits++) {
        snprintf(spelt, 32, "%.*g", digits, value);
        if (strtod(spelt, NULL) == value) return;
    }
}

void json_text_float(char spelt[32], float value)
{
    strcpy(spelt, "null");
    const bool finite = value - value == 0;
    for (int digits = 6; finite && digits <= 9; digits++) {
        snprintf(spelt, 32, "%.*g", digits, (double)value);
        if (strtof(spelt, NULL) == value) return;
    }
}
