/* Models and utilisation as counters: what procfs tells, integrated over time between consecutive reads.
 *
 * Every output is a running total since the first read, so that the sampler, the ring and the windows treat a model
 * exactly like a sensor. */
#ifndef CODECARBON_LOAD_H
#define CODECARBON_LOAD_H

#include "channel.h"
#include "decimal.h"
#include "ops.h"
#include "proc_tree.h"

#include <errno.h>
#include <string.h>

/* Processor load comes in clock ticks, usually of 10 ms: over less than this it is mostly rounding. */
static const int64_t CC_LOAD_MIN_NS = 20 * 1000 * 1000;
/* The machine's tick counters stand still for no reason; after this long they are not believed any more. */
static const int64_t CC_LOAD_FROZEN_NS = 1000 * 1000 * 1000;

enum { CC_LOAD_MACHINE = 0, CC_LOAD_PROCESS = 1, CC_LOAD_CONSTANT = 2, CC_LOAD_FIXED = 3 };
enum { CC_OUT_CPU, CC_OUT_RAM, CC_OUT_UTIL_CPU, CC_OUT_UTIL_RAM, CC_OUT_UTIL_TREE, CC_OUT_COUNT };
enum { CC_LOAD_TEXT = 1024 };

/* A total that only grows: whole units, the fraction of one, and what was counted in advance. */
typedef struct cc_integral {
  uint64_t total;
  double fraction;
  double ahead;
} cc_integral;

static inline void cc_add(cc_integral *sum, double amount) {
  double whole;
  sum->fraction += amount;
  whole = sum->fraction < 0 ? 0 : (double)(uint64_t)sum->fraction;
  sum->total += (uint64_t)whole;
  sum->fraction -= whole;
}

/* Counts an amount before it is known, at the last known rate. */
static inline void cc_advance(cc_integral *sum, double amount) {
  cc_add(sum, amount);
  sum->ahead += amount;
}

/* Replaces everything counted in advance by what turned out to be true; an excess is kept back from what follows. */
static inline void cc_settle(cc_integral *sum, double amount) {
  amount -= sum->ahead;
  sum->ahead = amount < 0 ? -amount : 0;
  if (amount > 0) cc_add(sum, amount);
}

typedef struct cc_ticks {
  uint64_t busy, idle, stolen;
} cc_ticks;

typedef struct cc_load {
  cc_ops *ops;
  cc_tree tree;
  const char *stat_path, *meminfo_path;
  int stat_fd, meminfo_fd; /* or -errno */
  int cpu_model;           /* one of CC_LOAD_* */
  int ram_by_share;
  double p_max_w, ram_w, ram_total_bytes;
  uint64_t cpu_count;
  int slots[CC_OUT_COUNT]; /* place of each output among the channels, or -1 */
  int32_t status[CC_OUT_COUNT];
  int64_t cpu_ns, cpu_const_ns, ram_ns,
      ram_used_ns; /* up to when each integral was brought; -1 before the first read */
  /* Machine load: ticks and time of the last reading that was long enough after the one before. */
  int has_anchor;
  int64_t anchor_ns;
  cc_ticks anchor;
  double load;           /* last known, 0..1; below 0 while unknown */
  uint64_t load_tree_ns; /* tree time when cpu_ns was last brought forward */
  uint64_t cpu_tree_ns;  /* tree time that the process model has counted */
  double share, ram_used_kib;
  cc_integral cpu_uj, ram_uj, util_cpu_ns, util_ram_kib_ms;
  char text[CC_LOAD_TEXT];
} cc_load;

/* First line of /proc/stat (proc_stat(5)): user nice system idle iowait irq softirq steal guest guest_nice. Guest time
 * is inside user and nice already. Stolen time is not busy: another machine used the processor. */
static inline int cc_read_ticks(cc_load *s, cc_ticks *ticks) {
  uint64_t field[8] = {0};
  int64_t got, at = 3;
  int k;
  if (s->stat_fd < 0) return s->stat_fd;
  got = s->ops->pread(s->ops->ctx, s->stat_fd, s->text, sizeof s->text, 0);
  if (got < 0) return (int)got;
  if (got < 5 || memcmp(s->text, "cpu ", 4) != 0) return -EINVAL;
  for (k = 0; k < 8; k++) {
    int digits;
    while (at < got && s->text[at] == ' ') at++;
    digits = cc_take_u64(s->text + at, got - at, &field[k]);
    if (digits < 0 || (digits == 0 && k < 4)) return -EINVAL;
    if (digits == 0) break; /* kernels before 2.6.11 had fewer columns */
    at += digits;
  }
  ticks->busy = field[0] + field[1] + field[2] + field[5] + field[6];
  ticks->idle = field[3] + field[4];
  ticks->stolen = field[7];
  return 0;
}

