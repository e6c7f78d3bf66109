// A stub for tests, not TFLM: see README.md of this folder.
#pragma once

namespace tflite {

struct Model {};

inline const Model* GetModel(const void* tflite) { return static_cast<const Model*>(tflite); }

}  // namespace tflite
