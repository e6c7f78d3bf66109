# Written by `tfelastic embed`.
idf_component_register(
  SRCS
@source_lines@
  INCLUDE_DIRS "."
  REQUIRES esp_timer)
target_compile_definitions(${COMPONENT_LIB} PUBLIC TF_LITE_STATIC_MEMORY)
