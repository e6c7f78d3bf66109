// Answers, for each question on standard input, or in the file that is named, with one line on standard output.
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
#include "tfelastic/score.h"

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

const char* NameOf(tfelastic::DType dtype) {
  for (const tfelastic::internal::DTypeRule& rule : tfelastic::internal::kDTypes) {
    if (rule.dtype == dtype) return rule.name;
  }
  return "?";
}

void PrintTensors(const tfelastic::TensorSpec* specs, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    std::printf(" %d %s %.9g %d", specs[i].position, NameOf(specs[i].dtype),
                static_cast<double>(specs[i].scale), static_cast<int>(specs[i].zero_point));
  }
}

void PrintVariant(const tfelastic::Bundle& bundle, const tfelastic::Variant& variant) {
  std::printf("\t%s %.17g %.17g %d %lld %u %s %u %u", variant.name, variant.width, variant.score,
              static_cast<int>(variant.score_order), static_cast<long long>(variant.arena_bytes),
              static_cast<unsigned>(variant.bytes), variant.whole ? "whole" : "delta",
              static_cast<unsigned>(variant.stored_offset),
              static_cast<unsigned>(variant.stored_bytes));
  PrintTensors(variant.inputs, bundle.manifest().input_count);
  PrintTensors(variant.outputs, bundle.manifest().output_count);
  const Buffer model(variant.bytes);
  const Status status = bundle.Expand(variant, model.data, model.size);
  std::printf(" | %s | ", tfelastic::Describe(status));
  if (status == Status::kOk) PrintHex(model.bytes());
}

void PrintText(const char* text) {
  std::printf(" ");
  PrintHex({reinterpret_cast<const std::uint8_t*>(text), std::strlen(text)});
}

void PrintTensorOf(const char* side, const char* name, const tfelastic::Shape& shape,
                   const char* kind) {
  std::printf("\t%s", side);
  PrintText(name);
  std::printf(" %s", kind);
  for (std::size_t axis = 0; axis < shape.rank; ++axis) {
    std::printf(" %d", static_cast<int>(shape.sizes[axis]));
  }
}

void PrintInterface(const tfelastic::Bundle& bundle) {
  constexpr const char* kKinds[] = {"logits", "probabilities", "values"};
  tfelastic::InputSpec input;
  for (std::size_t i = 0; bundle.Input(i, &input) == Status::kOk; ++i) {
    PrintTensorOf("input", input.name, input.shape,
                  input.kind == tfelastic::InputKind::kImage ? "image" : "values");
  }
  tfelastic::OutputSpec output;
  for (std::size_t i = 0; bundle.Output(i, &output) == Status::kOk; ++i) {
    PrintTensorOf("output", output.name, output.shape,
                  kKinds[static_cast<std::size_t>(output.kind)]);
    const Buffer label(4 * tfelastic::kTextMax + 1);
    char* text = reinterpret_cast<char*>(label.data);
    for (std::size_t j = 0; bundle.Label(output, j, text, label.size) == Status::kOk; ++j) {
      PrintText(text);
      const Buffer tight(std::strlen(text));
      if (bundle.Label(output, j, reinterpret_cast<char*>(tight.data), tight.size) !=
          Status::kBufferTooSmall) {
        std::printf(" a label fits where there is no room");
      }
    }
  }
}

