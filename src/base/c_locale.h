/* Numbers as the C locale spells them.
 *
 * A host program that has called setlocale may read and print "0,5"; strtod and printf of the whole process
 * follow it. Every public call and every worker therefore takes the C locale for its own thread on entry and
 * gives back the one before on the way out, as with the floating-point word (fpu.h). */
#ifndef RETORT_BASE_C_LOCALE_H
#define RETORT_BASE_C_LOCALE_H

void *c_locale_enter(void);          /* returns the thread's locale before, a locale_t */
void c_locale_leave(void *previous); /* restores it */

#endif
