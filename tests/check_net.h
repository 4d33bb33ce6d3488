/* Networks in tests: synthetic parameters, and tensors of the references, which are NCHW. */
#ifndef RETORT_TESTS_CHECK_NET_H
#define RETORT_TESTS_CHECK_NET_H

#include "nn/net.h"
#include "nn/weights.h"

/* The formula's values for every parameter, by its name and shape. */
void check_synth_params(struct params *params);

/* Copies images x channels x height x width values into the view's rows, and back into a new malloc'ed array.
 */
void check_from_nchw(struct view view, const float *values);
float *check_to_nchw(struct view view);

/* A tensor of a reference file as floats (malloc'ed); fails the test when it is not there. */
float *check_reference(const struct weights *reference, const char *name, size_t *count);

/* Largest difference of a view to a reference tensor. */
double check_view(struct view view, const struct weights *reference, const char *name);

#endif
