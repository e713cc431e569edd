/* Operations tables for tests: time that is set by hand, and faults by script. Included by _testing.pyx only.
 *
 * Everything here may be called by a sampler's thread without the GIL while a test looks at it, so whatever changes
 * after construction is accessed atomically; order does not matter to any of it. */
#ifndef CODECARBON_VIRTUAL_OPS_H
#define CODECARBON_VIRTUAL_OPS_H

#include "ops.h"

#include <errno.h>
#include <fnmatch.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CC_LOAD(word)         __atomic_load_n(&(word), __ATOMIC_RELAXED)
#define CC_STORE(word, value) __atomic_store_n(&(word), (value), __ATOMIC_RELAXED)
#define CC_ADD(word, value)   __atomic_fetch_add(&(word), (value), __ATOMIC_RELAXED)

/* The same for Cython, which takes addresses rather than macros. */
static inline int64_t cc_peek_i64(const int64_t *word) { return CC_LOAD(*word); }
static inline uint64_t cc_peek_u64(const uint64_t *word) { return CC_LOAD(*word); }
static inline int32_t cc_peek_i32(const int32_t *word) { return CC_LOAD(*word); }
static inline void cc_poke_i64(int64_t *word, int64_t value) { CC_STORE(*word, value); }
static inline void cc_poke_i32(int32_t *word, int32_t value) { CC_STORE(*word, value); }
static inline void cc_bump_i64(int64_t *word, int64_t value) { CC_ADD(*word, value); }

/* ---- virtual time --------------------------------------------------------------------------------------------- */

typedef struct cc_virtual {
  cc_ops table;
  cc_ops *real;         /* files, and the real naps of a wait that does not jump */
  int64_t now_ns;       /* monotonic */
  int64_t suspended_ns; /* boottime - monotonic */
  int64_t utc_ns;       /* realtime - monotonic */
  int64_t cpu_ns;       /* processor time of the thread: reads are work, waits are not */
  int64_t read_ns;      /* what each read of a file takes */
  int64_t next_read_ns; /* what the next one takes in addition */
  int64_t next_wait_ns; /* how late the next wait ends */
  uint64_t waits;
  int64_t waiting_ns; /* deadline of the wait that a thread is in; 0 for none */
  int32_t jumps;      /* a wait moves the time to its deadline; otherwise it waits for the test to do so */
} cc_virtual;

static int64_t cc_virtual_now(cc_virtual *v) { return CC_LOAD(v->now_ns); }

static void cc_virtual_elapse(cc_virtual *v, int64_t ns) { CC_ADD(v->now_ns, ns); }

static void cc_virtual_work(cc_virtual *v, int64_t ns) {
  CC_ADD(v->now_ns, ns);
  CC_ADD(v->cpu_ns, ns);
}

