// What the test programs of the selector share.
#ifndef TESTS_RUNTIME_CPP_TESTING_H_
#define TESTS_RUNTIME_CPP_TESTING_H_

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <vector>

#include "tfelastic/bundle.h"

#define CHECK(condition)                                                   \
  do {                                                                     \
    if (!(condition)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      std::exit(1);                                                        \
    }                                                                      \
  } while (false)

using File = std::vector<std::uint8_t>;

inline File ReadFile(const char* path) {
  std::ifstream stream(path, std::ios::binary);
  CHECK(stream.good());
  return File(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
}

// A bundle with room for its outputs.
struct Opened {
  explicit Opened(const char* path) : file(ReadFile(path)) {
    CHECK(tfelastic::Bundle::Open(file.data(), file.size(), &bundle) == tfelastic::Status::kOk);
    for (std::size_t i = 0; i < bundle.manifest().output_count; ++i) {
      tfelastic::OutputSpec spec;
      CHECK(bundle.Output(i, &spec) == tfelastic::Status::kOk);
      values.emplace_back(spec.shape.Elements());
    }
    for (std::vector<float>& each : values) outputs.push_back(each.data());
  }

  File file;
  tfelastic::Bundle bundle;
  std::vector<std::vector<float>> values;
  std::vector<float*> outputs;
};

#endif  // TESTS_RUNTIME_CPP_TESTING_H_
