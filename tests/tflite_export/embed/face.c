/* A firmware in C99: the selector through the C face, one line for each budget. */
#include <stdint.h>
#include <stdio.h>

#include "elastic_model_c.h"

static uint64_t now_us = 0;
uint64_t tfelastic_now_us(void) { return now_us; }
void tflm_stub_allocated(unsigned long elements) { now_us += elements; }
void tflm_stub_invoked(unsigned long elements) { now_us += 3 * elements; }

static unsigned lines = 0;
static void count(const char* line) {
  if (line[0] == '$') ++lines;
}

int main(void) {
  static uint8_t image[ELASTIC_MODEL_IMAGE_ELEMENTS];
  static float scores[ELASTIC_MODEL_OUTPUT_0_ELEMENTS];
  const elastic_model_inputs inputs = {image};
  const elastic_model_outputs outputs = {scores};
  const int64_t budgets_us[] = {1000000, 1};
  elastic_model_result result = elastic_model_run(&inputs, &outputs);
  printf("%s\n", elastic_model_describe(result.status));
  if (elastic_model_begin(true) != 0 || elastic_model_is_measured()) return 1;
  result = elastic_model_measure(&inputs, &outputs, 1, count);
  if (result.status != 0 || !elastic_model_is_measured()) return 2;
  for (int i = 0; i < 2; ++i) {
    elastic_model_set_budget_us(budgets_us[i]);
    result = elastic_model_run(&inputs, &outputs);
    if (result.status != 0) return 3;
    printf("%s %s\n", elastic_model_variant_name(result.variant), result.met ? "met" : "missed");
  }
  printf("%u lines; %s; [%s]\n", lines, elastic_model_output_0_labels[0],
         elastic_model_variant_name(ELASTIC_MODEL_VARIANTS));
  return 0;
}
