// Runs every variant once on an image of zeros and prints what it answers. A start for a firmware:
// keep the arena, the buffer and Load, and put the camera where the zeros are.
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "operators.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/schema/schema_generated.h"
#include "variants.h"

namespace {

// One variant runs at a time, so the largest needs set the sizes.
alignas(16) std::uint8_t arena[model::kArenaBytes];
alignas(16) std::uint8_t copy[model::kCopyBytes > 0 ? model::kCopyBytes : 1];

bool Run(const model::Variant& variant, const model::Resolver& resolver) {
  const unsigned char* tflite = model::Load(variant, copy, sizeof(copy));
  if (tflite == nullptr) return false;
  tflite::MicroInterpreter interpreter(tflite::GetModel(tflite), resolver, arena, sizeof(arena));
  if (interpreter.AllocateTensors() != kTfLiteOk) return false;
  TfLiteTensor* input = interpreter.input(0);
  std::memset(input->data.raw, 0, input->bytes);
  if (interpreter.Invoke() != kTfLiteOk) return false;
  const TfLiteTensor* output = interpreter.output(0);
  std::printf("%s: arena %u of %u bytes, answers", variant.name,
              static_cast<unsigned>(interpreter.arena_used_bytes()),
              static_cast<unsigned>(variant.arena_bytes));
  for (int i = 0; i < model::kClasses; ++i) {
    const double stored = output->type == kTfLiteInt8 ? output->data.int8[i] : output->data.f[i];
    std::printf(" %g", (stored - variant.output.zero_point) * variant.output.scale);
  }
  std::printf("\n");
  return true;
}

}  // namespace

int main() {
  model::Resolver resolver;
  if (model::AddOperators(&resolver) != kTfLiteOk) return 1;
  for (const model::Variant& variant : model::kVariants) {
    if (!Run(variant, resolver)) {
      std::printf("%s: failed\n", variant.name);
      return 1;
    }
  }
  return 0;
}
