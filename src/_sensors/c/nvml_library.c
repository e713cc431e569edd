#include "nvml_library.h"

#include "nvml_probe.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static pthread_mutex_t list_mutex = PTHREAD_MUTEX_INITIALIZER;
static cc_nvml_library *list_head;
static int has_fork_handlers;

static int64_t now_ns(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static struct timespec timespec_of(int64_t t_ns) {
  struct timespec ts = {t_ns / 1000000000, t_ns % 1000000000};
  return ts;
}

/* ---- one record per name, and what fork does to it ---- */

static void init_sync(cc_nvml_library *lib) {
  pthread_condattr_t attr;
  pthread_mutex_init(&lib->mutex, NULL);
  pthread_condattr_init(&attr);
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  pthread_cond_init(&lib->cond, &attr);
  pthread_condattr_destroy(&attr);
}

static void before_fork(void) { pthread_mutex_lock(&list_mutex); }
static void after_fork_in_parent(void) { pthread_mutex_unlock(&list_mutex); }

/* No thread of ours lives in the child, and the driver's files belong to the parent: forget, never shut down. */
static void after_fork_in_child(void) {
  cc_nvml_library *lib;
  pthread_mutex_init(&list_mutex, NULL);
  for (lib = list_head; lib != NULL; lib = lib->next) {
    init_sync(lib);
    lib->has_helper = 0;
    atomic_store(&lib->cancel, 0);
    atomic_store(&lib->in_flight, 0);
    atomic_store(&lib->reinit_busy, 0);
    atomic_fetch_add(&lib->generation, 1);
    if (atomic_load(&lib->state) != CC_NVML_NEW) atomic_store(&lib->state, CC_NVML_CLOSED);
  }
}

static cc_nvml_library *make_library(const char *name) {
  cc_nvml_library *lib = calloc(1, sizeof *lib);
  if (lib == NULL) return NULL;
  lib->name = strdup(name);
  if (lib->name == NULL) {
    free(lib);
    return NULL;
  }
  init_sync(lib);
  lib->next = list_head;
  list_head = lib;
  return lib;
}

cc_nvml_library *cc_nvml_find(const char *name) {
  cc_nvml_library *lib;
  pthread_mutex_lock(&list_mutex);
  if (!has_fork_handlers) {
    has_fork_handlers = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child) == 0;
  }
  for (lib = list_head; lib != NULL && strcmp(lib->name, name) != 0; lib = lib->next) {
  }
  if (lib == NULL) lib = make_library(name);
  pthread_mutex_unlock(&list_mutex);
  return lib;
}

/* ---- loading and starting, on the helper ---- */

static int fail(cc_nvml_library *lib, int code, int error, const char *what, const char *why) {
  pthread_mutex_lock(&lib->mutex);
  lib->code = code;
  lib->error = error;
  if (code != 0) {
    snprintf(lib->message, sizeof lib->message, "%s: %s (NVML code %d)", what, why, code);
  } else {
    snprintf(lib->message, sizeof lib->message, "%s: %s", what, why);
  }
  pthread_mutex_unlock(&lib->mutex);
  return -1;
}

static void *resolve(void *image, const char *symbol, const char *older) {
  void *found = dlsym(image, symbol);
  return found == NULL && older != NULL ? dlsym(image, older) : found;
}

static int load(cc_nvml_library *lib) {
  const char *text;
  void *image;
  if (lib->image != NULL) return 0;
  image = dlopen(lib->name, RTLD_NOW | RTLD_LOCAL);
  if (image == NULL) {
    text = dlerror();
    if (text == NULL) text = "no reason given";
    return fail(lib, 0, strstr(text, "No such file") != NULL ? ENOENT : ELIBBAD, "the library cannot be loaded", text);
  }
/* ISO C has no conversion from void* to a function; POSIX defines it through the bytes. */
#define X(member, symbol, older, arguments)          \
  do {                                               \
    void *found = resolve(image, symbol, older);     \
    memcpy(&lib->nvml.member, &found, sizeof found); \
  } while (0);
  CC_NVML_SYMBOLS(X)
#undef X
  /* Last: a fork half-way through must find the table either whole or to be filled again. */
  lib->image = image;
  return 0;
}

/* A driver without devices is no error, where the library can say so. */
static int start(const cc_nvml_table *nvml) {
  if (nvml->init_with_flags != NULL) return nvml->init_with_flags(NVML_FLAG_NO_GPUS);
  return nvml->init();
}

