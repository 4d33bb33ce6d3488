/* Half precision: binary16 both ways, bfloat16 to binary32. Bit operations only, so no FPU mode shows
 * through.
 *
 * binary32 to binary16 rounds to nearest, ties to even; subnormals and the sign of zero are kept. */
#ifndef RETORT_NN_HALF_H
#define RETORT_NN_HALF_H

#include <stdbool.h>
#include <stdint.h>

/* |x| >= 65520 gives infinity, a NaN gives a quiet NaN: where neither may leave, ask half_fits first. */
uint16_t half_from_float(float x);
bool half_fits(float x); /* finite, and still finite as binary16 */

float half_to_float(uint16_t half);        /* exact */
float half_from_bfloat16(uint16_t bfloat); /* to binary32, exact */

#endif
