/* Reading one quantity of one device, and integrating a rate into a counter. No state of the library is kept here. */
#ifndef CODECARBON_NVML_METRIC_H
#define CODECARBON_NVML_METRIC_H

#include "nvml.h"

#include <stddef.h>

/* How a quantity is asked for; a device is settled on one of each when it is listed. */
typedef enum cc_nvml_via {
  CC_VIA_NONE = 0,
  CC_VIA_FIELD = 1,   /* energy: field 83; power: field 186 */
  CC_VIA_CALL = 2,    /* energy: the total energy call; power: the usage call */
  CC_VIA_SAMPLES = 3, /* power: the driver's own buffer */
  CC_VIA_AVERAGE = 4  /* power: field 185, for scopes that have no instantaneous value */
} cc_nvml_via;

enum { CC_NVML_SAMPLE_SLOTS = 1024 };

/* What is asked of a device, and what came back. A code above 0 voids its value. */
typedef struct cc_nvml_reading {
  int energy_code;
  int power_code;
  uint64_t energy_mj;
  uint32_t power_mw;
  int64_t energy_stamp_us; /* wall clock; 0 when the driver gave none */
} cc_nvml_reading;

/* Reads energy and power; both by one call when both are fields. A via of NONE yields NVML_NOT_SUPPORTED. */
void cc_nvml_measure(const cc_nvml_table *nvml, cc_nvml_handle dev, uint32_t scope, cc_nvml_via energy_via,
                     cc_nvml_via power_via, cc_nvml_reading *out);

int cc_nvml_read_energy(const cc_nvml_table *nvml, cc_nvml_handle dev, uint32_t scope, cc_nvml_via via,
                        uint64_t *energy_mj);
int cc_nvml_read_power(const cc_nvml_table *nvml, cc_nvml_handle dev, uint32_t scope, cc_nvml_via via,
                       uint32_t *power_mw);

/* New samples since *last_seen_us, oldest first, at most CC_NVML_SAMPLE_SLOTS; *count may come back 0. */
int cc_nvml_read_samples(const cc_nvml_table *nvml, cc_nvml_handle dev, uint32_t scope, uint64_t last_seen_us,
                         cc_nvml_sample *samples, unsigned *count, uint32_t *value_type);

uint64_t cc_nvml_whole(const cc_nvml_value *value, uint32_t value_type);

/* The meaning of a return code: as -errno, and in words for people. */
int cc_nvml_errno(int code);
const char *cc_nvml_meaning(int code);

/* A trapezoid over readings of a rate, in whole units with an exact remainder, so that it never drifts. */
typedef struct cc_nvml_integral {
  int64_t last_ns;
  uint64_t last_rate;
  uint64_t total;     /* whole units */
  uint64_t remainder; /* in 1/per of a unit */
  int has_last;
} cc_nvml_integral;

/* Twice the rate times nanoseconds make one unit: mW -> uJ, percent -> percent ms. */
#define CC_NVML_PER_UNIT ((uint64_t)2000000)

/* Adds the area since the last reading. Returns 1 when the step is longer than max_gap_ns and was left out. */
int cc_nvml_integrate(cc_nvml_integral *sum, int64_t t_ns, uint64_t rate, int64_t max_gap_ns);

/* Energy counter against integrated power, from the first to the latest movement of the counter. */
typedef struct cc_nvml_check {
  cc_nvml_integral power;
  uint64_t first_mj, last_mj;
  uint64_t first_uj, last_uj;
  int has_reading, has_edge;
} cc_nvml_check;

void cc_nvml_check_add(cc_nvml_check *check, int64_t t_ns, uint64_t energy_mj, uint32_t power_mw, int64_t max_gap_ns);

/* Counter over integral, or 0 while there is not enough to say. */
double cc_nvml_check_ratio(const cc_nvml_check *check);

#endif
