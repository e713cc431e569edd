/* The floor for a window search: one running sum and one comparison for each start, on equal steps.
 *
 * It keeps what rounding leaves behind, tries no start but those on the grid, and gives ties to chance; it is what one
 * writes first. Built by the harness with the compiler that built the package, loaded with ctypes, and run in turn with
 * our kernel in one process. */
#include <stdint.h>

/* Where the lowest window of m values begins among n. */
int64_t plain_best(const double *v, int64_t n, int64_t m) {
  double sum = 0.0;
  for (int64_t i = 0; i < m; i++) sum += v[i];
  double best = sum;
  int64_t at = 0;
  for (int64_t j = 1; j + m <= n; j++) {
    sum += v[j + m - 1] - v[j - 1];
    if (sum < best) {
      best = sum;
      at = j;
    }
  }
  return at;
}
