/* The totals of all channels at one instant, with bounds, from the records around it.
 *
 * A count shows the energy at its last update, which lies between the previous read and the read that first showed it
 * (an edge). Energy never falls, so an edge before the instant is a lower bound, an edge whose previous read came after
 * the instant is an upper bound, and nothing else is assumed. The estimate is linear between the middles of the edges
 * around the instant. Formulas: docs/method/energy.md. */
#ifndef CODECARBON_RESOLVE_H
#define CODECARBON_RESOLVE_H

#include "engine.h"

#include <math.h>

typedef struct cc_total {
  int64_t total_uj, low_uj, high_uj, lost_uj;
  double var_j2; /* timing variance of this end */
  uint64_t faults;
} cc_total;

typedef struct cc_instant {
  int64_t t_ns, first_ns, last_ns, gap_ns, cpu_ns;
  uint64_t ticks, missed;
  int is_final, position, is_coarse;
} cc_instant;

enum { CC_MAX_WORDS = CC_W_CHANNELS + CC_C_WORDS * CC_MAX_CHANNELS };

static inline int64_t cc_half(const uint64_t *w) { return (int64_t)(uint32_t)w[CC_W_HALF_FLAGS]; }
static inline int64_t cc_begin(const uint64_t *w) { return (int64_t)w[CC_W_TIME] - cc_half(w); }
static inline int64_t cc_end(const uint64_t *w) { return (int64_t)w[CC_W_TIME] + cc_half(w); }

/* Count to microjoules; plus is added to the numerator before the division (den - 1 rounds up). */
static inline int64_t cc_uj(const cc_channel *spec, uint64_t count, uint64_t plus) {
  return (int64_t)(((unsigned __int128)count * spec->num + plus) / spec->den);
}

/* First index in (low, head) whose count differs from `count`, or head. Counts never fall, so bisection is enough. */
static uint64_t cc_next_edge(cc_ring *ring, uint32_t word, uint64_t low, uint64_t head, uint64_t count) {
  uint64_t high = head, value, step = 1;
  /* The next edge is nearly always close: gallop first. */
  while (low + step < head) {
    if (!cc_ring_word(ring, low + step, word, &value)) return head;
    if (value != count) {
      high = low + step;
      break;
    }
    low += step;
    step *= 2;
  }
  while (high - low > 1) {
    uint64_t middle = low + (high - low) / 2;
    if (!cc_ring_word(ring, middle, word, &value)) return head;
    if (value != count) {
      high = middle;
    } else {
      low = middle;
    }
  }
  return high;
}

