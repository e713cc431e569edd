/* The part of NVIDIA's management library interface that the core calls, declared anew from its published reference
 * (NVML API Reference Guide, docs.nvidia.com/deploy/nvml-api). Only facts that the binary interface fixes are here:
 * names of functions, argument types, the layout of two structures and some numbers. Not run on hardware. */
#ifndef CODECARBON_NVML_H
#define CODECARBON_NVML_H

#include <stdint.h>

typedef struct cc_nvml_opaque *cc_nvml_handle;

/* Return codes. */
enum {
  NVML_OK = 0,
  NVML_UNINITIALIZED = 1,
  NVML_INVALID_ARGUMENT = 2,
  NVML_NOT_SUPPORTED = 3,
  NVML_NO_PERMISSION = 4,
  NVML_NOT_FOUND = 6,
  NVML_INSUFFICIENT_SIZE = 7,
  NVML_DRIVER_NOT_LOADED = 9,
  NVML_TIMEOUT = 10,
  NVML_LIBRARY_NOT_FOUND = 12,
  NVML_FUNCTION_NOT_FOUND = 13,
  NVML_GPU_IS_LOST = 15,
  NVML_RESET_REQUIRED = 16,
  NVML_VERSION_MISMATCH = 18,
  NVML_IN_USE = 19,
  NVML_MEMORY = 20,
  NVML_NO_DATA = 21,
  NVML_ARGUMENT_VERSION_MISMATCH = 25,
  NVML_GPU_NOT_FOUND = 28,
  NVML_UNKNOWN = 999
};

/* Fields, their scopes, and the sorts of buffered samples. */
enum { NVML_FIELD_ENERGY = 83, NVML_FIELD_POWER_AVERAGE = 185, NVML_FIELD_POWER_INSTANT = 186 };
enum { NVML_SCOPE_GPU = 0, NVML_SCOPE_MODULE = 1 };
enum { NVML_SAMPLES_POWER = 0, NVML_SAMPLES_MODULE_POWER = 7 };
enum { NVML_FLAG_NO_GPUS = 1 };
enum { NVML_BRAND_TESLA = 2, NVML_BRAND_GRID = 4, NVML_BRAND_NVIDIA = 14 };
enum { NVML_ARCH_VOLTA = 5, NVML_ARCH_AMPERE = 7, NVML_ARCH_HOPPER = 9, NVML_ARCH_UNKNOWN = -1 };
enum {
  NVML_VALUE_DOUBLE = 0,
  NVML_VALUE_U32 = 1,
  NVML_VALUE_ULONG = 2,
  NVML_VALUE_U64 = 3,
  NVML_VALUE_I64 = 4,
  NVML_VALUE_I32 = 5,
  NVML_VALUE_U16 = 6
};

typedef union cc_nvml_value {
  double f64;
  uint32_t u32;
  unsigned long ul;
  uint64_t u64;
  int64_t i64;
  int32_t i32;
  uint16_t u16;
} cc_nvml_value;

typedef struct cc_nvml_field {
  uint32_t field_id;
  uint32_t scope_id;
  int64_t timestamp_us; /* since 1970, on the wall clock */
  int64_t latency_us;
  uint32_t value_type;
  uint32_t code; /* each entry has its own return code, besides the call's */
  cc_nvml_value value;
} cc_nvml_field;

typedef struct cc_nvml_sample {
  uint64_t timestamp_us;
  cc_nvml_value value;
} cc_nvml_sample;

typedef struct cc_nvml_memory {
  uint64_t total, free, used;
} cc_nvml_memory;

typedef struct cc_nvml_utilization {
  uint32_t gpu, memory; /* percent */
} cc_nvml_utilization;

typedef struct cc_nvml_pci {
  char bus_id_legacy[16];
  uint32_t domain, bus, device, pci_device_id, pci_subsystem_id;
  char bus_id[32];
} cc_nvml_pci;