/* Time never goes back, whatever two threads ask for. */
static void cc_virtual_reach(cc_virtual *v, int64_t t_ns) {
  int64_t now = CC_LOAD(v->now_ns);
  while (now < t_ns && !__atomic_compare_exchange_n(&v->now_ns, &now, t_ns, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
}

static void cc_virtual_spend_read(cc_virtual *v) {
  int64_t once = __atomic_exchange_n(&v->next_read_ns, 0, __ATOMIC_RELAXED);
  cc_virtual_work(v, CC_LOAD(v->read_ns) + once);
}

static int cc_virtual_open(void *ctx, const char *path) {
  cc_virtual *v = ctx;
  return v->real->open(v->real->ctx, path);
}

static int64_t cc_virtual_pread(void *ctx, int fd, void *buf, size_t n, int64_t offset) {
  cc_virtual *v = ctx;
  cc_virtual_spend_read(v);
  return v->real->pread(v->real->ctx, fd, buf, n, offset);
}

static int64_t cc_virtual_read(void *ctx, int fd, void *buf, size_t n) {
  cc_virtual *v = ctx;
  cc_virtual_spend_read(v);
  return v->real->read(v->real->ctx, fd, buf, n);
}

static int cc_virtual_close(void *ctx, int fd) {
  cc_virtual *v = ctx;
  return v->real->close(v->real->ctx, fd);
}

static int cc_virtual_perf_open(void *ctx, struct perf_event_attr *attr, int pid, int cpu, int group_fd,
                                unsigned long flags) {
  cc_virtual *v = ctx;
  return v->real->perf_open(v->real->ctx, attr, pid, cpu, group_fd, flags);
}

static int64_t cc_virtual_clock_ns(void *ctx, int clock) {
  cc_virtual *v = ctx;
  switch (clock) {
    case CC_CLOCK_REALTIME:
      return CC_LOAD(v->now_ns) + CC_LOAD(v->utc_ns);
    case CC_CLOCK_BOOTTIME:
      return CC_LOAD(v->now_ns) + CC_LOAD(v->suspended_ns);
    case CC_CLOCK_THREAD_CPU:
      return CC_LOAD(v->cpu_ns);
    default:
      return CC_LOAD(v->now_ns);
  }
}

static int cc_virtual_wait_until(void *ctx, uint32_t *word, uint32_t seen, int64_t deadline_ns) {
  enum { NAP_NS = 200000 };
  cc_virtual *v = ctx;
  cc_ops *real = v->real;
  int status = 0;
  CC_ADD(v->waits, 1);
  CC_STORE(v->waiting_ns, deadline_ns);
  while (status != -EINTR && __atomic_load_n(word, __ATOMIC_ACQUIRE) == seen) {
    if (CC_LOAD(v->jumps)) cc_virtual_reach(v, deadline_ns);
    if (CC_LOAD(v->now_ns) >= deadline_ns) {
      cc_virtual_elapse(v, __atomic_exchange_n(&v->next_wait_ns, 0, __ATOMIC_RELAXED));
      CC_STORE(v->waiting_ns, 0);
      return -ETIMEDOUT;
    }
    status = real->wait_until(real->ctx, word, seen, real->clock_ns(real->ctx, CC_CLOCK_MONOTONIC) + NAP_NS);
  }
  CC_STORE(v->waiting_ns, 0);
  return status == -EINTR ? -EINTR : 0;
}

static void cc_virtual_wake(void *ctx, uint32_t *word) {
  cc_virtual *v = ctx;
  v->real->wake(v->real->ctx, word);
}

static void cc_virtual_init(cc_virtual *v, cc_ops *real) {
  cc_ops table = {v,
                  cc_virtual_open,
                  cc_virtual_pread,
                  cc_virtual_read,
                  cc_virtual_close,
                  cc_virtual_perf_open,
                  cc_virtual_clock_ns,
                  cc_virtual_wait_until,
                  cc_virtual_wake};
  v->table = table;
  v->real = real;
}

/* ---- scripted faults ------------------------------------------------------------------------------------------ */

enum { CC_OP_OPEN, CC_OP_PREAD, CC_OP_READ, CC_OP_CLOSE, CC_OP_PERF_OPEN, CC_OP_CLOCK, CC_OP_WAIT, CC_OP_WAKE, CC_OPS };

enum { CC_SCRIPT_FAULTS = 64, CC_SCRIPT_FDS = 4096 };

typedef struct cc_fault {
  int op;
  const char *pattern;  /* fnmatch of the path behind the descriptor; NULL matches every call */
  uint64_t first, last; /* calls that are hit, counted from 1 over the calls that match */
  int error;
  const char *data; /* what a read returns instead; NULL for none */
  size_t n_data;
  int64_t at_most; /* a read returns no more bytes than this; -1 for no limit */
  int64_t delay_ns;
  uint64_t seen, hits;
  int32_t is_active;
} cc_fault;

typedef struct cc_scripted {
  cc_ops table;
  cc_ops *base;
  cc_virtual *clock; /* where delays pass; NULL: they pass in real time */
  int n;
  cc_fault *faults[CC_SCRIPT_FAULTS];
  uint64_t calls[CC_OPS];
  int64_t open_fds;
  uint64_t masks[CC_SCRIPT_FDS]; /* per descriptor: the faults whose pattern its path matches */
} cc_scripted;

static uint64_t cc_scripted_mask(const cc_scripted *s, const char *path) {
  uint64_t mask = 0;
  for (int i = 0; i < s->n; i++)
    if (!s->faults[i]->pattern || fnmatch(s->faults[i]->pattern, path, 0) == 0) mask |= 1ull << i;
  return mask;
}

static uint64_t cc_scripted_fd_mask(cc_scripted *s, int fd) {
  return fd >= 0 && fd < CC_SCRIPT_FDS ? CC_LOAD(s->masks[fd]) : cc_scripted_mask(s, "");
}

static void cc_scripted_pause(cc_scripted *s, int64_t ns) {
  struct timespec ts;
  if (ns <= 0) return;
  if (s->clock) {
    cc_virtual_work(s->clock, ns);
    return;
  }
  ts.tv_sec = ns / 1000000000;
  ts.tv_nsec = ns % 1000000000;
  while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR) {
  }
}

/* The fault that hits this call, after its delay, or NULL. Every fault that matches counts the call. */
static cc_fault *cc_scripted_hit(cc_scripted *s, int op, uint64_t mask) {
  cc_fault *hit = NULL;
  CC_ADD(s->calls[op], 1);
  for (int i = 0; i < s->n; i++) {
    cc_fault *fault = s->faults[i];
    uint64_t number;
    if (fault->op != op || !(mask >> i & 1) || !CC_LOAD(fault->is_active)) continue;
    number = CC_ADD(fault->seen, 1) + 1;
    if (!hit && number >= fault->first && number <= fault->last) hit = fault;
  }
  if (hit) {
    CC_ADD(hit->hits, 1);
    cc_scripted_pause(s, hit->delay_ns);
  }
  return hit;
}

static int cc_scripted_adopt(cc_scripted *s, int fd, uint64_t mask) {
  if (fd < 0) return fd;
  if (fd >= CC_SCRIPT_FDS) {
    s->base->close(s->base->ctx, fd);
    return -EMFILE;
  }
  CC_STORE(s->masks[fd], mask);
  CC_ADD(s->open_fds, 1);
  return fd;
}

static int cc_scripted_open(void *ctx, const char *path) {
  cc_scripted *s = ctx;
  uint64_t mask = cc_scripted_mask(s, path);
  cc_fault *fault = cc_scripted_hit(s, CC_OP_OPEN, mask);
  if (fault && fault->error) return -fault->error;
  return cc_scripted_adopt(s, s->base->open(s->base->ctx, path), mask);
}

static int cc_scripted_perf_open(void *ctx, struct perf_event_attr *attr, int pid, int cpu, int group_fd,
                                 unsigned long flags) {
  cc_scripted *s = ctx;
  char path[64];
  uint64_t mask;
  cc_fault *fault;
  snprintf(path, sizeof path, "perf:%u:%llu", attr->type, (unsigned long long)attr->config);
  mask = cc_scripted_mask(s, path);
  fault = cc_scripted_hit(s, CC_OP_PERF_OPEN, mask);
  if (fault && fault->error) return -fault->error;
  return cc_scripted_adopt(s, s->base->perf_open(s->base->ctx, attr, pid, cpu, group_fd, flags), mask);
}

/* Whether the fault alone decides what a read returns; then *got is it. */
static int cc_scripted_decides(const cc_fault *fault, void *buf, size_t *n, int64_t *got) {
  if (!fault) return 0;
  if (fault->error) {
    *got = -fault->error;
    return 1;
  }
  if (fault->at_most >= 0 && (size_t)fault->at_most < *n) *n = (size_t)fault->at_most;
  if (!fault->data) return 0;
  if (fault->n_data < *n) *n = fault->n_data;
  memcpy(buf, fault->data, *n);
  *got = (int64_t)*n;
  return 1;
}

static int64_t cc_scripted_pread(void *ctx, int fd, void *buf, size_t n, int64_t offset) {
  cc_scripted *s = ctx;
  int64_t got;
  if (cc_scripted_decides(cc_scripted_hit(s, CC_OP_PREAD, cc_scripted_fd_mask(s, fd)), buf, &n, &got)) return got;
  return s->base->pread(s->base->ctx, fd, buf, n, offset);
}

static int64_t cc_scripted_read(void *ctx, int fd, void *buf, size_t n) {
  cc_scripted *s = ctx;
  int64_t got;
  if (cc_scripted_decides(cc_scripted_hit(s, CC_OP_READ, cc_scripted_fd_mask(s, fd)), buf, &n, &got)) return got;
  return s->base->read(s->base->ctx, fd, buf, n);
}

/* Linux closes the descriptor even when close reports an error, and so does this. */
static int cc_scripted_close(void *ctx, int fd) {
  cc_scripted *s = ctx;
  cc_fault *fault = cc_scripted_hit(s, CC_OP_CLOSE, cc_scripted_fd_mask(s, fd));
  int status = s->base->close(s->base->ctx, fd);
  if (status == 0) CC_ADD(s->open_fds, -1);
  return fault && fault->error ? -fault->error : status;
}

static int64_t cc_scripted_clock_ns(void *ctx, int clock) {
  cc_scripted *s = ctx;
  cc_scripted_hit(s, CC_OP_CLOCK, ~0ull);
  return s->base->clock_ns(s->base->ctx, clock);
}

static int cc_scripted_wait_until(void *ctx, uint32_t *word, uint32_t seen, int64_t deadline_ns) {
  cc_scripted *s = ctx;
  cc_fault *fault = cc_scripted_hit(s, CC_OP_WAIT, ~0ull);
  if (fault && fault->error) return -fault->error;
  return s->base->wait_until(s->base->ctx, word, seen, deadline_ns);
}

static void cc_scripted_wake(void *ctx, uint32_t *word) {
  cc_scripted *s = ctx;
  cc_scripted_hit(s, CC_OP_WAKE, ~0ull);
  s->base->wake(s->base->ctx, word);
}

static void cc_scripted_init(cc_scripted *s, cc_ops *base, cc_virtual *clock) {
  cc_ops table = {s,
                  cc_scripted_open,
                  cc_scripted_pread,
                  cc_scripted_read,
                  cc_scripted_close,
                  cc_scripted_perf_open,
                  cc_scripted_clock_ns,
                  cc_scripted_wait_until,
                  cc_scripted_wake};
  s->table = table;
  s->base = base;
  s->clock = clock;
}

#endif