/* Last index in [tail, head) whose read ended at or before t, or tail - 1 as UINT64_MAX when there is none. */
static uint64_t cc_find(cc_ring *ring, int64_t t_ns) {
  uint64_t low = cc_ring_tail(ring), high = cc_ring_head(ring), w[2];
  uint64_t best = UINT64_MAX;
  while (low < high) {
    uint64_t middle = low + (high - low) / 2;
    if (!cc_ring_read(ring, middle, w, 2)) {
      low = middle + 1; /* overwritten meanwhile */
    } else if (cc_end(w) <= t_ns) {
      best = middle;
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return best;
}

typedef struct cc_edge {
  double t_ns, width_ns; /* middle of the interval in which the update happened, and its length */
  uint64_t count;
  int is_unseen; /* nobody saw this count being written: the time is that of a record which showed it */
} cc_edge;

/* The edge at a record. In the coarse tier a record that is no edge itself only bounds the instant of its edge. */
static cc_edge cc_edge_at(const uint64_t *w, uint32_t at) {
  uint32_t age = (uint32_t)w[at + CC_C_AGE_BACK], back = (uint32_t)(w[at + CC_C_AGE_BACK] >> 32);
  cc_edge edge = {(double)(int64_t)w[CC_W_TIME], 0, w[at + CC_C_COUNT], 0};
  if (age == 0) {
    edge.t_ns = (double)cc_end(w) - back;
    edge.width_ns = 2.0 * back;
  }
  return edge;
}

/* The update behind an edge came after this instant. The record before the edge alone does not say so: its own reading
 * may have failed or been left out. In the coarse tier only a record without failures proves that it was made. */
static inline int64_t cc_edge_begin(const uint64_t *w, const uint64_t *before, uint32_t at) {
  uint32_t age = (uint32_t)w[at + CC_C_AGE_BACK], back = (uint32_t)(w[at + CC_C_AGE_BACK] >> 32);
  if (age != 0) return before[CC_W_HALF_FLAGS] >> 32 & (CC_ERR | CC_SKIP) ? INT64_MIN : cc_begin(before);
  /* Halved and rounded when it was stored. */
  return back == UINT32_MAX ? INT64_MIN : cc_end(w) - 2 * (int64_t)back - 3;
}

typedef struct cc_view {
  cc_engine *engine;
  cc_ring *ring;
  uint64_t index, head; /* the record at or before the instant; the end of the ring */
  int64_t t_ns, newest_ns;
  int is_coarse;
} cc_view;

/* The edge that wrote the count of record w: w itself, or `age` ticks earlier. */
static cc_edge cc_edge_before(const cc_view *v, uint64_t index, const uint64_t *w, uint32_t at) {
  uint64_t other[CC_MAX_WORDS];
  uint32_t age = (uint32_t)w[at + CC_C_AGE_BACK];
  /* Where it never moved, or the record is gone, nothing older than w is known. */
  cc_edge unseen = cc_edge_at(w, at);
  if (v->is_coarse || age == 0) return unseen;
  unseen.is_unseen = 1;
  if (age > index || !cc_ring_read(v->ring, index - age, other, v->ring->words)) return unseen;
  return cc_edge_at(other, at);
}

static inline double cc_slope(const cc_edge *from, const cc_edge *to) {
  return to->t_ns > from->t_ns ? (double)(to->count - from->count) / (to->t_ns - from->t_ns) : 0.0;
}

/* Counts per nanosecond between an edge and one at least span_ns before it; consecutive updates beat with the ticks. */
static double cc_slope_before(const cc_view *v, uint32_t at, const cc_edge *edge, int64_t span_ns) {
  uint64_t other[CC_MAX_WORDS], index = cc_find(v->ring, (int64_t)edge->t_ns - span_ns);
  cc_edge from;
  if (index == UINT64_MAX) index = cc_ring_tail(v->ring);
  if (!cc_ring_read(v->ring, index, other, v->ring->words)) return 0.0;
  from = cc_edge_before(v, index, other, at);
  return cc_slope(&from, edge);
}

enum { CC_EDGES = 6 };
#define CC_SLOPE_NS ((int64_t)20000000)
#define CC_SETTLE_NS ((int64_t)50000000)

typedef struct cc_edges {
  cc_edge edge[CC_EDGES]; /* the one before the instant, then those after it */
  int n;
  int has_high;
  uint64_t high; /* upper bound, in counts, from an edge that certainly came after the instant */
} cc_edges;

static void cc_collect(const cc_view *v, const uint64_t *w, uint32_t at, uint64_t quantum, cc_edges *out) {
  uint64_t probe[CC_MAX_WORDS], before[2], index = v->index;
  out->edge[0] = cc_edge_before(v, v->index, w, at);
  out->n = 1;
  out->has_high = 0;
  while (out->n < CC_EDGES &&
         !(out->has_high && out->edge[out->n - 1].t_ns >= (double)v->t_ns && !out->edge[0].is_unseen)) {
    uint64_t next = cc_next_edge(v->ring, at + CC_C_COUNT, index, v->head, out->edge[out->n - 1].count);
    if (next >= v->head || !cc_ring_read(v->ring, next, probe, v->ring->words)) return;
    if (!cc_ring_read(v->ring, next - 1, before, 2)) return;
    if (!out->has_high && cc_begin(before) >= v->t_ns && cc_edge_begin(probe, before, at) >= v->t_ns) {
      /* What was lost on the way is not in the count, but it may have been used before the instant. */
      out->high = probe[at + CC_C_COUNT] + quantum + (probe[at + CC_C_LOST] - w[at + CC_C_LOST]);
      out->has_high = 1;
    }
    out->edge[out->n++] = cc_edge_at(probe, at);
    index = next;
  }
}

/* A channel whose readings hold for the moment of the read: linear between the ticks around the instant. */
static int cc_resolve_instant(const cc_view *v, const cc_channel *spec, const uint64_t *w, uint32_t at, cc_total *out) {
  uint64_t other[CC_MAX_WORDS], count = w[at + CC_C_COUNT], delta;
  double uj = (double)spec->num / (double)spec->den, t0 = (double)(int64_t)w[CC_W_TIME], span, more;
  int is_between = v->index + 1 < v->head && cc_ring_read(v->ring, v->index + 1, other, v->ring->words);
  out->low_uj = cc_uj(spec, count, 0);
  out->lost_uj = cc_uj(spec, w[at + CC_C_LOST], spec->den - 1);
  out->faults = w[at + CC_C_FAULTS];
  if (is_between) {
    span = (double)(int64_t)other[CC_W_TIME] - t0;
    delta = other[at + CC_C_COUNT] - count;
  } else if (v->index > 0 && cc_ring_read(v->ring, v->index - 1, other, v->ring->words)) {
    span = t0 - (double)(int64_t)other[CC_W_TIME];
    delta = count - other[at + CC_C_COUNT];
  } else {
    span = 0;
    delta = 0;
  }
  more = (double)v->t_ns - t0;
  more = span > 0 && more > 0 ? (double)delta * more / span : 0;
  if (is_between && more > (double)delta) more = (double)delta;
  out->total_uj = out->low_uj + (int64_t)(more * uj);
  out->high_uj = cc_uj(spec, is_between ? count + delta : count + (uint64_t)(2 * more), spec->den - 1);
  if (out->high_uj < out->total_uj) out->high_uj = out->total_uj;
  /* Where inside the interval the energy was used is unknown: uniform over the whole of it. */
  out->var_j2 = (double)delta * uj * 1e-6 * ((double)delta * uj * 1e-6) / 12;
  return is_between;
}

/* One channel at the instant of the view; w is the record at v->index. Returns whether it can no longer change. */
static int cc_resolve_channel(const cc_view *v, int channel, const uint64_t *w, cc_total *out) {
  const cc_channel *spec = &v->engine->counters[channel].spec;
  cc_state *state = &v->engine->states[channel];
  uint32_t at = CC_W_CHANNELS + CC_C_WORDS * (uint32_t)channel;
  double t = (double)v->t_ns, uj = (double)spec->num / (double)spec->den, slope, spread = 0, width, gap, f = 1;
  int64_t period_ns = cc_load_relaxed(&state->max_period_ns), idle_ns = cc_load_relaxed(&v->engine->idle_ns), settle_ns;
  cc_edges found;
  int k = 0, has_pair, is_settled;
  if (spec->is_instant) return cc_resolve_instant(v, spec, w, at, out);
  cc_collect(v, w, at, spec->quantum, &found);
  if (found.edge[0].is_unseen && found.n > 2) {
    /* A first reading is as old as the sensor is slow. The power seen next tells how old, where it was constant. */
    slope = cc_slope(&found.edge[1], &found.edge[found.n - 1]);
    if (slope > 0)
      found.edge[0].t_ns = found.edge[1].t_ns - (double)(found.edge[1].count - found.edge[0].count) / slope;
    found.edge[0].width_ns = found.edge[1].width_ns;
  }
  while (k + 1 < found.n && found.edge[k + 1].t_ns < t) k++;
  has_pair = k + 1 < found.n;
  settle_ns = 3 * (period_ns > idle_ns ? period_ns : idle_ns);
  is_settled = v->newest_ns > v->t_ns + (settle_ns > CC_SETTLE_NS ? settle_ns : CC_SETTLE_NS);
  gap = t - found.edge[k].t_ns;
  width = found.edge[k].width_ns;
  if (has_pair) {
    cc_edge *left = &found.edge[k], *right = &found.edge[k + 1];
    slope = cc_slope(left, right);
    if (right->width_ns > width) width = right->width_ns;
    f = right->t_ns > left->t_ns ? gap / (right->t_ns - left->t_ns) : 0;
    spread = fabs(slope - (k > 0 ? cc_slope(left - 1, left) : cc_slope_before(v, at, left, 1)));
    gap = right->t_ns - left->t_ns;
  } else {
    /* No update since: go on at the recent power while one may still come, and add nothing once it is overdue. */
    slope = is_settled ? 0 : cc_slope_before(v, at, &found.edge[k], CC_SLOPE_NS);
    spread = slope;
    width += gap;
  }
  if (v->is_coarse && width < (double)CC_SECOND_NS) width = (double)CC_SECOND_NS;
  if (!found.has_high) {
    double open_ns = t - found.edge[found.n - 1].t_ns + found.edge[found.n - 1].width_ns / 2;
    double most = spec->cap_w > 0 ? cc_cap_counts(spec, open_ns > 0 ? (int64_t)open_ns : 0) : 2 * slope * fabs(open_ns);
    found.high = found.edge[found.n - 1].count + spec->quantum + (uint64_t)(most > 0 ? most : 0);
  }
  out->low_uj = cc_uj(spec, w[at + CC_C_COUNT], 0);
  out->high_uj = cc_uj(spec, found.high, spec->den - 1);
  out->total_uj = cc_uj(spec, found.edge[k].count, 0) + (int64_t)(slope * (t - found.edge[k].t_ns) * uj);
  if (out->total_uj < out->low_uj) out->total_uj = out->low_uj;
  if (out->total_uj > out->high_uj) out->total_uj = out->high_uj;
  out->lost_uj = cc_uj(spec, w[at + CC_C_LOST], spec->den - 1);
  out->faults = w[at + CC_C_FAULTS];
  width *= slope * uj * 1e-6;
  gap *= (has_pair ? f * (1 - f) : 1) * spread * uj * 1e-6;
  out->var_j2 = width * width / 12 + gap * gap / 3 + uj * uj * 1e-12 * (double)(spec->quantum * spec->quantum) / 12;
  return (has_pair && found.has_high && (found.n == CC_EDGES || !found.edge[0].is_unseen)) || is_settled;
}

/* All channels at t_ns. 0, or -ENODATA before the first tick. */
static int cc_resolve(cc_engine *e, int64_t t_ns, cc_instant *at, cc_total *totals) {
  uint64_t w[CC_MAX_WORDS], newest[2], oldest[2], index;
  cc_view v = {e, &e->fine, 0, 0, t_ns, 0, 0};
  uint32_t words = e->fine.words;
  int attempt, channel, is_over;
  at->t_ns = t_ns;
  /* Records can be overwritten while we look: what fails is tried again, on the coarse tier in the end. */
  for (attempt = 0; attempt < 8; attempt++) {
    v.head = cc_ring_head(&e->fine);
    if (v.head == 0) return -ENODATA;
    if (!cc_ring_read(&e->fine, v.head - 1, newest, 2)) continue;
    at->last_ns = (int64_t)newest[CC_W_TIME];
    at->first_ns = cc_load_relaxed(&e->first_ns);
    v.newest_ns = cc_end(newest);
    v.t_ns = t_ns;
    at->position = t_ns > v.newest_ns;
    index = cc_find(&e->fine, t_ns);
    v.ring = &e->fine;
    v.is_coarse = 0;
    if (index == UINT64_MAX && cc_ring_tail(&e->fine) > 0 && e->has_coarse) {
      v.ring = &e->coarse;
      v.head = cc_ring_head(&e->coarse);
      v.is_coarse = 1;
      index = cc_find(&e->coarse, t_ns);
    }
    if (index == UINT64_MAX) {
      index = cc_ring_tail(v.ring);
      if (!cc_ring_read(v.ring, index, oldest, 2)) continue;
      v.t_ns = cc_end(oldest);
      at->position = -1;
    }
    v.index = index;
    if (!cc_ring_read(v.ring, index, w, words)) continue;
    at->is_coarse = v.is_coarse;
    at->ticks = w[CC_W_TICKS];
    at->missed = w[CC_W_MISSED];
    at->gap_ns = (int64_t)w[CC_W_GAP];
    at->cpu_ns = (int64_t)w[CC_W_CPU];
    at->is_final = 1;
    is_over = atomic_load(&e->state) >= CC_ENGINE_STOPPED;
    for (channel = 0; channel < e->n_channels; channel++) {
      at->is_final &= cc_resolve_channel(&v, channel, w, &totals[channel]);
    }
    /* No tick will ever come again, so this is as good as it gets. */
    at->is_final |= is_over;
    return 0;
  }
  return -EAGAIN;
}

#endif
