#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum status fail(struct error *err, enum status status, const char *format, ...)
{
    if (err) {
        err->status = status;
        va_list args;
        va_start(args, format);
        vsnprintf(err->message, sizeof err->message, format, args);
        va_end(args);
    }
    return status;
}

enum status fail_errno(struct error *err, const char *action, const char *path)
{
    const int reason = errno;
    const int path_is_wrong = reason == ENOENT || reason == ENOTDIR || reason == EISDIR || reason == EEXIST ||
                              reason == EACCES || reason == ELOOP || reason == ENAMETOOLONG;
    return fail(err, path_is_wrong ? ERR_INPUT : ERR_SYSTEM, "cannot %s %s: %s", action, path,
                strerror(reason));
}

enum status fail_memory(struct error *err, const char *purpose, unsigned long long bytes)
{
    return fail(err, ERR_SYSTEM, "cannot allocate %llu bytes for %s", bytes, purpose);
}
