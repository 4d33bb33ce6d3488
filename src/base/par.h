/* Parallel-for: the only place that knows OpenMP.
 *
 * Threads split outputs, never a sum but at the nodes of a fixed tree (nn/pixels.h): a body must compute each output of
 * its range from inputs alone, so that the result cannot depend on the number of threads or on where the cuts fall.
 * What a search skips may depend on them, as long as what it finds does not (select/farthest.c). */
#ifndef RETORT_BASE_PAR_H
#define RETORT_BASE_PAR_H

#include <stdint.h>

enum { PAR_MAX_THREADS = 256 };

/* Handles outputs [begin, end); worker is in [0, threads) and unique among bodies that run at the same time.
 */
typedef void par_body(void *context, int64_t begin, int64_t end, int worker);

/* Calls body over contiguous shares of [0, n), each (but the last) a multiple of grain, on at most `threads`
 * threads, and returns when all are done. There may be more shares than threads; those of one worker come in
 * ascending order. Every worker runs under the contract's floating-point word. A body that calls par_for itself
 * does so with one thread. */
void par_for(int threads, int64_t n, int64_t grain, par_body *body, void *context);

/* par_for that, with several threads, hands out one output a share: for few outputs of unequal cost. n: at most
 * INT_MAX - PAR_MAX_THREADS. */
void par_each(int threads, int64_t n, par_body *body, void *context);

/* par_for that, in every other call on this thread, hands the shares out from the end, a worker's in descending order:
 * of passes over more than the caches hold, one begins where the one before has ended. Calls that are one share (by one
 * thread, or of no more than a grain) begin at 0 and do not count, nor does par_for, so that two passes that follow
 * each other only mostly meet. */
void par_pass(int threads, int64_t n, int64_t grain, par_body *body, void *context);

/* The thread count to use when the user names none: OMP_NUM_THREADS, else the CPUs that the process may run
 * on, but no more than its control group's quota of CPU time pays for. */
int par_default_threads(void);

/* CPUs that a cpu.max line ("quota period") pays for, rounded up; 0 for no limit. */
int par_quota(const char *text);

#endif
