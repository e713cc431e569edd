/* Processor time and resident memory of a process tree, from procfs.
 *
 * The time of a process that ended between two reads is not lost: its parent collects it in "waited" when it reaps
 * the child. Each read therefore compares the tree with the one before, process by process:
 *
 *   rise = time that survivors used + all time of newcomers + (what survivors collected - what the dead had shown)
 *
 * Everything here is static: the tables are allocated once, by the owner. Directories are listed with the system call
 * itself, since readdir allocates; all files go through the operations table. */
#ifndef CODECARBON_PROC_TREE_H
#define CODECARBON_PROC_TREE_H

#include "channel.h"
#include "decimal.h"
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
  CC_TREE_MAX = 32768, /* processes; more is -E2BIG, never a partial sum */
  CC_TREE_PATH = 512,  /* root folder included */
  CC_TREE_TEXT = 1024, /* /proc/<pid>/stat: 52 fields of at most 20 digits, mostly far shorter */
  CC_TREE_LIST = 16384 /* one batch of directory entries or of children */
};

typedef struct cc_process {
  int32_t pid;
  int32_t parent;
  int32_t threads;
  int32_t is_in_tree;
  uint64_t start;     /* clock ticks after boot: with the pid an identity, since pids come back */
  uint64_t own_ns;    /* processor time of its threads, ended ones included */
  uint64_t waited_ns; /* the same of all descendants that were waited for */
  uint64_t rss_bytes;
} cc_process;

typedef struct cc_tree {
  cc_ops *ops;
  const char *root; /* of procfs, without a slash at the end */
  int32_t pid;      /* top of the tree, as this procfs numbers it */
  int is_own;       /* the top is this very process and root is its own /proc: finer clocks exist */
  int is_real;      /* root is this process's own /proc: pids mean what system calls mean */
  int has_children_files;
  int has_baseline;
  int top_fd;         /* kept /proc/<pid>/stat, or -errno */
  uint64_t top_start; /* identity of the top, with the pid */
  uint64_t tick_ns;
  uint64_t page_bytes;
  int n, n_before;
  cc_process *now, *before; /* CC_TREE_MAX entries each, sorted by pid after a read */
  uint64_t total_ns;        /* rise since the first read; never falls */
  uint64_t owed_ns;         /* shown by the dead, not collected by anyone yet */
  uint64_t rss_bytes;
  char path[CC_TREE_PATH];
  char text[CC_TREE_TEXT];
  char list[CC_TREE_LIST];
  char dirents[CC_TREE_LIST];
} cc_tree;

/* As the kernel lays it out for getdents64(2); the C library does not declare it. */
typedef struct cc_dirent {
  uint64_t inode;
  int64_t offset;
  unsigned short length;
  unsigned char type;
  char name[];
} cc_dirent;

/* One /proc/<pid>/stat (proc_pid_stat(5)). 0 or -EINVAL. */
static inline int cc_parse_stat(const cc_tree *t, const char *text, int64_t n, cc_process *p) {
  uint64_t field[25] = {0};
  const char *end = text + n;
  const char *at;
  uint64_t pid;
  int k;
  if (cc_take_u64(text, n, &pid) <= 0) return -EINVAL;
  /* The name may hold anything, brackets included: fields start after the last one. */
  at = (const char *)memrchr(text, ')', (size_t)n);
  if (at == NULL || end - at < 5) return -EINVAL;
  at += 4; /* ") S ": field 3 is a letter, numbers start with field 4 */
  for (k = 4; k <= 24; k++) {
    int is_negative = at < end && *at == '-';
    int digits;
    at += is_negative;
    digits = cc_take_u64(at, end - at, &field[k]);
    if (digits <= 0) return -EINVAL;
    if (is_negative) field[k] = 0;
    at += digits;
    if (at < end && (*at == ' ' || *at == '\n')) at++;
  }
  p->pid = (int32_t)pid;
  p->parent = (int32_t)field[4];
  p->own_ns = (field[14] + field[15]) * t->tick_ns;
  p->waited_ns = (field[16] + field[17]) * t->tick_ns;
  p->threads = (int32_t)field[20];
  p->start = field[22];
  p->rss_bytes = field[24] * t->page_bytes;
  p->is_in_tree = 0;
  return 0;
}

/* The scheduler's own count for a process in nanoseconds; stat only shows clock ticks. Clock ids of other processes
 * are what clock_getcpuclockid(3) makes: the inverted pid over CPUCLOCK_SCHED. */
