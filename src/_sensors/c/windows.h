/* The window with the lowest mean, over all instants at which it may start.
 *
 * As a window slides, its integral changes linearly until one of its ends meets an edge. So a lowest one starts or ends
 * on an edge, or at a bound of what is allowed, and only those starts are tried. On equal steps the sum of the whole
 * steps inside is carried from window to window; it is rebuilt every 4096 windows, which keeps its rounding below
 * CC_TIE, and the two kinds of starts are two passes. On other steps every change goes into a compensated sum.
 * Candidates are tried in the order of time and a later one must be lower by more than CC_TIE: ties go to the earliest.
 * docs/method/forecast.md has the proof. Nothing here allocates or fails; -ENODATA says that no window fits. */
#ifndef CODECARBON_WINDOWS_H
#define CODECARBON_WINDOWS_H

#include "steps.h"

enum { CC_BLOCK = 4096, CC_EVENTS = 1024 };

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

/* The first lowest of sum(v[j .. j + m - 1]) + share * tail[j] for j in [from, to]. */
static inline int64_t cc_scan(const double *v, int64_t m, const double *tail, double share, int64_t from, int64_t to) {
  int64_t at = from;
  double limit = INFINITY;
  cc_sum anchor = cc_blocks_sum(v + from, m);
  for (int64_t block = from, age = 0;; age += CC_BLOCK) {
    int64_t end = to - block < CC_BLOCK ? to + 1 : block + CC_BLOCK;
    double sum = anchor.high + anchor.low;
    if (share == 0.0) {
      for (int64_t j = block;;) {
        if (sum < limit) limit = sum - CC_TIE * fabs(sum), at = j;
        if (++j == end) break;
        sum += v[j + m - 1] - v[j - 1];
      }
    } else {
      for (int64_t j = block;;) {
        double value = sum + share * tail[j];
        if (value < limit) limit = value - CC_TIE * fabs(value), at = j;
        if (++j == end) break;
        sum += m ? v[j + m - 1] - v[j - 1] : 0.0;
      }
    }
    if (end > to) return at;
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
  int64_t first_us = a0 <= a1 ? cc_edge(run, cc_scan(v, m, v + m, share, a0, a1)) : from_us, second_us = first_us;
  if (rest_us && e0 <= e1) second_us = cc_edge(run, cc_scan(v, m, v - 1, share, e0, e1)) - rest_us;
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

static inline void cc_best_unequal(cc_window *best, const double *values, const cc_run *run, int64_t window_us,
                                   int64_t from_us, int64_t to_us) {
  const double *v = values + run->first;
  const int64_t *edges = run->edges;
  int64_t i = cc_step_at(run, from_us), j = cc_step_at(run, from_us + window_us);
  int64_t begin_us = from_us, at_us = from_us;
  double limit = INFINITY;
  for (;;) { /* products are rounded: begin anew before that adds up */
    cc_sum sum = cc_products_sum(v, edges, i, j);
    cc_sum_add(&sum, -v[i] * (double)(begin_us - edges[i]));
    if (j < run->count) cc_sum_add(&sum, v[j] * (double)(begin_us + window_us - edges[j]));
    for (int64_t events = j - i < CC_EVENTS ? CC_EVENTS : j - i; events > 0; events--) {
      double value = sum.high + sum.low;
      if (value < limit) limit = value - CC_TIE * fabs(value), at_us = begin_us;
      if (begin_us >= to_us) {
        cc_consider(best, values, run, at_us, window_us);
        return;
      }
      int64_t start_us = edges[i + 1], end_us = edges[j + 1] - window_us;
      int64_t next_us = start_us < end_us ? start_us : end_us;
      if (next_us > to_us) next_us = to_us;
      cc_sum_add(&sum, (double)(next_us - begin_us) * (v[j] - v[i]));
      begin_us = next_us;
      i += start_us == next_us;
      j += end_us == next_us;
    }
  }
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
    if (slope * (double)stride_us > room) {
      begin_us += (int64_t)(room / slope);
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
    if (slope * (double)stride_us > room) {
      begin_us -= (int64_t)(room / slope);
      break;
    }
    cc_sum_add(&sum, slope * (double)stride_us);
    begin_us -= stride_us;
  }
  *low_us = begin_us;
  return 0;
}

#endif
