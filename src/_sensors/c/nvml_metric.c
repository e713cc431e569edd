#include "nvml_metric.h"

#include <errno.h>
#include <string.h>

int cc_nvml_errno(int code) {
  switch (code) {
    case NVML_OK:
      return 0;
    case NVML_UNINITIALIZED:
      return -ENXIO;
    case NVML_INVALID_ARGUMENT:
    case NVML_ARGUMENT_VERSION_MISMATCH:
      return -EINVAL;
    case NVML_NOT_SUPPORTED:
    case NVML_FUNCTION_NOT_FOUND:
      return -EOPNOTSUPP;
    case NVML_NO_PERMISSION:
      return -EACCES;
    case NVML_NOT_FOUND:
    case NVML_LIBRARY_NOT_FOUND:
      return -ENOENT;
    case NVML_INSUFFICIENT_SIZE:
      return -ENOBUFS;
    case NVML_DRIVER_NOT_LOADED:
    case NVML_GPU_IS_LOST:
    case NVML_RESET_REQUIRED:
    case NVML_GPU_NOT_FOUND:
      return -ENODEV;
    case NVML_TIMEOUT:
      return -ETIMEDOUT;
    case NVML_VERSION_MISMATCH:
      return -ELIBBAD;
    case NVML_IN_USE:
      return -EBUSY;
    case NVML_MEMORY:
      return -ENOMEM;
    case NVML_NO_DATA:
      return -ENODATA;
    default:
      return -EIO;
  }
}

const char *cc_nvml_meaning(int code) {
  switch (code) {
    case NVML_OK:
      return "no error";
    case NVML_UNINITIALIZED:
      return "somebody in this process shut the library down";
    case NVML_INVALID_ARGUMENT:
      return "the library refuses the argument";
    case NVML_NOT_SUPPORTED:
      return "the device does not offer this";
    case NVML_NO_PERMISSION:
      return "the driver denies access to this user";
    case NVML_NOT_FOUND:
      return "nothing was found";
    case NVML_INSUFFICIENT_SIZE:
      return "the buffer is too small";
    case NVML_DRIVER_NOT_LOADED:
      return "the NVIDIA kernel driver is not loaded";
    case NVML_TIMEOUT:
      return "the driver did not answer in time";
    case NVML_LIBRARY_NOT_FOUND:
      return "a library that the driver needs is missing";
    case NVML_FUNCTION_NOT_FOUND:
      return "this driver is too old to offer this";
    case NVML_GPU_IS_LOST:
      return "the GPU has fallen off the bus";
    case NVML_RESET_REQUIRED:
      return "the GPU must be reset";
    case NVML_VERSION_MISMATCH:
      return "kernel driver and library are of different versions: reboot, or reload the driver";
    case NVML_IN_USE:
      return "the device is in use";
    case NVML_MEMORY:
      return "the driver is out of memory";
    case NVML_NO_DATA:
      return "the driver has no data yet";
    case NVML_ARGUMENT_VERSION_MISMATCH:
      return "the library expects another version of the argument";
    case NVML_GPU_NOT_FOUND:
      return "no GPU was found";
    default:
      return "the driver reports an unknown error";
  }
}

uint64_t cc_nvml_whole(const cc_nvml_value *value, uint32_t value_type) {
  switch (value_type) {
    case NVML_VALUE_DOUBLE:
      return value->f64 > 0.0 ? (uint64_t)value->f64 : 0;
    case NVML_VALUE_ULONG:
      return value->ul;
    case NVML_VALUE_U64:
      return value->u64;
    case NVML_VALUE_I64:
      return value->i64 > 0 ? (uint64_t)value->i64 : 0;
    case NVML_VALUE_I32:
      return value->i32 > 0 ? (uint64_t)value->i32 : 0;
    case NVML_VALUE_U16:
      return value->u16;
    default:
      return value->u32;
  }
}

static uint32_t power_field(cc_nvml_via via) {
  return via == CC_VIA_AVERAGE ? NVML_FIELD_POWER_AVERAGE : NVML_FIELD_POWER_INSTANT;
}

static int is_field(cc_nvml_via via) { return via == CC_VIA_FIELD || via == CC_VIA_AVERAGE; }

/* One call for up to two fields; the entry's own code counts as much as the call's. */
static int read_fields(const cc_nvml_table *nvml, cc_nvml_handle dev, cc_nvml_field *fields, int count) {
  if (nvml->fields == NULL) return NVML_FUNCTION_NOT_FOUND;
  return nvml->fields(dev, count, fields);
}

static int read_field(const cc_nvml_table *nvml, cc_nvml_handle dev, uint32_t field_id, uint32_t scope,
                      uint64_t *value) {
  cc_nvml_field field;
  int code;
  memset(&field, 0, sizeof field);
  field.field_id = field_id;
  field.scope_id = scope;
  code = read_fields(nvml, dev, &field, 1);
  if (code == NVML_OK) code = (int)field.code;
  if (code == NVML_OK) *value = cc_nvml_whole(&field.value, field.value_type);
  return code;
}

int cc_nvml_read_energy(const cc_nvml_table *nvml, cc_nvml_handle dev, uint32_t scope, cc_nvml_via via,
                        uint64_t *energy_mj) {
  unsigned long long value = 0;
  int code;
  if (via == CC_VIA_FIELD) return read_field(nvml, dev, NVML_FIELD_ENERGY, scope, energy_mj);
  if (via != CC_VIA_CALL) return NVML_NOT_SUPPORTED;
  if (nvml->energy == NULL) return NVML_FUNCTION_NOT_FOUND;
  code = nvml->energy(dev, &value);
  if (code == NVML_OK) *energy_mj = value;
  return code;
}

