// A stub for tests, not ESP-IDF.
#pragma once
extern "C" void vTaskDelay(unsigned ticks);
