#include "kernels/kernels.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

extern const struct kernels kernels_scalar;
#if defined(__x86_64__)
extern const struct kernels kernels_fma, kernels_avx2, kernels_avx512;
extern void conv_int8_vnni(const struct int8_block *block);
#elif defined(__aarch64__) || defined(__arm__)
#include <sys/auxv.h>
extern const struct kernels kernels_neon;
#endif

#if defined(__arm__)
enum { HWCAP_VFPV4 = 1 << 16, HWCAP_NEON_BIT = 1 << 12 };
#elif defined(__aarch64__)
enum { HWCAP_DOT_PRODUCT = 1 << 20 };
extern void conv_int8_neondot(const struct int8_block *block);
#endif

enum { MAX_TABLES = 5 };
static const struct kernels *tables[MAX_TABLES];
static int table_count;

static void add(const struct kernels *table) { tables[table_count++] = table; }

#if defined(__x86_64__) || defined(__aarch64__)
/* A table that differs from `base` in the integer convolution alone. */
static void add_dots(struct kernels *table, const struct kernels *base, const char *name,
                     void (*conv_int8)(const struct int8_block *block))
{
    *table = *base;
    table->name = name;
    table->conv_int8 = conv_int8;
    add(table);
}
#endif

/* Best first. Feature tests include the operating system's consent to save the wide registers. */
static void collect(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
    static struct kernels vnni;
    if (avx512 && __builtin_cpu_supports("avx512vnni"))
        add_dots(&vnni, &kernels_avx512, "vnni", conv_int8_vnni);
    if (avx512) add(&kernels_avx512);
    if (avx2) add(&kernels_avx2);
    if (__builtin_cpu_supports("fma")) add(&kernels_fma);
#elif defined(__aarch64__)
    static struct kernels neondot;
    if (getauxval(AT_HWCAP) & HWCAP_DOT_PRODUCT)
        add_dots(&neondot, &kernels_neon, "neondot", conv_int8_neondot);
    add(&kernels_neon);
#elif defined(__arm__)
    const unsigned long caps = getauxval(AT_HWCAP);
    if ((caps & HWCAP_VFPV4) && (caps & HWCAP_NEON_BIT)) add(&kernels_neon);
#endif
    add(&kernels_scalar);
}

const struct kernels *const *kernels_available(int *count)
{
    static once_flag once = ONCE_FLAG_INIT;
    call_once(&once, collect);
    *count = table_count;
    return tables;
}

enum status kernels_get(const struct kernels **kernels, const char *isa, struct error *err)
{
    int count;
    kernels_available(&count);
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
