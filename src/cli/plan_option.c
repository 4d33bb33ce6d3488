#include "cli/plan_option.h"

#include <string.h>

const struct option_choice plan_choices[] = {
    {"fast", PLAN_FAST}, {"exact", PLAN_EXACT}, {"fast-0.1", PLAN_FAST_0_1}, {0}};

const struct option *plan_option_find(const struct option *table)
{
    for (const struct option *option = table; option->name; option++)
        if (!strcmp(option->name, "plan") && option->type == OPTION_CHOICE) return option;
    return NULL;
}
