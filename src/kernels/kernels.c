#include "kernels/kernels.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct kernels kernels_scalar;
#if defined(__x86_64__)
extern const struct kernels kernels_fma, kernels_avx2, kernels_avx512;
#elif defined(__aarch64__) || defined(__arm__)
extern const struct kernels kernels_neon;
#endif

#if defined(__arm__)
#include <sys/auxv.h>
enum { HWCAP_VFPV4 = 1 << 16, HWCAP_NEON_BIT = 1 << 12 };
#endif

enum { MAX_TABLES = 4 };

/* Best first. Feature tests include the operating system's consent to save the wide registers. */
static int collect(const struct kernels *tables[MAX_TABLES])
{
    int n = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
        tables[n++] = &kernels_avx512;
    if (avx2) tables[n++] = &kernels_avx2;
    if (__builtin_cpu_supports("fma")) tables[n++] = &kernels_fma;
#elif defined(__aarch64__)
    tables[n++] = &kernels_neon;
#elif defined(__arm__)
    const unsigned long caps = getauxval(AT_HWCAP);
    if ((caps & HWCAP_VFPV4) && (caps & HWCAP_NEON_BIT)) tables[n++] = &kernels_neon;
#endif
    tables[n++] = &kernels_scalar;
    return n;
}

const struct kernels *const *kernels_available(int *count)
{
    static const struct kernels *tables[MAX_TABLES]; /* idempotent: every caller writes the same values */
    *count = collect(tables);
    return tables;
}

enum status kernels_get(const struct kernels **kernels, const char *isa, struct error *err)
{
    int count;
    const struct kernels *const *tables = kernels_available(&count);
    if (!isa) isa = getenv("RETORT_ISA");
    if (!isa || !*isa) {
        *kernels = tables[0];
        return OK;
    }
    for (int i = 0; i < count; i++)
        if (!strcmp(tables[i]->name, isa)) {
            *kernels = tables[i];
            return OK;
        }
    char have[100] = "";
    for (int i = 0; i < count; i++) {
        strcat(have, i ? ", " : "");
        strcat(have, tables[i]->name);
    }
    return fail(err, ERR_USAGE,
                "instruction set \"%s\" is unknown or not available here; this machine has: %s", isa, have);
}
