/* ABI between a sensor and the sampler that reads it. */
#ifndef CODECARBON_CHANNEL_H
#define CODECARBON_CHANNEL_H

#include <stdint.h>

enum { CC_MAX_CHANNELS = 64 };

/* One raw reading: status is 0, or -errno and then raw means nothing. */
typedef struct cc_reading {
  uint64_t raw;
  int32_t status;
  uint32_t flags; /* CC_READ_* */
} cc_reading;

enum {
  CC_READ_RESTART = 1 /* the source knows that its counter restarted: begin a new epoch whatever the value */
};

/* What the counter logic must know of a channel. One count is num/den microjoules, exactly. */
typedef struct cc_channel {
  uint64_t modulus; /* a reading lies in [0, modulus); 0 means a 64-bit counter that only ever restarts */
  uint64_t num;
  uint64_t den;
  uint64_t quantum; /* smallest step of the reading, in counts, at least 1 */
  double cap_w;     /* no sane reading implies more power than this; 0 switches the check off */
  int is_instant;   /* a reading holds for the moment of the read; otherwise it shows the sensor's last update */
} cc_channel;

/* Fills out[0..n-1]. Runs on the sampler thread: no allocation, no Python, no lock, no logging. */
typedef void (*cc_read_fn)(void *ctx, cc_reading *out);

/* Tries to open again what went away. 0, or -errno. Called at most every five seconds. */
typedef int (*cc_reopen_fn)(void *ctx);

#endif
