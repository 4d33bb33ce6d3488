#!/bin/sh
# Every header compiles alone. vf_*.h and *_inl.h are parts of isa.c and dots.c, tile_*.h and repeat.h templates.
. tests/report.sh
for header in include/*.h src/*/*.h; do
    case $header in *\** | */vf_*.h | */vf.h | *_inl.h | */tile_*.h | */repeat.h) continue ;; esac
    name=${header#src/}
    name=${name#include/}
    errors=$(printf '#include "%s"\nint main(void) { return 0; }\n' "$name" |
        ${CC:-cc} -std=c17 -Wall -Wextra -Wstrict-prototypes -Werror -fsyntax-only ${CPPFLAGS:--Isrc -Iinclude} -x c - 2>&1)
    report "header $name" "$errors"
done
exit $failed
