#include "cli/plan_option.h"

const struct option_choice plan_choices[] = {
    {"fast", PLAN_FAST}, {"exact", PLAN_EXACT}, {"fast-0.1", PLAN_FAST_0_1}, {0}};
