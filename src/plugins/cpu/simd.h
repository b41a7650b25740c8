/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For plain loops that the compiler should turn into vector code: one clone for each instruction
 * set, chosen when the plugin is loaded.  Sanitizers cannot run before that choice.
 */
#ifndef NX_PLUGINS_CPU_SIMD_H
#define NX_PLUGINS_CPU_SIMD_H

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(NX_SANITIZE)
#define CPU_SIMD                                                    \
	__attribute__((target_clones("avx512f", "avx2", "default"), \
		optimize("O3", "no-trapping-math", "no-math-errno")))
#else
#define CPU_SIMD
#endif

#endif
