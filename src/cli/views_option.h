/* --views, --teacher-views: how often a detector that labels looks at a frame. */
#ifndef RETORT_CLI_VIEWS_OPTION_H
#define RETORT_CLI_VIEWS_OPTION_H

#include "cli/options.h"

extern const struct option_choice views_choices[];

/* A row of an option table; the place holds an int, the number of views. */
/* clang-format off */
#define VIEWS_OPTION(name, place)                                                                              \
    {name, 0, OPTION_CHOICE, place, "1", .choices = views_choices,                                             \
     .help = "how often --teacher looks at a frame, whose boxes are then fused; 2: also at its mirror image; " \
             "4: at both also at 5/4 of the size. Takes 2 and about 5 times as long"}
/* clang-format on */

#endif
