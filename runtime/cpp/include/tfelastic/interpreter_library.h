// SPDX-License-Identifier: Apache-2.0
// What the adapters of LiteRT's and TFLite's C libraries share: finding their functions while the program runs, so
// that neither headers nor libraries are needed to build, and the numbers by which both name types.
#ifndef TFELASTIC_INTERPRETER_LIBRARY_H_
#define TFELASTIC_INTERPRETER_LIBRARY_H_

#include <dlfcn.h>

#include <string>

#include "tfelastic/tensor.h"

namespace tfelastic {

// A shared library, which stays loaded: an interpreter's threads and registrations may outlive what they
// served.
class InterpreterLibrary {
 public:
  // Loads it by path or by the name under which the system finds it; null takes what the program is
  // linked to. False where that fails: `error` says why.
  bool Load(const char* name, std::string* error) {
    name_ = name == nullptr ? "the program" : name;
    handle_ = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (handle_ == nullptr) *error = dlerror();
    return handle_ != nullptr;
  }

  template <typename Function>
  bool Find(const char* name, Function** function, std::string* error) const {
    *function = reinterpret_cast<Function*>(dlsym(handle_, name));
    if (*function == nullptr) *error = name_ + " has no function " + name;
    return *function != nullptr;
  }

 private:
  void* handle_ = nullptr;
  std::string name_;
};

// TfLiteType and LiteRtElementType.
inline int ElementType(DType dtype) {
  switch (dtype) {
    case DType::kInt8:
      return 9;
    case DType::kUint8:
      return 3;
    case DType::kInt16:
      return 7;
    case DType::kInt32:
      return 2;
    case DType::kFloat32:
      break;
  }
  return 1;
}

}  // namespace tfelastic

#endif  // TFELASTIC_INTERPRETER_LIBRARY_H_
