/* The sampling thread: when it ticks, who may wake it, and what becomes of it at stop, fork and exit.
 *
 * The thread never touches Python: no interpreter lock, no allocation, no logging. It can therefore neither be held up
 * by the program that it measures, nor keep that program from ending. */
#ifndef CODECARBON_THREAD_H
#define CODECARBON_THREAD_H

#include "engine.h"

#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CC_STACK_BYTES      (256 * 1024)
#define CC_DEEP_STACK_BYTES (1024 * 1024)
#define CC_LINGER_NS        ((int64_t)2000000000) /* fast rate after the last window closed */
#define CC_NAP_NS           ((int64_t)50000000)   /* how long a waiter may miss that the thread has ended */
#define CC_PROBE_NS         ((int64_t)200000000)  /* fast rate after the start, so that a live counter shows at once */
/* --- the rate ------------------------------------------------------------------------------------------------------
 */

static int64_t cc_period(cc_engine *e, int64_t now_ns) {
  int64_t idle_ns = cc_load_relaxed(&e->idle_ns), fast_ns = cc_load_relaxed(&e->fast_ns);
  int is_fast;
  if (fast_ns <= 0 || fast_ns >= idle_ns) return idle_ns;
  is_fast = now_ns < cc_load_relaxed(&e->linger_until_ns) || now_ns < e->start_ns + CC_PROBE_NS;
  /* Publish "idle" before the last look at the holds: whoever takes a hold after that look sees it and wakes us. A hold
   * that ended since the look above has left its time to linger. */
  atomic_store(&e->is_fast, is_fast);
  if (atomic_load(&e->holds) > 0 || now_ns < cc_load_relaxed(&e->linger_until_ns)) {
    is_fast = 1;
    atomic_store(&e->is_fast, 1);
  }
  return is_fast ? fast_ns : idle_ns;
}

static inline void cc_ask(cc_engine *e) {
  atomic_fetch_add(&e->word, 1);
  e->ops->wake(e->ops->ctx, (uint32_t *)&e->word);
}

static void cc_hold_fast(cc_engine *e) {
  atomic_fetch_add(&e->holds, 1);
  if (!atomic_load(&e->is_fast)) cc_ask(e);
}

static void cc_release_fast(cc_engine *e) {
  cc_store_relaxed(&e->linger_until_ns, cc_now(e) + CC_LINGER_NS);
  atomic_fetch_sub(&e->holds, 1);
}

/* --- the thread ----------------------------------------------------------------------------------------------------
 */

static void cc_serve(cc_engine *e, uint32_t seen) {
  cc_tick(e);
  if (cc_load_relaxed(&e->done) != seen) {
    atomic_store(&e->done, seen);
    e->ops->wake(e->ops->ctx, (uint32_t *)&e->done);
  }
}

/* Reads back to back until a counter moves, so that somebody may place a mark right behind an update. Returns whether
 * there was a reason to. */
static int cc_burst(cc_engine *e) {
  int has_read = 0;
  while (!atomic_load(&e->stop_flag) && cc_now(e) < cc_load_relaxed(&e->burst_until_ns)) {
    has_read = 1;
    e->interval_ns = 1;
    cc_tick(e);
    if (e->last_flags & CC_EDGE) {
      cc_store_relaxed(&e->burst_until_ns, 0);
      atomic_fetch_add(&e->edges, 1);
      e->ops->wake(e->ops->ctx, (uint32_t *)&e->edges);
    }
  }
  return has_read;
}

/* How many points of the grid have passed since the one that was served last; the grid moves on to the newest. */
static uint64_t cc_pass(int64_t *due_ns, int64_t now_ns, int64_t period_ns) {
  int64_t points = period_ns > 0 && now_ns > *due_ns ? (now_ns - *due_ns) / period_ns : 0;
  *due_ns += points * period_ns;
  return (uint64_t)points;
}

/* Sleeps until the next point of the grid or a request. */
static void cc_wait(cc_engine *e, uint32_t seen, int64_t deadline_ns) {
  while (!atomic_load(&e->stop_flag) && atomic_load(&e->word) == seen) {
    int status = e->ops->wait_until(e->ops->ctx, (uint32_t *)&e->word, seen, deadline_ns);
    if (status == -ETIMEDOUT) return;
    if (status < 0 && status != -EINTR) {
      /* No kernel does this, but a filter of system calls might: better deaf than spinning. */
      struct timespec pause = {0, 10000000};
      clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
      return;
    }
  }
}

