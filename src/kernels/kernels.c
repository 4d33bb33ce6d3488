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

#if defined(__x86_64__)
/* Columns that would leave half of each vector of AVX-512 idle. AVX2 has the same packing and bits. */
enum { NARROW = KERNEL_BLOCK / 2 };

static void conv_by_width(const struct conv_block *b)
{
    (b->cout > NARROW ? &kernels_avx512 : &kernels_avx2)->conv(b);
}

static void outer_by_width(const struct outer_block *b)
{
    (b->cols > NARROW ? &kernels_avx512 : &kernels_avx2)->outer(b);
}

static const struct kernels *avx512_by_width(void)
{
    static struct kernels table;
    table = kernels_avx512;
    table.conv = conv_by_width;
    table.outer = outer_by_width;
    return &table;
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
    if (avx512) {
        static struct kernels vnni;
        const struct kernels *const base = avx512_by_width();
        if (__builtin_cpu_supports("avx512vnni")) add_dots(&vnni, base, "vnni", conv_int8_vnni);
        add(base);
    }
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
