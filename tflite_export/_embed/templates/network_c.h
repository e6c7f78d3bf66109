/* SPDX-License-Identifier: Apache-2.0 */
/* Written by `tfelastic embed`. Network `@name@` from C99; @name@_c.cc carries it out by the C++ code. */
#ifndef @NAME@_C_H_
#define @NAME@_C_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define @NAME@_VARIANTS @variant_count@
@elements_macros@

/* Bytes of the buffer for the interpreter's arena@and_copies@; more or fewer may be named to the compiler. */
#ifndef @NAME@_ARENA_BYTES
#if UINTPTR_MAX > 0xffffffff /* A host, where TFLM's tables are larger. */
#define @NAME@_ARENA_BYTES @host_bytes@
#elif defined(@NAME@_COPY_SECTION)
#define @NAME@_ARENA_BYTES @arena_bytes@
#else
#define @NAME@_ARENA_BYTES @pool_bytes@
#endif
#endif
/* Bytes of a buffer of its own for copies, where @NAME@_COPY_SECTION asks for one. */
#ifndef @NAME@_COPY_BYTES
#define @NAME@_COPY_BYTES @copy_bytes@
#endif

typedef struct {
@input_fields@} @name@_inputs;

/* A null pointer is allowed: that output is not decoded. */
typedef struct {
@output_fields@} @name@_outputs;

typedef struct {
  int status;            /* 0, or what went wrong: @name@_describe words it. */
  size_t variant;        /* Which one ran, or failed. */
  int64_t latency_us;    /* Encoding the inputs, running, decoding the outputs. */
  int64_t switch_us;     /* Making the variant ready before that; 0 where it was. */
  int64_t predicted_us;  /* Of both together. */
  bool feasible;         /* Whether the prediction kept the budget. */
  bool met;              /* Whether both together did. */
} @name@_result;
@labels_declarations@
/* Comes first; `check_data` compares the array with its CRC-32. */
int @name@_begin(bool check_data);
/* Whether there is a table: one that was embedded, or measured. */
bool @name@_is_measured(void);
/* Times the variants, in `limit_us` or what one turn of each takes; `print` may be null. */
@name@_result @name@_measure(const @name@_inputs* inputs, const @name@_outputs* outputs,
                             int64_t limit_us, void (*print)(const char* line));
void @name@_set_budget_us(int64_t budget_us);
/* Runs the best variant that is predicted to keep the budget. */
@name@_result @name@_run(const @name@_inputs* inputs, const @name@_outputs* outputs);
/* 0 .. @NAME@_VARIANTS - 1, the widest first. */
const char* @name@_variant_name(size_t variant);
const char* @name@_describe(int status);

#ifdef __cplusplus
}
#endif

#endif /* @NAME@_C_H_ */
