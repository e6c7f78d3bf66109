// A stub for tests, not Zephyr.
#pragma once
#include <cstdint>
std::uint64_t k_cycle_get_64();
std::uint64_t k_cyc_to_us_floor64(std::uint64_t cycles);
void k_msleep(int milliseconds);
