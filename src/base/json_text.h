/* How single values of JSON are spelt: characters of strings and numbers. */
#ifndef RETORT_BASE_JSON_TEXT_H
#define RETORT_BASE_JSON_TEXT_H

#include <stddef.h>

/* Bytes of the well-formed UTF-8 sequence at text (Unicode table 3-7: no overlong form, no surrogate), 0 when
 * there is none or the text ends. */
size_t json_text_sequence(const char *text);

#define JSON_TEXT_REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD, for a byte that is no UTF-8 */

/* The character at *text as it stands in a JSON string, NUL-terminated; moves *text behind it. **text is not
 * NUL. */
void json_text_character(char spelt[8], const char **text);

/* The fewest of 15, 16 and 17 (float: 6 to 9) significant digits that read back as value; null when it is not
 * finite. */
void json_text_double(char spelt[32], double value);
void json_text_float(char spelt[32], float value);

#endif
