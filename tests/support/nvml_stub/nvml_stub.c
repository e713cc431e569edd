/* A stand-in for NVIDIA's management library, for machines without a GPU.
 *
 * It answers the functions that codecarbon, nvidia-ml-py and the tools that build on it call, keeps one init count for
 * all of them, and models counters that move in steps, lose energy when polled too fast, restart, fail and stall.
 * Driven by a configuration file (path in CODECARBON_NVML_STUB, read again whenever it changes) and by the exports
 * named stub_*. Times are nanoseconds of CLOCK_MONOTONIC unless stub_set_time has taken the clock over. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define EXPORT __attribute__((visibility("default")))

enum { MAX_GPUS = 16, MAX_SEGMENTS = 512, MAX_RULES = 64, MAX_SYMBOLS = 96, MAX_MIG = 7, TEXT = 96 };
enum { OK = 0, UNINITIALIZED = 1, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7 };
enum { SAMPLE_COUNT = 120 };
#define SAMPLE_PERIOD_NS ((int64_t)20000000)
/* Each poll of a GeForce counter costs about this much of the energy in between: fits the published losses of 95 % at
 * 0.5 ms, 76 % at 10 ms, 13 % at 100 ms and 1.6 % at 1 s. */
#define LOSS_PER_POLL_NS ((int64_t)15000000)

typedef struct segment {
  int64_t start_ns;
  uint64_t power_mw;
  unsigned __int128 before_pj; /* energy up to start_ns */
} segment;

typedef struct gpu {
  int index;
  char name[TEXT], uuid[TEXT];
  char mig_uuid[MAX_MIG][TEXT];
  int mig_count;
  unsigned brand, architecture, utilization;
  uint64_t memory_total;
  uint32_t limit_mw;
  int64_t period_ns;
  int has_energy, has_power, has_fields, has_samples, is_module_only, is_lossy, averages_power;
  segment segments[MAX_SEGMENTS];
  int segment_count;
  unsigned __int128 lost_pj, offset_pj;
  int64_t last_poll_ns;
} gpu;

typedef struct mig {
  gpu *parent;
  int slot;
} mig;

/* One scripted fault. An empty symbol means every function that takes a device. */
typedef struct rule {
  char symbol[64];
  int device; /* -1: any */
  int field;  /* -1: the call itself; else the entry of this field */
  int scope;  /* -1: any */
  int code;   /* 0: no error, only the delay */
  int64_t delay_ns;
  int64_t after; /* calls that still succeed */
  int64_t count; /* calls that it then hits; -1: all */
} rule;

typedef struct counter {
  char symbol[64];
  uint64_t calls;
} counter;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static gpu gpus[MAX_GPUS];
static mig migs[MAX_GPUS][MAX_MIG];
static int gpu_count;
static int refcount, init_code;
static rule rules[MAX_RULES];
static int rule_count;
static counter counters[MAX_SYMBOLS];
static int counter_count;
static int64_t manual_ns = -1;
static int64_t stamp_shift_us, wall_offset_ns;
static struct timespec config_time;
static int64_t config_checked_ns;
static int is_loaded;

