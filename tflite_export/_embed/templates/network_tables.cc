// SPDX-License-Identifier: Apache-2.0
// Written by `tfelastic embed`. What the array holds, and what was measured of it.
#include "@name@.h"
#include "@name@_data.h"

namespace @name@ {
namespace {

using tfelastic::DType;
using tfelastic::InputKind;
using tfelastic::OutputKind;

constexpr tfelastic::NetworkInput kInputTable[] = {
@input_rows@};

constexpr tfelastic::NetworkOutput kOutputTable[] = {
@output_rows@};

// real = (stored - zero_point) * scale: position, type, scale, zero point.
@tensor_specs@
// Name, in place, offset and bytes of what is stored, bytes of the .tflite, arena, score.
constexpr tfelastic::NetworkVariant kVariantTable[] = {
@variant_rows@};

}  // namespace

const tfelastic::Network kNetwork = {
    {kData, kDataBytes}, @crc32@u, "@bundle_sha256@", kVariantTable, kVariants,
    kInputTable, kInputs, kOutputTable, kOutputs};

// Score, p50, p90 and the time of switching, in microseconds.
const tfelastic::Row kMeasured[kVariants] = {
@measured_rows@};

}  // namespace @name@
@labels_definitions@
