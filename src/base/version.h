/* The version of the command, the library and everything they write. */
#ifndef RETORT_BASE_VERSION_H
#define RETORT_BASE_VERSION_H

#define RETORT_VERSION "0.2.0"

#endif
