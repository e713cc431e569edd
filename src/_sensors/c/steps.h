/* A quantity that is constant between edges in time, and its exact mean over a span.
 *
 * Times are whole microseconds. Steps that touch form a run; between runs there are gaps. A run whose steps are all
 * equally long stores no edges. Sums are kept as two doubles, so that a mean is the rounded true one and equal data
 * give equal means, whatever was added and taken away before. */
#ifndef CODECARBON_STEPS_H
#define CODECARBON_STEPS_H

#include <errno.h>
#include <math.h>
#include <stdint.h>

/* Beyond these a sum of products would no longer be exact to a double, or a time would overflow. */
#define CC_TIME_MAX  ((int64_t)1 << 60)
#define CC_SPAN_MAX  ((int64_t)1 << 53)
#define CC_VALUE_MAX 1e15
/* A later candidate wins only if it is lower by more than this share: less may be rounding. */
#define CC_TIE 1e-12
/* What an exact sum may be off by after much was added and taken away, as a share of the largest value over the window.
 * Between sums of nothing but zeros no share of them can tell. */
#define CC_FLOOR 1e-21
/* How many strides a window must be long to be carried from one place to the next. */
enum { CC_LONG = 512 };

typedef struct cc_run {
  int64_t first, count; /* which values */
  int64_t start_us, end_us;
  int64_t step_us;      /* 0 when the steps differ */
  const int64_t *edges; /* count + 1 of them, NULL when the steps are equal */
  double largest;       /* no value is larger, without its sign */
} cc_run;

typedef struct cc_steps {
  const double *values;
  const cc_run *runs;
  int64_t run_count;
} cc_steps;

typedef struct cc_sum {
  double high, low;
} cc_sum;

typedef struct cc_window {
  int64_t start_us;
  double mean;
} cc_window;

/* Adds exactly: what rounding takes from the sum is kept beside it (Knuth, TAOCP 2, 4.2.2, theorem B). */
static inline void cc_sum_add(cc_sum *sum, double x) {
  double total = sum->high + x, part = total - sum->high;
  sum->low += (sum->high - (total - part)) + (x - part);
  sum->high = total;
}

static inline void cc_sum_add_product(cc_sum *sum, double x, double y) {
  double product = x * y;
  cc_sum_add(sum, product);
  sum->low += fma(x, y, -product);
}

static inline double cc_sum_over(const cc_sum *sum, double divisor) {
  double quotient = sum->high / divisor;
  return quotient + (fma(-quotient, divisor, sum->high) + sum->low) / divisor;
}

static inline int cc_is_lower(double value, double than) { return value < than - CC_TIE * fabs(than); }

static inline int64_t cc_edge(const cc_run *run, int64_t i) {
  return run->edges ? run->edges[i] : run->start_us + i * run->step_us;
}

/* The exact sum of many values, in four sums that do not wait for each other. */
static inline cc_sum cc_sum_of(const double *v, int64_t n) {
  double high[4] = {0.0}, low[4] = {0.0};
  cc_sum sum = {0.0, 0.0};
  int64_t i = 0;
  for (; i + 4 <= n; i += 4) {
    for (int k = 0; k < 4; k++) {
      double total = high[k] + v[i + k], part = total - high[k];
      low[k] += (high[k] - (total - part)) + (v[i + k] - part);
      high[k] = total;
    }
  }
  for (; i < n; i++) cc_sum_add(&sum, v[i]);
  for (int k = 0; k < 4; k++) {
    cc_sum_add(&sum, high[k]);
    sum.low += low[k];
  }
  return sum;
}

/* The step that holds an instant of the run, its begin included; `count` at the run's end. */
static inline int64_t cc_step_at(const cc_run *run, int64_t t_us) {
  if (!run->edges) return (t_us - run->start_us) / run->step_us;
  int64_t low = 0, high = run->count; /* edges[low] <= t < edges[high + 1], if there were such an edge */
  while (low < high) {
    int64_t middle = low + (high - low + 1) / 2;
    if (run->edges[middle] <= t_us) low = middle;
    else high = middle - 1;
  }
  return low;
}

/* Adds `sign` times the integral over [from, to), which lies in the run; the unit is value times microseconds. */
static inline void cc_add_span(cc_sum *sum, const double *values, const cc_run *run, int64_t from_us, int64_t to_us,
                               double sign) {
  const double *v = values + run->first;
  int64_t i = cc_step_at(run, from_us);
  while (from_us < to_us) {
    int64_t end_us = cc_edge(run, i + 1), whole = run->edges ? 0 : (to_us - end_us) / run->step_us;
    if (end_us > to_us) end_us = to_us;
    cc_sum_add_product(sum, sign * v[i++], (double)(end_us - from_us));
    from_us = end_us;
    if (whole > 1 && from_us < to_us) { /* equal steps: one product for all whole ones */
      cc_sum block = cc_sum_of(v + i, whole);
      cc_sum_add_product(sum, sign * block.high, (double)run->step_us);
      sum->low += sign * block.low * (double)run->step_us;
      i += whole;
      from_us += whole * run->step_us;
    }
  }
}

static inline double cc_mean(const double *values, const cc_run *run, int64_t from_us, int64_t to_us) {
  cc_sum sum = {0.0, 0.0};
  cc_add_span(&sum, values, run, from_us, to_us, 1.0);
  return cc_sum_over(&sum, (double)(to_us - from_us));
}

/* The run that holds the whole span, or NULL. */
static inline const cc_run *cc_run_over(const cc_steps *steps, int64_t from_us, int64_t to_us) {
  int64_t low = 0, high = steps->run_count;
  while (low < high) { /* the first run that ends after `from` */
    int64_t middle = low + (high - low) / 2;
    if (steps->runs[middle].end_us <= from_us) low = middle + 1;
    else high = middle;
  }
  const cc_run *run = steps->runs + low;
  return low < steps->run_count && run->start_us <= from_us && to_us <= run->end_us ? run : 0;
}

/* Means of `count` windows that begin `step_us` apart; NAN for one whose end the steps before `known_us` do not reach,
 * and for one with a gap, whose number goes into `gap_at` if it is the first. */
static inline void cc_rolling(const cc_steps *steps, int64_t first_us, int64_t step_us, int64_t count,
                              int64_t window_us, int64_t known_us, double *means, int64_t *gap_at) {
  const cc_run *run = steps->runs, *end = steps->runs + steps->run_count, *summed = 0;
  cc_sum sum = {0.0, 0.0};
  *gap_at = -1;
  for (int64_t i = 0; i < count; i++) {
    int64_t from_us = first_us + i * step_us, to_us = from_us + window_us;
    means[i] = NAN;
    while (run < end && run->end_us < to_us) run++;
    if (run == end || run->start_us >= to_us || to_us > known_us) continue;
    if (run->start_us > from_us) {
      if (*gap_at < 0) *gap_at = i;
      continue;
    }
    /* What is taken away leaves something behind, if little: only long windows are worth it, and they begin anew. */
    if (summed == run && window_us > CC_LONG * step_us && i % CC_LONG) {
      cc_add_span(&sum, steps->values, run, to_us - step_us, to_us, 1.0);
      cc_add_span(&sum, steps->values, run, from_us - step_us, from_us, -1.0);
      if (fabs(sum.high + sum.low) <= CC_FLOOR * run->largest * (double)window_us) sum = (cc_sum){0.0, 0.0};
    } else {
      sum = (cc_sum){0.0, 0.0};
      cc_add_span(&sum, steps->values, run, from_us, to_us, 1.0);
      summed = run;
    }
    means[i] = cc_sum_over(&sum, (double)window_us);
  }
}

#endif
