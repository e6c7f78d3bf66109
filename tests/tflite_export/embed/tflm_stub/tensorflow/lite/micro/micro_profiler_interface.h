// A stub for tests, not TFLM: see README.md of this folder.
#pragma once

#include "tensorflow/lite/micro/stub_common.h"

TFLM_STUB_BEGIN

class MicroProfilerInterface {
 public:
  virtual ~MicroProfilerInterface() {}
  virtual std::uint32_t BeginEvent(const char* tag) = 0;
  virtual void EndEvent(std::uint32_t event_handle) = 0;
};

}  // namespace tflite