static int open_library(cc_nvml_library *lib) {
  const cc_nvml_table *nvml = &lib->nvml;
  int code;
  if (load(lib) != 0) return -1;
  if ((nvml->init_with_flags == NULL && nvml->init == NULL) || nvml->shutdown == NULL || nvml->count == NULL ||
      nvml->by_index == NULL) {
    return fail(lib, 0, ELIBBAD, "the library cannot be used", "it lacks functions that every version of NVML has");
  }
  code = start(nvml);
  if (code != NVML_OK) return fail(lib, code, -cc_nvml_errno(code), "NVML does not start", cc_nvml_meaning(code));
  code = cc_nvml_enumerate(lib);
  if (code != NVML_OK) {
    nvml->shutdown();
    return fail(lib, code, -cc_nvml_errno(code), "the devices cannot be listed", cc_nvml_meaning(code));
  }
  return 0;
}

static void end_helper(cc_nvml_library *lib) {
  pthread_mutex_lock(&lib->mutex);
  lib->has_helper = 0;
  pthread_cond_broadcast(&lib->cond);
  pthread_mutex_unlock(&lib->mutex);
}

/* A failure ends the helper in the same breath: whoever sees it may begin again at once. */
static void publish(cc_nvml_library *lib, int state) {
  pthread_mutex_lock(&lib->mutex);
  if (state == CC_NVML_READY) atomic_fetch_add(&lib->generation, 1);
  if (state != CC_NVML_READY) lib->has_helper = 0;
  atomic_store(&lib->state, state);
  pthread_cond_broadcast(&lib->cond);
  pthread_mutex_unlock(&lib->mutex);
}

static void *open_main(void *arg) {
  cc_nvml_library *lib = arg;
  pthread_setname_np(pthread_self(), "codecarbon-nvml");
  if (open_library(lib) != 0) {
    publish(lib, CC_NVML_FAILED);
  } else if (atomic_load(&lib->cancel)) {
    /* Closed while the driver was still starting: nobody has a handle yet. */
    lib->nvml.shutdown();
    publish(lib, CC_NVML_CLOSED);
  } else {
    publish(lib, CC_NVML_READY);
    if (lib->calibrate_ns > 0) cc_nvml_calibrate(lib, lib->calibrate_ns);
    atomic_store(&lib->is_calibrated, lib->calibrate_ns > 0 && !atomic_load(&lib->cancel));
    end_helper(lib);
  }
  return NULL;
}

static void *shutdown_main(void *arg) {
  cc_nvml_library *lib = arg;
  lib->nvml.shutdown();
  end_helper(lib);
  return NULL;
}

/* The mutex is held. Signals stay with the threads of the program. */
static int spawn(cc_nvml_library *lib, void *(*body)(void *)) {
  pthread_t thread;
  sigset_t all, old;
  int error;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  error = pthread_create(&thread, NULL, body, lib);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  if (error != 0) return -error;
  pthread_detach(thread);
  lib->has_helper = 1;
  return 0;
}

int cc_nvml_begin(cc_nvml_library *lib, int64_t calibrate_ns) {
  int error = 0, state;
  pthread_mutex_lock(&lib->mutex);
  state = atomic_load(&lib->state);
  if (!lib->has_helper && state != CC_NVML_READY) {
    atomic_store(&lib->cancel, 0);
    atomic_store(&lib->is_calibrated, 0);
    lib->calibrate_ns = calibrate_ns;
    atomic_store(&lib->state, CC_NVML_OPENING);
    error = spawn(lib, open_main);
    if (error != 0) atomic_store(&lib->state, state);
  }
  pthread_mutex_unlock(&lib->mutex);
  return error;
}

/* ---- waiting and closing, on the caller's thread ---- */

/* The mutex is held. Waits while a helper works (or only while the state is OPENING); 1 when that is over. */
static int wait_for_helper(cc_nvml_library *lib, int64_t deadline_ns, int until_ready) {
  struct timespec deadline = timespec_of(deadline_ns);
  while (until_ready ? atomic_load(&lib->state) == CC_NVML_OPENING : lib->has_helper) {
    if (pthread_cond_timedwait(&lib->cond, &lib->mutex, &deadline) == ETIMEDOUT) {
      return !(until_ready ? atomic_load(&lib->state) == CC_NVML_OPENING : lib->has_helper);
    }
  }
  return 1;
}

int cc_nvml_wait(cc_nvml_library *lib, int64_t timeout_ns, int until_ready) {
  int is_over;
  pthread_mutex_lock(&lib->mutex);
  is_over = wait_for_helper(lib, now_ns() + timeout_ns, until_ready);
  pthread_mutex_unlock(&lib->mutex);
  return is_over;
}

static int drain(cc_nvml_library *lib, int64_t deadline_ns) {
  struct timespec step = {0, 1000000};
  while (atomic_load(&lib->in_flight) != 0) {
    if (now_ns() >= deadline_ns) return 0;
    nanosleep(&step, NULL);
  }
  return 1;
}

