/* Compiled once per ISA with that ISA's flags; -DKERNELS_TABLE and -DVF_* name the result. Everything
 * included is static, so no wide instruction can leak into code that an older CPU runs. */
#include "kernels/kernels.h"

#include "kernels/vf.h"

#include "kernels/math_inl.h"

#include "kernels/conv_inl.h"
#include "kernels/depthwise_inl.h"
#include "kernels/outer_inl.h"
#include "kernels/elementwise_inl.h"
#include "kernels/int8_inl.h"
#include "kernels/loss_inl.h"
#include "kernels/norm_inl.h"
#include "kernels/optim_inl.h"
#include "kernels/peak_inl.h"
#include "kernels/polyphase_inl.h"
#include "kernels/reduce_inl.h"
#include "kernels/winograd_inl.h"

extern const struct kernels KERNELS_TABLE;
const struct kernels KERNELS_TABLE = {
    .name = KERNELS_NAME,
    .width = VW,
    .conv = conv,
    .outer = outer,
    .depthwise = depthwise,
    .depthwise_outer = depthwise_outer,
    .winograd_input = winograd_input,
    .winograd_output = winograd_output,
    .winograd_weights = winograd_weights,
    .winograd_output_backward = winograd_output_backward,
    .winograd_weights_backward = winograd_weights_backward,
    .polyphase_input = polyphase_input,
    .polyphase_gradient = polyphase_gradient,
    .strassen_inputs = strassen_inputs,
    .strassen_output = strassen_output,
    .product = product,
    .conv_int8 = conv_int8,
    .depthwise_int8 = depthwise_int8,
    .quantise = quantise,
    .dequantise = dequantise,
    .maximum_bytes = maximum_bytes,
    .sum = sum,
    .max = max,
    .dot = dot,
    .dots = dots,
    .sum_squares = sum_squares,
    .column_sum = column_sum,
    .column_sum_squares = column_sum_squares,
    .column_dot = column_dot,
    .activate = activate,
    .activate_backward = activate_backward,
    .add = add,
    .sum_rows = sum_rows,
    .scale = scale,
    .scale_add = scale_add,
    .scale_columns = scale_columns,
    .copy = copy,
    .fill = fill,
    .maximum_window = maximum_window,
    .maximum_backward = maximum_backward,
    .batch_norm = batch_norm,
    .batch_norm_backward_sums = batch_norm_backward_sums,
    .batch_norm_backward = batch_norm_backward,
    .layer_norm = layer_norm,
    .layer_norm_backward = layer_norm_backward,
    .layer_norm_backward_params = layer_norm_backward_params,
    .softmax = softmax,
    .softmax_backward = softmax_backward,
    .exp = exp_array,
    .log = log_array,
    .erf = erf_array,
    .tanh = tanh_array,
    .sigmoid = sigmoid_array,
    .binary_cross_entropy = binary_cross_entropy,
    .adam = adam,
    .adamw = adamw,
    .sgd = sgd,
    .ema = ema,
    .peak = peak,
};
