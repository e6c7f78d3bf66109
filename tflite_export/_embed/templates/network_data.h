// SPDX-License-Identifier: Apache-2.0
// Written by `tfelastic embed`.
#ifndef @NAME@_DATA_H_
#define @NAME@_DATA_H_

namespace @name@ {

// Every variant; @name@_tables.cc says where each lies.
constexpr unsigned kDataBytes = @data_bytes@;
extern const unsigned char kData[kDataBytes];

}  // namespace @name@

#endif  // @NAME@_DATA_H_
