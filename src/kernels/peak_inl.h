/* Nothing but multiply-adds: what the others are measured against. Twelve chains hide the latency of two units of
 * four to five cycles; they have names because compilers spill an array of them. */

#define PEAK_CHAIN(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define PEAK_START(i) vf x##i = vf_set1(start[i]);
#define PEAK_STEP(i) x##i = vf_fma(x##i, factor, factor);
#define PEAK_SUM(i) total = vf_add(total, x##i);

static void peak(float *sink, const float *start, int64_t repeats)
{
    const vf factor = vf_set1(start[KERNEL_PEAK_CHAINS]);
    PEAK_CHAIN(PEAK_START)
    for (int64_t i = 0; i < repeats; i++) {
        PEAK_CHAIN(PEAK_STEP)
    }
    vf total = factor;
    PEAK_CHAIN(PEAK_SUM)
    vf_store(sink, total);
}
