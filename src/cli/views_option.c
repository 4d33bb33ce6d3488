#include "cli/views_option.h"

const struct option_choice views_choices[] = {{"1", 1}, {"2", 2}, {"4", 4}, {0}};
