/* The sampling thread under the thread sanitizer, with everybody talking to it: built and run by test_ring.py. */
#include "ops_libc.h"
#include "resolve.h"
#include "sim.h"
#include "thread.h"
#include "virtual_ops.h"

#include <stdio.h>

enum { WORDS = CC_W_CHANNELS + CC_C_WORDS, LOOPS = 3000 };

static cc_engine engine;
static cc_atomic_int is_over;

/* Time jumps from tick to tick, so the thread ticks as fast as it can. */
static void *resolve_all(void *unused) {
  cc_instant at;
  cc_total total;
  int64_t least_uj = 0;
  (void)unused;
  while (!atomic_load(&is_over)) {
    if (cc_resolve(&engine, engine.ops->clock_ns(engine.ops->ctx, CC_CLOCK_MONOTONIC), &at, &total) != 0) continue;
    /* The thread may lap the ring while we look: then only the coarse tier holds the instant, and it knows less. */
    if (at.is_coarse || at.position < 0) continue;
    /* Energy never falls, so no later upper bound lies below an earlier lower one; the coarse tier's may be loose. */
    if (total.low_uj > total.total_uj || total.total_uj > total.high_uj || total.high_uj < least_uj) abort();
    if (total.low_uj > least_uj) least_uj = total.low_uj;
  }
  return NULL;
}

static void *ask_all(void *unused) {
  (void)unused;
  for (int i = 0; i < LOOPS; i++) {
    cc_hold_fast(&engine);
    cc_engine_tick(&engine, 0);
    cc_release_fast(&engine);
    cc_set_i64(&engine.idle_ns, 10000000 + i);
    cc_ask(&engine);
  }
  return NULL;
}

int main(void) {
  static cc_virtual clock;
  static cc_sim_step step = {0, 50000000, 0};
  static cc_sim_channel channel = {.update_ns = 1000000, .num = 1, .den = 1, .n_steps = 1, .steps = &step};
  static cc_sim_channel *channels[] = {&channel};
  static cc_sim sim = {.n = 1, .channels = channels};
  static cc_counter counter = {.spec = {.num = 1, .den = 1, .quantum = 1}};
  static cc_state state;
  static cc_reading now[1], again[1];
  static uint64_t record[WORDS];
  static cc_slot slot = {cc_sim_read, cc_sim_reopen, &sim, 0, 1};
  pthread_t readers[2], asker;
  cc_virtual_init(&clock, cc_ops_libc());
  clock.now_ns = 1000000000;
  clock.jumps = 1;
  sim.ops = engine.ops = &clock.table;
  engine.slots = &slot;
  engine.n_slots = engine.n_channels = 1;
  engine.counters = &counter;
  engine.states = &state;
  engine.now = now;
  engine.again = again;
  engine.record = record;
  engine.has_coarse = 1;
  engine.slow_read_ns = 50000;
  cc_set_i64(&engine.idle_ns, 10000000);
  cc_set_i64(&engine.fast_ns, 1000000);
  if (cc_ring_init(&engine.fine, 64, WORDS) != 0 || cc_ring_init(&engine.coarse, 8, WORDS) != 0) return 2;
  if (cc_engine_start(&engine) != 0) return 2;
  for (int i = 0; i < 2; i++) pthread_create(&readers[i], NULL, resolve_all, NULL);
  pthread_create(&asker, NULL, ask_all, NULL);
  pthread_join(asker, NULL);
  if (!cc_engine_stop(&engine, CC_SECOND_NS)) return 3;
  atomic_store(&is_over, 1);
  for (int i = 0; i < 2; i++) pthread_join(readers[i], NULL);
  printf("ticks %llu\n", (unsigned long long)cc_ring_head(&engine.fine));
  cc_stop_all(0);
  cc_ring_free(&engine.fine);
  cc_ring_free(&engine.coarse);
  return 0;
}
