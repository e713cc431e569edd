/* Reads unsigned decimal numbers from kernel text without libc: no locale, no errno, no allocation. */
#ifndef CODECARBON_DECIMAL_H
#define CODECARBON_DECIMAL_H

#include <stdint.h>

enum { CC_U64_DIGITS = 20 };

/* Takes the digits at text[0..n-1] and returns how many there were; 0 when there is none, -1 when the number has more
 * than 20 digits or does not fit. */
static inline int cc_take_u64(const char *text, int64_t n, uint64_t *value) {
  uint64_t sum = 0;
  int64_t i = 0;
  for (; i < n && text[i] >= '0' && text[i] <= '9'; i++) {
    uint64_t digit = (uint64_t)(text[i] - '0');
    if (i == CC_U64_DIGITS || sum > (UINT64_MAX - digit) / 10) return -1;
    sum = sum * 10 + digit;
  }
  *value = sum;
  return (int)i;
}

/* Parses a whole sysfs attribute: digits, then at most one newline, then the end. Anything else is not a number that
 * the kernel prints. Returns 0 without a newline, 1 with one, -1 when the text is refused. */
static inline int cc_parse_attribute(const char *text, int64_t n, uint64_t *value) {
  int digits = cc_take_u64(text, n, value);
  if (digits <= 0) return -1;
  if (digits == n) return 0;
  return digits == n - 1 && text[digits] == '\n' ? 1 : -1;
}

#endif
