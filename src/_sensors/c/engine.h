/* One tick of a sampler: reads its sources, takes the readings over, and writes one record. thread.h says when. */
#ifndef CODECARBON_ENGINE_H
#define CODECARBON_ENGINE_H

#include "counter.h"
#include "ops.h"
#include "ring.h"

#include <pthread.h>
#include <string.h>

enum { CC_ENGINE_NEW, CC_ENGINE_RUNNING, CC_ENGINE_STOPPED, CC_ENGINE_INHERITED, CC_ENGINE_LEAKED };

/* Words of a record; then four for each channel. Half of the bracket has 48 bits, in the first and the last of
 * (32 bits: half, low) (16: flags) (16: half, high), because a stuck driver or a stopped process makes it seconds. */
enum { CC_W_TIME, CC_W_HALF_FLAGS, CC_W_TICKS, CC_W_MISSED, CC_W_GAP, CC_W_CPU, CC_W_CHANNELS };
enum { CC_C_COUNT, CC_C_LOST, CC_C_AGE_BACK, CC_C_FAULTS, CC_C_WORDS };

#define CC_SECOND_NS  ((int64_t)1000000000)
#define CC_SUSPEND_NS ((int64_t)1000000)
/* The thread's processor time costs a system call: asked for now and then at fast rates. */
enum { CC_CPU_TICKS = 64, CC_CPU_INTERVAL_NS = 10000000 };

typedef struct cc_slot {
  cc_read_fn read;
  cc_reopen_fn reopen;
  void *ctx;
  int first, n;
} cc_slot;

/* What other threads may know of a channel at any time. */
typedef struct cc_state {
  cc_atomic_i64 first_ns, edge_ns, period_ns, max_period_ns;
  cc_atomic_u64 count, errors;
  cc_atomic_u32 errors_in_row;
  cc_atomic_int last_errno, is_gone;
} cc_state;

typedef struct cc_engine {
  cc_ops *ops;
  cc_slot *slots;
  int n_slots, n_channels;
  cc_counter *counters;
  cc_state *states;
  cc_reading *now, *again;
  uint64_t *record;
  cc_ring fine, coarse;
  int has_coarse;
  int64_t slow_read_ns; /* a longer bracket is flagged and read once more; 0 for sources that are slow by nature */
  cc_atomic_i64 idle_ns, fast_ns, linger_until_ns, first_ns;
  cc_atomic_int holds, is_fast;
  cc_atomic_u32 word, done; /* requests for a tick, and the newest one that a finished tick has served */
  cc_atomic_i64 burst_until_ns;
  cc_atomic_u32 edges; /* updates that a burst has caught */
  cc_atomic_int stop_flag, state;
  cc_atomic_u32 ended; /* the thread reads no more */
  /* Only the sampling thread below this line. */
  int64_t start_ns, previous_b_ns, coarse_ns, offset_ns, offset_check_ns, gap_ns, gap_until_ns;
  uint64_t ticks, missed;
  int64_t cpu_ns;
  uint32_t last_flags;
  int64_t interval_ns; /* from the previous tick to this one, as planned; 0 for the first */
  /* Control. */
  pthread_t thread;
  int has_thread;
  char name[16];
  struct cc_engine *next, *prev;
} cc_engine;

static inline void cc_read_slot(cc_engine *e, const cc_slot *slot, cc_reading *out) {
  int i, end = slot->first + slot->n;
  for (i = slot->first; i < end; i++) out[i].status = out[i].flags = 0;
  slot->read(slot->ctx, out + slot->first);
  /* A source says once that a counter restarted, maybe in a reading that is not used. */
  for (i = slot->first; i < end; i++) {
    if (out[i].flags & CC_READ_RESTART) e->counters[i].has_restarted = 1;
  }
}

static inline void cc_read_all(cc_engine *e, cc_reading *out) {
  int s;
  for (s = 0; s < e->n_slots; s++) cc_read_slot(e, &e->slots[s], out);
}

static inline int64_t cc_now(cc_engine *e) { return e->ops->clock_ns(e->ops->ctx, CC_CLOCK_MONOTONIC); }

/* Opens what went away again, at most every five seconds. */
static void cc_retry(cc_engine *e, int64_t now_ns) {
  int s, i;
  for (s = 0; s < e->n_slots; s++) {
    cc_slot *slot = &e->slots[s];
    int is_gone = 0;
    for (i = slot->first; i < slot->first + slot->n; i++) {
      if (e->counters[i].is_gone && now_ns >= e->counters[i].retry_ns) {
        e->counters[i].retry_ns = now_ns + CC_RETRY_NS;
        is_gone = 1;
      }
    }
    if (is_gone && slot->reopen) slot->reopen(slot->ctx);
  }
}