static inline uint64_t cc_rise(uint64_t later, uint64_t earlier) { return later > earlier ? later - earlier : 0; }

/* A tenth of the power flows at rest and the rest grows with the cube of the load: the formula of codecarbon 2 and 3,
 * kept so that modelled figures stay comparable. */
static inline double cc_load_energy_uj(const cc_load *s, double load, int64_t dt_ns) {
  if (s->cpu_model != CC_LOAD_MACHINE) return 0;
  return s->p_max_w * (0.1 + 0.9 * load * load * load) * (double)dt_ns / 1000.0;
}

/* Load over too short a time for ticks: the last known one; before there is one, the share of the tree alone, which
 * the scheduler knows in nanoseconds and which the machine's load cannot be below. */
static inline double cc_guess_load(const cc_load *s, int64_t dt_ns) {
  double load;
  if (s->load >= 0) return s->load;
  if (dt_ns <= 0) return 0;
  load = (double)(s->tree.total_ns - s->load_tree_ns) / ((double)dt_ns * (double)s->cpu_count);
  return load < 1.0 ? load : 1.0;
}

/* Brings util.cpu, and the machine model with it, up to now. */
static inline int cc_step_ticks(cc_load *s, int64_t now_ns) {
  cc_ticks ticks;
  uint64_t busy, all;
  int64_t dt_ns;
  double load;
  int status = cc_read_ticks(s, &ticks);
  if (status != 0) return status;
  if (!s->has_anchor) {
    s->has_anchor = 1;
    s->anchor = ticks;
    s->anchor_ns = s->cpu_ns = now_ns;
    s->load_tree_ns = s->tree.total_ns;
    return 0;
  }
  dt_ns = now_ns - s->anchor_ns;
  busy = cc_rise(ticks.busy, s->anchor.busy);
  all = busy + cc_rise(ticks.idle, s->anchor.idle) + cc_rise(ticks.stolen, s->anchor.stolen);
  if (dt_ns < CC_LOAD_MIN_NS || all == 0) {
    if (all == 0 && dt_ns >= CC_LOAD_FROZEN_NS) return -ENODATA;
    load = cc_guess_load(s, now_ns - s->cpu_ns);
    cc_advance(&s->util_cpu_ns, load * (double)(now_ns - s->cpu_ns));
    cc_advance(&s->cpu_uj, cc_load_energy_uj(s, load, now_ns - s->cpu_ns));
  } else {
    /* Busy time that went backwards (a guest that moved house) tells nothing about this interval. */
    load = ticks.busy < s->anchor.busy ? cc_guess_load(s, now_ns - s->cpu_ns) : (double)busy / (double)all;
    cc_settle(&s->util_cpu_ns, load * (double)dt_ns);
    cc_settle(&s->cpu_uj, cc_load_energy_uj(s, load, dt_ns));
    s->load = load;
    s->anchor = ticks;
    s->anchor_ns = now_ns;
  }
  s->cpu_ns = now_ns;
  s->load_tree_ns = s->tree.total_ns;
  return 0;
}

/* MemTotal and MemAvailable of /proc/meminfo, both among its first lines. */
static inline int cc_read_memory(cc_load *s, double *used_kib) {
  static const char *const names[] = {"MemTotal:", "MemAvailable:"};
  uint64_t found[2] = {0, 0};
  int64_t got;
  int k;
  if (s->meminfo_fd < 0) return s->meminfo_fd;
  got = s->ops->pread(s->ops->ctx, s->meminfo_fd, s->text, sizeof s->text, 0);
  if (got < 0) return (int)got;
  for (k = 0; k < 2; k++) {
    const char *at = (const char *)memmem(s->text, (size_t)got, names[k], strlen(names[k]));
    const char *end = s->text + got;
    if (at == NULL) return -ENODATA;
    at += strlen(names[k]);
    while (at < end && *at == ' ') at++;
    if (cc_take_u64(at, end - at, &found[k]) <= 0) return -EINVAL;
  }
  *used_kib = (double)cc_rise(found[0], found[1]);
  return 0;
}

static inline int cc_step_memory(cc_load *s, int64_t now_ns) {
  double used_kib = 0;
  int status = cc_read_memory(s, &used_kib);
  if (status != 0) return status;
  if (s->ram_used_ns >= 0)
    cc_add(&s->util_ram_kib_ms, (used_kib + s->ram_used_kib) / 2 * (double)(now_ns - s->ram_used_ns) / 1e6);
  s->ram_used_kib = used_kib;
  s->ram_used_ns = now_ns;
  return 0;
}

