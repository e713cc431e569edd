/* Updates of a counter, found again in the rings: which one wrote a count, and which came next. */
#ifndef CODECARBON_EDGES_H
#define CODECARBON_EDGES_H

#include "engine.h"

enum { CC_MAX_WORDS = CC_W_CHANNELS + CC_C_WORDS * CC_MAX_CHANNELS };

static inline int64_t cc_half(const uint64_t *w) {
  return (int64_t)((uint32_t)w[CC_W_HALF_FLAGS] | w[CC_W_HALF_FLAGS] >> 48 << 32);
}
static inline int64_t cc_begin(const uint64_t *w) { return (int64_t)w[CC_W_TIME] - cc_half(w); }
static inline int64_t cc_end(const uint64_t *w) { return (int64_t)w[CC_W_TIME] + cc_half(w); }

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

/* First index in [low, index] with this count, which record `index` shows. */
static uint64_t cc_first_same(cc_ring *ring, uint32_t word, uint64_t low, uint64_t index, uint64_t count) {
  uint64_t high = index, value, step = 1;
  while (high >= low + step && cc_ring_word(ring, high - step, word, &value) && value == count) {
    high -= step;
    step *= 2;
  }
  if (high >= low + step) low = high - step + 1;
  while (low < high) {
    uint64_t middle = low + (high - low) / 2;
    if (cc_ring_word(ring, middle, word, &value) && value == count) {
      high = middle;
    } else {
      low = middle + 1;
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
  uint64_t index; /* of the record that first showed it; 0: unknown */
} cc_edge;

static inline uint32_t cc_age(const uint64_t *w, uint32_t at) { return (uint16_t)w[at + CC_C_AGE_BACK]; }
static inline uint32_t cc_failed(uint64_t age_back) { return (uint16_t)(age_back >> 16); }
static inline uint32_t cc_back(const uint64_t *w, uint32_t at) { return (uint32_t)(w[at + CC_C_AGE_BACK] >> 32); }

/* Nobody saw the count of the first good reading being written: it may be as old as the sensor is slow. */
static inline int cc_is_unseen(const cc_edge *edge) { return edge->count == 0; }

/* The edge at a record; the first good reading counts as one. Of a record that is none, only the time is known. */
static cc_edge cc_edge_at(uint64_t index, const uint64_t *w, uint32_t at) {
  cc_edge edge = {(double)(int64_t)w[CC_W_TIME], 0, w[at + CC_C_COUNT], index};
  if (cc_age(w, at) == 0) {
    edge.t_ns = (double)cc_end(w) - cc_back(w, at);
    edge.width_ns = 2.0 * cc_back(w, at);
  }
  return edge;
}

typedef struct cc_view {
  cc_engine *engine;
  cc_ring *ring;
  uint64_t index, head; /* the record at or before the instant; the end of the ring */
  int64_t t_ns, newest_ns;
  int is_coarse;
} cc_view;

/* The edge that wrote the count of record w: w itself, or `age` ticks earlier, or the oldest record that shows it. */
static cc_edge cc_edge_before(const cc_view *v, uint64_t index, const uint64_t *w, uint32_t at) {
  uint64_t other[CC_MAX_WORDS];
  uint32_t age = cc_age(w, at);
  uint64_t first;
  if (age == 0) return cc_edge_at(index, w, at);
  if (!v->is_coarse && age < CC_AGE_UNKNOWN && age <= index &&
      cc_ring_read(v->ring, index - age, other, v->ring->words)) {
    return cc_edge_at(index - age, other, at);
  }
  first = cc_first_same(v->ring, at + CC_C_COUNT, cc_ring_tail(v->ring), index, w[at + CC_C_COUNT]);
  if (!cc_ring_read(v->ring, first, other, v->ring->words)) return cc_edge_at(0, w, at);
  return cc_edge_at(first, other, at);
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
#define CC_SLOPE_NS  ((int64_t)20000000)
#define CC_SETTLE_NS ((int64_t)50000000)

typedef struct cc_edges {
  cc_edge edge[CC_EDGES];     /* the one before the instant, then those after it */
  int64_t since_ns[CC_EDGES]; /* of those after it: beginning of the last good read before; INT64_MIN: unknown */
  int n;
  uint64_t
      lost; /* what may have been lost from the instant to the last of them: in no count, but perhaps used before */
  int has_high;
  uint64_t high; /* upper bound, in counts, from an edge that certainly came after the instant */
} cc_edges;

/* When the last good read before the edge at `next` began: the update came later than that. A failed tick in between
 * says nothing, and how many there were is known in ticks of the fine tier only. */
static int64_t cc_since(const cc_view *v, uint64_t next, uint32_t at) {
  uint64_t good = next - 1, age_back, before[2];
  uint32_t failed;
  if (next == 0) return INT64_MIN;
  if (!cc_ring_word(v->ring, good, at + CC_C_AGE_BACK, &age_back)) return INT64_MIN;
  failed = cc_failed(age_back);
  if (failed && (v->is_coarse || failed == UINT16_MAX || failed > good)) return INT64_MIN;
  return cc_ring_read(v->ring, good - failed, before, 2) ? cc_begin(before) : INT64_MIN;
}

static void cc_collect(const cc_view *v, const uint64_t *w, uint32_t at, uint64_t quantum, cc_edges *out) {
  uint64_t probe[CC_MAX_WORDS], index = v->index;
  out->edge[0] = cc_edge_before(v, v->index, w, at);
  out->n = 1;
  out->lost = 0;
  out->has_high = 0;
  while (out->n < CC_EDGES &&
         !(out->has_high && out->edge[out->n - 1].t_ns >= (double)v->t_ns && !cc_is_unseen(&out->edge[0]))) {
    uint64_t next = cc_next_edge(v->ring, at + CC_C_COUNT, index, v->head, out->edge[out->n - 1].count);
    if (next >= v->head || !cc_ring_read(v->ring, next, probe, v->ring->words)) return;
    out->since_ns[out->n] = cc_since(v, next, at);
    if (!out->has_high && out->since_ns[out->n] >= v->t_ns) {
      out->high = probe[at + CC_C_COUNT] + quantum + (probe[at + CC_C_LOST] - w[at + CC_C_LOST]);
      out->has_high = 1;
    }
    out->lost = probe[at + CC_C_LOST] - w[at + CC_C_LOST];
    out->edge[out->n++] = cc_edge_at(next, probe, at);
    index = next;
  }
}

#endif
