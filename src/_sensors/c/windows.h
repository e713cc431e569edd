/* The window with the lowest mean, over all instants at which it may start.
 *
 * As a window slides, its integral changes linearly until one of its ends meets an edge. So a lowest one starts or ends
 * on an edge, or at a bound of what is allowed, and only those starts are tried.
 *
 * They are tried in blocks. A fast sum, carried from window to window and rebuilt for each block, says how low a block
 * is, but for rounding. Only blocks that may hold the lowest window are gone through again with an exact sum. So what
 * leaves the window leaves nothing behind, and a later window wins only if it is lower by more than CC_TIE: ties go to
 * the earliest. docs/method/forecast.md has the proof. Nothing here allocates or fails; -ENODATA says that no
 * window fits. */
#ifndef CODECARBON_WINDOWS_H
#define CODECARBON_WINDOWS_H

#include "steps.h"

enum { CC_BLOCK = 4096, CC_EVENTS = 2048, CC_NEAR = 32 };

/* What a fast sum may be off by, as a share of the largest value over the window: 4096 steps of two roundings each make
 * 0.9e-12, and the sum that a block begins with less than that. */
#define CC_FAST 4e-12

typedef struct cc_lowest {
  double limit, floor; /* what a later one must be below */
  int64_t at;
} cc_lowest;

static inline void cc_try(cc_lowest *lowest, double value, int64_t at) {
  if (value < lowest->limit) {
    double margin = CC_TIE * fabs(value);
    lowest->limit = value - (margin > lowest->floor ? margin : lowest->floor);
    lowest->at = at;
  }
}

/* Up to CC_BLOCK values, in eight partial sums: at most 512 additions deep. */
static inline double cc_block_sum(const double *v, int64_t n) {
  double part[8] = {0.0};
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (int k = 0; k < 8; k++) part[k] += v[i + k];
  for (; i < n; i++) part[0] += v[i];
  return ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
}

static inline cc_sum cc_blocks_sum(const double *v, int64_t n) {
  cc_sum sum = {0.0, 0.0};
  for (int64_t i = 0; i < n; i += CC_BLOCK) cc_sum_add(&sum, cc_block_sum(v + i, n - i < CC_BLOCK ? n - i : CC_BLOCK));
  return sum;
}

/* About the lowest of sum(v[j .. j + m - 1]) + share * tail[j] for j in [from, end), which begins with `sum`. */
static inline double cc_scan_fast(const double *v, int64_t m, const double *tail, double share, int64_t from,
                                  int64_t end, double sum) {
  double low[4] = {INFINITY, INFINITY, INFINITY, INFINITY}; /* minima that do not wait for each other */
  int64_t j = from;
  for (; j + 4 < end; j += 4) {
    for (int k = 0; k < 4; k++) {
      double value = share == 0.0 ? sum : sum + share * tail[j + k];
      low[k] = value < low[k] ? value : low[k];
      sum += v[j + k + m] - v[j + k];
    }
  }
  for (;; j++) {
    double value = share == 0.0 ? sum : sum + share * tail[j];
    low[0] = value < low[0] ? value : low[0];
    if (j + 1 == end) break;
    sum += v[j + m] - v[j];
  }
  low[0] = low[1] < low[0] ? low[1] : low[0];
  low[2] = low[3] < low[2] ? low[3] : low[2];
  return low[2] < low[0] ? low[2] : low[0];
}

/* The same for windows that begin in [from, end), exactly; leaves the sum at `end`, unless that is behind `to`. */
static inline void cc_scan_exact(const double *v, int64_t m, const double *tail, double share, int64_t from,
                                 int64_t end, int64_t to, cc_sum *sum, cc_lowest *lowest) {
  for (int64_t j = from; j < end; j++) {
    double value = sum->high + sum->low;
    cc_try(lowest, share == 0.0 ? value : value + share * tail[j], j);
    if (j < to) {
      double change = v[j + m] - v[j], part = change - v[j + m];
      cc_sum_add(sum, change);
      sum->low += (v[j + m] - (change - part)) - (v[j] + part);
    }
  }
}

