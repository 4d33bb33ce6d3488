/* Compiled once per ISA like src/kernels/isa.c; -DPEAK names the function. Twelve chains hide the latency of
 * two units of four to five cycles; they have names because compilers spill an array of them. */
#include "kernels/vf.h"

#define CHAINS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define START(i) vf x##i = vf_set1(start[i]);
#define STEP(i) x##i = vf_fma(x##i, half, half);
#define SUM(i) total = vf_add(total, x##i);

/* Twelve multiply-adds on vectors of the returned width, `repeats` times. start: 12 different values, then
 * 0.5, which the compiler must not know. */
int PEAK(const float *start, int64_t repeats, float *sink);
int PEAK(const float *start, int64_t repeats, float *sink)
{
    const vf half = vf_set1(start[12]);
    CHAINS(START)
    for (int64_t i = 0; i < repeats; i++) {
        CHAINS(STEP)
    }
    vf total = half;
    CHAINS(SUM)
    vf_store(sink, total);
    return VW;
}
