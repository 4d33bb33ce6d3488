/* Pages straight from the system: large blocks that start as zeros, and files' pages that may go. */
#ifndef RETORT_BASE_PAGES_H
#define RETORT_BASE_PAGES_H

#include <stddef.h>

/* n zeroed bytes on page boundaries, or NULL. Blocks of some megabytes lie on huge pages where the system has
 * them, which spares a page fault for every 4 KB. Ends with pages_free(memory, n). */
void *pages_alloc(size_t n);
void pages_free(void *memory, size_t n); /* NULL is fine */

/* The whole pages within a mapped file's bytes [data, data + n) may leave memory until they are read again.
 */
void pages_rest(const void *data, size_t n);

/* Bytes that a process may take for speed alone: a quarter of the machine's memory, or of what its control group may
 * have, and 1 GiB at most. */
size_t pages_spare(void);

/* The most bytes that this process ever had in memory, 0 where the system does not say. */
size_t pages_peak(void);

#endif
