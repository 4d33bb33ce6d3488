/* Replays a fuzz corpus: every file of fuzz/corpus/NAME through the harness. */
#ifndef RETORT_TESTS_CHECK_CORPUS_H
#define RETORT_TESTS_CHECK_CORPUS_H

#include <stddef.h>
#include <stdint.h>

/* Also cut short at every length, so that each way of ending early is taken. Fails when the corpus is empty.
 */
void check_corpus(const char *name, int (*one_input)(const uint8_t *data, size_t size));

#endif
