/* A producer that never pauses against readers on all processors: no copy of a record may be a mixture of two.
 * Included by _testing.pyx, and by a program of its own that runs under the thread sanitizer. */
#ifndef CODECARBON_RING_STRESS_H
#define CODECARBON_RING_STRESS_H

#include "ring.h"

#include <pthread.h>

enum { CC_STRESS_READERS = 16, CC_STRESS_WORDS = 64 };

typedef struct cc_stress {
  cc_ring ring;
  uint64_t records; /* that the producer writes */
  cc_atomic_int is_over;
} cc_stress;

typedef struct cc_stress_reader {
  cc_stress *stress;
  uint64_t read, rejected, torn;
  uint64_t seed;
} cc_stress_reader;

/* Every word of a record follows from its index, so a copy checks itself. */
static inline uint64_t cc_stress_word(uint64_t index, uint32_t word) {
  uint64_t x = (index + 1) * 0x9e3779b97f4a7c15ull + word * 0xd1b54a32d192ed03ull;
  return x ^ (x >> 29);
}

static inline int cc_stress_is_whole(uint64_t index, const uint64_t *record, uint32_t words) {
  for (uint32_t i = 0; i < words; i++)
    if (record[i] != cc_stress_word(index, i)) return 0;
  return 1;
}

static void *cc_stress_produce(void *argument) {
  cc_stress *stress = argument;
  uint64_t record[CC_STRESS_WORDS];
  for (uint64_t index = 0; index < stress->records; index++) {
    for (uint32_t i = 0; i < stress->ring.words; i++) record[i] = cc_stress_word(index, i);
    cc_ring_push(&stress->ring, record);
  }
  cc_store_release(&stress->is_over, 1);
  return NULL;
}

/* Reads everywhere between the oldest record, which is about to be overwritten, and one that is not written yet. */
static void *cc_stress_consume(void *argument) {
  cc_stress_reader *reader = argument;
  cc_ring *ring = &reader->stress->ring;
  uint64_t record[CC_STRESS_WORDS], word;
  while (!cc_load_acquire(&reader->stress->is_over)) {
    uint64_t tail = cc_ring_tail(ring), index;
    reader->seed = reader->seed * 6364136223846793005ull + 1442695040888963407ull;
    index = tail + (reader->seed >> 33) % (ring->mask + 3);
    if (!cc_ring_read(ring, index, record, ring->words)) {
      reader->rejected++;
      continue;
    }
    reader->read++;
    reader->torn += !cc_stress_is_whole(index, record, ring->words);
    if (cc_ring_word(ring, index, ring->words - 1, &word))
      reader->torn += word != cc_stress_word(index, ring->words - 1);
  }
  return NULL;
}

/* Runs the test and sums what the readers saw. 0, or -1 without memory or threads. */
static int cc_stress_run(uint64_t slots, uint32_t words, uint64_t records, int readers, cc_stress_reader *sum) {
  cc_stress stress;
  cc_stress_reader reader[CC_STRESS_READERS];
  pthread_t producer, thread[CC_STRESS_READERS];
  int begun = 0, status = -1;
  stress.records = records;
  atomic_init(&stress.is_over, 0);
  if (cc_ring_init(&stress.ring, slots, words) != 0) goto free_ring;
  for (; begun < readers; begun++) {
    reader[begun] = (cc_stress_reader){&stress, 0, 0, 0, (uint64_t)begun + 1};
    if (pthread_create(&thread[begun], NULL, cc_stress_consume, &reader[begun]) != 0) break;
  }
  if (begun == readers && pthread_create(&producer, NULL, cc_stress_produce, &stress) == 0) {
    pthread_join(producer, NULL);
    status = 0;
  }
  cc_store_release(&stress.is_over, 1);
  *sum = (cc_stress_reader){NULL, 0, 0, 0, 0};
  while (begun-- > 0) {
    pthread_join(thread[begun], NULL);
    sum->read += reader[begun].read;
    sum->rejected += reader[begun].rejected;
    sum->torn += reader[begun].torn;
  }
free_ring:
  cc_ring_free(&stress.ring);
  return status;
}

#endif
