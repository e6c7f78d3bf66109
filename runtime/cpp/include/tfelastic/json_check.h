// SPDX-License-Identifier: Apache-2.0
// Checking that bytes are JSON (RFC 8259), UTF-8, without a key that occurs twice in one object.
//
// It runs once, before anything is read; what reads afterwards (json.h) can rely on the syntax.
#ifndef TFELASTIC_JSON_CHECK_H_
#define TFELASTIC_JSON_CHECK_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tfelastic/bytes.h"
#include "tfelastic/json_text.h"
#include "tfelastic/limits.h"
#include "tfelastic/status.h"

namespace tfelastic {
namespace internal {

class JsonCheck {
 public:
  explicit JsonCheck(Bytes text)
      : begin_(reinterpret_cast<const char*>(text.data)), at_(begin_), end_(at_ + text.size) {}

  // kOk, kManifest, or kLimit for what is too deep or has too many keys.
  Status Run() {
    if (Value(0)) {
      Space();
      if (at_ == end_) return Status::kOk;
    }
    return limit_ ? Status::kLimit : Status::kManifest;
  }

 private:
  bool Value(int depth) {
    Space();
    if (at_ == end_) return false;
    switch (*at_) {
      case '{':
        return Deeper(depth) && Object(depth + 1);
      case '[':
        return Deeper(depth) && Array(depth + 1);
      case '"':
        return String();
      case 't':
        return Word("true");
      case 'f':
        return Word("false");
      case 'n':
        return Word("null");
      default:
        return Number();
    }
  }

  bool Deeper(int depth) {
    limit_ = limit_ || depth >= kDepthMax;
    return !limit_;
  }

  bool Object(int depth) {
    const std::size_t outer = keys_;
    ++at_;
    Space();
    if (Take('}')) return true;
    do {
      Space();
      if (!Key(outer) || !Value(depth)) return false;
      Space();
    } while (Take(','));
    keys_ = outer;
    return Take('}');
  }

  // A key, compared with those of this object, which begin at `first` of the stack.
  bool Key(std::size_t first) {
    const char* start = at_ + 1;
    if (!String()) return false;
    const JsonText key{start, at_ - 1};
    for (std::size_t i = first; i < keys_; ++i) {
      // A quote that no backslash escapes ends the other key, so it needs no length.
      const char* other = begin_ + starts_[i];
      if (key.Equals(JsonText{other, StringEnd(other)})) return false;
    }
    if (keys_ == kKeysMax) {
      limit_ = true;
      return false;
    }
    starts_[keys_++] = static_cast<std::uint32_t>(start - begin_);
    Space();
    return Take(':');
  }

  static const char* StringEnd(const char* at) {
    while (*at != '"') at += *at == '\\' ? 2 : 1;
    return at;
  }

  bool Array(int depth) {
    ++at_;
    Space();
    if (Take(']')) return true;
    do {
      if (!Value(depth)) return false;
      Space();
    } while (Take(','));
    return Take(']');
  }

  bool String() {
    if (!Take('"')) return false;
    while (at_ != end_) {
      const auto byte = static_cast<std::uint8_t>(*at_);
      if (byte == '"') {
        ++at_;
        return true;
      }
      if (byte < 0x20 || !(byte == '\\' ? Escape() : Character(byte))) return false;
    }
    return false;
  }

  bool Escape() {
    ++at_;
    if (at_ == end_) return false;
    const char kind = *at_++;
    if (kind != 'u') return kind != '\0' && std::strchr("\"\\/bfnrt", kind) != nullptr;
    std::uint32_t unit, low;
    if (!Unit(&unit)) return false;
    if (unit < 0xd800 || unit > 0xdfff) return true;
    // Half of a pair alone is no character.
    return unit < 0xdc00 && Take('\\') && Take('u') && Unit(&low) && low >= 0xdc00 && low <= 0xdfff;
  }

  bool Unit(std::uint32_t* unit) {
    *unit = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      if (at_ == end_) return false;
      const std::uint32_t digit = JsonText::Digit(*at_);
      if (digit > 15) return false;
      *unit = *unit << 4 | digit;
    }
    return true;
  }

  // One character of UTF-8: in its shortest form, no surrogate, at most U+10FFFF.
  bool Character(std::uint8_t first) {
    ++at_;
    if (first < 0x80) return true;
    if (first < 0xc2 || first > 0xf4) return false;
    const int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    std::uint8_t low = 0x80, high = 0xbf;
    if (first == 0xe0) low = 0xa0;
    if (first == 0xed) high = 0x9f;
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f;
    for (int i = 0; i < more; ++i, ++at_) {
      if (at_ == end_) return false;
      const auto byte = static_cast<std::uint8_t>(*at_);
      if (byte < low || byte > high) return false;
      low = 0x80, high = 0xbf;
    }
    return true;
  }

  bool Number() {
    Take('-');
    if (!Take('0') && !Digits()) return false;
    if (Take('.') && !Digits()) return false;
    if (Take('e') || Take('E')) {
      if (!Take('+')) Take('-');
      return Digits();
    }
    return true;
  }

  // At least one digit.
  bool Digits() {
    const char* start = at_;
    while (at_ != end_ && *at_ >= '0' && *at_ <= '9') ++at_;
    return at_ != start;
  }

  bool Word(const char* word) {
    for (; *word != '\0'; ++word) {
      if (!Take(*word)) return false;
    }
    return true;
  }

  void Space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\n' || *at_ == '\r')) ++at_;
  }

  bool Take(char expected) {
    if (at_ == end_ || *at_ != expected) return false;
    ++at_;
    return true;
  }

  const char* begin_;
  const char* at_;
  const char* end_;
  bool limit_ = false;
  std::size_t keys_ = 0;
  std::uint32_t starts_[kKeysMax];
};

}  // namespace internal
}  // namespace tfelastic

#endif  // TFELASTIC_JSON_CHECK_H_
