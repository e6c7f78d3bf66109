// A stub for tests, not ESP-IDF.
#include <cstdlib>

#include "esp_timer.h"
#include "freertos/task.h"

extern "C" void app_main(void);
extern "C" std::int64_t esp_timer_get_time(void) {
  static std::int64_t now_us = 0;
  return now_us += 100;
}
extern "C" void vTaskDelay(unsigned) {
  static int decisions = 0;
  if (++decisions == 5) std::exit(0);
}
int main() {
  app_main();
  return 1;
}
