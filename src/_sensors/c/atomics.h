/* The few atomic operations the core needs, with the memory order in the name. C11; no compiler extensions. */
#ifndef CODECARBON_ATOMICS_H
#define CODECARBON_ATOMICS_H

#include <stdatomic.h>
#include <stdint.h>

typedef _Atomic uint64_t cc_atomic_u64;
typedef _Atomic int64_t cc_atomic_i64;
typedef _Atomic uint32_t cc_atomic_u32;
typedef _Atomic int cc_atomic_int;

#define cc_load_relaxed(word)         atomic_load_explicit((word), memory_order_relaxed)
#define cc_load_acquire(word)         atomic_load_explicit((word), memory_order_acquire)
#define cc_store_relaxed(word, value) atomic_store_explicit((word), (value), memory_order_relaxed)
#define cc_store_release(word, value) atomic_store_explicit((word), (value), memory_order_release)

#endif
