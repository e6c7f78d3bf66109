// SPDX-License-Identifier: Apache-2.0
// Prints a measured table line by line, as `tfelastic profile --on serial` reads it (runtime/SPEC.md,
// section 6). Its own digits: the printf of small C libraries knows no numbers of 64 bits.
#ifndef TFELASTIC_SERIAL_PROFILE_H_
#define TFELASTIC_SERIAL_PROFILE_H_

#include <cstddef>
#include <cstdint>

namespace tfelastic {

// Prints one line, without its end.
using PrintLine = void (*)(const char* line);

// What a table says of the device, the runtime with its version, and the set of kernels. No commas,
// asterisks or dollar signs.
struct SerialTexts {
  const char* device;
  const char* runtime;
  const char* kernels;
};

class SerialProfile {
 public:
  // Without a way to print, nothing happens.
  explicit SerialProfile(PrintLine print) : print_(print) {}

  void Begin(const char* bundle_sha256) { Write("begin", "1", bundle_sha256); }
  void Device(const char* key, const char* value) { Count("device", key, value); }
  void Runtime(const char* runtime, const char* kernels) { Count("runtime", runtime, kernels); }
  void Switch(const char* variant, std::uint32_t took_us) { Latency("switch", variant, took_us); }
  void First(const char* variant, std::uint32_t took_us) { Latency("first", variant, took_us); }
  void Run(const char* variant, std::uint32_t took_us) { Latency("run", variant, took_us); }

  void End() {
    char digits[kDigits];
    Write("end", Decimal(lines_, digits), nullptr);
  }

 private:
  static constexpr std::size_t kDigits = 11;
  static constexpr std::size_t kLineMax = 255;

  static const char* Decimal(std::uint32_t number, char* digits) {
    char* at = digits + kDigits - 1;
    *at = '\0';
    do {
      *--at = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number > 0);
    return at;
  }

  void Latency(const char* kind, const char* variant, std::uint32_t took_us) {
    char digits[kDigits];
    Count(kind, variant, Decimal(took_us, digits));
  }

  void Count(const char* kind, const char* first, const char* second) {
    ++lines_;
    Write(kind, first, second);
  }

  void Write(const char* kind, const char* first, const char* second) {
    if (print_ == nullptr) return;
    static constexpr char kHexadecimal[] = "0123456789ABCDEF";
    char line[kLineMax + 1];
    std::size_t length = Appended(line, 0, "$TFE,");
    length = Appended(line, length, kind);
    const char* const fields[] = {first, second};
    for (const char* field : fields) {
      if (field == nullptr) continue;
      length = Appended(line, length, ",");
      length = Appended(line, length, field);
    }
    std::uint8_t check = 0;
    for (std::size_t i = 1; i < length; ++i) check ^= static_cast<std::uint8_t>(line[i]);
    line[length] = '*';
    line[length + 1] = kHexadecimal[check >> 4];
    line[length + 2] = kHexadecimal[check & 15];
    line[length + 3] = '\0';
    print_(line);
  }

  // Leaves room for the check; texts come from the firmware itself and are short.
  static std::size_t Appended(char* line, std::size_t length, const char* text) {
    while (*text != '\0' && length < kLineMax - 3) line[length++] = *text++;
    return length;
  }

  PrintLine print_;
  std::uint32_t lines_ = 0;
};

}  // namespace tfelastic

#endif  // TFELASTIC_SERIAL_PROFILE_H_