/* The RAM model: a constant power, or its part that the tree's resident memory stands for. */
static inline int cc_step_ram(cc_load *s, int64_t now_ns, int tree_status) {
  double share = 1.0;
  if (s->ram_by_share) {
    if (tree_status != 0) return tree_status;
    share = (double)s->tree.rss_bytes / s->ram_total_bytes;
    if (share > 1.0) share = 1.0;
  }
  if (s->ram_ns >= 0) cc_add(&s->ram_uj, s->ram_w * (share + s->share) / 2 * (double)(now_ns - s->ram_ns) / 1000.0);
  s->share = share;
  s->ram_ns = now_ns;
  return 0;
}

/* The processor model where it does not come from the machine's load. */
static inline int cc_step_cpu(cc_load *s, int64_t now_ns, int ticks_status, int tree_status) {
  double power_w = s->cpu_model == CC_LOAD_CONSTANT ? s->p_max_w * 0.5 : s->p_max_w;
  if (s->cpu_model == CC_LOAD_MACHINE) return ticks_status;
  if (s->cpu_model == CC_LOAD_PROCESS) {
    /* Power is proportional to processor time, so energy is too, whatever the times of the reads. */
    if (tree_status != 0) return tree_status;
    cc_add(&s->cpu_uj, s->p_max_w * (double)(s->tree.total_ns - s->cpu_tree_ns) / (double)s->cpu_count / 1000.0);
    s->cpu_tree_ns = s->tree.total_ns;
    return 0;
  }
  if (s->cpu_const_ns >= 0) cc_add(&s->cpu_uj, power_w * (double)(now_ns - s->cpu_const_ns) / 1000.0);
  s->cpu_const_ns = now_ns;
  return 0;
}

static inline void cc_load_read(void *state, cc_reading *out) {
  cc_load *s = (cc_load *)state;
  int64_t now_ns = s->ops->clock_ns(s->ops->ctx, CC_CLOCK_MONOTONIC);
  int tree_status = cc_tree_read(&s->tree);
  int ticks_status = cc_step_ticks(s, now_ns);
  int k;
  s->status[CC_OUT_CPU] = cc_step_cpu(s, now_ns, ticks_status, tree_status);
  s->status[CC_OUT_RAM] = cc_step_ram(s, now_ns, tree_status);
  s->status[CC_OUT_UTIL_CPU] = ticks_status;
  s->status[CC_OUT_UTIL_RAM] = cc_step_memory(s, now_ns);
  s->status[CC_OUT_UTIL_TREE] = tree_status;
  for (k = 0; k < CC_OUT_COUNT; k++) {
    const uint64_t raw[] = {s->cpu_uj.total, s->ram_uj.total, s->util_cpu_ns.total, s->util_ram_kib_ms.total,
                            s->tree.total_ns};
    cc_reading *reading;
    if (s->slots[k] < 0) continue;
    reading = &out[s->slots[k]];
    reading->raw = raw[k];
    reading->status = s->status[k];
    reading->flags = 0;
  }
}

static inline int cc_open_file(cc_ops *ops, const char *path, int *fd) {
  int fresh = ops->open(ops->ctx, path);
  if (fresh < 0) return fresh;
  if (*fd >= 0) ops->close(ops->ctx, *fd);
  *fd = fresh;
  return 0;
}

/* Totals are ours and go on: nothing restarts when a file comes back, the time without it is simply bridged. */
static inline int cc_load_reopen(void *state) {
  cc_load *s = (cc_load *)state;
  int failure = 0, status;
  if (s->status[CC_OUT_UTIL_CPU] != 0) failure = cc_open_file(s->ops, s->stat_path, &s->stat_fd);
  if (s->status[CC_OUT_UTIL_RAM] != 0 && (status = cc_open_file(s->ops, s->meminfo_path, &s->meminfo_fd)) != 0)
    failure = status;
  if (s->status[CC_OUT_UTIL_TREE] != 0 && (status = cc_tree_open(&s->tree)) != 0) failure = status;
  return failure;
}

static inline void cc_load_close(cc_load *s) {
  int *fds[] = {&s->stat_fd, &s->meminfo_fd, &s->tree.top_fd};
  size_t k;
  for (k = 0; k < sizeof fds / sizeof *fds; k++) {
    if (*fds[k] >= 0) s->ops->close(s->ops->ctx, *fds[k]);
    *fds[k] = -EBADF;
  }
}

#endif
