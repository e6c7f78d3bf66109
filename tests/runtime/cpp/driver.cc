// Answers, for each question on standard input, with one line on standard output.
//
// A question is three numbers of 32 bits, little-endian, and two ranges of bytes: what is asked, the
// lengths of both ranges, and these. Every range and every buffer is allocated on its own and to the
// byte, so that an address sanitizer sees each step beyond one.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tfelastic/bundle.h"
#include "tfelastic/encoding.h"
#include "tfelastic/latency.h"
#include "tfelastic/policy.h"

namespace {

using tfelastic::Bytes;
using tfelastic::Status;

struct Buffer {
  explicit Buffer(std::size_t count)
      : size(count), data(static_cast<std::uint8_t*>(std::malloc(count))) {}
  ~Buffer() { std::free(data); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  bool Read() const { return std::fread(data, 1, size, stdin) == size; }
  Bytes bytes() const { return {data, size}; }

  std::size_t size;
  std::uint8_t* data;
};

void PrintHex(Bytes bytes) {
  for (std::size_t i = 0; i < bytes.size; ++i) std::printf("%02x", bytes.data[i]);
}

// "ok", a space, and the delta's output; or the status.
void AnswerDelta(Bytes delta, Bytes payload, std::size_t size) {
  const Buffer output(size);
  const Status status = tfelastic::ExpandDelta(delta, payload, output.data, size);
  if (status != Status::kOk) {
    std::puts(tfelastic::Describe(status));
    return;
  }
  std::printf("ok ");
  PrintHex(output.bytes());
  std::puts("");
}

void PrintTensor(const tfelastic::TensorSpec& spec) {
  std::printf(" %s %.9g %d", spec.dtype == tfelastic::DType::kInt8 ? "int8" : "float32",
              static_cast<double>(spec.scale), static_cast<int>(spec.zero_point));
}

void PrintVariant(const tfelastic::Bundle& bundle, const tfelastic::Variant& variant) {
  std::printf("\t%s %.17g %u %lld %u %s %u %u", variant.name, variant.width,
              static_cast<unsigned>(variant.accuracy_ppm),
              static_cast<long long>(variant.arena_bytes), static_cast<unsigned>(variant.bytes),
              variant.whole ? "whole" : "program", static_cast<unsigned>(variant.stored_offset),
              static_cast<unsigned>(variant.stored_bytes));
  PrintTensor(variant.input);
  PrintTensor(variant.output);
  const Buffer model(variant.bytes);
  const Status status = bundle.Expand(variant, model.data, model.size);
  std::printf(" | %s | ", tfelastic::Describe(status));
  if (status == Status::kOk) PrintHex(model.bytes());
}

// "ok", what the manifest says, and each variant behind a tab; or the status.
void AnswerBundle(Bytes data) {
  tfelastic::Bundle bundle;
  const Status status = tfelastic::Bundle::Open(data.data, data.size, &bundle);
  std::printf("%s", tfelastic::Describe(status));
  if (status == Status::kOk) {
    const tfelastic::Manifest& manifest = bundle.manifest();
    std::printf(" %d %d %d %d %s %u", static_cast<int>(manifest.height),
                static_cast<int>(manifest.width), static_cast<int>(manifest.channels),
                static_cast<int>(manifest.classes), manifest.probabilities ? "probabilities" : "logits",
                static_cast<unsigned>(manifest.payload_bytes));
    for (std::size_t i = 0; i < bundle.variant_count(); ++i) {
      tfelastic::Variant variant;
      if (bundle.At(i, &variant) == Status::kOk) PrintVariant(bundle, variant);
    }
  }
  std::puts("");
}

// What a variant answers in place, at a multiple of 16 and one byte behind; then into a buffer that
// is one byte short, and by a name and an index that do not exist.
void AnswerAccess(Bytes data, const char* name) {
  const Buffer room(data.size + 32);
  std::uint8_t* aligned = room.data + (16 - reinterpret_cast<std::uintptr_t>(room.data) % 16) % 16;
  for (std::size_t shift = 0; shift < 2; ++shift) {
    std::memcpy(aligned + shift, data.data, data.size);
    tfelastic::Bundle bundle;
    tfelastic::Variant variant;
    const std::uint8_t* model = nullptr;
    Status status = tfelastic::Bundle::Open(aligned + shift, data.size, &bundle);
    if (status == Status::kOk) status = bundle.Find(name, &variant);
    if (status != Status::kOk) {
      std::puts(tfelastic::Describe(status));
      return;
    }
    status = bundle.InPlace(variant, &model);
    std::printf("%s %lld\t", tfelastic::Describe(status),
                model == nullptr ? -1LL : static_cast<long long>(model - bundle.payload().data));
    const Buffer tight(variant.bytes - 1);
    std::printf("%s\t%s\t%s\t", tfelastic::Describe(bundle.Expand(variant, tight.data, tight.size)),
                tfelastic::Describe(bundle.Find("none", &variant)),
                tfelastic::Describe(bundle.At(bundle.variant_count(), &variant)));
  }
  std::puts("");
}

void AnswerNumber(const Buffer& text) {
  const char* begin = reinterpret_cast<const char*>(text.data);
  const double value = tfelastic::internal::Decimal(begin, begin + text.size).Nearest();
  std::printf("%.17g\n", value);
}

void AnswerDigest(Bytes data) {
  PrintHex({tfelastic::Sha256(data).digest(), tfelastic::Sha256::kBytes});
  std::puts("");
}

std::int64_t Number(const Buffer& numbers, std::size_t index) {
  std::int64_t number;
  std::memcpy(&number, numbers.data + 8 * index, 8);
  return number;
}

// A table of rows, and steps of a budget and what the run took: the choice before each step, and the
// slowdown and the spread behind it.
void AnswerPolicy(const Buffer& table, const Buffer& steps) {
  constexpr std::size_t kRowsMax = 16, kNumbers = 4;
  tfelastic::Row rows[kRowsMax];
  const std::size_t count = table.size / (8 * kNumbers);
  for (std::size_t i = 0; i < count && i < kRowsMax; ++i) {
    rows[i] = {Number(table, kNumbers * i), Number(table, kNumbers * i + 1),
               Number(table, kNumbers * i + 2), Number(table, kNumbers * i + 3)};
  }
  tfelastic::Policy policy;
  for (std::size_t i = 0; i < steps.size / 16; ++i) {
    const tfelastic::Choice choice = policy.Choose(rows, count, Number(steps, 2 * i));
    policy.Observe(rows, Number(steps, 2 * i + 1));
    std::printf("%zu %lld %d %lld %lld\t", choice.index,
                static_cast<long long>(choice.predicted_us), choice.feasible,
                static_cast<long long>(policy.slowdown().q16()),
                static_cast<long long>(policy.slowdown().spread_q16()));
  }
  std::puts("");
}

void AnswerLatencies(const Buffer& numbers) {
  auto* latencies_us = reinterpret_cast<std::int64_t*>(numbers.data);
  const tfelastic::Row row = tfelastic::Measured(0, latencies_us, numbers.size / 8);
  std::printf("%lld %lld\n", static_cast<long long>(row.p50_us),
              static_cast<long long>(row.p90_us));
}

// The pixels as int8, and as float32.
void AnswerEncoding(const Buffer& pixels) {
  const Buffer bytes(pixels.size), floats(4 * pixels.size);
  auto* small = reinterpret_cast<std::int8_t*>(bytes.data);
  auto* real = reinterpret_cast<float*>(floats.data);
  tfelastic::Encode(pixels.data, pixels.size, small);
  tfelastic::Encode(pixels.data, pixels.size, real);
  for (std::size_t i = 0; i < pixels.size; ++i) {
    std::printf("%d %g\t", small[i], static_cast<double>(real[i]));
  }
  std::puts("");
}

// A stored value and a zero point, and a scale; the bits of what they mean.
void AnswerDecoding(const Buffer& integers, const Buffer& number) {
  float scale;
  std::memcpy(&scale, number.data, 4);
  const float real = tfelastic::Decode(static_cast<std::int8_t>(Number(integers, 0)), scale,
                                       static_cast<std::int32_t>(Number(integers, 1)));
  std::uint32_t bits;
  std::memcpy(&bits, &real, 4);
  std::printf("%08x\n", static_cast<unsigned>(bits));
}

}  // namespace

int main() {
  std::uint32_t head[3];
  while (std::fread(head, sizeof(head), 1, stdin) == 1) {
    // The upper bytes of the question are its argument.
    const Buffer first(head[1]), second(head[2]);
    if (!first.Read() || !second.Read()) return 1;
    switch (head[0] & 0xff) {
      case 'p':
        AnswerDelta(first.bytes(), second.bytes(), head[0] >> 8);
        break;
      case 'b':
        AnswerBundle(first.bytes());
        break;
      case 'a':
        AnswerAccess(first.bytes(), reinterpret_cast<const char*>(second.data));
        break;
      case 'n':
        AnswerNumber(first);
        break;
      case 's':
        AnswerDigest(first.bytes());
        break;
      case 'c':
        AnswerPolicy(first, second);
        break;
      case 'l':
        AnswerLatencies(first);
        break;
      case 'e':
        AnswerEncoding(first);
        break;
      case 'd':
        AnswerDecoding(first, second);
        break;
      default:
        return 2;
    }
  }
  return 0;
}
