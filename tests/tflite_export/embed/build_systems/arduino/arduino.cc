// A stub for tests, not Arduino.
#include <Arduino.h>

SerialPort Serial;
void setup();
void loop();
unsigned long micros() {
  static unsigned long now_us = 0;
  return now_us += 100;
}
int main() {
  setup();
  for (int i = 0; i < 5; ++i) loop();
  return 0;
}
