/* The cheapest way to run for a given time in at most so many pieces.
 *
 * Some optimum has every end of a piece on an edge or at a bound, but one: if two ends were inside steps, time could be
 * moved from one to the other without loss until one of them meets an edge. So of all steps, cut to equal slots, each
 * is used fully or not at all, except one whose share is what remains. What the bounds cut off a slot stands before and
 * behind the slots; using it fully, or not, is tried in turn. The rest is dynamic programming from the last slot to the
 * first: which slots to use, how many are still needed, whether the odd one is, and how many pieces may still begin.
 * Time and memory grow with slots x slots needed x pieces. The caller brings the memory. */
#ifndef CODECARBON_PIECES_H
#define CODECARBON_PIECES_H

#include "steps.h"

#include <string.h>

enum { CC_REST, CC_FULL, CC_LEFT, CC_RIGHT }; /* what a slot does: nothing; all of it; a part at its begin, or end */

typedef struct cc_slots {
  const double *values; /* one a slot */
  const uint8_t *gaps;  /* whether there is a gap before each; one more for the tail */
  int64_t count, slot_us;
  int64_t head_us, tail_us; /* what the bounds cut off; 0 for nothing */
  double head, tail;
} cc_slots;

typedef struct cc_task {
  int64_t run_us;  /* how long to run */
  int64_t pieces;  /* how many pieces at the most */
  double penalty;  /* for each piece, value times microseconds */
  double *layers;  /* 2 * CC_LAYER doubles */
  uint8_t *choice; /* slots->count * CC_LAYER bytes */
} cc_task;

/* States of one slot: pieces that may begin, whether the odd part is missing, whether it runs already, slots missing.
 */
static inline int64_t cc_layer_size(int64_t pieces, int64_t needed) { return (pieces + 1) * 4 * (needed + 1); }
static inline int64_t cc_state(int64_t needed, int64_t pieces, int is_odd, int is_on) {
  return ((pieces * 2 + is_odd) * 2 + is_on) * (needed + 1);
}

static inline int cc_is_cheaper(double cost, double than) { return cost < than * (1.0 - CC_TIE); }

/* What the tail costs for what is still missing in front of it. */
static inline void cc_fill_tail(const cc_slots *slots, const cc_task *task, int64_t needed, int64_t odd_us,
                                int use_tail, double *layer) {
  for (int64_t i = 0; i < cc_layer_size(task->pieces, needed); i++) layer[i] = INFINITY;
  for (int64_t pieces = 0; pieces <= task->pieces; pieces++) {
    for (int is_on = 0; is_on < 2; is_on++) {
      int goes_on = is_on && !slots->gaps[slots->count], may_run = goes_on || pieces > 0;
      double begin = goes_on ? 0.0 : task->penalty;
      double *none = layer + cc_state(needed, pieces, 0, is_on), *odd = layer + cc_state(needed, pieces, 1, is_on);
      if (!use_tail) none[0] = 0.0;
      else if (may_run) none[0] = begin + slots->tail * (double)slots->tail_us;
      if (!use_tail && may_run && odd_us < slots->tail_us) odd[0] = begin + slots->tail * (double)odd_us;
    }
  }
}

/* One step back: the cheapest of what slot i may do, for each state before it. Ties prefer to run now. */
static inline void cc_step_back(const cc_slots *slots, const cc_task *task, int64_t needed, int64_t odd_us, int64_t i,
                                const double *after, double *before, uint8_t *choice) {
  double full = slots->values[i] * (double)slots->slot_us, part = slots->values[i] * (double)odd_us;
  for (int64_t pieces = 0; pieces <= task->pieces; pieces++) {
    for (int state = 0; state < 4; state++) {
      int is_odd = state >> 1, goes_on = (state & 1) && !slots->gaps[i], may_begin = pieces > 0;
      int64_t left = goes_on ? pieces : pieces - 1, to = cc_state(needed, pieces, is_odd, state & 1);
      double begin = goes_on ? 0.0 : task->penalty;
      const double *rest = after + cc_state(needed, pieces, is_odd, 0);
      const double *run = goes_on || may_begin ? after + cc_state(needed, left, is_odd, 1) : 0;
      const double *stop = run && is_odd ? after + cc_state(needed, left, 0, 0) : 0;
      const double *late = may_begin && is_odd ? after + cc_state(needed, pieces - 1, 0, 1) : 0;
      for (int64_t m = 0; m <= needed; m++) {
        double best = run && m ? begin + full + run[m - 1] : INFINITY;
        uint8_t what = CC_FULL;
        if (stop && cc_is_cheaper(begin + part + stop[m], best)) best = begin + part + stop[m], what = CC_LEFT;
        if (late && cc_is_cheaper(task->penalty + part + late[m], best))
          best = task->penalty + part + late[m], what = CC_RIGHT;
        if (isinf(best) || cc_is_cheaper(rest[m], best)) best = rest[m], what = CC_REST;
        before[to + m] = best;
        choice[to + m] = what;
      }
    }
  }
}

