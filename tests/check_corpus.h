/* Replays a fuzz corpus: every file of fuzz/corpus/NAME through the harness. */
#ifndef RETORT_TESTS_CHECK_CORPUS_H
#define RETORT_TESTS_CHECK_CORPUS_H

#include <stddef.h>
#include <stdint.h>

/* Each file as it is, cut short at every length (at CUTS lengths of a large one), so that each way of ending
 * early is taken, and FLIPS times with one to four bits flipped, always the same ones. Fails when the corpus
 * is empty. */
void check_corpus(const char *name, int (*one_input)(const uint8_t *data, size_t size));

#endif