static int64_t real_ns(clockid_t clock) {
  struct timespec ts;
  clock_gettime(clock, &ts);
  return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int64_t now_ns(void) { return manual_ns >= 0 ? manual_ns : real_ns(CLOCK_MONOTONIC); }

static int64_t wall_us(int64_t t_ns) { return (t_ns + wall_offset_ns) / 1000 + stamp_shift_us; }

/* ---- energy ---- */

/* The constant power of the first segment reaches back for ever, so that all processes see the same counter. */
static const segment *segment_at(const gpu *g, int64_t t_ns) {
  int i = g->segment_count - 1;
  while (i > 0 && g->segments[i].start_ns > t_ns) i--;
  return &g->segments[i];
}

static unsigned __int128 true_pj(const gpu *g, int64_t t_ns) {
  const segment *s = segment_at(g, t_ns);
  if (t_ns <= s->start_ns) return s->before_pj;
  return s->before_pj + (unsigned __int128)s->power_mw * (uint64_t)(t_ns - s->start_ns);
}

static int64_t floor_to(int64_t t_ns, int64_t period_ns) { return period_ns > 0 ? t_ns - t_ns % period_ns : t_ns; }

static uint64_t counter_mj(gpu *g, int64_t t_ns) {
  unsigned __int128 pj = true_pj(g, floor_to(t_ns, g->period_ns));
  if (g->is_lossy) {
    int64_t since_ns = g->last_poll_ns > 0 && t_ns > g->last_poll_ns ? t_ns - g->last_poll_ns : 0;
    int64_t loss_ns = since_ns * 19 / 20 < LOSS_PER_POLL_NS ? since_ns * 19 / 20 : LOSS_PER_POLL_NS;
    g->lost_pj += (unsigned __int128)segment_at(g, t_ns)->power_mw * (uint64_t)loss_ns;
    g->last_poll_ns = t_ns;
  }
  pj = pj > g->lost_pj + g->offset_pj ? pj - g->lost_pj - g->offset_pj : 0;
  return (uint64_t)(pj / 1000000000u);
}

static uint32_t power_mw(const gpu *g, int64_t t_ns, int64_t window_ns) {
  t_ns = floor_to(t_ns, g->period_ns);
  if (window_ns <= 0 || t_ns <= window_ns) return (uint32_t)segment_at(g, t_ns)->power_mw;
  return (uint32_t)((true_pj(g, t_ns) - true_pj(g, t_ns - window_ns)) / (uint64_t)window_ns);
}

static void set_power(gpu *g, uint64_t mw, int64_t t_ns) {
  segment *s;
  unsigned __int128 before = true_pj(g, t_ns);
  if (segment_at(g, t_ns)->power_mw == mw) return;
  if (g->segment_count == MAX_SEGMENTS) {
    memmove(g->segments, g->segments + 1, (MAX_SEGMENTS - 1) * sizeof g->segments[0]);
    g->segment_count--;
  }
  s = &g->segments[g->segment_count++];
  s->start_ns = t_ns;
  s->power_mw = mw;
  s->before_pj = before;
}

/* ---- configuration ---- */

static void default_gpu(gpu *g, int index) {
  memset(g, 0, sizeof *g);
  g->index = index;
  snprintf(g->name, TEXT, "NVIDIA H100 80GB HBM3");
  snprintf(g->uuid, TEXT, "GPU-4e81a1b2-0000-0000-0000-%012d", index);
  g->brand = 14;
  g->architecture = 9;
  g->utilization = 50;
  g->memory_total = (uint64_t)80 << 30;
  g->limit_mw = 700000;
  g->period_ns = 100000000;
  g->has_energy = g->has_power = g->has_fields = g->has_samples = g->averages_power = 1;
  g->segments[0].power_mw = 100000;
  g->segment_count = 1;
}

static void defaults(void) {
  int i;
  for (i = 0; i < MAX_GPUS; i++) default_gpu(&gpus[i], i);
  gpu_count = 1;
  init_code = 0;
  rule_count = 0;
}

static void set_gpu(gpu *g, const char *key, const char *value) {
  double number = atof(value);
  if (strcmp(key, "name") == 0) snprintf(g->name, TEXT, "%s", value);
  else if (strcmp(key, "uuid") == 0) snprintf(g->uuid, TEXT, "%s", value);
  else if (strcmp(key, "mig") == 0 && g->mig_count < MAX_MIG) snprintf(g->mig_uuid[g->mig_count++], TEXT, "%s", value);
  else if (strcmp(key, "watts") == 0 && !is_loaded) g->segments[0].power_mw = (uint64_t)(number * 1000);
  else if (strcmp(key, "watts") == 0) set_power(g, (uint64_t)(number * 1000), now_ns());
  else if (strcmp(key, "period_ms") == 0) g->period_ns = (int64_t)(number * 1e6);
  else if (strcmp(key, "limit_watts") == 0) g->limit_mw = (uint32_t)(number * 1000);
  else if (strcmp(key, "brand") == 0) g->brand = (unsigned)number;
  else if (strcmp(key, "architecture") == 0) g->architecture = (unsigned)number;
  else if (strcmp(key, "utilization") == 0) g->utilization = (unsigned)number;
  else if (strcmp(key, "energy") == 0) g->has_energy = number != 0;
  else if (strcmp(key, "power") == 0) g->has_power = number != 0;
  else if (strcmp(key, "fields") == 0) g->has_fields = number != 0;
  else if (strcmp(key, "samples") == 0) g->has_samples = number != 0;
  else if (strcmp(key, "module_only") == 0) g->is_module_only = number != 0;
  else if (strcmp(key, "lossy") == 0) g->is_lossy = number != 0;
  else if (strcmp(key, "averages_power") == 0) g->averages_power = number != 0;
  else fprintf(stderr, "nvml stub: unknown key %s\n", key);
}

/* "error SYMBOL DEVICE FIELD SCOPE CODE DELAY_MS AFTER COUNT" */
static void add_rule_line(const char *text) {
  rule r;
  double delay_ms;
  long long after, count;
  memset(&r, 0, sizeof r);
  if (rule_count == MAX_RULES || sscanf(text, "%63s %d %d %d %d %lf %lld %lld", r.symbol, &r.device, &r.field, &r.scope,
                                        &r.code, &delay_ms, &after, &count) != 8) {
    fprintf(stderr, "nvml stub: bad rule: %s\n", text);
    return;
  }
  if (strcmp(r.symbol, "*") == 0) r.symbol[0] = '\0';
  r.delay_ns = (int64_t)(delay_ms * 1e6);
  r.after = after;
  r.count = count;
  rules[rule_count++] = r;
}

static void set_line(char *line) {
  char key[64];
  int index, used, i;
  line[strcspn(line, "\r\n")] = '\0';
  if (line[0] == '\0' || line[0] == '#') return;
  if (sscanf(line, "gpu%d.%63s %n", &index, key, &used) == 2 && index >= 0 && index < MAX_GPUS) {
    set_gpu(&gpus[index], key, line + used);
  } else if (sscanf(line, "gpus %d", &index) == 1) {
    gpu_count = index < 0 ? 0 : index > MAX_GPUS ? MAX_GPUS : index;
  } else if (sscanf(line, "init %d", &index) == 1) {
    init_code = index;
  } else if (strncmp(line, "error ", 6) == 0) {
    add_rule_line(line + 6);
  } else if (sscanf(line, "%63s %n", key, &used) == 1) {
    for (i = 0; i < MAX_GPUS; i++) set_gpu(&gpus[i], key, line + used);
  }
}

/* Slices follow their parents; lines are applied in order, so general ones come first in the file. */
static void link_migs(void) {
  int i, j;
  for (i = 0; i < MAX_GPUS; i++) {
    for (j = 0; j < MAX_MIG; j++) {
      migs[i][j].parent = &gpus[i];
      migs[i][j].slot = j;
    }
  }
}

static void read_config(void) {
  static char path[4096];
  char line[512];
  struct stat st;
  FILE *file;
  int i;
  /* The first answer stays: a test hands the variable over for the moment of loading only. */
  if (!is_loaded)
    snprintf(path, sizeof path, "%s", getenv("CODECARBON_NVML_STUB") ? getenv("CODECARBON_NVML_STUB") : "");
  if (path[0] == '\0' || stat(path, &st) != 0) return;
  if (is_loaded && st.st_mtim.tv_sec == config_time.tv_sec && st.st_mtim.tv_nsec == config_time.tv_nsec) return;
  config_time = st.st_mtim;
  file = fopen(path, "re");
  if (file == NULL) return;
  rule_count = 0;
  for (i = 0; i < MAX_GPUS; i++) gpus[i].mig_count = 0;
  while (fgets(line, sizeof line, file) != NULL) set_line(line);
  fclose(file);
}

/* The mutex is held. Looks at the file at most ten times a second. */
static void refresh(void) {
  int64_t t_ns = real_ns(CLOCK_MONOTONIC);
  if (!is_loaded) {
    wall_offset_ns = real_ns(CLOCK_REALTIME) - real_ns(CLOCK_MONOTONIC);
    defaults();
    link_migs();
    read_config();
    is_loaded = 1;
  } else if (t_ns - config_checked_ns > 100000000) {
    read_config();
  } else {
    return;
  }
  config_checked_ns = t_ns;
}

/* ---- faults and counts ---- */

static uint64_t *calls_of(const char *symbol) {
  int i;
  for (i = 0; i < counter_count; i++) {
    if (strcmp(counters[i].symbol, symbol) == 0) return &counters[i].calls;
  }
  if (counter_count == MAX_SYMBOLS) abort();
  snprintf(counters[counter_count].symbol, sizeof counters[0].symbol, "%s", symbol);
  return &counters[counter_count++].calls;
}

static int matches(const rule *r, const char *symbol, int device, int field, int scope) {
  if (r->symbol[0] != '\0' ? strcmp(r->symbol, symbol) != 0 : device < 0) return 0;
  if (r->device >= 0 && r->device != device) return 0;
  return r->field == field && (r->scope < 0 || scope < 0 || r->scope == scope);
}

/* The mutex is held. The first rule that is due decides. */
static int fault(const char *symbol, int device, int field, int scope, int64_t *delay_ns) {
  int i;
  for (i = 0; i < rule_count; i++) {
    rule *r = &rules[i];
    if (!matches(r, symbol, device, field, scope)) continue;
    if (r->after > 0) {
      r->after--;
      continue;
    }
    if (r->count == 0) continue;
    if (r->count > 0) r->count--;
    *delay_ns += r->delay_ns;
    if (r->code != 0) return r->code;
  }
  return OK;
}

/* Locks, counts the call and applies its faults. On OK the mutex stays held, else it is released. */
static int begin(const char *symbol, int device, int needs_init) {
  int64_t delay_ns = 0;
  int code;
  pthread_mutex_lock(&mutex);
  refresh();
  ++*calls_of(symbol);
  code = needs_init && refcount == 0 ? UNINITIALIZED : fault(symbol, device, -1, -1, &delay_ns);
  if (delay_ns > 0) {
    struct timespec ts = {delay_ns / 1000000000, delay_ns % 1000000000};
    pthread_mutex_unlock(&mutex);
    nanosleep(&ts, NULL);
    pthread_mutex_lock(&mutex);
  }
  if (code != OK) pthread_mutex_unlock(&mutex);
  return code;
}

static int end(int code) {
  pthread_mutex_unlock(&mutex);
  return code;
}

static int is_mig(const void *handle) { return handle >= (void *)migs && handle < (void *)(migs + MAX_GPUS); }

static int index_of(const void *handle) {
  if (is_mig(handle)) return ((const mig *)handle)->parent->index;
  return handle >= (void *)gpus && handle < (void *)(gpus + MAX_GPUS) ? ((const gpu *)handle)->index : -1;
}

/* For functions of physical devices; a slice is refused as the real library does. */
static int begin_gpu(const char *symbol, void *handle, gpu **g) {
  int code = begin(symbol, index_of(handle), 1);
  if (code != OK) return code;
  if (index_of(handle) < 0) return end(INVALID);
  if (is_mig(handle)) return end(NOT_SUPPORTED);
  *g = handle;
  return OK;
}

#define BEGIN_GPU(symbol)                   \
  gpu *g = NULL;                            \
  int code = begin_gpu(symbol, handle, &g); \
  if (code != OK) return code

/* ---- the library's own functions ---- */

static int init(const char *symbol) {
  int code = begin(symbol, -1, 0);
  if (code != OK) return code;
  if (init_code != OK) return end(init_code);
  refcount++;
  return end(OK);
}

EXPORT int nvmlInitWithFlags(unsigned flags) {
  (void)flags;
  return init("nvmlInitWithFlags");
}
EXPORT int nvmlInit_v2(void) { return init("nvmlInit_v2"); }

EXPORT int nvmlShutdown(void) {
  int code = begin("nvmlShutdown", -1, 1);
  if (code != OK) return code;
  refcount--;
  return end(OK);
}

EXPORT const char *nvmlErrorString(int code) {
  switch (code) {
    case 0:
      return "Success";
    case 1:
      return "Uninitialized";
    case 2:
      return "Invalid Argument";
    case 3:
      return "Not Supported";
    case 15:
      return "GPU is lost";
    default:
      return "Stub error";
  }
}

EXPORT int nvmlSystemGetDriverVersion(char *text, unsigned size) {
  int code = begin("nvmlSystemGetDriverVersion", -1, 1);
  if (code != OK) return code;
  snprintf(text, size, "999.99.stub");
  return end(OK);
}

EXPORT int nvmlDeviceGetCount_v2(unsigned *count) {
  int code = begin("nvmlDeviceGetCount_v2", -1, 1);
  if (code != OK) return code;
  *count = (unsigned)gpu_count;
  return end(OK);
}

EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
  int code = begin("nvmlDeviceGetHandleByIndex_v2", (int)index, 1);
  if (code != OK) return code;
  if (index >= (unsigned)gpu_count) return end(INVALID);
  *handle = &gpus[index];
  return end(OK);
}

