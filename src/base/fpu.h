/* The floating-point control word.
 *
 * Results assume round-to-nearest with subnormals kept. A host library built with -ffast-math turns flushing on for
 * the whole process, so every public call and every worker sets the word on entry and restores it on the way out.
 * The functions live in an object file of their own: compilers move arithmetic across a control-word write. */
#ifndef RETORT_BASE_FPU_H
#define RETORT_BASE_FPU_H

#include <stdint.h>

uint64_t fpu_enter(void);          /* sets the contract's word, returns the one before */
void fpu_leave(uint64_t previous); /* restores it */

#endif
