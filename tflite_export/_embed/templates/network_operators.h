// SPDX-License-Identifier: Apache-2.0
// Written by `tfelastic embed`.
#ifndef @NAME@_OPERATORS_H_
#define @NAME@_OPERATORS_H_

@kernel_includes@#include "tfelastic/tflm.h"

namespace @name@ {

// The operators of all variants, and no others: what is not named is not linked.
using Resolver = tfelastic::tflm::MutableOpResolver<@operator_count@>;

inline tfelastic::tflm::ResultCode AddOperators(Resolver* resolver) {
@operators@  return tfelastic::tflm::kOk;
}

}  // namespace @name@

#endif  // @NAME@_OPERATORS_H_
