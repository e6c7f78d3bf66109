// SPDX-License-Identifier: Apache-2.0
// Reading JSON whose syntax was checked (json_check.h): every value of its type and in its range.
#ifndef TFELASTIC_JSON_H_
#define TFELASTIC_JSON_H_

#include <cstddef>
#include <cstdint>

#include "tfelastic/decimal.h"
#include "tfelastic/json_text.h"

namespace tfelastic {
namespace internal {

// The largest integer that every JSON reader keeps exactly.
constexpr std::int64_t kCountMax = (std::int64_t{1} << 53) - 1;

// A value; `at` is its first byte, or null where there is none. Each read returns whether the value
// is of that type and in that range.
class Json {
 public:
  Json() = default;
  Json(const char* at, const char* end) : at_(at), end_(end) { Space(); }

  bool Exists() const { return at_ != nullptr; }
  bool IsNull() const { return *at_ == 'n'; }
  bool IsObject() const { return *at_ == '{'; }
  bool IsArray() const { return *at_ == '['; }
  bool IsText() const { return *at_ == '"'; }
  bool IsTrue() const { return *at_ == 't'; }
  bool IsBool() const { return *at_ == 't' || *at_ == 'f'; }
  bool IsNumber() const { return *at_ == '-' || (*at_ >= '0' && *at_ <= '9'); }

  bool Text(JsonText* text) const {
    if (!IsText()) return false;
    *text = {at_ + 1, StringEnd(at_ + 1)};
    return true;
  }

  bool IsText(const char* ascii) const {
    JsonText text;
    return Text(&text) && text.Equals(ascii);
  }

  bool IsText(std::size_t longest) const {
    JsonText text;
    return Text(&text) && text.IsPlain(longest);
  }

  // An integer as it is written: neither fraction nor exponent.
  bool Integer(std::int64_t low, std::int64_t high, std::int64_t* integer) const {
    if (!IsNumber()) return false;
    const char* stop = Skipped();
    const char* digit = at_ + (*at_ == '-');
    std::int64_t value = 0;
    for (; digit != stop; ++digit) {
      if (*digit < '0' || *digit > '9' || value > kCountMax) return false;
      value = 10 * value + (*digit - '0');
    }
    *integer = *at_ == '-' ? -value : value;
    return *integer >= low && *integer <= high;
  }

  bool IsInteger(std::int64_t low, std::int64_t high) const {
    std::int64_t integer;
    return Integer(low, high, &integer);
  }

  bool Number(double low, double high, double* number) const {
    if (!IsNumber()) return false;
    *number = Decimal(at_, Skipped()).Nearest() + 0.0;  // A zero has no sign.
    return *number >= low && *number <= high;
  }

  // One past the value.
  const char* Skipped() const {
    if (IsText()) return StringEnd(at_ + 1) + 1;
    if (!IsObject() && !IsArray()) return WordEnd();
    int depth = 0;
    for (const char* at = at_;; ++at) {
      if (*at == '"') at = StringEnd(at + 1);
      if (*at == '{' || *at == '[') ++depth;
      if ((*at == '}' || *at == ']') && --depth == 0) return at + 1;
    }
  }

 protected:
  friend class JsonItems;

  void Space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\n' || *at_ == '\r')) ++at_;
  }

  // The end of a number, true, false or null.
  const char* WordEnd() const {
    const char* at = at_;
    while (at != end_ && *at != ',' && *at != ']' && *at != '}' && *at != ' ' && *at != '\t' &&
           *at != '\n' && *at != '\r') {
      ++at;
    }
    return at;
  }

  static const char* StringEnd(const char* at) {
    while (*at != '"') at += *at == '\\' ? 2 : 1;
    return at;
  }

  const char* at_ = nullptr;
  const char* end_ = nullptr;
};

// The values of an array, or the members of an object; none of anything else.
//
//     for (JsonItems items(json); items.Next();) Read(items.key(), items.value());
class JsonItems {
 public:
  explicit JsonItems(Json parent)
      : object_(parent.IsObject()), rest_(parent.at_ + 1, parent.end_), done_(false) {
    done_ = !(object_ || parent.IsArray());
  }

  bool Next() {
    if (done_) return false;
    if (value_.Exists()) rest_ = Json(value_.Skipped(), rest_.end_);
    if (*rest_.at_ == ',') rest_ = Json(rest_.at_ + 1, rest_.end_);
    done_ = *rest_.at_ == ']' || *rest_.at_ == '}';
    if (done_) return false;
    if (object_) {
      rest_.Text(&key_);
      const Json colon(key_.end + 1, rest_.end_);
      value_ = Json(colon.at_ + 1, rest_.end_);
    } else {
      value_ = rest_;
    }
    return true;
  }

  JsonText key() const { return key_; }
  Json value() const { return value_; }

 private:
  bool object_;
  Json rest_;
  Json value_;
  JsonText key_{nullptr, nullptr};
  bool done_;
};

// How many values an array, or members an object has.
inline std::size_t Count(Json json) {
  std::size_t count = 0;
  for (JsonItems items(json); items.Next();) ++count;
  return count;
}

// Finds an object's values by their keys, in the keys' order. Returns whether all are there and, for
// `kExactly`, no others.
enum class Keys { kExactly, kAtLeast };

template <std::size_t kCount>
bool Fields(Json json, Keys keys, const char* const (&names)[kCount], Json (&values)[kCount]) {
  if (!json.IsObject()) return false;
  std::size_t found = 0, members = 0;
  for (JsonItems items(json); items.Next(); ++members) {
    for (std::size_t i = 0; i < kCount; ++i) {
      if (!items.key().Equals(names[i])) continue;
      values[i] = items.value();
      ++found;
    }
  }
  return found == kCount && (keys == Keys::kAtLeast || members == kCount);
}

}  // namespace internal
}  // namespace tfelastic

#endif  // TFELASTIC_JSON_H_
