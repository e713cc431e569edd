/* Exact simulated sensors: counters that follow a known power curve. Included by _testing.pyx only.
 *
 * Energy is integrated in femtojoules (microwatts times nanoseconds) with 128-bit integers, so that the ground truth
 * is exact and a reading is floor(E(last update) / unit) without rounding. */
#ifndef CODECARBON_SIM_H
#define CODECARBON_SIM_H

#include "channel.h"
#include "virtual_ops.h"

typedef __int128 cc_fj;

#define CC_FJ_PER_UJ 1000000000

typedef struct cc_sim_step {
  int64_t t_ns;
  int64_t power_uw; /* from t_ns on */
  cc_fj energy_fj;  /* up to t_ns */
} cc_sim_step;

enum {
  CC_SIM_ERROR,  /* reads in [from, until) fail with errno `value` */
  CC_SIM_GONE,   /* reads fail with ENODEV from `from` on, until a reopening at or after `until` */
  CC_SIM_RESET,  /* at `from` the register becomes `value` and counts on from there */
  CC_SIM_FREEZE, /* nothing is written in [from, until), and then what was missed appears with the next write */
  CC_SIM_JUMP,   /* at `from` the register gains `value` counts that nobody used, for good */
  CC_SIM_GLITCH, /* the first `times` reads at or after `from` show `value` counts more */
  CC_SIM_ZERO,   /* the first `times` reads at or after `from` show 0 */
  CC_SIM_SLOW,   /* the first `times` reads at or after `from` take `value` nanoseconds */
  CC_SIM_KINDS
};

typedef struct cc_sim_event {
  int kind;
  int64_t from_ns, until_ns;
  uint64_t value;
  uint64_t times; /* how often it still happens */
} cc_sim_event;

typedef struct cc_sim_channel {
  int64_t update_ns; /* 0: the register is always up to date */
  int64_t jitter_ns; /* an update happens at most so much before or after its place on the grid */
  int64_t phase_ns;
  uint64_t seed;
  uint64_t num, den, modulus, start;
  int n_steps, n_events;
  cc_sim_step *steps;
  cc_sim_event *events;
  int is_gone;
  int has_restarted;
} cc_sim_channel;

typedef struct cc_sim {
  cc_ops *ops;
  cc_virtual *clock; /* where reads take time; NULL: they take what they take */
  int64_t read_ns;
  uint64_t seed;
  uint64_t reads, reopens;
  int n;
  cc_sim_channel **channels;
} cc_sim;

/* A fixed mixing function (the finaliser of MurmurHash3): the same seed gives the same jitter everywhere. */
static uint64_t cc_sim_hash(uint64_t seed, uint64_t k) {
  uint64_t x = seed * 0x9e3779b97f4a7c15ull + k;
  x = (x ^ x >> 33) * 0xff51afd7ed558ccdull;
  x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53ull;
  return x ^ x >> 33;
}

static cc_fj cc_sim_energy_fj(const cc_sim_channel *c, int64_t t_ns) {
  int lo = 0, hi = c->n_steps; /* the last step at or before t is steps[lo - 1] */
  while (lo < hi) {
    int mid = lo + (hi - lo) / 2;
    if (c->steps[mid].t_ns <= t_ns) lo = mid + 1;
    else hi = mid;
  }
  if (lo == 0) return 0;
  return c->steps[lo - 1].energy_fj + (cc_fj)c->steps[lo - 1].power_uw * (t_ns - c->steps[lo - 1].t_ns);
}

/* The two halves of it, for Cython, which has no type that wide. Energy is never negative. */
static uint64_t cc_sim_energy_high(const cc_sim_channel *c, int64_t t_ns) {
  return (uint64_t)(cc_sim_energy_fj(c, t_ns) >> 64);
}

static uint64_t cc_sim_energy_low(const cc_sim_channel *c, int64_t t_ns) { return (uint64_t)cc_sim_energy_fj(c, t_ns); }

static void cc_sim_accumulate(cc_sim_channel *c) {
  for (int i = 1; i < c->n_steps; i++)
    c->steps[i].energy_fj =
        c->steps[i - 1].energy_fj + (cc_fj)c->steps[i - 1].power_uw * (c->steps[i].t_ns - c->steps[i - 1].t_ns);
}

static uint64_t cc_sim_counts(const cc_sim_channel *c, int64_t t_ns) {
  return (uint64_t)(cc_sim_energy_fj(c, t_ns) * (cc_fj)c->den / ((cc_fj)c->num * CC_FJ_PER_UJ));
}

static int64_t cc_sim_update(const cc_sim_channel *c, int64_t k) {
  int64_t shift = 0;
  if (c->jitter_ns > 0)
    shift = (int64_t)(cc_sim_hash(c->seed, (uint64_t)k) % (uint64_t)(2 * c->jitter_ns + 1)) - c->jitter_ns;
  return c->phase_ns + k * c->update_ns + shift;
}

/* The last instant at or before t at which the register was written. Jitter is below half a period, so only the
 * neighbours on the grid can be it. */