/* Shutting down under a thread that is still inside the driver could crash it: then the start is left uncancelled,
 * which costs nothing once the process ends. */
int cc_nvml_close(cc_nvml_library *lib, int64_t timeout_ns) {
  int64_t deadline_ns = now_ns() + timeout_ns;
  int is_idle;
  pthread_mutex_lock(&lib->mutex);
  atomic_store(&lib->cancel, 1);
  if (atomic_load(&lib->state) != CC_NVML_READY) {
    is_idle = wait_for_helper(lib, deadline_ns, 0);
    pthread_mutex_unlock(&lib->mutex);
    return is_idle;
  }
  atomic_fetch_add(&lib->generation, 1);
  atomic_store(&lib->state, CC_NVML_CLOSED);
  is_idle = wait_for_helper(lib, deadline_ns, 0);
  pthread_mutex_unlock(&lib->mutex);
  if (!is_idle || !drain(lib, deadline_ns)) return 0;
  pthread_mutex_lock(&lib->mutex);
  /* begin may have opened it again meanwhile; then the older start is simply kept. */
  if (!lib->has_helper && atomic_load(&lib->state) == CC_NVML_CLOSED && spawn(lib, shutdown_main) == 0) {
    is_idle = wait_for_helper(lib, deadline_ns, 0);
  }
  pthread_mutex_unlock(&lib->mutex);
  return is_idle;
}

void cc_nvml_quiesce(int64_t timeout_ns) {
  int64_t deadline_ns = now_ns() + timeout_ns;
  cc_nvml_library *lib;
  pthread_mutex_lock(&list_mutex);
  lib = list_head;
  pthread_mutex_unlock(&list_mutex);
  /* Records are only ever added, at the head: the list behind one never changes. */
  for (; lib != NULL; lib = lib->next) {
    pthread_mutex_lock(&lib->mutex);
    atomic_store(&lib->cancel, 1);
    wait_for_helper(lib, deadline_ns, 0);
    pthread_mutex_unlock(&lib->mutex);
  }
}

int cc_nvml_copy_device(cc_nvml_library *lib, int i, cc_nvml_device *out) {
  int error = 0;
  pthread_mutex_lock(&lib->mutex);
  if (atomic_load(&lib->state) != CC_NVML_READY) {
    error = -ESHUTDOWN;
  } else if (i < 0 || i >= lib->device_count) {
    error = -EINVAL;
  } else {
    *out = lib->devices[i];
  }
  pthread_mutex_unlock(&lib->mutex);
  return error;
}

int cc_nvml_device_count(cc_nvml_library *lib) {
  int count;
  pthread_mutex_lock(&lib->mutex);
  count = atomic_load(&lib->state) == CC_NVML_READY ? lib->device_count : -ESHUTDOWN;
  pthread_mutex_unlock(&lib->mutex);
  return count;
}

void cc_nvml_copy_failure(cc_nvml_library *lib, int *code, int *error, char *message, size_t size) {
  pthread_mutex_lock(&lib->mutex);
  *code = lib->code;
  *error = lib->error;
  snprintf(message, size, "%s", lib->message);
  pthread_mutex_unlock(&lib->mutex);
}

int cc_nvml_state(cc_nvml_library *lib) { return atomic_load(&lib->state); }

int cc_nvml_is_calibrated(cc_nvml_library *lib) { return atomic_load(&lib->is_calibrated); }

unsigned cc_nvml_generation(cc_nvml_library *lib) { return atomic_load(&lib->generation); }

/* ---- use by sources ---- */

int cc_nvml_enter(cc_nvml_library *lib, unsigned generation) {
  /* Sequentially consistent against close: either close sees this caller, or this caller sees the new state. */
  atomic_fetch_add(&lib->in_flight, 1);
  if (atomic_load(&lib->generation) != generation) {
    cc_nvml_leave(lib);
    return -ESTALE;
  }
  if (atomic_load(&lib->state) != CC_NVML_READY) {
    cc_nvml_leave(lib);
    return -ESHUTDOWN;
  }
  return 0;
}

void cc_nvml_leave(cc_nvml_library *lib) { atomic_fetch_sub(&lib->in_flight, 1); }

int cc_nvml_reinit(cc_nvml_library *lib, unsigned seen_reinits) {
  int code = NVML_OK;
  if (atomic_exchange(&lib->reinit_busy, 1)) return NVML_UNINITIALIZED;
  if (atomic_load(&lib->reinits) == seen_reinits) {
    code = start(&lib->nvml);
    if (code == NVML_OK) atomic_fetch_add(&lib->reinits, 1);
  }
  atomic_store(&lib->reinit_busy, 0);
  return code;
}