/* A reading that cannot be true is read twice more. Only two answers that agree with it make it believable. */
static uint32_t cc_second_look(cc_engine *e, cc_slot *slot, int channel, int64_t a_ns) {
  cc_counter *c = &e->counters[channel];
  cc_reading suspect = e->now[channel];
  int look;
  for (look = 0; look < 2; look++) {
    cc_reading *r = &e->again[channel];
    uint32_t flags;
    cc_read_slot(e, slot, e->again);
    if (r->status != 0) return CC_GAP | CC_ERR;
    if (r->raw < suspect.raw || (double)(r->raw - suspect.raw) > cc_cap_counts(&c->spec, CC_SECOND_NS) + 1) {
      int64_t b_ns = cc_now(e);
      flags = cc_counter_update(c, r, a_ns, b_ns, 0);
      /* The second reading is sane: the first was a glitch, and nothing is lost. CC_HOLD: not even that. */
      return flags | CC_GAP;
    }
    suspect = *r;
  }
  return cc_counter_update(c, &suspect, a_ns, cc_now(e), 1) | CC_GAP;
}

/* Time without knowledge; channels that miss the same time count it once. */
static void cc_add_gap(cc_engine *e, int64_t from_ns, int64_t until_ns) {
  if (from_ns < e->gap_until_ns) from_ns = e->gap_until_ns;
  if (until_ns <= from_ns) return;
  e->gap_ns += until_ns - from_ns;
  e->gap_until_ns = until_ns;
}

/* Learns from the edge that was just seen, and says how far back the middle of its interval lies. */
static void cc_take_edge(cc_engine *e, cc_counter *c, int64_t spacing_ns, int64_t a_ns, int64_t b_ns) {
  int64_t lo_ns = c->edge_lo_ns, fast_ns = cc_load_relaxed(&e->fast_ns), back_ns;
  /* Beside a fast rate the idle one sees only multiples of itself. */
  if (spacing_ns && e->interval_ns && (fast_ns <= 0 || e->interval_ns <= fast_ns)) cc_counter_learn(c, spacing_ns);
  /* The update came after the previous read, and not longer ago than updates ever are apart. */
  if (c->max_period_ns && a_ns - c->max_period_ns > lo_ns) lo_ns = a_ns - c->max_period_ns;
  back_ns = (b_ns - lo_ns) / 2;
  c->age = 0;
  c->back = back_ns > UINT32_MAX ? UINT32_MAX : back_ns < 1 ? 1 : (uint32_t)back_ns;
}

static uint32_t cc_take_channel(cc_engine *e, cc_slot *slot, int channel, int64_t a_ns, int64_t b_ns) {
  cc_counter *c = &e->counters[channel];
  int64_t before_hi_ns = c->edge_hi_ns, good_ns = c->read_b_ns;
  int had_moved = c->has_moved;
  uint32_t flags = cc_counter_update(c, &e->now[channel], a_ns, b_ns, 0);
  if (flags == CC_HOLD) flags = cc_second_look(e, slot, channel, a_ns);
  if (!(flags & (CC_ERR | CC_HOLD | CC_SKIP))) {
    c->failed = 0;
  } else if (c->failed < UINT16_MAX) {
    c->failed++;
  }
  flags &= ~(uint32_t)CC_HOLD;
  if (flags & CC_SKIP) {
    if (c->age < CC_AGE_UNKNOWN) c->age++;
    return flags;
  }
  if (flags & CC_ERR) {
    if (!c->is_gone && c->errors_in_row >= CC_GONE_AFTER) {
      c->is_gone = 1;
      c->retry_ns = b_ns + CC_RETRY_NS;
      if (good_ns) cc_add_gap(e, good_ns, b_ns);
    } else if (c->is_gone && good_ns) {
      /* Nobody counts a channel that never answered, so nobody misses it. */
      cc_add_gap(e, e->previous_b_ns, b_ns);
    }
  } else if (c->is_gone) {
    /* Back after a long absence: whatever it shows now is a new beginning. */
    c->is_gone = 0;
    flags |= CC_GAP;
  } else if (flags & CC_RESET) {
    cc_add_gap(e, good_ns, b_ns);
  }
  if (flags & CC_EDGE) {
    cc_take_edge(e, c, had_moved ? b_ns - before_hi_ns : 0, a_ns, b_ns);
  } else if (flags & CC_FIRST) {
    cc_take_edge(e, c, 0, a_ns, b_ns);
  } else if (c->age < CC_AGE_UNKNOWN) {
    c->age++;
  }
  if (c->period_ns && b_ns - c->edge_hi_ns > 5 * c->period_ns && c->has_moved &&
      b_ns - c->edge_hi_ns > 2 * cc_load_relaxed(&e->idle_ns)) {
    flags |= CC_STALE;
  }
  return flags;
}