// "ok", what the manifest says, and behind tabs each input, output and variant; or the status.
void AnswerBundle(Bytes data) {
  tfelastic::Bundle bundle;
  const Status status = tfelastic::Bundle::Open(data.data, data.size, &bundle);
  std::printf("%s", tfelastic::Describe(status));
  if (status == Status::kOk) {
    const tfelastic::Manifest& manifest = bundle.manifest();
    std::printf(" %d %u", manifest.higher_is_better,
                static_cast<unsigned>(manifest.payload_bytes));
    PrintInterface(bundle);
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

// A table of rows, and steps of a budget, what the run took, and which row leaves the table before, or
// -1: the choice before each step, and the slowdown and the spread behind it.
void AnswerPolicy(const Buffer& table, const Buffer& steps) {
  constexpr std::size_t kRowsMax = 16, kNumbers = 4, kStepNumbers = 3;
  tfelastic::Row rows[kRowsMax];
  std::size_t count = table.size / (8 * kNumbers);
  for (std::size_t i = 0; i < count && i < kRowsMax; ++i) {
    rows[i] = {Number(table, kNumbers * i), Number(table, kNumbers * i + 1),
               Number(table, kNumbers * i + 2), Number(table, kNumbers * i + 3)};
  }
  tfelastic::Policy policy;
  for (std::size_t i = 0; i < steps.size / (8 * kStepNumbers); ++i) {
    const std::int64_t removed = Number(steps, kStepNumbers * i + 2);
    if (removed >= 0) {
      --count;
      for (auto at = static_cast<std::size_t>(removed); at < count; ++at) rows[at] = rows[at + 1];
      policy.Remove(static_cast<std::size_t>(removed));
    }
    const tfelastic::Choice choice = policy.Choose(rows, count, Number(steps, kStepNumbers * i));
    policy.Observe(rows, Number(steps, kStepNumbers * i + 1));
    // The C library of small boards has no %zu.
    std::printf("%lu %lld %d %lld %lld\t", static_cast<unsigned long>(choice.index),
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

// A tensor's dtype as a number, its zero point, and the bits of its scale: 12 bytes.
tfelastic::TensorSpec TensorOf(const Buffer& head) {
  std::int32_t numbers[2];
  tfelastic::TensorSpec spec{};
  std::memcpy(numbers, head.data, sizeof(numbers));
  std::memcpy(&spec.scale, head.data + sizeof(numbers), sizeof(spec.scale));
  spec.dtype = static_cast<tfelastic::DType>(numbers[0]);
  spec.zero_point = numbers[1];
  return spec;
}

// The stored bytes of pixels, or of real numbers.
void AnswerEncoding(const Buffer& head, const Buffer& given, bool is_image) {
  const tfelastic::TensorSpec spec = TensorOf(head);
  const std::size_t count = is_image ? given.size : given.size / sizeof(float);
  const Buffer stored(count * tfelastic::ItemBytes(spec.dtype));
  if (is_image) {
    tfelastic::Encode(given.data, count, spec, stored.data);
  } else {
    const Status status = tfelastic::Encode(reinterpret_cast<const float*>(given.data), count, spec,
                                            stored.data);
    if (status != Status::kOk) {
      std::puts(tfelastic::Describe(status));
      return;
    }
  }
  PrintHex(stored.bytes());
  std::puts("");
}

// The bytes of the real numbers that stored ones mean.
void AnswerDecoding(const Buffer& head, const Buffer& stored) {
  const tfelastic::TensorSpec spec = TensorOf(head);
  const std::size_t count = stored.size / tfelastic::ItemBytes(spec.dtype);
  const Buffer real(count * sizeof(float));
  tfelastic::Decode(stored.data, count, spec, reinterpret_cast<float*>(real.data));
  PrintHex(real.bytes());
  std::puts("");
}

// A score's bits: its order where higher is better, and where lower is.
void AnswerScore(const Buffer& number) {
  double score;
  std::memcpy(&score, number.data, sizeof(score));
  std::printf("%d %d\n", static_cast<int>(tfelastic::ScoreOrder(score, true)),
              static_cast<int>(tfelastic::ScoreOrder(score, false)));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::freopen(argv[1], "rb", stdin) == nullptr) return 3;
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
        AnswerEncoding(first, second, false);
        break;
      case 'i':
        AnswerEncoding(first, second, true);
        break;
      case 'd':
        AnswerDecoding(first, second);
        break;
      case 'o':
        AnswerScore(first);
        break;
      default:
        return 2;
    }
  }
  return 0;
}