_Static_assert(sizeof(cc_nvml_field) == 40, "nvmlFieldValue_t is 40 bytes");
_Static_assert(sizeof(cc_nvml_sample) == 16, "nvmlSample_t is 16 bytes");
_Static_assert(sizeof(cc_nvml_pci) == 68, "nvmlPciInfo_t is 68 bytes");

/* member, preferred symbol, older symbol, argument types. Every function returns one of the codes above. */
#define CC_NVML_SYMBOLS(X)                                                                                          \
  X(init_with_flags, "nvmlInitWithFlags", NULL, (unsigned flags))                                                   \
  X(init, "nvmlInit_v2", "nvmlInit", (void))                                                                        \
  X(shutdown, "nvmlShutdown", NULL, (void))                                                                         \
  X(driver_version, "nvmlSystemGetDriverVersion", NULL, (char *text, unsigned size))                                \
  X(count, "nvmlDeviceGetCount_v2", "nvmlDeviceGetCount", (unsigned *count))                                        \
  X(by_index, "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByIndex", (unsigned index, cc_nvml_handle *out)) \
  X(by_uuid, "nvmlDeviceGetHandleByUUID", NULL, (const char *uuid, cc_nvml_handle *out))                            \
  X(uuid, "nvmlDeviceGetUUID", NULL, (cc_nvml_handle dev, char *text, unsigned size))                               \
  X(name, "nvmlDeviceGetName", NULL, (cc_nvml_handle dev, char *text, unsigned size))                               \
  X(brand, "nvmlDeviceGetBrand", NULL, (cc_nvml_handle dev, uint32_t *brand))                                       \
  X(architecture, "nvmlDeviceGetArchitecture", NULL, (cc_nvml_handle dev, uint32_t *arch))                          \
  X(pci, "nvmlDeviceGetPciInfo_v3", NULL, (cc_nvml_handle dev, cc_nvml_pci * pci))                                  \
  X(memory, "nvmlDeviceGetMemoryInfo", NULL, (cc_nvml_handle dev, cc_nvml_memory * memory))                         \
  X(enforced_limit, "nvmlDeviceGetEnforcedPowerLimit", NULL, (cc_nvml_handle dev, uint32_t *milliwatts))            \
  X(power_limit, "nvmlDeviceGetPowerManagementLimit", NULL, (cc_nvml_handle dev, uint32_t *milliwatts))             \
  X(mig_mode, "nvmlDeviceGetMigMode", NULL, (cc_nvml_handle dev, unsigned *current, unsigned *pending))             \
  X(mig_count, "nvmlDeviceGetMaxMigDeviceCount", NULL, (cc_nvml_handle dev, unsigned *count))                       \
  X(mig_by_index, "nvmlDeviceGetMigDeviceHandleByIndex", NULL,                                                      \
    (cc_nvml_handle dev, unsigned index, cc_nvml_handle *out))                                                      \
  X(energy, "nvmlDeviceGetTotalEnergyConsumption", NULL, (cc_nvml_handle dev, unsigned long long *millijoules))     \
  X(power, "nvmlDeviceGetPowerUsage", NULL, (cc_nvml_handle dev, uint32_t *milliwatts))                             \
  X(fields, "nvmlDeviceGetFieldValues", NULL, (cc_nvml_handle dev, int count, cc_nvml_field *fields))               \
  X(samples, "nvmlDeviceGetSamples", NULL,                                                                          \
    (cc_nvml_handle dev, uint32_t sort, unsigned long long last_seen_us, uint32_t *value_type, unsigned *count,     \
     cc_nvml_sample *samples))                                                                                      \
  X(utilization, "nvmlDeviceGetUtilizationRates", NULL, (cc_nvml_handle dev, cc_nvml_utilization * rates))

/* One typed pointer per function; NULL where this driver does not have it. */
typedef struct cc_nvml_table {
#define X(member, symbol, older, arguments) int(*member) arguments;
  CC_NVML_SYMBOLS(X)
#undef X
} cc_nvml_table;

#endif
