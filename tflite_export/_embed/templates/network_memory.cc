// SPDX-License-Identifier: Apache-2.0
// Written by `tfelastic embed`. The buffers; name @NAME@_ARENA_SECTION or @NAME@_COPY_SECTION to the
// compiler to place them, as in -D@NAME@_ARENA_SECTION='__attribute__((section(".dtcm")))'.
#include "@name@.h"

#ifndef @NAME@_ARENA_SECTION
#define @NAME@_ARENA_SECTION
#endif

namespace @name@ {
namespace {

alignas(16) @NAME@_ARENA_SECTION std::uint8_t arena[@NAME@_ARENA_BYTES];
#ifdef @NAME@_COPY_SECTION
alignas(16) @NAME@_COPY_SECTION std::uint8_t copy[@NAME@_COPY_BYTES > 0 ? @NAME@_COPY_BYTES : 1];
#endif

}  // namespace

tfelastic::Memory StaticMemory() {
#ifdef @NAME@_COPY_SECTION
  return {arena, sizeof(arena), copy, sizeof(copy)};
#else
  return {arena, sizeof(arena)};
#endif
}

}  // namespace @name@
