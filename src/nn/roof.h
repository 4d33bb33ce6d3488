/* The machine's roof, measured: what no layer can pass. Timing only; no result depends on it. */
#ifndef RETORT_NN_ROOF_H
#define RETORT_NN_ROOF_H

#include "base/status.h"
#include "kernels/kernels.h"

/* FLOP/s of independent chains of fused multiply-adds on so many threads: the best of a few short probes. */
double roof_peak(const struct kernels *kernels, int threads);

/* Bytes/s, read and written together, of copying between buffers far larger than a cache: the best of many
 * pieces. Takes 64 MB for the time of the call; ERR_SYSTEM when they cannot be had. */
enum status roof_bandwidth(double *bandwidth, int threads, struct error *err);

#endif