/* Follows the choices from a state before the first slot; `acts` has one more for the tail. */
static inline void cc_follow(const cc_slots *slots, const cc_task *task, int64_t needed, int64_t pieces, int is_odd,
                             int is_on, int use_tail, uint8_t *acts) {
  int64_t size = cc_layer_size(task->pieces, needed), m = needed;
  for (int64_t i = 0; i < slots->count; i++) {
    int goes_on = is_on && !slots->gaps[i];
    uint8_t act = acts[i] = task->choice[i * size + cc_state(needed, pieces, is_odd, is_on) + m];
    if (act == CC_RIGHT || (act != CC_REST && !goes_on)) pieces--;
    if (act == CC_FULL) m--;
    else if (act != CC_REST) is_odd = 0;
    is_on = act == CC_FULL || act == CC_RIGHT;
  }
  acts[slots->count] = use_tail ? CC_FULL : is_odd ? CC_LEFT : CC_REST;
}

/* Finds the cheapest use of head, slots and tail; `acts` gets what each does. The cost counts `penalty` for every
 * piece; it is INFINITY if there is no way. */
static inline double cc_split(const cc_slots *slots, const cc_task *task, uint8_t *acts) {
  double lowest = INFINITY;
  for (int use = 0; use < 4; use++) { /* as early as possible: with the head, without the tail first */
    int use_head = use < 2, use_tail = use & 1;
    int64_t inner_us = task->run_us - use_head * slots->head_us - use_tail * slots->tail_us;
    if ((use_head && !slots->head_us) || (use_tail && !slots->tail_us) || inner_us < 0) continue;
    int64_t needed = inner_us / slots->slot_us, odd_us = inner_us % slots->slot_us;
    if (needed > slots->count) continue;
    int64_t size = cc_layer_size(task->pieces, needed);
    double *after = task->layers, *before = task->layers + size;
    cc_fill_tail(slots, task, needed, odd_us, use_tail, after);
    for (int64_t i = slots->count - 1; i >= 0; i--) {
      cc_step_back(slots, task, needed, odd_us, i, after, before, task->choice + i * size);
      double *swapped = after;
      after = before, before = swapped;
    }
    int is_odd = odd_us > 0;
    double odd_cost = slots->head * (double)odd_us + task->penalty;
    struct {
      double cost;
      uint8_t act;
      int64_t pieces;
      int is_odd, is_on;
    } ways[] = {
        {slots->head * (double)slots->head_us + task->penalty, CC_FULL, task->pieces - 1, is_odd, 1},
        {odd_cost, CC_LEFT, task->pieces - 1, 0, 0},
        {odd_cost, CC_RIGHT, task->pieces - 1, 0, 1},
        {0.0, CC_REST, task->pieces, is_odd, 0},
    };
    for (int way = use_head ? 0 : 1; way < (use_head ? 1 : 4); way++) {
      int is_part = ways[way].act == CC_LEFT || ways[way].act == CC_RIGHT;
      if (is_part && !(is_odd && odd_us < slots->head_us)) continue;
      double cost =
          ways[way].cost + after[cc_state(needed, ways[way].pieces, ways[way].is_odd, ways[way].is_on) + needed];
      if (isinf(cost) || !(isinf(lowest) || cc_is_cheaper(cost, lowest))) continue;
      lowest = cost;
      acts[0] = ways[way].act;
      cc_follow(slots, task, needed, ways[way].pieces, ways[way].is_odd, ways[way].is_on, use_tail, acts + 1);
    }
  }
  return lowest;
}

#endif
