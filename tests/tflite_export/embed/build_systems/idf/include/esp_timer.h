// A stub for tests, not ESP-IDF.
#pragma once
#include <cstdint>
extern "C" std::int64_t esp_timer_get_time(void);