static void *cc_thread_main(void *argument) {
  cc_engine *e = argument;
  int64_t due_ns, now_ns, period_ns, old_period_ns = 0;
  prctl(PR_SET_NAME, e->name, 0, 0, 0);
  /* Slack 1 ns: with the default of 50 us every tick would be that late. */
  prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
  due_ns = e->start_ns = cc_now(e);
  while (!atomic_load(&e->stop_flag)) {
    uint32_t seen = atomic_load(&e->word);
    /* A request leaves the grid as it is. Of all points that passed, this tick serves the last: the others are missed.
     */
    uint64_t points = cc_pass(&due_ns, cc_now(e), old_period_ns);
    if (points > 1) e->missed += points - 1;
    e->interval_ns = old_period_ns;
    cc_serve(e, seen);
    if (cc_burst(e)) due_ns = cc_now(e);
    now_ns = cc_now(e);
    period_ns = cc_period(e, now_ns);
    if (period_ns != old_period_ns) {
      e->missed += cc_pass(&due_ns, now_ns, old_period_ns);
      due_ns = now_ns;
      old_period_ns = period_ns;
    }
    cc_wait(e, seen, due_ns + period_ns);
  }
  atomic_store(&e->ended, 1);
  syscall(SYS_futex, &e->ended, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
  return NULL;
}

/* --- life cycle ----------------------------------------------------------------------------------------------------
 */

static pthread_mutex_t cc_engines_mutex = PTHREAD_MUTEX_INITIALIZER;
static cc_engine *cc_engines;
/* The engine that the exit hook is stopping: its owner must not free it before the hook lets go. */
static cc_engine *cc_pinned;
static pthread_cond_t cc_unpinned = PTHREAD_COND_INITIALIZER;
static pthread_once_t cc_fork_once = PTHREAD_ONCE_INIT;

static void cc_fork_prepare(void) { pthread_mutex_lock(&cc_engines_mutex); }
static void cc_fork_parent(void) { pthread_mutex_unlock(&cc_engines_mutex); }

/* Only the forking thread lives on in the child: our threads are gone, and what they wrote stays readable. */
static void cc_fork_child(void) {
  cc_engine *e;
  pthread_mutex_init(&cc_engines_mutex, NULL);
  pthread_cond_init(&cc_unpinned, NULL);
  cc_pinned = NULL;
  for (e = cc_engines; e; e = e->next) atomic_store(&e->state, CC_ENGINE_INHERITED);
}

static void cc_install_fork(void) { pthread_atfork(cc_fork_prepare, cc_fork_parent, cc_fork_child); }

/* 0, or -errno; -EALREADY when it was started before. */
static int cc_engine_start(cc_engine *e) {
  sigset_t all, old;
  pthread_attr_t attr;
  int status;
  pthread_once(&cc_fork_once, cc_install_fork);
  pthread_attr_init(&attr);
  /* Vendors' libraries run on the slow threads, and nobody knows how deep. */
  pthread_attr_setstacksize(&attr, e->slow_read_ns ? CC_STACK_BYTES : CC_DEEP_STACK_BYTES);
  pthread_mutex_lock(&cc_engines_mutex);
  /* Asked under the lock, not under the interpreter's, which free-threaded builds do not have. */
  if (atomic_load(&e->state) != CC_ENGINE_NEW) {
    pthread_mutex_unlock(&cc_engines_mutex);
    pthread_attr_destroy(&attr);
    return -EALREADY;
  }
  /* The thread inherits the mask: signals stay with the program's own threads. */
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  atomic_store(&e->state, CC_ENGINE_RUNNING);
  status = pthread_create(&e->thread, &attr, cc_thread_main, e);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  if (status == 0) {
    e->has_thread = 1;
    e->next = cc_engines;
    e->prev = NULL;
    if (cc_engines) cc_engines->prev = e;
    cc_engines = e;
  } else {
    atomic_store(&e->state, CC_ENGINE_NEW);
  }
  pthread_mutex_unlock(&cc_engines_mutex);
  pthread_attr_destroy(&attr);
  return -status;
}

static void cc_unlist(cc_engine *e) {
  if (e->prev) e->prev->next = e->next;
  if (e->next) e->next->prev = e->prev;
  if (cc_engines == e) cc_engines = e->next;
  e->next = e->prev = NULL;
}

/* Waits, in real time whatever the operations table says, until the thread reads no more. */
static int cc_await_end(cc_engine *e, int64_t timeout_ns) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += timeout_ns / CC_SECOND_NS;
  until.tv_nsec += timeout_ns % CC_SECOND_NS;
  if (until.tv_nsec >= CC_SECOND_NS) {
    until.tv_sec++;
    until.tv_nsec -= CC_SECOND_NS;
  }
  while (!atomic_load(&e->ended)) {
    if (syscall(SYS_futex, &e->ended, FUTEX_WAIT_BITSET_PRIVATE, 0, &until, NULL, FUTEX_BITSET_MATCH_ANY) != 0 &&
        errno != EINTR && errno != EAGAIN) {
      return atomic_load(&e->ended) != 0;
    }
  }
  return 1;
}

/* 1 when no thread is left, 0 when it sits in a driver and was left behind with everything it may touch. Whoever calls
 * first joins the thread; others that call meanwhile wait as well, since they may close what it reads. */
