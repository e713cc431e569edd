#include "nvml_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Without a published limit: above any module sold so far. */
static const uint32_t DEFAULT_CAP_MW = 3000000;
static const uint32_t LEAST_CAP_MW = 300000;
/* The processor and memory that share a module with the GPU. */
static const uint32_t MODULE_EXTRA_MW = 1000000;
static const int64_t STAMP_TOLERANCE_NS = 2000000000;

uint32_t cc_nvml_cap_mw(const cc_nvml_device *device) {
  uint32_t cap_mw = device->limit_mw > UINT32_MAX / 4 ? DEFAULT_CAP_MW : 2 * device->limit_mw;
  if (device->limit_mw == 0) return DEFAULT_CAP_MW;
  if (device->scope == NVML_SCOPE_MODULE) cap_mw += MODULE_EXTRA_MW;
  return cap_mw < LEAST_CAP_MW ? LEAST_CAP_MW : cap_mw;
}

cc_nvml_source *cc_nvml_source_new(cc_nvml_library *lib, cc_ops *ops, unsigned generation, int64_t period_ns,
                                   int max_meters) {
  cc_nvml_source *src = calloc(1, sizeof *src + (size_t)max_meters * sizeof src->meters[0]);
  if (src == NULL) return NULL;
  src->ops = ops;
  src->lib = lib;
  src->generation = generation;
  src->period_ns = period_ns;
  return src;
}

int cc_nvml_source_add(cc_nvml_source *src, const cc_nvml_device *device, int with_energy, int with_util) {
  cc_nvml_meter *m = &src->meters[src->meter_count];
  if (with_energy && device->method == CC_METHOD_INTEGRAL && device->power_via == CC_VIA_SAMPLES &&
      src->samples == NULL) {
    src->samples = malloc(CC_NVML_SAMPLE_SLOTS * sizeof src->samples[0]);
    if (src->samples == NULL) return -ENOMEM;
  }
  m->device = *device;
  m->seen_reinits = atomic_load(&src->lib->reinits);
  m->cap_mw = cc_nvml_cap_mw(device);
  m->energy.channel = with_energy ? src->channel_count++ : -1;
  m->util.channel = with_util ? src->channel_count++ : -1;
  atomic_store(&m->power_mw, UINT32_MAX);
  atomic_store(&m->min_power_mw, UINT32_MAX);
  atomic_store(&m->age_ns, -1);
  src->meter_count++;
  return 0;
}

void cc_nvml_source_free(cc_nvml_source *src) {
  if (src == NULL || atomic_load(&src->busy) != 0) return;
  free(src->samples);
  free(src);
}

/* ---- policy: what a return code does to a metric or to the device ---- */

static int is_final(int code) {
  return code == NVML_NOT_SUPPORTED || code == NVML_FUNCTION_NOT_FOUND || code == NVML_NO_PERMISSION ||
         code == NVML_INVALID_ARGUMENT || code == NVML_ARGUMENT_VERSION_MISMATCH;
}

static int is_loss(int code) {
  return code == NVML_GPU_IS_LOST || code == NVML_RESET_REQUIRED || code == NVML_GPU_NOT_FOUND ||
         code == NVML_DRIVER_NOT_LOADED;
}

static int is_on(const cc_nvml_metric *metric) { return metric->channel >= 0 && atomic_load(&metric->off_code) == 0; }

/* Counts the outcome; the status for the reading. */
static int32_t settle(cc_nvml_meter *m, cc_nvml_metric *metric, int code, int64_t t_ns) {
  atomic_store_explicit(&metric->last_code, code, memory_order_relaxed);
  if (code == NVML_OK) {
    atomic_store_explicit(&metric->bad_row, 0, memory_order_relaxed);
    return 0;
  }
  atomic_fetch_add_explicit(&metric->dropped, 1, memory_order_relaxed);
  if (is_final(code)) {
    atomic_store(&metric->off_code, code);
  } else if (is_loss(code)) {
    atomic_store(&m->lost_code, code);
    m->lost_ns = t_ns;
  } else if (atomic_fetch_add_explicit(&metric->bad_row, 1, memory_order_relaxed) + 1 >= CC_NVML_DISABLE_AFTER) {
    atomic_store(&metric->off_code, code);
  }
  return cc_nvml_errno(code);
}

static void put(cc_reading *out, cc_nvml_metric *metric, uint64_t raw, int32_t status) {
  cc_reading *reading = &out[metric->channel];
  reading->raw = status == 0 ? raw : 0;
  reading->status = status;
  reading->flags = 0;
  if (status == 0 && metric->restart) {
    reading->flags = CC_READ_RESTART;
    metric->restart = 0;
  }
}

