/* The sampler's view of some devices of one library: one read function that never allocates and never guesses. */
#ifndef CODECARBON_NVML_SOURCE_H
#define CODECARBON_NVML_SOURCE_H

#include "channel.h"
#include "nvml_library.h"
#include "ops.h"

#include <stdatomic.h>
#include <stdint.h>

/* One quantity of one device, and whether it is still asked for. */
typedef struct cc_nvml_metric {
  int channel;          /* position in the readings; -1 when there is none */
  atomic_int off_code;  /* the code that ended it; 0 while it is alive */
  atomic_int last_code; /* of the latest attempt */
  atomic_uint bad_row;  /* failures in a row */
  atomic_ullong dropped;
  int restart; /* the next good reading begins a new epoch */
} cc_nvml_metric;

typedef struct cc_nvml_meter {
  cc_nvml_device device; /* a copy; the handle is fetched again when the library was started again */
  unsigned seen_reinits;
  uint32_t cap_mw; /* a reading above this is nonsense */
  cc_nvml_metric energy, util;
  atomic_int lost_code; /* why the device is not asked any more; 0 while it is there */
  int64_t lost_ns;
  cc_nvml_integral power_sum, util_sum;
  cc_nvml_check check;
  uint64_t last_seen_us;
  atomic_uint power_mw, min_power_mw; /* last and lowest power seen; UINT32_MAX before the first */
  _Atomic int64_t age_ns;             /* how old the counter was when it was last read; -1 unknown */
  _Atomic double check_ratio;
} cc_nvml_meter;

typedef struct cc_nvml_source {
  cc_ops *ops;
  cc_nvml_library *lib;
  unsigned generation;
  int64_t period_ns; /* the rate that the guard allows to be kept up */
  int64_t credit_ns, last_ns, next_reinit_ns;
  int has_read;
  int channel_count, meter_count;
  atomic_int busy; /* a thread is inside: then the record must not be freed */
  cc_nvml_sample *samples;
  cc_nvml_meter meters[];
} cc_nvml_source;

enum { CC_NVML_DISABLE_AFTER = 100, CC_NVML_BURST = 4 };
#define CC_NVML_RETRY_NS ((int64_t)30000000000)
/* Longer steps between two powers are a hole in what is known, not something to draw a line across. */
#define CC_NVML_MAX_GAP_NS ((int64_t)3000000000)

cc_nvml_source *cc_nvml_source_new(cc_nvml_library *lib, cc_ops *ops, unsigned generation, int64_t period_ns,
                                   int max_meters);
/* Channels are numbered in the order of the calls, energy first; -ENOMEM. */
int cc_nvml_source_add(cc_nvml_source *src, const cc_nvml_device *device, int with_energy, int with_util);
/* Frees it, unless a thread is inside: then it is left behind. */
void cc_nvml_source_free(cc_nvml_source *src);

void cc_nvml_source_read(void *ctx, cc_reading *out);
int cc_nvml_source_reopen(void *ctx);

/* What a person may want to know of one meter; powers and ages are negative while unknown. */
typedef struct cc_nvml_status {
  int lost_code, energy_off_code, util_off_code, last_code;
  uint64_t dropped;
  int64_t power_mw, min_power_mw;
  int64_t age_ns;
  double check_ratio;
} cc_nvml_status;

void cc_nvml_source_status(cc_nvml_source *src, int meter, cc_nvml_status *out);

uint32_t cc_nvml_cap_mw(const cc_nvml_device *device);

#endif
