// An attack on the C++ reader, guided by the code that it reaches (libFuzzer); fuzz_reader.py compiles and feeds it.
//
// An input's first byte says as what it is tried: a whole bundle, one whose length and checksum are put right, a
// delta on a payload, or a measured table of the golden bundle.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

#include "tfelastic/bundle.h"
#include "tfelastic/profile.h"

namespace {

using namespace tfelastic;  // NOLINT(build/namespaces)

using Data = std::vector<std::uint8_t>;

constexpr std::size_t kExpandedMax = std::size_t{1} << 20;
Data payload, golden;

Data ReadFile(const char* name) {
  const char* path = std::getenv(name);
  if (path == nullptr) std::abort();
  std::ifstream stream(path, std::ios::binary);
  return Data(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
}

// No mutation finds the right length and checksum by itself.
void Repair(Data* data) {
  if (data->size() < kHeaderBytes + kDigestBytes) return;
  const std::uint64_t size = data->size();
  for (std::size_t i = 0; i < 8; ++i) (*data)[16 + i] = static_cast<std::uint8_t>(size >> (8 * i));
  const std::size_t body = data->size() - kDigestBytes;
  std::memcpy(data->data() + body, Sha256(Bytes{data->data(), body}).digest(), kDigestBytes);
}

void ReadAll(const Data& data) {
  Bundle bundle;
  if (Bundle::Open(data.data(), data.size(), &bundle) != Status::kOk) return;
  InputSpec input;
  for (std::size_t i = 0; bundle.Input(i, &input) == Status::kOk; ++i) input.shape.Elements();
  OutputSpec output;
  for (std::size_t i = 0; bundle.Output(i, &output) == Status::kOk; ++i) {
    char label[64];
    for (std::size_t at = 0; bundle.Label(output, at, label, sizeof(label)) == Status::kOk;) ++at;
  }
  for (std::size_t i = 0; i < bundle.variant_count(); ++i) {
    Variant variant;
    // What was opened has been checked: its records read.
    if (bundle.At(i, &variant) != Status::kOk) std::abort();
    const std::uint8_t* model = nullptr;
    if (bundle.InPlace(variant, &model) == Status::kOk && !Sha256(Bytes{model, variant.bytes}).Matches(variant.sha256)) {
      std::abort();
    }
    if (variant.bytes > kExpandedMax) continue;
    Data expanded(variant.bytes);
    bundle.Expand(variant, expanded.data(), expanded.size());
  }
  std::vector<Row> rows;
  EmbeddedProfile(bundle, 0, RunConditions(), &rows);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  payload = ReadFile("FUZZ_PAYLOAD");
  golden = ReadFile("FUZZ_GOLDEN");
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  if (count < 3) return 0;
  // A copy of its own size, so that the sanitizer sees a read behind its end.
  Data data(bytes + 1, bytes + count);
  switch (bytes[0] % 4) {
    case 0:
      ReadAll(data);
      break;
    case 1:
      Repair(&data);
      ReadAll(data);
      break;
    case 2: {
      const std::size_t size = (data[0] | std::size_t{data[1]} << 8) % 4096;
      Data expanded(size);
      ExpandDelta({data.data() + 2, data.size() - 2}, {payload.data(), payload.size()}, expanded.data(), size);
      break;
    }
    default: {
      Bundle bundle;
      if (Bundle::Open(golden.data(), golden.size(), &bundle) != Status::kOk) std::abort();
      std::vector<Row> rows;
      const Status status = ReadProfile({data.data(), data.size()}, bundle, RunConditions(), &rows);
      if ((status == Status::kOk) != (rows.size() == bundle.variant_count())) std::abort();
      for (const Row& row : rows) {
        if (row.p50_us < 1 || row.p90_us < row.p50_us || row.p90_us > kMicrosecondsMax) std::abort();
      }
    }
  }
  return 0;
}