static void put_both(cc_reading *out, cc_nvml_meter *m, int32_t status) {
  if (m->energy.channel >= 0) put(out, &m->energy, 0, status);
  if (m->util.channel >= 0) put(out, &m->util, 0, status);
}

/* Handles do not survive a shutdown, indices may change: identity is the UUID. */
static int refetch(cc_nvml_source *src, cc_nvml_meter *m) {
  const cc_nvml_table *nvml = &src->lib->nvml;
  char uuid[CC_NVML_TEXT] = "";
  cc_nvml_handle handle;
  unsigned seen = atomic_load(&src->lib->reinits);
  int code;
  if (nvml->by_uuid != NULL && m->device.uuid[0] != '\0') {
    code = nvml->by_uuid(m->device.uuid, &handle);
  } else {
    code = nvml->by_index(m->device.index, &handle);
  }
  /* A handle may be handed out for a device that is gone: only an answer proves that it lives. */
  if (code == NVML_OK && nvml->uuid != NULL) {
    code = nvml->uuid(handle, uuid, sizeof uuid);
    if (code == NVML_OK && strcmp(uuid, m->device.uuid) != 0) code = NVML_GPU_NOT_FOUND;
  }
  if (code != NVML_OK) return code;
  m->device.handle = handle;
  m->seen_reinits = seen;
  return NVML_OK;
}

/* Somebody shut the library down once too often. Starts it again, at most once per half minute that it does not help.
 */
static int repair(cc_nvml_source *src, cc_nvml_meter *m, int64_t t_ns) {
  int code;
  if (t_ns < src->next_reinit_ns) return NVML_UNINITIALIZED;
  src->next_reinit_ns = t_ns + CC_NVML_RETRY_NS;
  code = cc_nvml_reinit(src->lib, m->seen_reinits);
  return code == NVML_OK ? refetch(src, m) : code;
}

/* ---- the quantities ---- */

static void note_power(cc_nvml_meter *m, uint32_t power_mw) {
  atomic_store_explicit(&m->power_mw, power_mw, memory_order_relaxed);
  if (power_mw < atomic_load_explicit(&m->min_power_mw, memory_order_relaxed)) {
    atomic_store_explicit(&m->min_power_mw, power_mw, memory_order_relaxed);
  }
}

/* The driver's stamp is on the wall clock, which can step: believed only if it falls near the call. */
static void note_age(cc_nvml_source *src, cc_nvml_meter *m, int64_t stamp_us) {
  int64_t age_ns;
  if (stamp_us <= 0) return;
  age_ns = src->ops->clock_ns(src->ops->ctx, CC_CLOCK_REALTIME) - stamp_us * 1000;
  if (age_ns < -STAMP_TOLERANCE_NS || age_ns > STAMP_TOLERANCE_NS) return;
  atomic_store_explicit(&m->age_ns, age_ns < 0 ? 0 : age_ns, memory_order_relaxed);
}

static int64_t clock_ns(cc_nvml_source *src) { return src->ops->clock_ns(src->ops->ctx, CC_CLOCK_MONOTONIC); }

/* Power beside a counter serves the comparison of the two; its failures are nobody's loss. */
static void use_power(cc_nvml_meter *m, const cc_nvml_reading *reading, int64_t t_ns) {
  if (is_final(reading->power_code)) m->device.power_via = CC_VIA_NONE;
  if (reading->power_code != NVML_OK || reading->power_mw > m->cap_mw) return;
  note_power(m, reading->power_mw);
  if (reading->energy_code != NVML_OK) return;
  cc_nvml_check_add(&m->check, t_ns, reading->energy_mj, reading->power_mw, CC_NVML_MAX_GAP_NS);
  atomic_store_explicit(&m->check_ratio, cc_nvml_check_ratio(&m->check), memory_order_relaxed);
}

static int read_counter(cc_nvml_source *src, cc_nvml_meter *m, uint64_t *raw) {
  cc_nvml_reading reading;
  int64_t before_ns = clock_ns(src), t_ns;
  cc_nvml_measure(&src->lib->nvml, m->device.handle, m->device.scope, m->device.energy_via, m->device.power_via,
                  &reading);
  t_ns = before_ns + (clock_ns(src) - before_ns) / 2;
  if (reading.energy_code == NVML_OK) {
    *raw = reading.energy_mj;
    note_age(src, m, reading.energy_stamp_us);
  }
  use_power(m, &reading, t_ns);
  return reading.energy_code;
}

