/* Skips the running test, with a printed reason, where the build has no JSON reader. */
#ifndef RETORT_TESTS_CHECK_JSON_H
#define RETORT_TESTS_CHECK_JSON_H

void check_needs_json(void);

#endif
