#include "nvml_probe.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { PROBE_ATTEMPTS = 3 };
static const int64_t PROBE_PAUSE_NS = 10000000;
/* Finer than any published update period (10 to 106 ms), and slow enough to leave the driver alone. */
static const int64_t CALIBRATION_STEP_NS = 5000000;
enum { CALIBRATION_GAPS = 256 };

static int64_t now_ns(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void pause_ns(int64_t duration_ns) {
  struct timespec ts = {duration_ns / 1000000000, duration_ns % 1000000000};
  nanosleep(&ts, NULL);
}

/* ---- what a device offers ---- */

static int is_refusal(int code) {
  return code == NVML_NOT_SUPPORTED || code == NVML_FUNCTION_NOT_FOUND || code == NVML_INVALID_ARGUMENT ||
         code == NVML_NO_PERMISSION || code == NVML_ARGUMENT_VERSION_MISMATCH;
}

static int ask_once(const cc_nvml_table *nvml, const cc_nvml_device *dev, int is_energy, uint32_t scope,
                    cc_nvml_via via) {
  uint64_t energy_mj;
  uint32_t power_mw;
  if (is_energy) return cc_nvml_read_energy(nvml, dev->handle, scope, via, &energy_mj);
  if (via == CC_VIA_SAMPLES) {
    unsigned count;
    uint32_t value_type;
    cc_nvml_sample *samples = malloc(CC_NVML_SAMPLE_SLOTS * sizeof *samples);
    int code;
    if (samples == NULL) return NVML_MEMORY;
    code = cc_nvml_read_samples(nvml, dev->handle, scope, 0, samples, &count, &value_type);
    free(samples);
    return code;
  }
  return cc_nvml_read_power(nvml, dev->handle, scope, via, &power_mw);
}

/* A refusal is final; anything else may pass, so it is asked again. */
static int ask(const cc_nvml_table *nvml, const cc_nvml_device *dev, int is_energy, uint32_t scope, cc_nvml_via via) {
  int attempt, code = NVML_NOT_SUPPORTED;
  for (attempt = 0; attempt < PROBE_ATTEMPTS; attempt++) {
    if (attempt > 0) pause_ns(PROBE_PAUSE_NS);
    code = ask_once(nvml, dev, is_energy, scope, via);
    if (code == NVML_OK || is_refusal(code)) break;
  }
  return code;
}

/* The first way that answers, or NONE; why gathers the most telling refusal. */
static cc_nvml_via first_way(const cc_nvml_table *nvml, const cc_nvml_device *dev, int is_energy, uint32_t scope,
                             const cc_nvml_via *ways, int count, int *why) {
  int i, code;
  for (i = 0; i < count; i++) {
    code = ask(nvml, dev, is_energy, scope, ways[i]);
    if (code == NVML_OK) return ways[i];
    if (*why == NVML_OK || *why == NVML_NOT_SUPPORTED || *why == NVML_FUNCTION_NOT_FOUND) *why = code;
  }
  return CC_VIA_NONE;
}

/* Counter before integrated power, the GPU alone before the module that also holds a processor. */
static void settle(const cc_nvml_table *nvml, cc_nvml_device *dev) {
  static const cc_nvml_via energy_ways[] = {CC_VIA_FIELD, CC_VIA_CALL};
  static const cc_nvml_via power_ways[] = {CC_VIA_FIELD, CC_VIA_CALL, CC_VIA_SAMPLES};
  static const cc_nvml_via module_power_ways[] = {CC_VIA_FIELD, CC_VIA_AVERAGE, CC_VIA_SAMPLES};
  int scope, why = NVML_OK, unused = NVML_OK;
  for (scope = NVML_SCOPE_GPU; scope <= NVML_SCOPE_MODULE; scope++) {
    int is_module = scope == NVML_SCOPE_MODULE;
    /* The energy call has no scope: for a module only the field will do. */
    dev->energy_via = first_way(nvml, dev, 1, (uint32_t)scope, energy_ways, is_module ? 1 : 2, &why);
    dev->power_via = first_way(nvml, dev, 0, (uint32_t)scope, is_module ? module_power_ways : power_ways,
                               dev->energy_via != CC_VIA_NONE ? 2 : 3, dev->energy_via != CC_VIA_NONE ? &unused : &why);
    if (dev->energy_via == CC_VIA_NONE && dev->power_via == CC_VIA_NONE) continue;
    dev->scope = (uint32_t)scope;
    dev->method = dev->energy_via != CC_VIA_NONE ? CC_METHOD_COUNTER : CC_METHOD_INTEGRAL;
    return;
  }
  dev->refusal = why;
}

static int has_word(const char *text, const char *word) { return strcasestr(text, word) != NULL; }

/* Polling was seen to disturb the counter of GeForce cards (Dauner et al., HotCarbon 2026); workstation cards carry the
 * same chips, so they are handled with the same care. */
static int is_consumer(int brand, const char *name) {
  static const char *const words[] = {"GeForce", "TITAN", "RTX", "GTX", "Quadro"};
  size_t i;
  for (i = 0; i < sizeof words / sizeof words[0]; i++) {
    if (has_word(name, words[i])) return 1;
  }
  switch (brand) {
    case 1:  /* Quadro */
    case 3:  /* NVS */
    case 5:  /* GeForce */
    case 6:  /* Titan */
    case 12: /* Quadro RTX */
    case 13: /* NVIDIA RTX */
    case 15: /* GeForce RTX */
    case 16: /* Titan RTX */
      return 1;
    default:
      return 0;
  }
}

/* Slices have identities of their own, which schedulers hand to jobs; energy exists for the whole board only. */
static void list_mig(const cc_nvml_table *nvml, cc_nvml_device *dev) {
  unsigned current = 0, pending = 0, count = 0, i;
  cc_nvml_handle slice;
  if (nvml->mig_mode == NULL || nvml->mig_mode(dev->handle, &current, &pending) != NVML_OK || current == 0) return;
  dev->has_mig = 1;
  if (nvml->mig_count == NULL || nvml->mig_by_index == NULL || nvml->uuid == NULL) return;
  if (nvml->mig_count(dev->handle, &count) != NVML_OK) return;
  for (i = 0; i < count && dev->mig_count < CC_NVML_MAX_MIG; i++) {
    char *text = dev->mig_uuids[dev->mig_count];
    if (nvml->mig_by_index(dev->handle, i, &slice) != NVML_OK) continue; /* an empty place */
    if (nvml->uuid(slice, text, CC_NVML_TEXT) == NVML_OK) dev->mig_count++;
  }
}

static uint32_t read_limit_mw(const cc_nvml_table *nvml, cc_nvml_handle handle) {
  uint32_t limit_mw = 0;
  if (nvml->enforced_limit != NULL && nvml->enforced_limit(handle, &limit_mw) == NVML_OK) return limit_mw;
  if (nvml->power_limit != NULL && nvml->power_limit(handle, &limit_mw) == NVML_OK) return limit_mw;
  return 0;
}

/* Optional facts: what a driver does not tell stays unknown. */
static void describe(const cc_nvml_table *nvml, cc_nvml_device *dev) {
  cc_nvml_utilization rates;
  cc_nvml_memory memory;
  cc_nvml_pci pci;
  uint32_t value;
  if (nvml->name != NULL && nvml->name(dev->handle, dev->name, CC_NVML_TEXT) != NVML_OK) dev->name[0] = '\0';
  if (nvml->brand != NULL && nvml->brand(dev->handle, &value) == NVML_OK) dev->brand = (int)value;
  if (nvml->architecture != NULL && nvml->architecture(dev->handle, &value) == NVML_OK) dev->architecture = (int)value;
  if (nvml->memory != NULL && nvml->memory(dev->handle, &memory) == NVML_OK) dev->memory_total_bytes = memory.total;
  memset(&pci, 0, sizeof pci);
  if (nvml->pci != NULL && nvml->pci(dev->handle, &pci) == NVML_OK) {
    memcpy(dev->pci_bus_id, pci.bus_id, sizeof pci.bus_id);
  }
  dev->limit_mw = read_limit_mw(nvml, dev->handle);
  dev->has_utilization = nvml->utilization != NULL && nvml->utilization(dev->handle, &rates) == NVML_OK;
}

static void probe_device(const cc_nvml_table *nvml, cc_nvml_device *dev, unsigned index) {
  int code;
  memset(dev, 0, sizeof *dev);
  dev->index = index;
  dev->brand = -1;
  dev->architecture = -1;
  code = nvml->by_index(index, &dev->handle);
  if (code == NVML_OK && nvml->uuid != NULL) code = nvml->uuid(dev->handle, dev->uuid, CC_NVML_TEXT);
  if (code != NVML_OK) {
    dev->uuid[0] = '\0';
    dev->refusal = code;
    return;
  }
  describe(nvml, dev);
  dev->is_consumer = is_consumer(dev->brand, dev->name);
  list_mig(nvml, dev);
  settle(nvml, dev);
}

int cc_nvml_enumerate(cc_nvml_library *lib) {
  const cc_nvml_table *nvml = &lib->nvml;
  unsigned count = 0, i;
  int code = nvml->count(&count);
  if (code != NVML_OK) return code;
  if (count > CC_NVML_MAX_DEVICES) count = CC_NVML_MAX_DEVICES;
  lib->driver_version[0] = '\0';
  if (nvml->driver_version != NULL && nvml->driver_version(lib->driver_version, CC_NVML_TEXT) != NVML_OK) {
    lib->driver_version[0] = '\0';
  }
  for (i = 0; i < count; i++) probe_device(nvml, &lib->devices[i], i);
  lib->device_count = (int)count;
  return NVML_OK;
}

/* ---- how the counter behaves ---- */

/* Times between changes of one value. */
typedef struct changes {
  int has_value, has_change, count;
  uint64_t value;
  int64_t last_ns;
  int64_t gaps_ns[CALIBRATION_GAPS];
} changes;

static void note(changes *seen, uint64_t value, int64_t t_ns) {
  if (seen->has_value && value != seen->value) {
    if (seen->has_change && seen->count < CALIBRATION_GAPS) seen->gaps_ns[seen->count++] = t_ns - seen->last_ns;
    seen->has_change = 1;
    seen->last_ns = t_ns;
  }
  seen->has_value = 1;
  seen->value = value;
}

static int compare_ns(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

/* Median and largest gap; without two changes the period is at least as long as we watched. */
static void conclude(changes *seen, int64_t watched_ns, int64_t *median_ns, int64_t *max_ns) {
  int64_t median = watched_ns, most = watched_ns;
  if (seen->count > 0) {
    qsort(seen->gaps_ns, (size_t)seen->count, sizeof seen->gaps_ns[0], compare_ns);
    median = seen->gaps_ns[seen->count / 2];
    most = seen->gaps_ns[seen->count - 1];
  }
  *median_ns = median;
  if (max_ns != NULL) *max_ns = most;
}

typedef struct watch {
  changes energy, power;
  cc_nvml_check check;
} watch;

static void watch_once(const cc_nvml_table *nvml, const cc_nvml_device *dev, watch *seen) {
  cc_nvml_reading reading;
  int64_t before_ns = now_ns(), t_ns;
  cc_nvml_measure(nvml, dev->handle, dev->scope, dev->energy_via, dev->power_via, &reading);
  t_ns = before_ns + (now_ns() - before_ns) / 2;
  if (reading.energy_code == NVML_OK) note(&seen->energy, reading.energy_mj, t_ns);
  if (reading.power_code == NVML_OK) note(&seen->power, reading.power_mw, t_ns);
  if (reading.energy_code == NVML_OK && reading.power_code == NVML_OK) {
    cc_nvml_check_add(&seen->check, t_ns, reading.energy_mj, reading.power_mw, 1000000000);
  }
}

/* Fast polling is what corrupts a consumer card's counter, so those are never watched: the comparison that the source
 * makes at its own slow rate serves them. */
static int is_watched(const cc_nvml_device *dev) {
  return !dev->is_consumer && dev->method != CC_METHOD_NONE && dev->power_via != CC_VIA_SAMPLES;
}

void cc_nvml_calibrate(cc_nvml_library *lib, int64_t duration_ns) {
  watch *seen = calloc((size_t)lib->device_count + 1, sizeof *seen);
  int64_t start_ns = now_ns();
  int i, watched = 0;
  if (seen == NULL) return;
  for (i = 0; i < lib->device_count; i++) watched += is_watched(&lib->devices[i]);
  while (watched > 0 && now_ns() - start_ns < duration_ns && !atomic_load(&lib->cancel)) {
    for (i = 0; i < lib->device_count; i++) {
      if (is_watched(&lib->devices[i])) watch_once(&lib->nvml, &lib->devices[i], &seen[i]);
    }
    pause_ns(CALIBRATION_STEP_NS);
  }
  pthread_mutex_lock(&lib->mutex);
  for (i = 0; i < lib->device_count && !atomic_load(&lib->cancel); i++) {
    cc_nvml_device *dev = &lib->devices[i];
    if (!is_watched(dev)) continue;
    if (dev->method == CC_METHOD_COUNTER) {
      conclude(&seen[i].energy, duration_ns, &dev->update_period_ns, &dev->max_period_ns);
      dev->check_ratio = cc_nvml_check_ratio(&seen[i].check);
    }
    if (seen[i].power.count > 0) conclude(&seen[i].power, duration_ns, &dev->power_period_ns, NULL);
  }
  pthread_mutex_unlock(&lib->mutex);
  free(seen);
}
