#include "base/text.h"

#include "base/json_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for n more bytes and the terminator. */
static bool reserve(struct text *text, size_t n)
{
    if (text->failed) return false;
    if (n < text->capacity - text->size && text->capacity) return true;
    size_t capacity = text->capacity ? text->capacity : 256;
    while (capacity - text->size <= n && capacity <= SIZE_MAX / 4) capacity *= 2;
    char *data = capacity - text->size > n ? realloc(text->data, capacity) : NULL;
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void text_bytes(struct text *text, const char *bytes, size_t n)
{
    if (!reserve(text, n)) return;
    if (n) memcpy(text->data + text->size, bytes, n);
    text->size += n;
    text->data[text->size] = 0;
}

void text_add(struct text *text, const char *string) { text_bytes(text, string, strlen(string)); }

void text_format(struct text *text, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, format, args);
    if (n < 0) text->failed = true;
    if (n >= 0 && reserve(text, (size_t)n)) {
        vsnprintf(text->data + text->size, (size_t)n + 1, format, again);
        text->size += (size_t)n;
    }
    va_end(again);
    va_end(args);
}

void text_html(struct text *text, const char *string)
{
    for (const char *s = string; *s;) {
        const size_t n = json_text_sequence(s);
        const unsigned char c = (unsigned char)*s;
        const char *entity = c == '&'    ? "&amp;"
                             : c == '<'  ? "&lt;"
                             : c == '>'  ? "&gt;"
                             : c == '"'  ? "&quot;"
                             : c == '\'' ? "&#39;"
                             : n         ? NULL
                                         : JSON_TEXT_REPLACEMENT;
        if (entity)
            text_add(text, entity);
        else if ((c >= 0x20 && c != 0x7F) || c == '\n' || c == '\t')
            text_bytes(text, s, n);
        s += n ? n : 1;
    }
}

void text_base64(struct text *text, const uint8_t *bytes, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (n > SIZE_MAX / 2 || !reserve(text, (n + 2) / 3 * 4)) {
        text->failed = true;
        return;
    }
    char *out = text->data + text->size;
    for (size_t i = 0; i < n; i += 3) {
        const unsigned second = i + 1 < n ? bytes[i + 1] : 0u, third = i + 2 < n ? bytes[i + 2] : 0u;
        const unsigned word = (unsigned)bytes[i] << 16 | second << 8 | third;
        *out++ = digits[word >> 18];
        *out++ = digits[word >> 12 & 63];
        *out++ = i + 1 < n ? digits[word >> 6 & 63] : '=';
        *out++ = i + 2 < n ? digits[word & 63] : '=';
    }
    *out = 0;
    text->size = (size_t)(out - text->data);
}

const char *text_shown(char out[TEXT_SHOWN], const char *bytes, size_t n)
{
    if (n > TEXT_SHOWN - 1) n = TEXT_SHOWN - 1;
    for (size_t i = 0; i < n; i++) out[i] = bytes[i] < ' ' || bytes[i] > '~' ? '?' : bytes[i];
    out[n] = 0;
    return out;
}

enum status text_check(const struct text *text, const char *purpose, struct error *err)
{
    return text->failed ? fail_memory(err, purpose, text->capacity) : OK;
}

void text_free(struct text *text)
{
    free(text->data);
    *text = (struct text){0};
}