EXPORT int nvmlDeviceGetHandleByUUID(const char *uuid, void **handle) {
  int i, j, code = begin("nvmlDeviceGetHandleByUUID", -1, 1);
  if (code != OK) return code;
  for (i = 0; i < gpu_count; i++) {
    if (strcmp(gpus[i].uuid, uuid) == 0) {
      *handle = &gpus[i];
      return end(OK);
    }
    for (j = 0; j < gpus[i].mig_count; j++) {
      if (strcmp(gpus[i].mig_uuid[j], uuid) == 0) {
        *handle = &migs[i][j];
        return end(OK);
      }
    }
  }
  return end(NOT_FOUND);
}

EXPORT int nvmlDeviceGetUUID(void *handle, char *text, unsigned size) {
  int code = begin("nvmlDeviceGetUUID", index_of(handle), 1);
  const mig *slice = handle;
  if (code != OK) return code;
  if (index_of(handle) < 0) return end(INVALID);
  snprintf(text, size, "%s", is_mig(handle) ? slice->parent->mig_uuid[slice->slot] : ((gpu *)handle)->uuid);
  return end(OK);
}

EXPORT int nvmlDeviceGetName(void *handle, char *text, unsigned size) {
  BEGIN_GPU("nvmlDeviceGetName");
  snprintf(text, size, "%s", g->name);
  return end(OK);
}

