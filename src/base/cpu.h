/* Loops that are compiled twice, for any processor of the kind and for AVX2, and chosen between at run time.
 */
#ifndef TSFS_BASE_CPU_H
#define TSFS_BASE_CPU_H

#include <stdbool.h>

/* For tests: set while nothing else runs, and every loop takes the version that any processor can run. */
extern bool tsfs_cpu_portable_only;

#define TSFS_CPU_NOTHING /* an empty argument of TSFS_CPU_BOTH */

#if defined(__x86_64__)

/* Whether what is compiled for the feature, a string literal, may be called. */
#define TSFS_CPU_HAS(feature) (!tsfs_cpu_portable_only && __builtin_cpu_supports(feature))

/* TYPE NAME PARAMS in two versions that both call BODY_NAME ARGS, which is to be inlined into them.  RET is
 * "return" or TSFS_CPU_NOTHING, LINK static or TSFS_CPU_NOTHING. */
#define TSFS_CPU_BOTH(LINK, RET, TYPE, NAME, BODY_NAME, PARAMS, ARGS)                                        \
    __attribute__((target("avx2"))) static TYPE NAME##_avx2 PARAMS                                           \
    {                                                                                                        \
        RET BODY_NAME ARGS;                                                                                  \
    }                                                                                                        \
    static TYPE NAME##_baseline PARAMS                                                                       \
    {                                                                                                        \
        RET BODY_NAME ARGS;                                                                                  \
    }                                                                                                        \
    LINK TYPE NAME PARAMS                                                                                    \
    {                                                                                                        \
        if (TSFS_CPU_HAS("avx2"))                                                                            \
            RET NAME##_avx2 ARGS;                                                                            \
        else                                                                                                 \
            RET NAME##_baseline ARGS;                                                                        \
    }

#else

#define TSFS_CPU_HAS(feature) false

#define TSFS_CPU_BOTH(LINK, RET, TYPE, NAME, BODY_NAME, PARAMS, ARGS)                                        \
    LINK TYPE NAME PARAMS                                                                                    \
    {                                                                                                        \
        RET BODY_NAME ARGS;                                                                                  \
    }

#endif

#endif
