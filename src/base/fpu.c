#include "base/fpu.h"

#include <float.h>

_Static_assert(FLT_EVAL_METHOD == 0, "float expressions must be evaluated as float (no x87)");

#if defined(__x86_64__)
#include <xmmintrin.h>
/* Round to nearest, FTZ and DAZ off, all exceptions masked. */
uint64_t fpu_enter(void)
{
    const unsigned previous = _mm_getcsr();
    _mm_setcsr(0x1F80);
    return previous;
}
void fpu_leave(uint64_t previous) { _mm_setcsr((unsigned)previous); }

#elif defined(__aarch64__)
uint64_t fpu_enter(void)
{
    uint64_t previous;
    __asm__ volatile("mrs %0, fpcr" : "=r"(previous));
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0));
    return previous;
}
void fpu_leave(uint64_t previous) { __asm__ volatile("msr fpcr, %0" : : "r"(previous)); }

#elif defined(__arm__)
uint64_t fpu_enter(void)
{
    uint32_t previous;
    __asm__ volatile("vmrs %0, fpscr" : "=r"(previous));
    __asm__ volatile("vmsr fpscr, %0" : : "r"(0));
    return previous;
}
void fpu_leave(uint64_t previous) { __asm__ volatile("vmsr fpscr, %0" : : "r"((uint32_t)previous)); }

#elif defined(__riscv)
/* RISC-V has no flushing mode; only the rounding mode can be wrong. */
uint64_t fpu_enter(void)
{
    uint64_t previous;
    __asm__ volatile("fsrm %0, %1" : "=r"(previous) : "r"((uint64_t)0));
    return previous;
}
void fpu_leave(uint64_t previous) { __asm__ volatile("fsrm %0" : : "r"(previous)); }

#else
uint64_t fpu_enter(void) { return 0; }
void fpu_leave(uint64_t previous) { (void)previous; }
#endif
