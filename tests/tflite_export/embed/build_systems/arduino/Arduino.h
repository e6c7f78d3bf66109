// A stub for tests, not Arduino.
#pragma once
#include <cstdio>

unsigned long micros();

struct SerialPort {
  void begin(unsigned long) {}
  explicit operator bool() const { return true; }
  void println(const char* line) { std::puts(line); }
};
extern SerialPort Serial;
