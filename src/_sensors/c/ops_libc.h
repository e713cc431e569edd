/* The default operations table: thin calls into libc. Included by channel.pyx only. */
#ifndef CODECARBON_OPS_LIBC_H
#define CODECARBON_OPS_LIBC_H

#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/perf_event.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int cc_libc_open(void *ctx, const char *path) {
  struct stat st;
  int fd;
  (void)ctx;
  /* O_NONBLOCK: a FIFO in a fake or hostile tree must not hang the opener. */
  fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return -errno;
  if (fstat(fd, &st) != 0 || !(S_ISREG(st.st_mode) || S_ISCHR(st.st_mode))) {
    close(fd);
    return -EINVAL;
  }
  return fd;
}

static int64_t cc_libc_pread(void *ctx, int fd, void *buf, size_t n, int64_t offset) {
  ssize_t got;
  (void)ctx;
  do got = pread(fd, buf, n, (off_t)offset);
  while (got < 0 && errno == EINTR);
  return got < 0 ? -errno : got;
}

static int64_t cc_libc_read(void *ctx, int fd, void *buf, size_t n) {
  ssize_t got;
  (void)ctx;
  do got = read(fd, buf, n);
  while (got < 0 && errno == EINTR);
  return got < 0 ? -errno : got;
}

static int cc_libc_close(void *ctx, int fd) {
  (void)ctx;
  return close(fd) == 0 ? 0 : -errno;
}

static int cc_libc_perf_open(void *ctx, struct perf_event_attr *attr, int pid, int cpu, int group_fd,
                             unsigned long flags) {
  long fd;
  (void)ctx;
  fd = syscall(SYS_perf_event_open, attr, pid, cpu, group_fd, flags);
  return fd < 0 ? -errno : (int)fd;
}

static int64_t cc_libc_clock_ns(void *ctx, int clock) {
  static const clockid_t ids[] = {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME, CLOCK_THREAD_CPUTIME_ID};
  struct timespec ts;
  (void)ctx;
  clock_gettime(ids[clock], &ts);
  return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* One system call per tick: an absolute CLOCK_MONOTONIC sleep that a waker can cut short. */
static int cc_libc_wait_until(void *ctx, uint32_t *word, uint32_t seen, int64_t deadline_ns) {
  struct timespec ts;
  (void)ctx;
  ts.tv_sec = deadline_ns / 1000000000;
  ts.tv_nsec = deadline_ns % 1000000000;
  if (syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, seen, &ts, NULL, FUTEX_BITSET_MATCH_ANY) == 0) return 0;
  return errno == EAGAIN ? 0 : -errno;
}

static void cc_libc_wake(void *ctx, uint32_t *word) {
  (void)ctx;
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 0x7fffffff, NULL, NULL, 0);
}

static cc_ops cc_libc_table = {NULL,          cc_libc_open,      cc_libc_pread,    cc_libc_read,
                               cc_libc_close, cc_libc_perf_open, cc_libc_clock_ns, cc_libc_wait_until,
                               cc_libc_wake};

static cc_ops *cc_ops_libc(void) { return &cc_libc_table; }

#endif
