/* From raw readings to a total that never counts a joule that was not there.
 *
 * Totals are whole counts of the sensor's own unit in 64 bits, exact for years. A decrease of a counter with a modulus
 * is a wrap only when the energy it implies is physically possible in the time since the counter last moved;
 * everything else is a restart, which adds nothing and widens the bound instead. */
#ifndef CODECARBON_COUNTER_H
#define CODECARBON_COUNTER_H

#include "channel.h"

#include <errno.h>
#include <string.h>

/* What happened at a tick. The first eight are faults that a window remembers, one byte each. */
enum {
  CC_WRAP = 1 << 0,
  CC_RESET = 1 << 1,
  CC_AMBIGUOUS = 1 << 2,
  CC_GAP = 1 << 3,
  CC_ERR = 1 << 4,
  CC_STALE = 1 << 5,
  CC_SUSPEND = 1 << 6,
  CC_SLOW = 1 << 7,
  CC_FIRST = 1 << 8,
  CC_EDGE = 1 << 9,
  CC_HOLD = 1 << 10, /* inside a tick only: the reading is suspicious, read again */
  CC_SKIP = 1 << 11  /* the source chose not to read a channel: neither news nor a fault */
};
enum { CC_FAULTS = 8, CC_SPACINGS = 64, CC_GONE_AFTER = 100, CC_AGE_UNKNOWN = UINT16_MAX };

#define CC_RETRY_NS ((int64_t)5000000000)
/* A reading may imply this much more than the cap before it is called impossible. */
#define CC_CAP_SLACK 1.5
/* How old the value of a first reading may be; slow counters stand still for a tenth of it. */
#define CC_UNSEEN_NS ((int64_t)1000000000)

typedef struct cc_counter {
  cc_channel spec;
  int has_raw;
  uint64_t raw;
  int64_t read_a_ns, read_b_ns; /* bracket of the last good read */
  int64_t edge_lo_ns;           /* the value now shown was written after this instant */
  int64_t edge_hi_ns;
  uint64_t count, lost;
  uint64_t faults;   /* one wrapping byte per fault: episodes so far */
  uint32_t active;   /* faults of the previous tick, to count episodes and not ticks */
  uint16_t age;      /* ticks since the last edge, or since the first good reading; CC_AGE_UNKNOWN at the most */
  uint16_t failed;   /* ticks in a row, up to this one, that brought no reading to be trusted */
  uint32_t back;     /* at an edge: ns from the end of its read back to the middle of its interval; 0 before any */
  int has_restarted; /* the source said so, and no reading was taken over since */
  int has_moved;
  int has_edge; /* since the last new beginning: until then nobody knows how old the value was */
  uint64_t errors;
  uint32_t errors_in_row;
  int32_t last_errno;
  int is_gone;
  int64_t retry_ns;
  int64_t first_ns;
  uint32_t spacings; /* how many edge spacings were seen while sampling fast */
  int64_t spacing_ns[CC_SPACINGS];
  int64_t period_ns, max_period_ns; /* median and maximum of them; 0 while unknown */
} cc_counter;

/* Most counts that the cap allows in a time; 0 without a cap. */
static inline double cc_cap_counts(const cc_channel *spec, int64_t dt_ns) {
  return spec->cap_w * (double)dt_ns * 1e-3 * (double)spec->den / (double)spec->num;
}

static inline void cc_lose(cc_counter *c, int64_t b_ns) {
  c->lost += (uint64_t)cc_cap_counts(&c->spec, b_ns - c->edge_lo_ns) + c->spec.quantum;
}

static inline void cc_rebase(cc_counter *c, uint64_t raw, int64_t a_ns, int64_t b_ns) {
  c->has_raw = 1;
  c->raw = raw;
  c->has_edge = 0;
  c->read_a_ns = c->edge_lo_ns = a_ns;
  c->read_b_ns = c->edge_hi_ns = b_ns;
}

static inline void cc_move(cc_counter *c, uint64_t raw, uint64_t delta, int64_t a_ns, int64_t b_ns) {
  if (delta) {
    c->edge_lo_ns = c->read_a_ns;
    c->edge_hi_ns = b_ns;
    c->count += delta;
    c->has_moved = c->has_edge = 1;
  }
  c->raw = raw;
  c->read_a_ns = a_ns;
  c->read_b_ns = b_ns;
}

/* A change that no energy explains. It happened after the previous read, and so the new value is that fresh. */
static inline uint32_t cc_restart(cc_counter *c, uint64_t raw, int64_t a_ns, int64_t b_ns) {
  int64_t since_ns = c->read_a_ns;
  cc_lose(c, b_ns);
  cc_rebase(c, raw, a_ns, b_ns);
  c->edge_lo_ns = since_ns;
  c->has_edge = 1;
  return CC_RESET | CC_GAP;
}

