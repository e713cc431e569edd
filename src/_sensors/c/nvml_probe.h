/* What each device offers, found by asking it; and how its energy counter behaves, found by watching it. */
#ifndef CODECARBON_NVML_PROBE_H
#define CODECARBON_NVML_PROBE_H

#include "nvml_library.h"

/* Fills lib->devices. An NVML code; a device that cannot be used is listed with its reason. */
int cc_nvml_enumerate(cc_nvml_library *lib);

/* Watches all counters for this long, or until lib->cancel; stores the results with the devices. */
void cc_nvml_calibrate(cc_nvml_library *lib, int64_t duration_ns);

#endif
