/* PyTorch checkpoints (.pt, torch.save): a zip archive of a pickle and raw storages, read without executing
 * anything.
 *
 * What becomes the tensor list: of a training checkpoint the module under "ema", or under "model" where "ema"
 * is None; of a module its state dict (parameters, then persistent buffers, then children, names joined by
 * dots); of a plain dict its tensors, or those of its "state_dict" or "model". Anything else in the file is
 * ignored. */
#ifndef RETORT_NN_PT_H
#define RETORT_NN_PT_H

#include "nn/weights.h"

enum { PT_MAX_DEPTH = 64, PT_MAX_MODULES = 1 << 16, PT_MAX_STEPS = 1 << 24, PT_MAX_NAME = 1000 };

/* As weights_parse, for these files only. Views, transposes and shared storages stay as they are: strides.
 * Metadata: "classes" from the module's names 0, 1, ..., "architecture" from its description's file name.
 * ERR_INPUT beside the limits of nn/zip.h and nn/pickle.h: a big-endian file, a tensor outside its storage or
 * larger than it, unknown storage types, no tensor at all, modules that take more than PT_MAX_STEPS to walk
 * (dicts may be shared). */
enum status pt_parse(struct weights *weights, const void *data, size_t n, const char *name,
                     struct error *err);

#endif
