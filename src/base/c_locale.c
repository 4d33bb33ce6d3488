#include "base/c_locale.h"

locale_t c_locale_enter(void)
{
    /* A constant of the C library, which cannot run short of memory, in glibc and musl. */
    const locale_t own = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return own ? uselocale(own) : (locale_t)0;
}

void c_locale_leave(locale_t previous)
{
    if (previous) freelocale(uselocale(previous));
}
