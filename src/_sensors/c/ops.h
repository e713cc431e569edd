/* Every system call the sensor core makes, as a table that tests can replace.
 *
 * The default table calls libc. A scripted table (see _testing.pyx) injects errno values, short reads, garbage and
 * delays per path and call number, and runs the sampler in virtual time. Each entry takes the table's own context
 * first. Calls return what the system call returns, or -errno; none of them sets errno for the caller. */
#ifndef CODECARBON_OPS_H
#define CODECARBON_OPS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct perf_event_attr;

enum { CC_CLOCK_MONOTONIC = 0, CC_CLOCK_REALTIME = 1, CC_CLOCK_BOOTTIME = 2, CC_CLOCK_THREAD_CPU = 3 };

typedef struct cc_ops {
  void *ctx;
  /* Opens read-only, close-on-exec and non-blocking; a path that is not a regular or character file is -EINVAL. */
  int (*open)(void *ctx, const char *path);
  int64_t (*pread)(void *ctx, int fd, void *buf, size_t n, int64_t offset);
  int64_t (*read)(void *ctx, int fd, void *buf, size_t n);
  int (*close)(void *ctx, int fd);
  int (*perf_open)(void *ctx, struct perf_event_attr *attr, int pid, int cpu, int group_fd, unsigned long flags);
  /* Nanoseconds of one of the clocks above. */
  int64_t (*clock_ns)(void *ctx, int clock);
  /* Sleeps until the absolute monotonic deadline, or until *word differs from seen. 0, -ETIMEDOUT or -EINTR. */
  int (*wait_until)(void *ctx, uint32_t *word, uint32_t seen, int64_t deadline_ns);
  void (*wake)(void *ctx, uint32_t *word);
} cc_ops;

#endif
