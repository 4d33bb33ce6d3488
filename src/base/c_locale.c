#include "base/c_locale.h"

#include <locale.h>

void *c_locale_enter(void)
{
    /* A constant of the C library, which cannot run short of memory, in glibc and musl. */
    const locale_t own = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return own ? (void *)uselocale(own) : NULL;
}

void c_locale_leave(void *previous)
{
    if (previous) freelocale(uselocale((locale_t)previous));
}