int cc_nvml_read_power(const cc_nvml_table *nvml, cc_nvml_handle dev, uint32_t scope, cc_nvml_via via,
                       uint32_t *power_mw) {
  uint64_t value = 0;
  int code;
  if (is_field(via)) {
    code = read_field(nvml, dev, power_field(via), scope, &value);
    if (code == NVML_OK) *power_mw = value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
    return code;
  }
  if (via != CC_VIA_CALL) return NVML_NOT_SUPPORTED;
  if (nvml->power == NULL) return NVML_FUNCTION_NOT_FOUND;
  return nvml->power(dev, power_mw);
}

void cc_nvml_measure(const cc_nvml_table *nvml, cc_nvml_handle dev, uint32_t scope, cc_nvml_via energy_via,
                     cc_nvml_via power_via, cc_nvml_reading *out) {
  cc_nvml_field fields[2];
  int code;
  memset(out, 0, sizeof *out);
  if (energy_via != CC_VIA_FIELD || !is_field(power_via)) {
    out->energy_code = cc_nvml_read_energy(nvml, dev, scope, energy_via, &out->energy_mj);
    out->power_code = cc_nvml_read_power(nvml, dev, scope, power_via, &out->power_mw);
    return;
  }
  memset(fields, 0, sizeof fields);
  fields[0].field_id = NVML_FIELD_ENERGY;
  fields[1].field_id = power_field(power_via);
  fields[0].scope_id = fields[1].scope_id = scope;
  code = read_fields(nvml, dev, fields, 2);
  out->energy_code = code != NVML_OK ? code : (int)fields[0].code;
  out->power_code = code != NVML_OK ? code : (int)fields[1].code;
  if (out->energy_code == NVML_OK) {
    out->energy_mj = cc_nvml_whole(&fields[0].value, fields[0].value_type);
    out->energy_stamp_us = fields[0].timestamp_us;
  }
  if (out->power_code == NVML_OK) {
    uint64_t value = cc_nvml_whole(&fields[1].value, fields[1].value_type);
    out->power_mw = value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
  }
}

int cc_nvml_read_samples(const cc_nvml_table *nvml, cc_nvml_handle dev, uint32_t scope, uint64_t last_seen_us,
                         cc_nvml_sample *samples, unsigned *count, uint32_t *value_type) {
  uint32_t sort = scope == NVML_SCOPE_MODULE ? NVML_SAMPLES_MODULE_POWER : NVML_SAMPLES_POWER;
  unsigned wanted = 0;
  int code;
  *count = 0;
  if (nvml->samples == NULL) return NVML_FUNCTION_NOT_FOUND;
  code = nvml->samples(dev, sort, last_seen_us, value_type, &wanted, NULL);
  if (code == NVML_NOT_FOUND) return NVML_OK; /* nothing newer: not an error */
  if (code != NVML_OK || wanted == 0) return code;
  if (wanted > CC_NVML_SAMPLE_SLOTS) wanted = CC_NVML_SAMPLE_SLOTS;
  code = nvml->samples(dev, sort, last_seen_us, value_type, &wanted, samples);
  if (code == NVML_NOT_FOUND) return NVML_OK;
  if (code == NVML_OK) *count = wanted > CC_NVML_SAMPLE_SLOTS ? CC_NVML_SAMPLE_SLOTS : wanted;
  return code;
}

int cc_nvml_integrate(cc_nvml_integral *sum, int64_t t_ns, uint64_t rate, int64_t max_gap_ns) {
  int64_t step_ns = t_ns - sum->last_ns;
  int is_gap = sum->has_last && (step_ns < 0 || step_ns > max_gap_ns);
  if (sum->has_last && !is_gap) {
    unsigned __int128 area = (unsigned __int128)(sum->last_rate + rate) * (uint64_t)step_ns + sum->remainder;
    sum->total += (uint64_t)(area / CC_NVML_PER_UNIT);
    sum->remainder = (uint64_t)(area % CC_NVML_PER_UNIT);
  }
  sum->last_ns = t_ns;
  sum->last_rate = rate;
  sum->has_last = 1;
  return is_gap;
}

void cc_nvml_check_add(cc_nvml_check *check, int64_t t_ns, uint64_t energy_mj, uint32_t power_mw, int64_t max_gap_ns) {
  int is_gap = cc_nvml_integrate(&check->power, t_ns, power_mw, max_gap_ns);
  if (is_gap || (check->has_reading && energy_mj < check->last_mj)) {
    /* A hole or a restart voids the comparison: begin a new one, seen by the next reading. */
    check->has_edge = 0;
  } else if (check->has_reading && energy_mj != check->last_mj) {
    if (!check->has_edge) {
      check->first_mj = energy_mj;
      check->first_uj = check->power.total;
      check->has_edge = 1;
    }
    check->last_uj = check->power.total;
  }
  check->last_mj = energy_mj;
  check->has_reading = 1;
}

double cc_nvml_check_ratio(const cc_nvml_check *check) {
  if (!check->has_edge || check->last_uj <= check->first_uj || check->last_mj <= check->first_mj) return 0.0;
  return (double)(check->last_mj - check->first_mj) * 1000.0 / (double)(check->last_uj - check->first_uj);
}