EXPORT int nvmlDeviceGetBrand(void *handle, unsigned *brand) {
  BEGIN_GPU("nvmlDeviceGetBrand");
  *brand = g->brand;
  return end(OK);
}

EXPORT int nvmlDeviceGetArchitecture(void *handle, unsigned *architecture) {
  BEGIN_GPU("nvmlDeviceGetArchitecture");
  *architecture = g->architecture;
  return end(OK);
}

typedef struct pci {
  char bus_id_legacy[16];
  unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
  char bus_id[32];
} pci;

EXPORT int nvmlDeviceGetPciInfo_v3(void *handle, pci *info) {
  BEGIN_GPU("nvmlDeviceGetPciInfo_v3");
  memset(info, 0, sizeof *info);
  info->bus = (unsigned)g->index + 1;
  snprintf(info->bus_id, sizeof info->bus_id, "00000000:%02X:00.0", info->bus);
  return end(OK);
}

EXPORT int nvmlDeviceGetMemoryInfo(void *handle, unsigned long long *memory) {
  BEGIN_GPU("nvmlDeviceGetMemoryInfo");
  memory[0] = g->memory_total;
  memory[2] = (unsigned long long)4 << 30;
  memory[1] = memory[0] - memory[2];
  return end(OK);
}

EXPORT int nvmlDeviceGetUtilizationRates(void *handle, unsigned *rates) {
  BEGIN_GPU("nvmlDeviceGetUtilizationRates");
  rates[0] = g->utilization;
  rates[1] = g->utilization / 2;
  return end(OK);
}