/* The distance of the clock that counts suspend from the one that does not; a jump means that the machine slept. */
static uint32_t cc_check_suspend(cc_engine *e, int64_t b_ns) {
  int64_t offset_ns, jump_ns, now_ns;
  if (b_ns < e->offset_check_ns) return 0;
  offset_ns = e->ops->clock_ns(e->ops->ctx, CC_CLOCK_BOOTTIME);
  now_ns = cc_now(e);
  /* Interrupted since the tick's last look at the clock: the two would seem to have moved. The next tick asks again. */
  if (now_ns - b_ns > CC_SUSPEND_NS / 2) return 0;
  offset_ns -= now_ns;
  jump_ns = offset_ns - e->offset_ns;
  e->offset_ns = offset_ns;
  e->offset_check_ns = b_ns + CC_SECOND_NS;
  return e->ticks && jump_ns > CC_SUSPEND_NS ? CC_SUSPEND : 0;
}

static inline void cc_publish(const cc_counter *c, cc_state *state) {
  cc_store_relaxed(&state->edge_ns, c->has_moved ? c->edge_hi_ns : 0);
  cc_store_relaxed(&state->first_ns, c->first_ns);
  cc_store_relaxed(&state->period_ns, c->period_ns);
  cc_store_relaxed(&state->max_period_ns, c->max_period_ns);
  cc_store_relaxed(&state->count, c->count);
  cc_store_relaxed(&state->errors, c->errors);
  cc_store_relaxed(&state->errors_in_row, c->errors_in_row);
  cc_store_relaxed(&state->last_errno, c->last_errno);
  cc_store_relaxed(&state->is_gone, c->is_gone);
}

static void cc_write_record(cc_engine *e, int64_t a_ns, int64_t b_ns, uint32_t flags) {
  uint64_t *w = e->record;
  int64_t half_ns = (b_ns - a_ns) / 2, mid_ns = a_ns + half_ns;
  int i;
  w[CC_W_TIME] = (uint64_t)mid_ns;
  /* One more than half, so that the rounding never makes the bracket too narrow. */
  half_ns++;
  w[CC_W_HALF_FLAGS] = (uint32_t)half_ns | (uint64_t)(uint16_t)flags << 32 | (uint64_t)half_ns >> 32 << 48;
  w[CC_W_TICKS] = e->ticks;
  w[CC_W_MISSED] = e->missed;
  w[CC_W_GAP] = (uint64_t)e->gap_ns;
  w[CC_W_CPU] = (uint64_t)e->cpu_ns;
  w += CC_W_CHANNELS;
  for (i = 0; i < e->n_channels; i++, w += CC_C_WORDS) {
    cc_counter *c = &e->counters[i];
    cc_publish(c, &e->states[i]);
    w[CC_C_COUNT] = c->count;
    w[CC_C_LOST] = c->lost;
    w[CC_C_AGE_BACK] = (c->back ? c->age : CC_AGE_UNKNOWN) | (uint64_t)c->failed << 16 | (uint64_t)c->back << 32;
    w[CC_C_FAULTS] = c->faults;
  }
  if (e->ticks == 1) cc_store_relaxed(&e->first_ns, mid_ns);
  cc_ring_push(&e->fine, e->record);
  if (e->has_coarse && b_ns - e->coarse_ns >= CC_SECOND_NS) {
    e->coarse_ns = b_ns;
    cc_ring_push(&e->coarse, e->record);
  }
}

static void cc_tick(cc_engine *e) {
  int64_t a_ns, b_ns;
  uint32_t flags = 0;
  int s, i;
  a_ns = cc_now(e);
  cc_retry(e, a_ns);
  a_ns = cc_now(e);
  cc_read_all(e, e->now);
  b_ns = cc_now(e);
  if (e->slow_read_ns && b_ns - a_ns > e->slow_read_ns) {
    int64_t again_a_ns = cc_now(e), again_b_ns;
    int is_worse = 0;
    flags |= CC_SLOW;
    cc_read_all(e, e->again);
    again_b_ns = cc_now(e);
    for (i = 0; i < e->n_channels; i++) is_worse |= e->again[i].status != 0 && e->now[i].status == 0;
    if (!is_worse && again_b_ns - again_a_ns < b_ns - a_ns) {
      memcpy(e->now, e->again, (size_t)e->n_channels * sizeof *e->now);
      a_ns = again_a_ns;
      b_ns = again_b_ns;
    }
  }
  flags |= cc_check_suspend(e, b_ns);
  for (s = 0; s < e->n_slots; s++) {
    for (i = e->slots[s].first; i < e->slots[s].first + e->slots[s].n; i++) {
      uint32_t own = cc_take_channel(e, &e->slots[s], i, a_ns, b_ns);
      cc_counter_remember(&e->counters[i], own | (flags & (CC_SUSPEND | CC_SLOW)));
      flags |= own;
    }
  }
  /* A second look takes time: the record must not claim to be older than what it holds. */
  if (flags & CC_GAP) b_ns = cc_now(e);
  if (e->ticks % CC_CPU_TICKS == 0 || e->interval_ns >= CC_CPU_INTERVAL_NS) {
    e->cpu_ns = e->ops->clock_ns(e->ops->ctx, CC_CLOCK_THREAD_CPU);
  }
  e->ticks++;
  e->last_flags = flags;
  cc_write_record(e, a_ns, b_ns, flags);
  e->previous_b_ns = b_ns;
}

#endif