static inline void cc_refine_times(const cc_tree *t, cc_process *p) {
  struct timespec ts;
  struct rusage usage;
  clockid_t clock;
  if (!t->is_real) return;
  clock = (clockid_t)(((unsigned)~p->pid << 3) | 2u);
  if (clock_gettime(clock, &ts) == 0) p->own_ns = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
  if (!t->is_own || p->pid != t->pid || getrusage(RUSAGE_CHILDREN, &usage) != 0) return;
  p->waited_ns = ((uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec) * 1000000000u +
                 ((uint64_t)usage.ru_utime.tv_usec + (uint64_t)usage.ru_stime.tv_usec) * 1000u;
}

static inline int cc_read_process(cc_tree *t, int fd, cc_process *p) {
  int64_t got = t->ops->pread(t->ops->ctx, fd, t->text, sizeof t->text, 0);
  int status;
  if (got < 0) return (int)got;
  status = cc_parse_stat(t, t->text, got, p);
  if (status == 0) cc_refine_times(t, p);
  return status;
}

/* Adds a process; one that ended meanwhile is no error, its parent collects its time. 0 or -E2BIG. */
static inline int cc_add_process(cc_tree *t, int32_t pid) {
  int fd;
  if (t->n == CC_TREE_MAX) return -E2BIG;
  snprintf(t->path, sizeof t->path, "%s/%d/stat", t->root, pid);
  fd = t->ops->open(t->ops->ctx, t->path);
  if (fd < 0) return 0;
  if (cc_read_process(t, fd, &t->now[t->n]) == 0) t->n++;
  t->ops->close(t->ops->ctx, fd);
  return 0;
}

/* Adds the children of one thread, from its "children" file: pids, each with a blank behind it. */
static inline int cc_add_children(cc_tree *t, int32_t pid, int32_t tid) {
  int64_t offset = 0, got;
  int fd, status = 0;
  snprintf(t->path, sizeof t->path, "%s/%d/task/%d/children", t->root, pid, tid);
  fd = t->ops->open(t->ops->ctx, t->path);
  if (fd < 0) return 0;
  while (status == 0 && (got = t->ops->pread(t->ops->ctx, fd, t->list, sizeof t->list, offset)) > 0) {
    int64_t at = 0, used = 0;
    while (status == 0 && at < got) {
      uint64_t child;
      int digits = cc_take_u64(t->list + at, got - at, &child);
      if (digits <= 0 || at + digits == got) break; /* foreign text, or a number that the buffer cut */
      at += digits + 1;
      used = at;
      status = cc_add_process(t, (int32_t)child);
    }
    if (used == 0) break;
    offset += used;
  }
  t->ops->close(t->ops->ctx, fd);
  return status;
}

/* Calls visit for every number among the entries of t->path. Its results and -errno come back. */
static inline int cc_each_number(cc_tree *t, int (*visit)(cc_tree *, int32_t, int32_t), int32_t of) {
  int fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
  long got = 0;
  int status = fd < 0 ? -errno : 0;
  while (status == 0 && (got = syscall(SYS_getdents64, fd, t->dirents, sizeof t->dirents)) > 0) {
    long at = 0;
    while (status == 0 && at < got) {
      const cc_dirent *entry = (const cc_dirent *)(t->dirents + at);
      size_t length = strlen(entry->name);
      uint64_t number = 0;
      if (cc_take_u64(entry->name, (int64_t)length, &number) == (int)length && number <= INT32_MAX)
        status = visit(t, of, (int32_t)number);
      at += entry->length;
    }
  }
  if (got < 0) status = -errno;
  if (fd >= 0) close(fd);
  return status;
}

static inline int cc_visit_process(cc_tree *t, int32_t of, int32_t pid) {
  (void)of;
  return pid == t->pid ? 0 : cc_add_process(t, pid);
}

/* Walks down from the top: every thread of every process names its children. */
static inline int cc_descend(cc_tree *t) {
  int i, status = 0;
  for (i = 0; i < t->n && status == 0; i++) {
    int32_t pid = t->now[i].pid;
    t->now[i].is_in_tree = 1;
    if (t->now[i].threads == 1) {
      status = cc_add_children(t, pid, pid);
      continue;
    }
    snprintf(t->path, sizeof t->path, "%s/%d/task", t->root, pid);
    status = cc_each_number(t, cc_add_children, pid);
    if (status == -ENOENT || status == -ESRCH) status = 0; /* ended meanwhile */
  }
  return status;
}

/* Shell sort by pid (gaps of Ciura): in place, and nearly free on the nearly sorted lists that procfs gives. */
static inline void cc_sort_processes(cc_process *p, int n) {
  static const int gaps[] = {8861, 3938, 1750, 701, 301, 132, 57, 23, 10, 4, 1};
  size_t g;
  int i, k;
  for (g = 0; g < sizeof gaps / sizeof *gaps; g++)
    for (i = gaps[g]; i < n; i++) {
      cc_process moved = p[i];
      for (k = i; k >= gaps[g] && p[k - gaps[g]].pid > moved.pid; k -= gaps[g]) p[k] = p[k - gaps[g]];
      p[k] = moved;
    }
}

static inline cc_process *cc_find_process(cc_process *p, int n, int32_t pid) {
  int low = 0, high = n;
  while (low < high) {
    int middle = (low + high) / 2;
    if (p[middle].pid < pid) low = middle + 1;
    else high = middle;
  }
  return low < n && p[low].pid == pid ? &p[low] : NULL;
}

/* Without "children" files: reads every process there is and keeps those whose chain of parents leads to the top. */
static inline int cc_scan(cc_tree *t) {
  int i, changed = 1, status;
  snprintf(t->path, sizeof t->path, "%s", t->root);
  status = cc_each_number(t, cc_visit_process, 0);
  if (status != 0) return status;
  cc_sort_processes(t->now, t->n);
  while (changed) { /* parents nearly always have the smaller pid, so one pass and one to confirm */
    changed = 0;
    for (i = 0; i < t->n; i++) {
      cc_process *p = &t->now[i], *parent;
      if (p->is_in_tree) continue;
      parent = cc_find_process(t->now, t->n, p->parent);
      if (p->pid != t->pid && (parent == NULL || !parent->is_in_tree)) continue;
      p->is_in_tree = changed = 1;
    }
  }
  return 0;
}

/* Sorts, and drops strangers and processes that were met twice because they changed parents during the walk. */
static inline void cc_settle_list(cc_tree *t) {
  int i, kept = 0;
  cc_sort_processes(t->now, t->n);
  for (i = 0; i < t->n; i++) {
    if (!t->now[i].is_in_tree || (kept > 0 && t->now[kept - 1].pid == t->now[i].pid)) continue;
    t->now[kept++] = t->now[i];
  }
  t->n = kept;
}

/* Compares the tree with the one before and returns the processor time that was used in between. */
static inline uint64_t cc_tree_rise(cc_tree *t) {
  uint64_t used = 0, collected = 0, shown_by_dead = 0, claim;
  int i = 0, k = 0;
  while (i < t->n || k < t->n_before) {
    const cc_process *p = i < t->n ? &t->now[i] : NULL;
    const cc_process *q = k < t->n_before ? &t->before[k] : NULL;
    if (p != NULL && q != NULL && p->pid == q->pid && p->start == q->start) {
      if (p->own_ns > q->own_ns) used += p->own_ns - q->own_ns;
      if (p->waited_ns > q->waited_ns) collected += p->waited_ns - q->waited_ns;
      i++, k++;
    } else if (q == NULL || (p != NULL && p->pid < q->pid)) {
      used += p->own_ns + p->waited_ns;
      i++;
    } else {
      shown_by_dead += q->own_ns + q->waited_ns;
      k++;
    }
  }
  claim = t->owed_ns + shown_by_dead;
  if (collected >= claim) {
    t->owed_ns = 0;
    return used + collected - claim;
  }
  /* A parent read just before it reaped collects in the next read, so this read's dead stay owed for one more. What is
   * still owed then was never collected (SIGCHLD ignored, an orphan that left); only rounding to ticks is kept. */
  claim -= collected;
  t->owed_ns = claim < shown_by_dead + 2 * t->tick_ns ? claim : shown_by_dead + 2 * t->tick_ns;
  return used;
}

/* Reads the tree once and brings total_ns and rss_bytes up to date. 0, or -errno and nothing changes. */
static inline int cc_tree_read(cc_tree *t) {
  cc_process *swap;
  int i, status;
  if (t->top_fd < 0) return t->top_fd;
  status = cc_read_process(t, t->top_fd, &t->now[0]);
  if (status != 0) return status;
  if (t->has_baseline && t->now[0].start != t->top_start) return -ESRCH; /* the pid went to another process */
  t->top_start = t->now[0].start;
  t->n = 1;
  status = t->has_children_files ? cc_descend(t) : cc_scan(t);
  if (status != 0) return status;
  cc_settle_list(t);
  if (t->has_baseline) t->total_ns += cc_tree_rise(t);
  t->has_baseline = 1;
  t->rss_bytes = 0;
  for (i = 0; i < t->n; i++) t->rss_bytes += t->now[i].rss_bytes;
  swap = t->before;
  t->before = t->now;
  t->n_before = t->n;
  t->now = swap;
  return 0;
}

/* Opens the top of the tree, anew if need be, and finds out how children are listed. 0 or -errno. */
static inline int cc_tree_open(cc_tree *t) {
  int fd;
  snprintf(t->path, sizeof t->path, "%s/%d/stat", t->root, t->pid);
  fd = t->ops->open(t->ops->ctx, t->path);
  if (fd < 0) return fd;
  if (t->top_fd >= 0) t->ops->close(t->ops->ctx, t->top_fd);
  t->top_fd = fd;
  snprintf(t->path, sizeof t->path, "%s/%d/task/%d/children", t->root, t->pid, t->pid);
  fd = t->ops->open(t->ops->ctx, t->path);
  t->has_children_files = fd >= 0;
  if (fd >= 0) t->ops->close(t->ops->ctx, fd);
  return 0;
}

#endif
