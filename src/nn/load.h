/* Weights between files and parameters. */
#ifndef RETORT_NN_LOAD_H
#define RETORT_NN_LOAD_H

#include "nn/params.h"
#include "nn/weights.h"

/* Copies every parameter from the file. Tensors that no model reads (num_batches_tracked, the constant dfl
 * weight, mask_token) may be there or not; any other missing or unknown tensor, or a wrong shape, is refused
 * with ERR_INPUT and the list of names. Values must be finite; those below 2^-40 become 0 (docs/NUMERICS.md).
 * Quantised weights (quant.h) become the floats that they stand for.
 *
 * Where params->borrowed is set, float32 tensors that need no change are not copied but used where they lie in the
 * mapped file: they are read only, and the weights must stay open as long as the parameters are used. */
enum status params_load(struct params *params, const struct weights *weights, struct error *err);

/* Copies what has an equal name and shape and leaves the rest; returns the number of parameters copied
 * through *copied (may be NULL). Not for borrowed parameters. */
enum status params_load_matching(struct params *params, const struct weights *weights, int *copied,
                                 struct error *err);

/* Writes all parameters in state-dict order, as float32 or float16. Atomic. */
enum status params_save(const struct params *params, const char *path, bool half,
                        const struct weight_text *metadata, size_t metadata_count, struct error *err);

/* Makes the values those that a float16 file would give; what does not fit stays, for params_save to refuse. */
void params_round_half(struct params *params);

/* SHA-256 over names, shapes and values. */
void params_hash(const struct params *params, char hex[65]);

#endif