/* Blocks that may hold the lowest window, as far as fast sums can tell, in the order of time. */
typedef struct cc_near {
  double low;
  int count;
} cc_near;

/* Says whether a block is one, and forgets those before it that it proves not to be. */
static inline int cc_is_near(cc_near *near, double low, double room) {
  if (low < near->low - 2.0 * room) near->count = 0;
  if (low < near->low) near->low = low;
  return low <= near->low + 2.0 * room;
}

/* The first lowest for j in [from, to]; no value is larger than `largest`. */
static inline int64_t cc_scan(const double *v, int64_t m, const double *tail, double share, int64_t from, int64_t to,
                              double largest) {
  double scale = largest * (double)(m + 1), room = CC_FAST * scale;
  cc_lowest lowest = {INFINITY, CC_FLOOR * scale, from};
  cc_near near = {INFINITY, 0};
  int64_t blocks[CC_NEAR], exact_at = -1, exact_from = 0;
  cc_sum exact = {0.0, 0.0}, anchor = exact;
  int is_only = to - from < CC_BLOCK; /* then there is nothing to leave out */
  if (!is_only) anchor = cc_blocks_sum(v + from, m);
  for (int64_t block = from, age = 0;; age += CC_BLOCK) {
    int64_t end = to - block < CC_BLOCK ? to + 1 : block + CC_BLOCK;
    if (is_only || cc_is_near(&near, cc_scan_fast(v, m, tail, share, block, end, anchor.high + anchor.low), room))
      blocks[near.count++] = block;
    if (end > to || near.count == CC_NEAR) {
      for (int k = 0; k < near.count; k++) {
        if (exact_at != blocks[k] || blocks[k] - exact_from > CC_BLOCK + m) {
          exact = cc_sum_of(v + blocks[k], m);
          exact_from = blocks[k];
        }
        exact_at = to - blocks[k] < CC_BLOCK ? to + 1 : blocks[k] + CC_BLOCK;
        cc_scan_exact(v, m, tail, share, blocks[k], exact_at, to, &exact, &lowest);
      }
      near.count = 0;
    }
    if (end > to) return lowest.at;
    if (m <= CC_BLOCK || age >= m) {
      anchor = cc_blocks_sum(v + end, m);
      age = 0;
    } else { /* a long window: what entered and left it in the meantime */
      cc_sum_add(&anchor, cc_block_sum(v + block + m, CC_BLOCK));
      cc_sum_add(&anchor, -cc_block_sum(v + block, CC_BLOCK));
    }
    block = end;
  }
}

static inline void cc_consider(cc_window *best, const double *values, const cc_run *run, int64_t start_us,
                               int64_t window_us) {
  double mean = cc_mean(values, run, start_us, start_us + window_us);
  if (isinf(best->mean) || cc_is_lower(mean, best->mean)) *best = (cc_window){start_us, mean};
}

static inline void cc_best_equal(cc_window *best, const double *values, const cc_run *run, int64_t window_us,
                                 int64_t from_us, int64_t to_us) {
  const double *v = values + run->first;
  int64_t step_us = run->step_us, m = window_us / step_us, rest_us = window_us % step_us;
  int64_t low_us = from_us - run->start_us, high_us = to_us - run->start_us; /* both at least 0 */
  double share = (double)rest_us / (double)step_us;
  /* Windows that begin on an edge; then windows that end on one and reach back into the step before their first. */
  int64_t a0 = (low_us + step_us - 1) / step_us, a1 = high_us / step_us;
  int64_t e0 = (low_us + rest_us + step_us - 1) / step_us, e1 = (high_us + rest_us) / step_us;
  int64_t first_us = a0 <= a1 ? cc_edge(run, cc_scan(v, m, v + m, share, a0, a1, run->largest)) : from_us,
          second_us = first_us;
  if (rest_us && e0 <= e1) second_us = cc_edge(run, cc_scan(v, m, v - 1, share, e0, e1, run->largest)) - rest_us;
  if (second_us < first_us) {
    int64_t swapped_us = first_us;
    first_us = second_us, second_us = swapped_us;
  }
  /* A bound that is none of these starts is one of its own. */
  if (low_us % step_us && (low_us + rest_us) % step_us) cc_consider(best, values, run, from_us, window_us);
  cc_consider(best, values, run, first_us, window_us);
  if (second_us != first_us) cc_consider(best, values, run, second_us, window_us);
  if (high_us % step_us && (high_us + rest_us) % step_us) cc_consider(best, values, run, to_us, window_us);
}

