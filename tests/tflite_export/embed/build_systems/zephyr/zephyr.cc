// A stub for tests, not Zephyr.
#include <cstdlib>

#include <zephyr/kernel.h>

std::uint64_t k_cycle_get_64() {
  static std::uint64_t cycles = 0;
  return cycles += 6400;
}
std::uint64_t k_cyc_to_us_floor64(std::uint64_t cycles) { return cycles / 64; }
void k_msleep(int) {
  static int decisions = 0;
  if (++decisions == 5) std::exit(0);
}
