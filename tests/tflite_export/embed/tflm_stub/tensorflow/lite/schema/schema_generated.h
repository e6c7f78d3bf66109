// A stub for tests, not TFLM: see README.md of this folder.
#pragma once

#include "tensorflow/lite/micro/stub_common.h"

namespace tflite {

struct Model {};

inline const Model* GetModel(const void* tflite) { return static_cast<const Model*>(tflite); }

// What the stub reads of a flatbuffer: tables of fields, each found by its number.
struct StubTable {
  const char* at;

  template <typename Number>
  static Number Read(const char* from) {
    Number number;
    std::memcpy(&number, from, sizeof(number));
    return number;
  }
  static const char* Follow(const char* from) { return from + Read<std::uint32_t>(from); }

  // Null where the field is left out.
  const char* Field(unsigned number) const {
    const char* fields = at - Read<std::int32_t>(at);
    if (4 + 2 * number >= Read<std::uint16_t>(fields)) return nullptr;
    const std::uint16_t offset = Read<std::uint16_t>(fields + 4 + 2 * number);
    return offset == 0 ? nullptr : at + offset;
  }
  StubTable Table(unsigned number) const { return {Follow(Field(number))}; }
  std::uint32_t Length(unsigned number) const {
    const char* field = Field(number);
    return field == nullptr ? 0 : Read<std::uint32_t>(Follow(field));
  }
  template <typename Number>
  Number Element(unsigned number, std::uint32_t index) const {
    return Read<Number>(Follow(Field(number)) + 4 + sizeof(Number) * index);
  }
  StubTable TableElement(unsigned number, std::uint32_t index) const {
    return {Follow(Follow(Field(number)) + 4 + 4 * index)};
  }
};

}  // namespace tflite
