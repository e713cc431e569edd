/* One NVIDIA management library in this process: loading, starting, listing devices, calibrating, closing.
 *
 * Everything that may block runs on a helper thread that knows nothing of Python; callers look at the state or wait
 * with a time limit. A library is kept for ever: it is never unloaded, and its record is never freed, so a helper that
 * the driver holds up can be left behind safely. */
#ifndef CODECARBON_NVML_LIBRARY_H
#define CODECARBON_NVML_LIBRARY_H

#include "nvml_metric.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

enum { CC_NVML_MAX_DEVICES = 64, CC_NVML_MAX_MIG = 16, CC_NVML_TEXT = 96 };

enum {
  CC_NVML_NEW = 0,
  CC_NVML_OPENING = 1,
  CC_NVML_READY = 2,
  CC_NVML_FAILED = 3,
  CC_NVML_CLOSED = 4 /* after close, and in a forked child: begin opens it anew */
};

enum { CC_METHOD_NONE = 0, CC_METHOD_COUNTER = 1, CC_METHOD_INTEGRAL = 2 };

/* One physical device. Written by the helper before the state becomes READY, read-only from then on, except for the
 * results of calibration, which are written under the mutex. */
typedef struct cc_nvml_device {
  cc_nvml_handle handle;
  unsigned index;
  char uuid[CC_NVML_TEXT];
  char name[CC_NVML_TEXT];
  char pci_bus_id[CC_NVML_TEXT];
  int brand;                   /* -1 unknown */
  int architecture;            /* -1 unknown */
  uint64_t memory_total_bytes; /* 0 unknown */
  uint32_t limit_mw;           /* enforced power limit; 0 unknown */
  uint32_t scope;
  int method;
  cc_nvml_via energy_via;
  cc_nvml_via power_via; /* beside a counter: for the comparison of the two */
  int refusal;           /* with method NONE: the code that says why */
  int has_utilization;
  int is_consumer; /* polling disturbs its counter: read it slowly */
  int has_mig;
  int mig_count;
  char mig_uuids[CC_NVML_MAX_MIG][CC_NVML_TEXT];
  int64_t update_period_ns; /* median time between changes of the counter; 0 not known */
  int64_t max_period_ns;
  int64_t power_period_ns;
  double check_ratio; /* counter over integrated power; 0 not known */
} cc_nvml_device;

typedef struct cc_nvml_library {
  struct cc_nvml_library *next;
  char *name;
  void *image;
  cc_nvml_table nvml;
  pthread_mutex_t mutex;
  pthread_cond_t cond;  /* signalled when a helper ends */
  int has_helper;       /* guarded by mutex */
  int64_t calibrate_ns; /* how long the helper shall calibrate after opening */
  atomic_int state;
  atomic_int cancel;
  atomic_int in_flight; /* callers between enter and leave */
  atomic_int reinit_busy;
  atomic_uint reinits;      /* how often somebody's extra shutdown was repaired */
  atomic_uint generation;   /* changes when all handles become void: open, close, fork */
  atomic_int is_calibrated; /* 1 when the helper has finished calibrating */
  int code;                 /* when FAILED: the library's return code, or 0 */
  int error;                /* when FAILED: an errno */
  char message[512];        /* when FAILED: why */
  char driver_version[CC_NVML_TEXT];
  int device_count;
  cc_nvml_device devices[CC_NVML_MAX_DEVICES];
} cc_nvml_library;

/* The record of this name, made on first use; NULL without memory. */
cc_nvml_library *cc_nvml_find(const char *name);

/* Starts a helper unless one is at work or the library is open already. 0, or -errno when no thread can be made. */
int cc_nvml_begin(cc_nvml_library *lib, int64_t calibrate_ns);

/* Waits until no helper opens or calibrates any more (or, with until_ready, until the state is settled). 1 if so. */
int cc_nvml_wait(cc_nvml_library *lib, int64_t timeout_ns, int until_ready);

/* Gives the library back. 1 when it was shut down (or never opened), 0 when something still sits in the driver. */
int cc_nvml_close(cc_nvml_library *lib, int64_t timeout_ns);

int cc_nvml_state(cc_nvml_library *lib);

/* Copies of what the helper found: the number of devices or -ESHUTDOWN, one device, why opening failed. */
int cc_nvml_device_count(cc_nvml_library *lib);
int cc_nvml_copy_device(cc_nvml_library *lib, int i, cc_nvml_device *out);
void cc_nvml_copy_failure(cc_nvml_library *lib, int *code, int *error, char *message, size_t size);

/* At exit: ends calibrations and waits a moment for helpers. Nothing is shut down; the process's end does that. */
void cc_nvml_quiesce(int64_t timeout_ns);

/* Brackets around every use of handles: 0, or -ESHUTDOWN, or -ESTALE for handles of an earlier opening. */
int cc_nvml_enter(cc_nvml_library *lib, unsigned generation);
void cc_nvml_leave(cc_nvml_library *lib);

/* Starts the library again after a foreign shutdown, once for all callers that saw the same count. An NVML code. */
int cc_nvml_reinit(cc_nvml_library *lib, unsigned seen_reinits);

unsigned cc_nvml_generation(cc_nvml_library *lib);

/* 1 when the helper has watched the counters for the whole time it was given. */
int cc_nvml_is_calibrated(cc_nvml_library *lib);

#endif
