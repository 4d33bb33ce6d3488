#include "api/call.h"

#include "base/par.h"
#include "image/letterbox.h"

#include <assert.h>
#include <string.h>

enum { MAX_SIZE = 8192 };

_Static_assert((int)RETORT_OK == OK && (int)RETORT_CHECK == ERR_CHECK && (int)RETORT_USAGE == ERR_USAGE &&
                   (int)RETORT_INPUT == ERR_INPUT && (int)RETORT_SYSTEM == ERR_SYSTEM &&
                   (int)RETORT_INTERRUPTED == ERR_INTERRUPTED,
               "the public statuses are the library's");
_Static_assert((int)RETORT_FAST == PLAN_FAST && (int)RETORT_EXACT == PLAN_EXACT &&
                   (int)RETORT_FAST_0_1 == PLAN_FAST_0_1,
               "the public plans are the library's");
_Static_assert(sizeof((struct retort_error *)0)->message == sizeof((struct error *)0)->message,
               "messages fit");

void call_begin(struct call *call) { *call = (struct call){.word = fpu_enter(), .locale = c_locale_enter()}; }

enum retort_status call_end(const struct call *call, enum status status, struct retort_error *err)
{
    c_locale_leave(call->locale);
    fpu_leave(call->word);
    if (status != OK && err) {
        err->status = (enum retort_status)status;
        memcpy(err->message, call->error.message, sizeof err->message);
    }
    return (enum retort_status)status;
}

enum status call_check_range(const char *option, int64_t value, int64_t low, int64_t high, struct error *err)
{
    if (value >= low && value <= high) return OK;
    return fail(err, ERR_USAGE, "%s: expected %lld to %lld, found %lld", option, (long long)low,
                (long long)high, (long long)value);
}

enum status call_check_size(int size, struct error *err)
{
    TRY(call_check_range("size", size, LETTERBOX_STRIDE, MAX_SIZE, err));
    if (size % LETTERBOX_STRIDE)
        return fail(err, ERR_USAGE, "size: expected a multiple of %d, found %d", LETTERBOX_STRIDE, size);
    return OK;
}

enum status call_threads(int *threads, int asked, struct error *err)
{
    TRY(call_check_range("threads", asked, 0, PAR_MAX_THREADS, err));
    *threads = asked ? asked : par_default_threads();
    return OK;
}

enum status call_picture(struct image *image, const struct retort_picture *picture, struct error *err)
{
    assert(picture->pixels);
    const int width = picture->width > 0 ? picture->width : 0,
              height = picture->height > 0 ? picture->height : 0;
    *image = (struct image){width, height, (uint8_t *)picture->pixels};
    return image_check_size("picture", (uint64_t)width, (uint64_t)height, err);
}
