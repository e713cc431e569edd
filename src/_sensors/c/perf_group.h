/* One perf event group on one CPU: opened together, read with one system call. See perf_event_open(2). */
#ifndef CODECARBON_PERF_GROUP_H
#define CODECARBON_PERF_GROUP_H

#include "channel.h"
#include "ops.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>

enum { CC_PERF_HEAD = 3, CC_PERF_WORDS = CC_PERF_HEAD + 2 * CC_MAX_CHANNELS };

typedef struct cc_perf_group {
  cc_ops *ops;
  uint32_t type;
  int cpu;
  int shift; /* bits below what the hardware counts, left out of every reading */
  int n;     /* events; 0 descriptors are open while is_open is 0 */
  int is_open;
  int has_failed; /* the last read: what reopening looks at */
  int has_times;  /* enabled and running hold the last good read */
  int restarted;  /* the next good reading begins a new epoch */
  uint64_t enabled_ns;
  uint64_t running_ns;
  uint64_t configs[CC_MAX_CHANNELS];
  uint64_t ids[CC_MAX_CHANNELS]; /* 0 for a member that the kernel took and does not run */
  int fds[CC_MAX_CHANNELS];
  uint64_t words[CC_PERF_WORDS]; /* nr, time enabled, time running, then (value, id) per event */
} cc_perf_group;

static inline int cc_perf_open_event(cc_ops *ops, uint32_t type, int cpu, uint64_t config, int leader,
                                     uint64_t read_format) {
  struct perf_event_attr attr;
  /* Everything else stays zero: the RAPL PMU refuses sampling, filters and inheritance with EINVAL. */
  memset(&attr, 0, sizeof attr);
  attr.size = sizeof attr;
  attr.type = type;
  attr.config = config;
  attr.read_format = read_format;
  return ops->perf_open(ops->ctx, &attr, -1, cpu, leader, PERF_FLAG_FD_CLOEXEC);
}

static inline void cc_perf_close(cc_ops *ops, const int *fds, int n) {
  /* Members first: a group outlives none of its siblings that way. */
  while (n-- > 0) ops->close(ops->ctx, fds[n]);
}

/* Opens all events into fds and ids. 0, or -errno with the number of the event that was refused and nothing open. */
static inline int cc_perf_open_all(cc_perf_group *g, int *fds, uint64_t *ids, int *refused) {
  const uint64_t times = PERF_FORMAT_ID | PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
  uint64_t own[4]; /* value, time enabled, time running, id: what a member tells when it is read by itself */
  int64_t got = 0;
  int i;
  for (i = 0; i < g->n; i++) {
    *refused = i;
    fds[i] = cc_perf_open_event(g->ops, g->type, g->cpu, g->configs[i], i ? fds[0] : -1,
                                i ? times : times | PERF_FORMAT_GROUP);
    if (fds[i] < 0) {
      int error = fds[i];
      cc_perf_close(g->ops, fds, i);
      return error;
    }
    if (i == 0) continue;
    got = g->ops->read(g->ops->ctx, fds[i], own, sizeof own);
    if (got != (int64_t)sizeof own) {
      cc_perf_close(g->ops, fds, i + 1);
      return got < 0 ? (int)got : -EIO;
    }
    /* The group's times are the leader's: a member that does not run beside it would count 0 for ever, unseen. */
    ids[i] = own[1] > 0 && own[2] == 0 ? 0 : own[3];
  }
  /* The kernel lists the leader first; that read also proves that the group can be read at all. */
  *refused = 0;
  got = g->ops->read(g->ops->ctx, fds[0], g->words, sizeof g->words);
  if (got < (int64_t)((CC_PERF_HEAD + 2) * sizeof(uint64_t)) || g->words[0] != (uint64_t)g->n) {
    cc_perf_close(g->ops, fds, g->n);
    return got < 0 ? (int)got : -EIO;
  }
  ids[0] = g->words[CC_PERF_HEAD + 1];
  return 0;
}

static inline int cc_perf_open(cc_perf_group *g, int *refused) {
  int status = cc_perf_open_all(g, g->fds, g->ids, refused);
  g->is_open = status == 0;
  return status;
}

static inline void cc_perf_shut(cc_perf_group *g) {
  if (g->is_open) cc_perf_close(g->ops, g->fds, g->n);
  g->is_open = 0;
}

/* The status of the group's read as a whole. */
static inline int32_t cc_perf_check(cc_perf_group *g, int64_t got) {
  int is_stalled;
  if (got < 0) return (int32_t)got;
  if (got == 0) return -ENODEV; /* the group is in error state for good: only opening it again helps */
  if (got != (int64_t)((CC_PERF_HEAD + 2 * g->n) * sizeof(uint64_t)) || g->words[0] != (uint64_t)g->n) return -EIO;
  /* A free-running counter on a CPU of its own runs whenever it is enabled, unless that CPU went away. */
  is_stalled = g->has_times && g->words[2] - g->running_ns < g->words[1] - g->enabled_ns;
  g->enabled_ns = g->words[1];
  g->running_ns = g->words[2];
  g->has_times = 1;
  if (!is_stalled) return 0;
  g->restarted = 1; /* what flowed meanwhile was not counted, so this counter's past is over */
  return -ENODATA;
}

static inline void cc_perf_read(void *state, cc_reading *out) {
  cc_perf_group *g = (cc_perf_group *)state;
  int64_t got = g->ops->read(g->ops->ctx, g->fds[0], g->words, sizeof g->words);
  int32_t status = cc_perf_check(g, got);
  int i, k;
  g->has_failed = status != 0;
  for (i = 0; i < g->n; i++) {
    out[i].raw = 0;
    out[i].flags = 0;
    out[i].status = status ? status : -ENODATA;
    for (k = 0; status == 0 && g->ids[i] != 0 && k < g->n; k++) {
      /* Almost always at once: entries come in the order of opening. */
      int at = CC_PERF_HEAD + 2 * ((i + k) % g->n);
      if (g->words[at + 1] != g->ids[i]) continue;
      out[i].raw = g->words[at] >> g->shift;
      out[i].status = 0;
      out[i].flags = g->restarted ? CC_READ_RESTART : 0;
      break;
    }
  }
  if (status == 0) g->restarted = 0;
}

static inline int cc_perf_reopen(void *state) {
  cc_perf_group *g = (cc_perf_group *)state;
  int fds[CC_MAX_CHANNELS];
  uint64_t ids[CC_MAX_CHANNELS];
  int refused, status;
  if (!g->has_failed) return 0;
  status = cc_perf_open_all(g, fds, ids, &refused);
  if (status != 0) return status;
  cc_perf_shut(g);
  memcpy(g->fds, fds, sizeof fds);
  memcpy(g->ids, ids, sizeof ids);
  g->is_open = 1;
  g->has_times = 0;
  g->restarted = 1; /* a perf event counts from its own opening */
  return 0;
}

#endif
