// SPDX-License-Identifier: Apache-2.0
// Texts of JSON as they stand in the file, escapes and all, compared and counted without a copy.
#ifndef TFELASTIC_JSON_TEXT_H_
#define TFELASTIC_JSON_TEXT_H_

#include <cstddef>
#include <cstdint>

namespace tfelastic {
namespace internal {

// The inside of a JSON string that was checked (json_check.h). Reading it character by character
// undoes the escapes.
struct JsonText {
  const char* at;
  const char* end;

  bool Empty() const { return at == end; }

  // Takes away the first character and returns its code point.
  std::uint32_t Next() {
    const auto first = static_cast<std::uint8_t>(*at++);
    if (first == '\\') return Escaped();
    if (first < 0x80) return first;
    const int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    std::uint32_t code = first & (0x3fu >> more);
    for (int i = 0; i < more; ++i) code = code << 6 | (static_cast<std::uint8_t>(*at++) & 0x3fu);
    return code;
  }

  bool Equals(JsonText other) const {
    JsonText mine = *this;
    while (!mine.Empty() && !other.Empty()) {
      if (mine.Next() != other.Next()) return false;
    }
    return mine.Empty() && other.Empty();
  }

  bool Equals(const char* ascii) const {
    JsonText mine = *this;
    for (; !mine.Empty() && *ascii != '\0'; ++ascii) {
      if (mine.Next() != static_cast<std::uint8_t>(*ascii)) return false;
    }
    return mine.Empty() && *ascii == '\0';
  }

  // Whether it has 1 to `longest` characters, none of which a terminal would obey instead of showing.
  bool IsPlain(std::size_t longest) const {
    JsonText mine = *this;
    std::size_t count = 0;
    for (; !mine.Empty() && count <= longest; ++count) {
      const std::uint32_t code = mine.Next();
      if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return false;
    }
    return count >= 1 && count <= longest;
  }

  // Writes it as UTF-8 and a zero byte; returns whether there was room.
  bool Copy(char* to, std::size_t capacity) const {
    for (JsonText mine = *this; !mine.Empty();) {
      const std::uint32_t code = mine.Next();
      const std::size_t more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
      if (capacity <= more + 1) return false;
      // The first byte has as many leading ones as there are bytes; the others carry 6 bits each.
      constexpr std::uint8_t kLeading[] = {0, 0xc0, 0xe0, 0xf0};
      *to++ = static_cast<char>(kLeading[more] | code >> (6 * more));
      for (std::size_t i = more; i-- > 0;) {
        *to++ = static_cast<char>(0x80 | (code >> (6 * i) & 0x3f));
      }
      capacity -= more + 1;
    }
    if (capacity == 0) return false;
    *to = '\0';
    return true;
  }

  // The value of a hexadecimal digit, 16 where it is none.
  static std::uint32_t Digit(char digit) {
    if (digit >= '0' && digit <= '9') return static_cast<std::uint32_t>(digit - '0');
    if (digit >= 'a' && digit <= 'f') return static_cast<std::uint32_t>(digit - 'a' + 10);
    if (digit >= 'A' && digit <= 'F') return static_cast<std::uint32_t>(digit - 'A' + 10);
    return 16;
  }

 private:
  std::uint32_t Escaped() {
    const char kind = *at++;
    switch (kind) {
      case 'b':
        return '\b';
      case 'f':
        return '\f';
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case 'u': {
        const std::uint32_t high = Unit();
        if (high < 0xd800 || high > 0xdbff) return high;
        at += 2;  // The second escape of a pair.
        return 0x10000 + ((high - 0xd800) << 10) + (Unit() - 0xdc00);
      }
      default:
        return static_cast<std::uint8_t>(kind);
    }
  }

  std::uint32_t Unit() {
    std::uint32_t unit = 0;
    for (int i = 0; i < 4; ++i) unit = unit << 4 | Digit(*at++);
    return unit;
  }
};

}  // namespace internal
}  // namespace tfelastic

#endif  // TFELASTIC_JSON_TEXT_H_
