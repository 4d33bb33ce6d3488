/* What every public call does: run under the contract's floating-point word and the C locale, hand
 * the error over. */
#ifndef RETORT_API_CALL_H
#define RETORT_API_CALL_H

#include "base/c_locale.h"
#include "base/fpu.h"
#include "base/status.h"
#include "detect/model.h"
#include "image/image.h"

#include "retort.h"

struct retort_model {
    struct model model;
};

struct call {
    uint64_t word;
    void *locale;
    struct error error;
};

/* Between these two nothing returns early. call_end gives the status back, with the message in *err unless
 * that is NULL. */
void call_begin(struct call *call);
enum retort_status call_end(const struct call *call, enum status status, struct retort_error *err);

/* ERR_USAGE unless low <= value <= high. */
enum status call_check_range(const char *option, int64_t value, int64_t low, int64_t high, struct error *err);

/* As above for the side of a network's input. */
enum status call_check_size(int size, struct error *err);

/* *threads = the number to use. */
enum status call_threads(int *threads, int asked, struct error *err);

/* The caller's picture, only read. ERR_INPUT for sizes over the limits. */
enum status call_picture(struct image *image, const struct retort_picture *picture, struct error *err);

#endif