/* Takes over one reading made inside [a_ns, b_ns]. Returns what happened; CC_HOLD alone means that nothing was taken
 * over, and the caller should read again and pass is_confirmed when the new readings agree. */
static inline uint32_t cc_counter_update(cc_counter *c, const cc_reading *r, int64_t a_ns, int64_t b_ns,
                                         int is_confirmed) {
  const cc_channel *spec = &c->spec;
  uint32_t flags = 0;
  uint64_t delta;
  double cap, possible;
  if (r->status == -EAGAIN) return CC_SKIP;
  if (r->status != 0 || (spec->modulus && r->raw >= spec->modulus)) {
    c->errors++;
    if (c->errors_in_row < UINT32_MAX) c->errors_in_row++;
    c->last_errno = r->status ? r->status : -ERANGE;
    return CC_ERR;
  }
  c->errors_in_row = 0;
  if (!c->has_raw) {
    c->first_ns = c->first_ns ? c->first_ns : a_ns;
    c->has_restarted = 0;
    cc_rebase(c, r->raw, a_ns, b_ns);
    return CC_FIRST;
  }
  if (c->has_restarted) {
    c->has_restarted = 0;
    cc_lose(c, b_ns);
    cc_rebase(c, r->raw, a_ns, b_ns);
    return CC_RESET | CC_GAP;
  }
  /* The value has stood still since its last edge, so all energy since then may appear at once. */
  cap = cc_cap_counts(spec, b_ns - c->edge_lo_ns + (c->has_edge ? 0 : CC_UNSEEN_NS));
  possible = CC_CAP_SLACK * cap + (double)spec->quantum;
  if (r->raw == 0 && c->raw != 0 && !is_confirmed) return CC_HOLD;
  if (r->raw >= c->raw) {
    delta = r->raw - c->raw;
    if (cap > 0 && (double)delta > possible) {
      if (!is_confirmed) return CC_HOLD;
      /* Confirmed and still impossible: believe the register, not the energy. */
      return cc_restart(c, r->raw, a_ns, b_ns);
    }
  } else if (spec->modulus && (delta = spec->modulus - c->raw + r->raw, cap <= 0 || (double)delta <= possible)) {
    flags |= CC_WRAP;
  } else if (r->raw == 0) {
    /* A zone reads 0 while processors come and go. Whether it restarted will show once it counts. */
    return CC_HOLD | CC_GAP;
  } else {
    return cc_restart(c, r->raw, a_ns, b_ns);
  }
  if (spec->modulus) {
    double turns = cc_cap_counts(spec, b_ns - c->read_a_ns) - (double)delta;
    if (cap > 0 && turns >= (double)spec->modulus) {
      flags |= CC_AMBIGUOUS;
      c->lost += (uint64_t)(turns / (double)spec->modulus) * spec->modulus;
    }
  }
  if (delta) flags |= CC_EDGE;
  cc_move(c, r->raw, delta, a_ns, b_ns);
  return flags;
}

static inline int cc_compare_i64(const void *x, const void *y) {
  int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;
  return (a > b) - (a < b);
}

/* Learns the update period from the spacing of edges. Runs once per edge, and sorts at few of them. */
static inline void cc_counter_learn(cc_counter *c, int64_t spacing_ns) {
  int64_t sorted[CC_SPACINGS];
  uint32_t n;
  c->spacing_ns[c->spacings++ % CC_SPACINGS] = spacing_ns;
  if (c->spacings % 16 && c->spacings != 4 && c->spacings != 8) return;
  n = c->spacings < CC_SPACINGS ? c->spacings : CC_SPACINGS;
  memcpy(sorted, c->spacing_ns, n * sizeof *sorted);
  qsort(sorted, n, sizeof *sorted, cc_compare_i64);
  c->period_ns = sorted[n / 2];
  c->max_period_ns = sorted[n - 1];
}

/* A fault's byte is odd while the fault lasts and has grown once it is over: two of them tell what happened between. */
static inline void cc_counter_remember(cc_counter *c, uint32_t flags) {
  uint32_t fault, changed = (flags ^ c->active) & ((1u << CC_FAULTS) - 1);
  for (fault = 0; fault < CC_FAULTS; fault++) {
    if (changed & (1u << fault)) {
      uint64_t shift = 8u * fault, byte = (c->faults >> shift) + 1;
      c->faults = (c->faults & ~((uint64_t)0xff << shift)) | ((byte & 0xff) << shift);
    }
  }
  c->active = flags;
}

#endif