static int read_power(cc_nvml_source *src, cc_nvml_meter *m, uint64_t *raw) {
  uint32_t power_mw = 0;
  int64_t before_ns = clock_ns(src), t_ns;
  int code = cc_nvml_read_power(&src->lib->nvml, m->device.handle, m->device.scope, m->device.power_via, &power_mw);
  t_ns = before_ns + (clock_ns(src) - before_ns) / 2;
  if (code != NVML_OK) return code;
  if (power_mw > m->cap_mw) return NVML_UNKNOWN; /* megawatts were seen in the wild: no reading, rather than that */
  note_power(m, power_mw);
  if (cc_nvml_integrate(&m->power_sum, t_ns, power_mw, CC_NVML_MAX_GAP_NS)) m->energy.restart = 1;
  *raw = m->power_sum.total;
  return NVML_OK;
}

/* The driver's own samples carry their own times, so few calls see all of them. */
static int read_samples(cc_nvml_source *src, cc_nvml_meter *m, uint64_t *raw) {
  unsigned count = 0, i;
  uint32_t value_type = 0;
  int code = cc_nvml_read_samples(&src->lib->nvml, m->device.handle, m->device.scope, m->last_seen_us, src->samples,
                                  &count, &value_type);
  if (code != NVML_OK) return code;
  for (i = 0; i < count; i++) {
    uint64_t power_mw = cc_nvml_whole(&src->samples[i].value, value_type);
    uint64_t stamp_us = src->samples[i].timestamp_us;
    /* Some drivers hand out the last one again. */
    if (stamp_us == 0 || stamp_us == m->last_seen_us || power_mw > m->cap_mw) continue;
    if (cc_nvml_integrate(&m->power_sum, (int64_t)(stamp_us * 1000), power_mw, CC_NVML_MAX_GAP_NS)) {
      m->energy.restart = 1;
    }
    m->last_seen_us = stamp_us;
    note_power(m, (uint32_t)power_mw);
  }
  if (!m->power_sum.has_last) return NVML_NO_DATA;
  *raw = m->power_sum.total;
  return NVML_OK;
}

static int read_util(cc_nvml_source *src, cc_nvml_meter *m, uint64_t *raw) {
  const cc_nvml_table *nvml = &src->lib->nvml;
  cc_nvml_utilization rates = {0, 0};
  int code;
  if (nvml->utilization == NULL) return NVML_FUNCTION_NOT_FOUND;
  code = nvml->utilization(m->device.handle, &rates);
  if (code != NVML_OK) return code;
  if (rates.gpu > 100) return NVML_UNKNOWN;
  if (cc_nvml_integrate(&m->util_sum, clock_ns(src), rates.gpu, CC_NVML_MAX_GAP_NS)) m->util.restart = 1;
  *raw = m->util_sum.total;
  return NVML_OK;
}

typedef int (*read_metric)(cc_nvml_source *src, cc_nvml_meter *m, uint64_t *raw);

static read_metric energy_reader(const cc_nvml_meter *m) {
  if (m->device.method == CC_METHOD_COUNTER) return read_counter;
  return m->device.power_via == CC_VIA_SAMPLES ? read_samples : read_power;
}

static void read_one(cc_nvml_source *src, cc_nvml_meter *m, cc_nvml_metric *metric, read_metric read, cc_reading *out) {
  uint64_t raw = 0;
  int64_t t_ns;
  int code;
  if (!is_on(metric)) {
    put(out, metric, 0, cc_nvml_errno(atomic_load(&metric->off_code)));
    return;
  }
  code = read(src, m, &raw);
  t_ns = clock_ns(src);
  if (code == NVML_UNINITIALIZED && repair(src, m, t_ns) == NVML_OK) {
    code = read(src, m, &raw);
    if (code == NVML_OK) src->next_reinit_ns = 0; /* it helped: next time it may be tried at once */
  }
  put(out, metric, raw, settle(m, metric, code, t_ns));
}

/* ---- the device ---- */