static int64_t cc_sim_last_update(const cc_sim_channel *c, int64_t t_ns) {
  int64_t k;
  if (c->update_ns <= 0) return t_ns;
  k = (t_ns - c->phase_ns) / c->update_ns + 1;
  while (cc_sim_update(c, k) > t_ns) k--;
  return cc_sim_update(c, k);
}

static uint64_t cc_sim_wrap(const cc_sim_channel *c, uint64_t value) { return c->modulus ? value % c->modulus : value; }

/* What the register shows at t, faults of single reads aside. */
static uint64_t cc_sim_register(const cc_sim_channel *c, int64_t t_ns) {
  int64_t updated = cc_sim_last_update(c, t_ns), since = INT64_MIN;
  uint64_t start = c->start, jumps = 0, counted = 0;
  /* Writes that fall into a freeze do not happen; events are in order, so the last freeze is undone first. */
  for (int i = c->n_events - 1; i >= 0; i--) {
    const cc_sim_event *e = &c->events[i];
    if (e->kind == CC_SIM_FREEZE && updated >= e->from_ns && updated < e->until_ns)
      updated = cc_sim_last_update(c, e->from_ns - 1);
  }
  for (int i = 0; i < c->n_events; i++) {
    const cc_sim_event *e = &c->events[i];
    if (e->kind != CC_SIM_RESET || e->from_ns > t_ns || e->from_ns < since) continue;
    since = e->from_ns;
    start = e->value;
    counted = cc_sim_counts(c, since);
  }
  for (int i = 0; i < c->n_events; i++) {
    const cc_sim_event *e = &c->events[i];
    if (e->kind == CC_SIM_JUMP && e->from_ns <= t_ns && e->from_ns >= since) jumps += e->value;
  }
  if (updated < since) updated = since;
  return cc_sim_wrap(c, start + jumps + (cc_sim_counts(c, updated) - counted));
}

static int cc_sim_happens(cc_sim_event *e, int kind, int64_t t_ns) {
  if (e->kind != kind || t_ns < e->from_ns || e->times == 0) return 0;
  e->times--;
  return 1;
}

static void cc_sim_read_channel(cc_sim_channel *c, int64_t t_ns, cc_reading *out) {
  out->raw = 0;
  out->flags = 0;
  out->status = 0;
  for (int i = 0; i < c->n_events; i++) {
    cc_sim_event *e = &c->events[i];
    if (e->kind == CC_SIM_ERROR && t_ns >= e->from_ns && t_ns < e->until_ns) out->status = -(int32_t)e->value;
    if (cc_sim_happens(e, CC_SIM_GONE, t_ns)) c->is_gone = 1;
  }
  if (c->is_gone) out->status = -ENODEV;
  if (out->status) return;
  out->raw = cc_sim_register(c, t_ns);
  for (int i = 0; i < c->n_events; i++) {
    if (cc_sim_happens(&c->events[i], CC_SIM_GLITCH, t_ns)) out->raw = cc_sim_wrap(c, out->raw + c->events[i].value);
    if (cc_sim_happens(&c->events[i], CC_SIM_ZERO, t_ns)) out->raw = 0;
  }
  if (c->has_restarted) out->flags = CC_READ_RESTART;
  c->has_restarted = 0;
}

static void cc_sim_read(void *ctx, cc_reading *out) {
  cc_sim *sim = ctx;
  int64_t now = sim->ops->clock_ns(sim->ops->ctx, CC_CLOCK_MONOTONIC), before = 0, taken = sim->read_ns;
  uint64_t number = CC_ADD(sim->reads, 1);
  for (int i = 0; i < sim->n; i++)
    for (int j = 0; j < sim->channels[i]->n_events; j++)
      if (cc_sim_happens(&sim->channels[i]->events[j], CC_SIM_SLOW, now))
        taken = (int64_t)sim->channels[i]->events[j].value;
  if (sim->clock && taken > 0) {
    /* The register is read somewhere inside the call, and nobody is told where. */
    before = (int64_t)(cc_sim_hash(sim->seed, number) % (uint64_t)(taken + 1));
    cc_virtual_work(sim->clock, before);
    now = sim->ops->clock_ns(sim->ops->ctx, CC_CLOCK_MONOTONIC);
  }
  for (int i = 0; i < sim->n; i++) cc_sim_read_channel(sim->channels[i], now, &out[i]);
  if (sim->clock && taken > 0) cc_virtual_work(sim->clock, taken - before);
}

/* Only what is gone needs opening; it comes back once its time has come. */
static int cc_sim_reopen(void *ctx) {
  cc_sim *sim = ctx;
  int64_t now = sim->ops->clock_ns(sim->ops->ctx, CC_CLOCK_MONOTONIC);
  int status = 0;
  CC_ADD(sim->reopens, 1);
  for (int i = 0; i < sim->n; i++) {
    cc_sim_channel *c = sim->channels[i];
    int64_t until = INT64_MIN;
    if (!c->is_gone) continue;
    for (int j = 0; j < c->n_events; j++)
      if (c->events[j].kind == CC_SIM_GONE && c->events[j].times == 0 && c->events[j].until_ns > until)
        until = c->events[j].until_ns;
    if (now < until) {
      status = -ENODEV;
      continue;
    }
    c->is_gone = 0;
    c->has_restarted = 1;
  }
  return status;
}

#endif