EXPORT int nvmlDeviceGetTemperature(void *handle, unsigned sensor, unsigned *celsius) {
  BEGIN_GPU("nvmlDeviceGetTemperature");
  (void)sensor;
  *celsius = 42;
  return end(OK);
}

EXPORT int nvmlDeviceGetTemperatureV(void *handle, int *temperature) {
  BEGIN_GPU("nvmlDeviceGetTemperatureV");
  temperature[2] = 42;
  return end(OK);
}

EXPORT int nvmlDeviceGetC2cModeInfoV(void *handle, void *info) {
  BEGIN_GPU("nvmlDeviceGetC2cModeInfoV");
  (void)info;
  return end(NOT_SUPPORTED);
}

EXPORT int nvmlDeviceGetComputeMode(void *handle, unsigned *mode) {
  BEGIN_GPU("nvmlDeviceGetComputeMode");
  *mode = 0;
  return end(OK);
}

EXPORT int nvmlDeviceGetPersistenceMode(void *handle, unsigned *mode) {
  BEGIN_GPU("nvmlDeviceGetPersistenceMode");
  *mode = 1;
  return end(OK);
}

/* ---- processes: one of each, to exercise the caller's two-step protocol ---- */

typedef struct process {
  unsigned pid;
  unsigned long long memory;
  unsigned gpu_instance, compute_instance;
} process;

