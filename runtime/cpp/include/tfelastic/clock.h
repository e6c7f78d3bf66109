// SPDX-License-Identifier: Apache-2.0
// The one function that the firmware's selector needs from a board: microseconds since any start, by a
// clock that never runs backwards.
//
// It is there for POSIX, ESP-IDF, Zephyr, Arduino, and for Cortex-M3 and above by their cycle counter
// where TFELASTIC_CPU_MHZ is defined. On any other board, or with TFELASTIC_OWN_CLOCK, the firmware
// defines the function itself, in C or C++:
//
//     extern "C" uint64_t tfelastic_now_us(void) { return my_timer_us(); }
#ifndef TFELASTIC_CLOCK_H_
#define TFELASTIC_CLOCK_H_

#include <cstdint>

#if defined(TFELASTIC_OWN_CLOCK)
// Nothing else is needed.
#elif defined(ESP_PLATFORM)
#include "esp_timer.h"
#elif defined(__ZEPHYR__)
#include <zephyr/kernel.h>
#elif defined(ARDUINO)
#include <Arduino.h>
#elif defined(__unix__) || defined(__APPLE__)
#include <time.h>
#endif

extern "C" std::uint64_t tfelastic_now_us(void);

namespace tfelastic {

// Makes 64 bits of a counter of 32, which must be read at least once in each of its rounds.
class WideCounter {
 public:
  std::uint64_t Extended(std::uint32_t now) {
    if (now < latest_) rounds_ += std::uint64_t{1} << 32;
    latest_ = now;
    return rounds_ + now;
  }

 private:
  std::uint64_t rounds_ = 0;
  std::uint32_t latest_ = 0;
};

#if defined(TFELASTIC_CPU_MHZ) && !defined(TFELASTIC_OWN_CLOCK)
// The cycle counter of the DWT unit (Armv7-M Architecture Reference Manual, C1.8), started when it is
// first read. 32 bits at 168 MHz are 25 s: an inference may take no longer.
inline std::uint64_t CycleCounterUs() {
  constexpr std::uintptr_t kDemcr = 0xE000EDFC, kControl = 0xE0001000, kCount = 0xE0001004,
                           kLockAccess = 0xE0001FB0;
  const auto at = [](std::uintptr_t address) -> volatile std::uint32_t& {
    return *reinterpret_cast<volatile std::uint32_t*>(address);
  };
  static WideCounter counter;
  if ((at(kControl) & 1u) == 0) {
    at(kDemcr) = at(kDemcr) | std::uint32_t{1} << 24;  // TRCENA
    at(kLockAccess) = 0xC5ACCE55u;                     // Cortex-M7 locks the unit.
    at(kControl) = at(kControl) | 1u;                  // CYCCNTENA
  }
  return counter.Extended(at(kCount)) / (TFELASTIC_CPU_MHZ);
}
#endif

inline std::uint64_t NowUs() {
#if defined(TFELASTIC_OWN_CLOCK)
  return tfelastic_now_us();
#elif defined(TFELASTIC_CPU_MHZ)
  return CycleCounterUs();
#elif defined(ESP_PLATFORM)
  return static_cast<std::uint64_t>(esp_timer_get_time());
#elif defined(__ZEPHYR__)
  return k_cyc_to_us_floor64(k_cycle_get_64());
#elif defined(ARDUINO)
  static WideCounter counter;
  return counter.Extended(static_cast<std::uint32_t>(micros()));
#elif defined(__unix__) || defined(__APPLE__)
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000000u +
         static_cast<std::uint64_t>(now.tv_nsec) / 1000u;
#else
  return tfelastic_now_us();
#endif
}

}  // namespace tfelastic

#endif  // TFELASTIC_CLOCK_H_
