/* The floor for a sampler: a C thread that reads the same files at the same rate and does nothing else.
 *
 * Built by the harness with the compiler that built the package, loaded with ctypes, and run in turn with our sampler
 * in one process. Same absolute grid, same timer slack, same reads through kept descriptors; the number is parsed and
 * kept, since a reading that nobody looks at is not a reading. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FILES = 16 };

static struct {
  pthread_t thread;
  int fds[MAX_FILES];
  int n;
  int64_t period_ns;
  volatile int stop;
  uint64_t ticks, bad;
  volatile uint64_t last[MAX_FILES];
  int64_t cpu_ns;
} bare;

static int64_t now_ns(clockid_t clock) {
  struct timespec ts;
  clock_gettime(clock, &ts);
  return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void read_all(void) {
  char text[32];
  for (int i = 0; i < bare.n; i++) {
    ssize_t got = pread(bare.fds[i], text, sizeof text, 0);
    uint64_t value = 0;
    ssize_t at = 0;
    while (at < got && text[at] >= '0' && text[at] <= '9') value = value * 10 + (uint64_t)(text[at++] - '0');
    if (at == 0) bare.bad++;
    else bare.last[i] = value;
  }
}

static void *run(void *unused) {
  (void)unused;
  prctl(PR_SET_TIMERSLACK, 1);
  int64_t next = now_ns(CLOCK_MONOTONIC);
  while (!bare.stop) {
    read_all();
    bare.ticks++;
    next += bare.period_ns;
    int64_t now = now_ns(CLOCK_MONOTONIC);
    if (next < now) next += ((now - next) / bare.period_ns + 1) * bare.period_ns; /* late ticks are lost, not made up */
    struct timespec ts = {next / 1000000000, next % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR && !bare.stop) {
    }
  }
  bare.cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
  return NULL;
}

/* Starts the thread; 0, or an errno. */
int bare_start(const char **paths, int n, int64_t period_ns) {
  if (n > MAX_FILES) return EINVAL;
  bare.n = 0;
  for (int i = 0; i < n; i++) {
    bare.fds[i] = open(paths[i], O_RDONLY | O_CLOEXEC);
    if (bare.fds[i] < 0) return errno;
    bare.n++;
  }
  bare.period_ns = period_ns;
  bare.stop = 0;
  bare.ticks = bare.bad = 0;
  return pthread_create(&bare.thread, NULL, run, NULL);
}

/* Stops it; fills ticks, thread CPU time, failed reads and the last value of the first file. */
int bare_stop(uint64_t *ticks, int64_t *cpu_ns, uint64_t *bad, uint64_t *first) {
  bare.stop = 1;
  int status = pthread_join(bare.thread, NULL);
  for (int i = 0; i < bare.n; i++) close(bare.fds[i]);
  *ticks = bare.ticks;
  *cpu_ns = bare.cpu_ns;
  *bad = bare.bad;
  *first = bare.last[0];
  return status;
}
