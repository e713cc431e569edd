/* Ring of fixed-size records: one writer that never waits, any number of readers that never block it.
 *
 * A sequence word guards each slot: odd while the writer is inside, 2 * index + 2 once record `index` is complete. All
 * payload words are relaxed atomics, because plain ones would be a data race and let the compiler tear them; volatile
 * is not enough on Arm. A reader that sees the sequence move throws its copy away. */
#ifndef CODECARBON_RING_H
#define CODECARBON_RING_H

#include "atomics.h"

#include <stdlib.h>

typedef struct cc_ring {
  uint64_t mask;      /* number of slots, a power of two, minus one */
  uint32_t words;     /* payload words of a record */
  cc_atomic_u64 head; /* index of the next record to be written */
  cc_atomic_u64 *seq;
  cc_atomic_u64 *data;
} cc_ring;

/* 0, or -1 without memory. calloc leaves pages untouched until a record lands in them. */
static inline int cc_ring_init(cc_ring *ring, uint64_t slots, uint32_t words) {
  ring->mask = slots - 1;
  ring->words = words;
  atomic_init(&ring->head, 0);
  ring->seq = calloc(slots, sizeof *ring->seq);
  ring->data = calloc(slots * words, sizeof *ring->data);
  return ring->seq && ring->data ? 0 : -1;
}

static inline void cc_ring_free(cc_ring *ring) {
  free(ring->seq);
  free(ring->data);
  ring->seq = NULL;
  ring->data = NULL;
}

static inline void cc_ring_push(cc_ring *ring, const uint64_t *record) {
  uint64_t index = cc_load_relaxed(&ring->head);
  uint64_t slot = index & ring->mask;
  cc_atomic_u64 *words = ring->data + slot * ring->words;
  uint32_t i;
  cc_store_relaxed(&ring->seq[slot], 2 * index + 1);
  /* No payload store may become visible before the odd sequence does. */
  atomic_thread_fence(memory_order_release);
  for (i = 0; i < ring->words; i++) cc_store_relaxed(&words[i], record[i]);
  cc_store_release(&ring->seq[slot], 2 * index + 2);
  cc_store_release(&ring->head, index + 1);
}

/* Copies the first n words of a record: 1, or 0 when it is gone or not written yet. */
static inline int cc_ring_read(cc_ring *ring, uint64_t index, uint64_t *out, uint32_t n) {
  uint64_t slot = index & ring->mask;
  cc_atomic_u64 *words = ring->data + slot * ring->words;
  uint32_t i;
  if (cc_load_acquire(&ring->seq[slot]) != 2 * index + 2) return 0;
  for (i = 0; i < n; i++) out[i] = cc_load_relaxed(&words[i]);
  /* The copies must be done before the second look at the sequence. */
  atomic_thread_fence(memory_order_acquire);
  return cc_load_relaxed(&ring->seq[slot]) == 2 * index + 2;
}

/* One word of a record, under the same protocol. */
static inline int cc_ring_word(cc_ring *ring, uint64_t index, uint32_t word, uint64_t *out) {
  uint64_t slot = index & ring->mask;
  if (cc_load_acquire(&ring->seq[slot]) != 2 * index + 2) return 0;
  *out = cc_load_relaxed(&ring->data[slot * ring->words + word]);
  atomic_thread_fence(memory_order_acquire);
  return cc_load_relaxed(&ring->seq[slot]) == 2 * index + 2;
}

static inline uint64_t cc_ring_head(cc_ring *ring) { return cc_load_acquire(&ring->head); }

/* Oldest index that may still be read. */
static inline uint64_t cc_ring_tail(cc_ring *ring) {
  uint64_t head = cc_ring_head(ring);
  return head > ring->mask ? head - ring->mask - 1 : 0;
}

#endif