/* As cc_add_span from one edge to another, a little less exact and much faster: products are rounded. */
static inline cc_sum cc_products_sum(const double *v, const int64_t *edges, int64_t i, int64_t end) {
  cc_sum sum = {0.0, 0.0};
  while (i < end) {
    double part[4] = {0.0};
    int64_t stop = end - i < CC_EVENTS ? end : i + CC_EVENTS;
    for (; i + 4 <= stop; i += 4)
      for (int k = 0; k < 4; k++) part[k] += v[i + k] * (double)(edges[i + k + 1] - edges[i + k]);
    for (; i < stop; i++) part[0] += v[i] * (double)(edges[i + 1] - edges[i]);
    cc_sum_add(&sum, (part[0] + part[1]) + (part[2] + part[3]));
  }
  return sum;
}

typedef struct cc_slide {
  int64_t i, j, begin_us; /* the steps at the two ends, and the start */
  int64_t age;            /* starts since the sum was made, or one too many */
  cc_sum sum;
  int is_done;
} cc_slide;

/* Slides through a block of starts, or to the last; the result is about the lowest integral. With `lowest`, exactly. */
static inline double cc_slide_on(const double *values, const cc_run *run, int64_t window_us, int64_t to_us,
                                 cc_slide *at, cc_lowest *lowest) {
  const double *v = values + run->first;
  const int64_t *edges = run->edges;
  int64_t i = at->i, j = at->j, begin_us = at->begin_us;
  double low = INFINITY;
  cc_sum sum = at->sum;
  if (lowest) {
    sum = (cc_sum){0.0, 0.0};
    cc_add_span(&sum, values, run, begin_us, begin_us + window_us, 1.0);
  } else if (at->age > j - i) {
    sum = cc_products_sum(v, edges, i, j);
    cc_sum_add(&sum, -v[i] * (double)(begin_us - edges[i]));
    if (j < run->count) cc_sum_add(&sum, v[j] * (double)(begin_us + window_us - edges[j]));
    at->age = 0;
  }
  for (int starts = 0; starts < CC_EVENTS; starts++) {
    double value = sum.high + sum.low;
    if (lowest) cc_try(lowest, value, begin_us);
    else if (value < low) low = value;
    if (begin_us >= to_us) {
      at->is_done = 1;
      return low;
    }
    int64_t start_us = edges[i + 1], end_us = edges[j + 1] - window_us;
    int64_t next_us = start_us < end_us ? start_us : end_us;
    if (next_us > to_us) next_us = to_us;
    double stride_us = (double)(next_us - begin_us);
    if (lowest) {
      cc_sum_add_product(&sum, v[j], stride_us);
      cc_sum_add_product(&sum, -v[i], stride_us);
    } else cc_sum_add(&sum, stride_us * (v[j] - v[i]));
    begin_us = next_us;
    i += start_us == next_us;
    j += end_us == next_us;
  }
  *at = (cc_slide){i, j, begin_us, at->age + CC_EVENTS, sum, 0};
  return low;
}

static inline void cc_best_unequal(cc_window *best, const double *values, const cc_run *run, int64_t window_us,
                                   int64_t from_us, int64_t to_us) {
  cc_slide at = {cc_step_at(run, from_us), cc_step_at(run, from_us + window_us), from_us, INT64_MAX / 2, {0.0, 0.0}, 0};
  cc_slide blocks[CC_NEAR];
  cc_lowest lowest = {INFINITY, CC_FLOOR * run->largest * (double)window_us, from_us};
  cc_near near = {INFINITY, 0};
  /* Products are rounded as well, four times a start at the most. */
  double room = run->largest * (CC_FAST * (double)window_us + 1e-15 * (double)(to_us - from_us));
  while (!at.is_done) {
    cc_slide block = at;
    double low = cc_slide_on(values, run, window_us, to_us, &at, 0);
    if (cc_is_near(&near, low, room)) blocks[near.count++] = block;
    if (!at.is_done && near.count < CC_NEAR) continue;
    for (int k = 0; k < near.count; k++) cc_slide_on(values, run, window_us, to_us, &blocks[k], &lowest);
    near.count = 0;
  }
  cc_consider(best, values, run, lowest.at, window_us);
}

