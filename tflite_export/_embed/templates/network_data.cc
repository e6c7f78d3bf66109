// SPDX-License-Identifier: LicenseRef-Network
// Written by `tfelastic embed`. The array holds the weights of your network, whose license is yours to state.
#include "@name@_data.h"

// Where the array goes, as in -D@NAME@_DATA_SECTION='__attribute__((section(".ext_flash")))'.
#ifndef @NAME@_DATA_SECTION
#define @NAME@_DATA_SECTION
#endif

namespace @name@ {

alignas(16) @NAME@_DATA_SECTION extern const unsigned char kData[kDataBytes] = {
@data@};

}  // namespace @name@
