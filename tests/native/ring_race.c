/* The ring under the thread sanitizer: built and run by test_ring.py. */
#include "ring_stress.h"

#include <stdio.h>

int main(void) {
  cc_stress_reader sum;
  if (cc_stress_run(8, 11, 200000, 2, &sum) != 0) return 2;
  printf("read %llu, rejected %llu, torn %llu\n", (unsigned long long)sum.read, (unsigned long long)sum.rejected,
         (unsigned long long)sum.torn);
  return sum.torn != 0 || sum.read == 0;
}
