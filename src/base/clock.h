/* Time passed, for deadlines, progress and profiles; never for results. */
#ifndef RETORT_BASE_CLOCK_H
#define RETORT_BASE_CLOCK_H

double clock_seconds(void); /* since some moment, never going back */

#endif
