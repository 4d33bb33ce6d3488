/* Double-precision functions for scalars (losses, schedules, entropies): the same bits everywhere, so not libm's.
 *
 * Plain +, -, *, / and sqrt in a fixed order, no fused multiply-add. Speed does not matter here. Relative error below
 * 1e-14 in the stated range; arguments must be finite. */
#ifndef RETORT_BASE_DMATH_H
#define RETORT_BASE_DMATH_H

double dmath_exp(double x);           /* 0 below -708, DBL_MAX above 709.7 */
double dmath_log(double x);           /* x > 0 and normal */
double dmath_atan(double x);          /* any */
double dmath_pow(double x, double y); /* x > 0; exact for small integer y by repeated multiplication */
double dmath_cos(double x);           /* |x| <= 1e6 */

#endif
