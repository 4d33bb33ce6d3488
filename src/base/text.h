/* A growable buffer of characters: what builds help pages, results and reports.
 *
 * Memory failures stick: additions after one do nothing, and text_check tells at the end. Start with {0}. */
#ifndef RETORT_BASE_TEXT_H
#define RETORT_BASE_TEXT_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *data; /* NUL-terminated once something was added, NULL before; owned by the buffer */
    size_t size, capacity;
    bool failed;
};

void text_bytes(struct text *text, const char *bytes, size_t n);
void text_add(struct text *text, const char *string);
void text_format(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "s" but for one: "%lld frame%s". */
static inline const char *text_plural(int64_t count) { return count == 1 ? "" : "s"; }

/* string for HTML and XML text and attribute values; bytes that are not UTF-8 become U+FFFD, control
 * characters go. */
void text_html(struct text *text, const char *string);

/* The first of n bytes of a file for a message; what is not printable ASCII becomes '?'. Returns out. */
enum { TEXT_SHOWN = 65 };
const char *text_shown(char out[TEXT_SHOWN], const char *bytes, size_t n);

/* n bytes as base64 (RFC 4648) with padding. */
void text_base64(struct text *text, const uint8_t *bytes, size_t n);

enum status text_check(const struct text *text, const char *purpose, struct error *err);
void text_free(struct text *text); /* leaves {0} */

#endif