/* 0 when the device can be asked now. */
static int32_t recover(cc_nvml_source *src, cc_nvml_meter *m, int64_t t_ns) {
  int lost = atomic_load(&m->lost_code), code;
  if (lost != 0) {
    if (t_ns - m->lost_ns < CC_NVML_RETRY_NS) return cc_nvml_errno(lost);
    m->lost_ns = t_ns;
    code = refetch(src, m);
    if (code != NVML_OK) return cc_nvml_errno(code);
    /* Whatever the counter says now, it does not continue what was before. */
    atomic_store(&m->lost_code, 0);
    m->energy.restart = m->util.restart = 1;
    memset(&m->check, 0, sizeof m->check);
    m->power_sum.has_last = m->util_sum.has_last = 0;
    return 0;
  }
  if (m->seen_reinits != atomic_load(&src->lib->reinits)) {
    code = refetch(src, m);
    if (code != NVML_OK) return settle(m, &m->energy, code, t_ns);
  }
  return 0;
}

static void read_meter(cc_nvml_source *src, cc_nvml_meter *m, cc_reading *out) {
  int32_t status = recover(src, m, clock_ns(src));
  if (status != 0) {
    put_both(out, m, status);
    return;
  }
  if (m->energy.channel >= 0) read_one(src, m, &m->energy, energy_reader(m), out);
  if (m->util.channel < 0) return;
  if (atomic_load(&m->lost_code) != 0) {
    put(out, &m->util, 0, cc_nvml_errno(atomic_load(&m->lost_code)));
  } else {
    read_one(src, m, &m->util, read_util, out);
  }
}

/* Extra reads at the ends of a run are welcome, a higher rate is not: it would corrupt some counters. Each read costs
 * four fifths of a period, so a sampler at the right rate keeps a few in hand. */
static int is_too_soon(cc_nvml_source *src, int64_t t_ns) {
  int64_t most_ns = (CC_NVML_BURST + 1) * src->period_ns, cost_ns = src->period_ns - src->period_ns / 5;
  src->credit_ns = src->has_read ? src->credit_ns + (t_ns - src->last_ns) : most_ns;
  if (src->credit_ns > most_ns) src->credit_ns = most_ns;
  src->has_read = 1;
  src->last_ns = t_ns;
  if (src->credit_ns < cost_ns) return 1;
  src->credit_ns -= cost_ns;
  return 0;
}

void cc_nvml_source_read(void *ctx, cc_reading *out) {
  cc_nvml_source *src = ctx;
  int32_t status;
  int i;
  atomic_fetch_add(&src->busy, 1);
  status = cc_nvml_enter(src->lib, src->generation);
  if (status == 0 && is_too_soon(src, clock_ns(src))) {
    cc_nvml_leave(src->lib);
    status = -EAGAIN;
  }
  if (status != 0) {
    for (i = 0; i < src->meter_count; i++) put_both(out, &src->meters[i], status);
  } else {
    for (i = 0; i < src->meter_count; i++) read_meter(src, &src->meters[i], out);
    cc_nvml_leave(src->lib);
  }
  atomic_fetch_sub(&src->busy, 1);
}

/* Gives metrics that failed too often another chance; one more failure ends them again. */
static void revive(cc_nvml_metric *metric) {
  int code = atomic_load(&metric->off_code);
  if (metric->channel < 0 || code == 0 || is_final(code)) return;
  atomic_store(&metric->bad_row, CC_NVML_DISABLE_AFTER - 1);
  atomic_store(&metric->off_code, 0);
}

int cc_nvml_source_reopen(void *ctx) {
  cc_nvml_source *src = ctx;
  int status = cc_nvml_enter(src->lib, src->generation), i;
  if (status != 0) return status;
  for (i = 0; i < src->meter_count; i++) {
    revive(&src->meters[i].energy);
    revive(&src->meters[i].util);
  }
  cc_nvml_leave(src->lib);
  return 0;
}

static int64_t known_mw(uint32_t power_mw) { return power_mw == UINT32_MAX ? -1 : (int64_t)power_mw; }

void cc_nvml_source_status(cc_nvml_source *src, int meter, cc_nvml_status *out) {
  cc_nvml_meter *m = &src->meters[meter];
  out->lost_code = atomic_load(&m->lost_code);
  out->energy_off_code = atomic_load(&m->energy.off_code);
  out->util_off_code = atomic_load(&m->util.off_code);
  out->last_code = atomic_load(&m->energy.last_code);
  out->dropped = atomic_load(&m->energy.dropped) + atomic_load(&m->util.dropped);
  out->power_mw = known_mw(atomic_load(&m->power_mw));
  out->min_power_mw = known_mw(atomic_load(&m->min_power_mw));
  out->age_ns = atomic_load(&m->age_ns);
  out->check_ratio = atomic_load(&m->check_ratio);
}