/* The earliest of the lowest windows that start in [from, to] and meet no gap. */
static inline int cc_best(const cc_steps *steps, int64_t window_us, int64_t from_us, int64_t to_us, cc_window *best) {
  *best = (cc_window){0, INFINITY};
  for (int64_t r = 0; r < steps->run_count; r++) {
    const cc_run *run = steps->runs + r;
    int64_t first_us = from_us > run->start_us ? from_us : run->start_us;
    int64_t last_us = to_us < run->end_us - window_us ? to_us : run->end_us - window_us;
    if (first_us > last_us) continue;
    if (run->edges) cc_best_unequal(best, steps->values, run, window_us, first_us, last_us);
    else cc_best_equal(best, steps->values, run, window_us, first_us, last_us);
  }
  return isinf(best->mean) ? -ENODATA : 0;
}

/* The starts around `at` in [from, to] whose windows have a mean of at most `limit` without a break. */
static inline int cc_slack(const cc_steps *steps, int64_t window_us, int64_t at_us, double limit, int64_t from_us,
                           int64_t to_us, int64_t *low_us, int64_t *high_us) {
  const cc_run *run = cc_run_over(steps, at_us, at_us + window_us);
  if (!run || at_us < from_us || at_us > to_us) return -ENODATA;
  const double *v = steps->values + run->first;
  if (from_us < run->start_us) from_us = run->start_us;
  if (to_us > run->end_us - window_us) to_us = run->end_us - window_us;
  cc_sum start = {0.0, 0.0}, sum;
  cc_add_span(&start, steps->values, run, at_us, at_us + window_us, 1.0);
  double most = limit * (double)window_us;
  most += CC_TIE * fabs(most);
  if (start.high + start.low > most) return -ENODATA;
  int64_t i = cc_step_at(run, at_us), j = cc_step_at(run, at_us + window_us), begin_us = at_us;
  for (sum = start; begin_us < to_us;) {
    int64_t stride_us = cc_edge(run, i + 1) - begin_us, other_us = cc_edge(run, j + 1) - begin_us - window_us;
    if (other_us < stride_us) stride_us = other_us;
    if (to_us - begin_us < stride_us) stride_us = to_us - begin_us;
    double slope = v[j] - v[i], room = most - (sum.high + sum.low);
    if (slope > 0.0 && slope * (double)stride_us > room) { /* rounding may leave less room than none */
      begin_us += room > 0.0 ? (int64_t)(room / slope) : 0;
      break;
    }
    cc_sum_add(&sum, slope * (double)stride_us);
    begin_us += stride_us;
    i += cc_edge(run, i + 1) == begin_us;
    j += cc_edge(run, j + 1) == begin_us + window_us;
  }
  *high_us = begin_us;
  i = cc_step_at(run, at_us), j = cc_step_at(run, at_us + window_us), begin_us = at_us;
  for (sum = start; begin_us > from_us;) { /* i and j become the steps before the two ends */
    i -= cc_edge(run, i) == begin_us;
    j -= cc_edge(run, j) == begin_us + window_us;
    int64_t stride_us = begin_us - cc_edge(run, i), other_us = begin_us + window_us - cc_edge(run, j);
    if (other_us < stride_us) stride_us = other_us;
    if (begin_us - from_us < stride_us) stride_us = begin_us - from_us;
    double slope = v[i] - v[j], room = most - (sum.high + sum.low);
    if (slope > 0.0 && slope * (double)stride_us > room) {
      begin_us -= room > 0.0 ? (int64_t)(room / slope) : 0;
      break;
    }
    cc_sum_add(&sum, slope * (double)stride_us);
    begin_us -= stride_us;
  }
  *low_us = begin_us;
  return 0;
}

#endif