static int one_process(gpu *g, unsigned *count, process *list, unsigned pid) {
  unsigned room = *count;
  (void)g;
  *count = 1;
  if (list == NULL || room < 1) return end(INSUFFICIENT_SIZE);
  memset(&list[0], 0, sizeof list[0]);
  list[0].pid = pid;
  list[0].memory = 1 << 20;
  return end(OK);
}

#define PROCESSES(symbol, pid)                                      \
  EXPORT int symbol(void *handle, unsigned *count, process *list) { \
    BEGIN_GPU(#symbol);                                             \
    return one_process(g, count, list, pid);                        \
  }
PROCESSES(nvmlDeviceGetComputeRunningProcesses_v3, 16)
PROCESSES(nvmlDeviceGetComputeRunningProcesses_v2, 16)
PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v3, 8)
PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v2, 8)

/* ---- limits ---- */

#define LIMIT(symbol)                                     \
  EXPORT int symbol(void *handle, unsigned *milliwatts) { \
    BEGIN_GPU(#symbol);                                   \
    if (g->limit_mw == 0) return end(NOT_SUPPORTED);      \
    *milliwatts = g->limit_mw;                            \
    return end(OK);                                       \
  }
LIMIT(nvmlDeviceGetEnforcedPowerLimit)
LIMIT(nvmlDeviceGetPowerManagementLimit)
LIMIT(nvmlDeviceGetPowerManagementDefaultLimit)

EXPORT int nvmlDeviceGetPowerManagementLimitConstraints(void *handle, unsigned *low, unsigned *high) {
  BEGIN_GPU("nvmlDeviceGetPowerManagementLimitConstraints");
  *low = g->limit_mw / 4;
  *high = g->limit_mw;
  return end(OK);
}

#define SETTER(symbol, ...)                        \
  EXPORT int symbol(void *handle, ##__VA_ARGS__) { \
    BEGIN_GPU(#symbol);                            \
    return end(4);                                 \
  }
SETTER(nvmlDeviceSetPowerManagementLimit, unsigned milliwatts __attribute__((unused)))
SETTER(nvmlDeviceSetPersistenceMode, unsigned mode __attribute__((unused)))
SETTER(nvmlDeviceSetGpuLockedClocks, unsigned low __attribute__((unused)), unsigned high __attribute__((unused)))
SETTER(nvmlDeviceResetGpuLockedClocks)
SETTER(nvmlDeviceSetMemoryLockedClocks, unsigned low __attribute__((unused)), unsigned high __attribute__((unused)))
SETTER(nvmlDeviceResetMemoryLockedClocks)

static int one_clock(gpu *g, unsigned *count, unsigned *clocks, unsigned mhz) {
  unsigned room = *count;
  (void)g;
  *count = 1;
  if (clocks == NULL || room < 1) return end(INSUFFICIENT_SIZE);
  clocks[0] = mhz;
  return end(OK);
}

EXPORT int nvmlDeviceGetSupportedMemoryClocks(void *handle, unsigned *count, unsigned *clocks) {
  BEGIN_GPU("nvmlDeviceGetSupportedMemoryClocks");
  return one_clock(g, count, clocks, 2619);
}

EXPORT int nvmlDeviceGetSupportedGraphicsClocks(void *handle, unsigned memory, unsigned *count, unsigned *clocks) {
  BEGIN_GPU("nvmlDeviceGetSupportedGraphicsClocks");
  (void)memory;
  return one_clock(g, count, clocks, 1980);
}

/* ---- slices ---- */

EXPORT int nvmlDeviceGetMigMode(void *handle, unsigned *current, unsigned *pending) {
  BEGIN_GPU("nvmlDeviceGetMigMode");
  *current = *pending = g->mig_count > 0;
  return end(OK);
}

EXPORT int nvmlDeviceGetMaxMigDeviceCount(void *handle, unsigned *count) {
  BEGIN_GPU("nvmlDeviceGetMaxMigDeviceCount");
  *count = MAX_MIG;
  return end(OK);
}

EXPORT int nvmlDeviceGetMigDeviceHandleByIndex(void *handle, unsigned index, void **slice) {
  BEGIN_GPU("nvmlDeviceGetMigDeviceHandleByIndex");
  if (index >= (unsigned)g->mig_count) return end(NOT_FOUND);
  *slice = &migs[g->index][index];
  return end(OK);
}

EXPORT int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(void *slice, void **handle) {
  int code = begin("nvmlDeviceGetDeviceHandleFromMigDeviceHandle", index_of(slice), 1);
  if (code != OK) return code;
  if (!is_mig(slice)) return end(INVALID);
  *handle = ((mig *)slice)->parent;
  return end(OK);
}

/* ---- energy and power ---- */

EXPORT int nvmlDeviceGetTotalEnergyConsumption(void *handle, unsigned long long *millijoules) {
  BEGIN_GPU("nvmlDeviceGetTotalEnergyConsumption");
  if (!g->has_energy || g->is_module_only) return end(NOT_SUPPORTED);
  *millijoules = counter_mj(g, now_ns());
  return end(OK);
}

EXPORT int nvmlDeviceGetPowerUsage(void *handle, unsigned *milliwatts) {
  BEGIN_GPU("nvmlDeviceGetPowerUsage");
  if (!g->has_power || g->is_module_only) return end(NOT_SUPPORTED);
  *milliwatts = power_mw(g, now_ns(), g->averages_power ? 1000000000 : 0);
  return end(OK);
}

typedef union value {
  unsigned ui;
  unsigned long long ull;
} value;

typedef struct field_value {
  unsigned field, scope;
  long long timestamp_us, latency_us;
  unsigned type, code;
  value value;
} field_value;

static int field_code(gpu *g, const field_value *f) {
  int64_t delay_ns = 0;
  int code = fault("nvmlDeviceGetFieldValues", g->index, (int)f->field, (int)f->scope, &delay_ns);
  if (code != OK) return code;
  if (f->scope != (g->is_module_only ? 1u : 0u)) return NOT_SUPPORTED;
  if (f->field == 83) return g->has_energy ? OK : NOT_SUPPORTED;
  if (f->field == 185 || f->field == 186) return g->has_power ? OK : NOT_SUPPORTED;
  return f->field == 190 ? OK : NOT_SUPPORTED;
}

static void answer_field(gpu *g, field_value *f, int64_t t_ns) {
  f->code = (unsigned)field_code(g, f);
  f->timestamp_us = wall_us(floor_to(t_ns, g->period_ns));
  if (f->code != OK) return;
  f->type = f->field == 83 ? 3 : 1;
  if (f->field == 83) f->value.ull = counter_mj(g, t_ns);
  else if (f->field == 190) f->value.ui = g->limit_mw;
  else f->value.ui = power_mw(g, t_ns, f->field == 185 ? 1000000000 : 0);
}

EXPORT int nvmlDeviceGetFieldValues(void *handle, int count, field_value *fields) {
  int64_t t_ns;
  int i;
  BEGIN_GPU("nvmlDeviceGetFieldValues");
  if (!g->has_fields) return end(NOT_SUPPORTED);
  t_ns = now_ns();
  for (i = 0; i < count; i++) answer_field(g, &fields[i], t_ns);
  return end(OK);
}

typedef struct sample {
  unsigned long long timestamp_us;
  value value;
} sample;

EXPORT int nvmlDeviceGetSamples(void *handle, unsigned sort, unsigned long long last_seen_us, unsigned *type,
                                unsigned *count, sample *samples) {
  int64_t latest_ns, t_ns;
  unsigned found = 0, room;
  int i;
  BEGIN_GPU("nvmlDeviceGetSamples");
  if (!g->has_samples || sort != (g->is_module_only ? 7u : 0u)) return end(NOT_SUPPORTED);
  room = samples != NULL ? *count : SAMPLE_COUNT;
  *type = 1;
  latest_ns = floor_to(now_ns(), SAMPLE_PERIOD_NS);
  for (i = SAMPLE_COUNT - 1; i >= 0; i--) {
    t_ns = latest_ns - i * SAMPLE_PERIOD_NS;
    if (t_ns < 0 || (unsigned long long)wall_us(t_ns) <= last_seen_us || found == room) continue;
    if (samples != NULL) {
      samples[found].timestamp_us = (unsigned long long)wall_us(t_ns);
      samples[found].value.ui = (unsigned)segment_at(g, t_ns)->power_mw;
    }
    found++;
  }
  *count = found;
  return end(found > 0 ? OK : NOT_FOUND);
}

/* ---- the tests' side ---- */

#define LOCKED(...)               \
  do {                            \
    pthread_mutex_lock(&mutex);   \
    refresh();                    \
    __VA_ARGS__;                  \
    pthread_mutex_unlock(&mutex); \
  } while (0)

EXPORT void stub_set_power(int index, uint64_t milliwatts) { LOCKED(set_power(&gpus[index], milliwatts, now_ns())); }
EXPORT void stub_set_period(int index, int64_t period_ns) { LOCKED(gpus[index].period_ns = period_ns); }
EXPORT void stub_set_time(int64_t t_ns) { LOCKED(manual_ns = t_ns); }
EXPORT void stub_shift_stamps(int64_t microseconds) { LOCKED(stamp_shift_us = microseconds); }
EXPORT void stub_set_utilization(int index, unsigned percent) { LOCKED(gpus[index].utilization = percent); }
EXPORT void stub_set_count(int count) { LOCKED(gpu_count = count); }
EXPORT void stub_clear_errors(void) { LOCKED(rule_count = 0); }

/* As after a reload of the driver: the counter starts again from 0. */
EXPORT void stub_reset_counter(int index) {
  LOCKED(gpus[index].offset_pj = true_pj(&gpus[index], now_ns()); gpus[index].lost_pj = 0);
}

EXPORT int stub_add_error(const char *symbol, int device, int field, int scope, int code, int64_t delay_ns,
                          int64_t after, int64_t count) {
  rule r;
  int is_full;
  memset(&r, 0, sizeof r);
  snprintf(r.symbol, sizeof r.symbol, "%s", symbol);
  r.device = device;
  r.field = field;
  r.scope = scope;
  r.code = code;
  r.delay_ns = delay_ns;
  r.after = after;
  r.count = count;
  LOCKED(is_full = rule_count == MAX_RULES; if (!is_full) rules[rule_count++] = r);
  return is_full ? -1 : 0;
}

EXPORT uint64_t stub_calls(const char *symbol) {
  uint64_t calls;
  LOCKED(calls = *calls_of(symbol));
  return calls;
}

EXPORT int stub_refcount(void) {
  int now;
  LOCKED(now = refcount);
  return now;
}

/* The truth, without steps or losses, in microjoules since the machine started. */
EXPORT uint64_t stub_true_uj(int index, int64_t t_ns) {
  uint64_t energy_uj;
  LOCKED(energy_uj = (uint64_t)(true_pj(&gpus[index], t_ns) / 1000000u));
  return energy_uj;
}
