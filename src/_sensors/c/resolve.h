/* The totals of all channels at one instant, with bounds, from the records around it.
 *
 * A count shows the energy at its last update, which lies between the previous read and the read that first showed it
 * (an edge). Energy never falls, so an edge before the instant is a lower bound, an edge whose previous read came after
 * the instant is an upper bound, and nothing else is assumed. The estimate is linear between the middles of the edges
 * around the instant. Formulas: docs/method/energy.md. */
#ifndef CODECARBON_RESOLVE_H
#define CODECARBON_RESOLVE_H

#include "edges.h"

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

/* Count to microjoules; plus is added to the numerator before the division (den - 1 rounds up). */
static inline int64_t cc_uj(const cc_channel *spec, uint64_t count, uint64_t plus) {
  return (int64_t)(((unsigned __int128)count * spec->num + plus) / spec->den);
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

/* How long the newest tick must lie behind an instant before an update that has not come will not come any more. */
static int64_t cc_settle_ns(const cc_view *v, cc_state *state) {
  int64_t period_ns = cc_load_relaxed(&state->max_period_ns), usual_ns = cc_load_relaxed(&state->period_ns);
  int64_t settle_ns = cc_load_relaxed(&v->engine->idle_ns);
  /* A stand-still without any power looks like one long period, but it says nothing about the sensor. */
  if (period_ns > 4 * usual_ns) period_ns = 4 * usual_ns;
  if (period_ns > settle_ns) settle_ns = period_ns;
  settle_ns *= 3;
  /* A sensor that moves, and nobody knows how often yet. */
  if (!period_ns && cc_load_relaxed(&state->edge_ns) && settle_ns < CC_SECOND_NS) settle_ns = CC_SECOND_NS;
  return settle_ns > CC_SETTLE_NS ? settle_ns : CC_SETTLE_NS;
}

/* The estimate at one end of a window and what makes it uncertain. Powers are in counts per nanosecond. */
typedef struct cc_guess {
  double count, slope, width_ns, gap_ns, spread, f;
} cc_guess;

/* Between two edges: linear between their middles. A long stand-still before the right edge is no part of that: nothing
 * was used in it, and instants in it have settled on that. */
static void cc_interpolate(const cc_view *v, uint32_t at, const cc_edges *found, int k, int64_t settle_ns,
                           cc_guess *g) {
  cc_edge left = found->edge[k], right = found->edge[k + 1];
  double t = (double)v->t_ns, moved;
  g->width_ns = left.width_ns > right.width_ns ? left.width_ns : right.width_ns;
  if (found->since_ns[k + 1] != INT64_MIN && (double)(found->since_ns[k + 1] - settle_ns) > left.t_ns) {
    left.t_ns = (double)(found->since_ns[k + 1] - settle_ns);
  }
  g->slope = cc_slope(&left, &right);
  g->spread = fabs(
      g->slope - (k > 0 ? cc_slope(&found->edge[k - 1], &found->edge[k]) : cc_slope_before(v, at, &found->edge[k], 1)));
  g->gap_ns = right.t_ns - left.t_ns;
  g->f = g->gap_ns > 0 && t > left.t_ns ? (t - left.t_ns) / g->gap_ns : 0;
  if (g->f > 1) g->f = 1;
  g->f *= 1 - g->f;
  moved = g->slope * (t - left.t_ns);
  if (moved > (double)(right.count - left.count)) moved = (double)(right.count - left.count);
  g->count = moved > 0 ? moved : 0;
}

/* After the last edge: goes on at the recent power while an update may still come, and adds nothing once it is overdue.
 */
static void cc_extrapolate(const cc_view *v, uint32_t at, const cc_edge *last, int is_settled, cc_guess *g) {
  double open_ns = (double)v->t_ns - last->t_ns;
  g->slope = g->spread = is_settled ? 0 : cc_slope_before(v, at, last, CC_SLOPE_NS);
  g->gap_ns = open_ns;
  g->width_ns = last->width_ns + open_ns;
  g->f = 1;
  g->count = open_ns > 0 ? g->slope * open_ns : 0;
}

/* The power seen next tells how old the first reading was, where that power was constant. */
static void cc_date_first(cc_edges *found) {
  cc_edge *first = &found->edge[0], *next = &found->edge[1];
  double slope;
  if (!cc_is_unseen(first) || found->n < 3) return;
  slope = cc_slope(next, &found->edge[found->n - 1]);
  if (slope > 0) first->t_ns = next->t_ns - (double)(next->count - first->count) / slope;
  first->width_ns = next->width_ns;
}

/* Right behind an update that was caught in the act, little energy can have been used: the cap bounds it better than
 * the next update does. */
static void cc_cap_high(const cc_view *v, uint32_t at, const cc_channel *spec, cc_edges *found) {
  const cc_edge *last = &found->edge[0];
  int64_t since_ns = spec->cap_w > 0 && !cc_is_unseen(last) ? cc_since(v, last->index, at) : INT64_MIN;
  uint64_t high;
  if (since_ns == INT64_MIN || since_ns > v->t_ns) return;
  high = last->count + spec->quantum + (uint64_t)cc_cap_counts(spec, v->t_ns - since_ns + 1);
  if (high < found->high) found->high = high;
}

/* Upper bound where no edge certainly came after the instant: the last one, and what the cap allows since. */
static uint64_t cc_open_high(const cc_view *v, uint32_t at, const cc_channel *spec, const cc_edges *found,
                             int64_t period_ns, double slope) {
  const cc_edge *last = &found->edge[found->n - 1];
  int64_t since_ns = found->n > 1 ? found->since_ns[found->n - 1] : cc_since(v, last->index, at), open_ns;
  double most;
  if (since_ns == INT64_MIN) {
    since_ns = (int64_t)(last->t_ns - last->width_ns / 2);
    if (cc_is_unseen(last)) since_ns -= period_ns ? period_ns : CC_UNSEEN_NS;
  }
  open_ns = v->t_ns - since_ns;
  if (open_ns < 0) open_ns = 0;
  /* Without a cap nothing is certain: twice the recent power. */
  most = spec->cap_w > 0 ? cc_cap_counts(spec, open_ns) : 2 * slope * (double)open_ns;
  return last->count + found->lost + spec->quantum + (uint64_t)most;
}

/* One channel at the instant of the view; w is the record at v->index. Returns whether it can no longer change. */
static int cc_resolve_channel(const cc_view *v, int channel, const uint64_t *w, cc_total *out) {
  const cc_channel *spec = &v->engine->counters[channel].spec;
  cc_state *state = &v->engine->states[channel];
  uint32_t at = CC_W_CHANNELS + CC_C_WORDS * (uint32_t)channel;
  double t = (double)v->t_ns, uj = (double)spec->num / (double)spec->den, width_j, gap_j;
  int64_t settle_ns = cc_settle_ns(v, state);
  cc_edges found;
  cc_guess guess;
  int k = 0, has_pair, is_settled;
  if (spec->is_instant) return cc_resolve_instant(v, spec, w, at, out);
  if (cc_back(w, at) == 0) {
    /* Before its first good reading nothing is known of a channel, and its total begins there. */
    memset(out, 0, sizeof *out);
    out->faults = w[at + CC_C_FAULTS];
    return 1;
  }
  cc_collect(v, w, at, spec->quantum, &found);
  cc_date_first(&found);
  while (k + 1 < found.n && found.edge[k + 1].t_ns < t) k++;
  has_pair = k + 1 < found.n;
  is_settled = v->newest_ns > v->t_ns + settle_ns;
  if (has_pair) {
    cc_interpolate(v, at, &found, k, settle_ns, &guess);
  } else {
    cc_extrapolate(v, at, &found.edge[k], is_settled, &guess);
  }
  if (v->is_coarse && guess.width_ns < (double)CC_SECOND_NS) guess.width_ns = (double)CC_SECOND_NS;
  if (!found.has_high)
    found.high = cc_open_high(v, at, spec, &found, cc_load_relaxed(&state->max_period_ns), guess.slope);
  cc_cap_high(v, at, spec, &found);
  out->low_uj = cc_uj(spec, w[at + CC_C_COUNT], 0);
  out->high_uj = cc_uj(spec, found.high, spec->den - 1);
  out->total_uj = cc_uj(spec, found.edge[k].count, 0) + (int64_t)(guess.count * uj);
  if (has_pair && out->total_uj > cc_uj(spec, found.edge[k + 1].count, 0)) {
    out->total_uj = cc_uj(spec, found.edge[k + 1].count, 0);
  }
  if (out->total_uj < out->low_uj) out->total_uj = out->low_uj;
  if (out->total_uj > out->high_uj) out->total_uj = out->high_uj;
  out->lost_uj = cc_uj(spec, w[at + CC_C_LOST], spec->den - 1);
  out->faults = w[at + CC_C_FAULTS];
  width_j = guess.width_ns * guess.slope * uj * 1e-6;
  gap_j = guess.gap_ns * guess.f * guess.spread * uj * 1e-6;
  out->var_j2 =
      width_j * width_j / 12 + gap_j * gap_j / 3 + uj * uj * 1e-12 * (double)(spec->quantum * spec->quantum) / 12;
  return (has_pair && found.has_high && (found.n == CC_EDGES || !cc_is_unseen(&found.edge[0]))) || is_settled;
}

/* Whether no tick will come any more. A thread that was asked to stop may still be making one. */
static inline int cc_is_over(cc_engine *e) {
  int state = atomic_load(&e->state);
  return state > CC_ENGINE_STOPPED || (state == CC_ENGINE_STOPPED && (!e->has_thread || atomic_load(&e->ended)));
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
    v.newest_ns = cc_begin(newest);
    v.t_ns = t_ns;
    at->position = t_ns > cc_end(newest);
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
    is_over = cc_is_over(e);
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