static int cc_engine_stop(cc_engine *e, int64_t timeout_ns) {
  int is_running, is_over, state;
  pthread_mutex_lock(&cc_engines_mutex);
  is_running = atomic_load(&e->state) == CC_ENGINE_RUNNING;
  if (is_running) {
    atomic_store(&e->state, CC_ENGINE_STOPPED);
  } else if (atomic_load(&e->state) == CC_ENGINE_INHERITED) {
    cc_unlist(e);
  }
  pthread_mutex_unlock(&cc_engines_mutex);
  if (!is_running) {
    state = atomic_load(&e->state);
    return state == CC_ENGINE_STOPPED && e->has_thread ? cc_await_end(e, timeout_ns) : state != CC_ENGINE_LEAKED;
  }
  atomic_store(&e->stop_flag, 1);
  cc_ask(e);
  is_over = cc_await_end(e, timeout_ns);
  if (is_over) pthread_join(e->thread, NULL);
  /* Listed until now: a child that is forked meanwhile must not wait for a thread that it does not have. */
  pthread_mutex_lock(&cc_engines_mutex);
  cc_unlist(e);
  if (!is_over) atomic_store(&e->state, CC_ENGINE_LEAKED);
  pthread_mutex_unlock(&cc_engines_mutex);
  if (!is_over) pthread_detach(e->thread);
  return is_over;
}

/* Waits for a word to change, and looks now and then whether there is still a thread that could change it. 1 when it is
 * worth waiting on. */
static int cc_await(cc_engine *e, cc_atomic_u32 *word, uint32_t seen, int64_t deadline_ns) {
  int64_t now_ns = cc_now(e);
  if (now_ns >= deadline_ns || atomic_load(&e->state) != CC_ENGINE_RUNNING) return 0;
  if (deadline_ns - now_ns > CC_NAP_NS) deadline_ns = now_ns + CC_NAP_NS;
  e->ops->wait_until(e->ops->ctx, (uint32_t *)word, seen, deadline_ns);
  return 1;
}

/* Waits for the next update of any counter, with the thread reading back to back meanwhile: 1, or 0 without one. */
static int cc_engine_sync(cc_engine *e, int64_t wait_ns) {
  uint32_t before = atomic_load(&e->edges);
  int64_t deadline_ns = cc_now(e) + wait_ns;
  cc_store_relaxed(&e->burst_until_ns, deadline_ns);
  cc_ask(e);
  while (atomic_load(&e->edges) == before && cc_await(e, &e->edges, before, deadline_ns)) {
  }
  return atomic_load(&e->edges) != before;
}

/* Waits until a tick that began after the call is published: 1, or 0 when the time is over. */
static int cc_engine_tick(cc_engine *e, int64_t wait_ns) {
  uint32_t wanted = atomic_fetch_add(&e->word, 1) + 1, done;
  int64_t deadline_ns = wait_ns > 0 ? cc_now(e) + wait_ns : 0;
  e->ops->wake(e->ops->ctx, (uint32_t *)&e->word);
  while ((int32_t)((done = atomic_load(&e->done)) - wanted) < 0 && deadline_ns &&
         cc_await(e, &e->done, done, deadline_ns)) {
  }
  return (int32_t)(atomic_load(&e->done) - wanted) >= 0;
}

/* One tick in virtual time: waits by the operations table, then reads. */
static void cc_engine_step(cc_engine *e, int64_t period_ns) {
  if (period_ns > 0) {
    if (!e->previous_b_ns) e->start_ns = cc_now(e);
    e->ops->wait_until(e->ops->ctx, (uint32_t *)&e->word, atomic_load(&e->word),
                       (e->previous_b_ns ? e->previous_b_ns : e->start_ns) + period_ns);
  }
  e->interval_ns = e->ticks ? period_ns : 0;
  cc_tick(e);
}

static inline int64_t cc_get_i64(cc_atomic_i64 *word) { return cc_load_relaxed(word); }
static inline uint64_t cc_get_u64(cc_atomic_u64 *word) { return cc_load_relaxed(word); }
static inline int cc_get_int(cc_atomic_int *word) { return atomic_load(word); }
static inline void cc_set_int(cc_atomic_int *word, int value) { atomic_store(word, value); }
static inline void cc_set_i64(cc_atomic_i64 *word, int64_t value) { cc_store_relaxed(word, value); }

/* Stops every sampler of the process: the exit hook, for objects that are never deallocated. Another thread may drop
 * the last reference to one of them meanwhile. */
static void cc_stop_all(int64_t timeout_ns) {
  pthread_mutex_lock(&cc_engines_mutex);
  while (cc_pinned) pthread_cond_wait(&cc_unpinned, &cc_engines_mutex);
  for (;;) {
    cc_engine *e;
    for (e = cc_engines; e && atomic_load(&e->state) != CC_ENGINE_RUNNING; e = e->next) {
    }
    cc_pinned = e;
    if (!e) break;
    pthread_mutex_unlock(&cc_engines_mutex);
    cc_engine_stop(e, timeout_ns);
    pthread_mutex_lock(&cc_engines_mutex);
    cc_pinned = NULL;
    pthread_cond_broadcast(&cc_unpinned);
  }
  pthread_mutex_unlock(&cc_engines_mutex);
}

/* Before the engine is freed, and after its thread has ended: waits until nobody else stops it. */
static void cc_engine_await_unpinned(cc_engine *e) {
  pthread_mutex_lock(&cc_engines_mutex);
  while (cc_pinned == e) pthread_cond_wait(&cc_unpinned, &cc_engines_mutex);
  pthread_mutex_unlock(&cc_engines_mutex);
}

#endif
