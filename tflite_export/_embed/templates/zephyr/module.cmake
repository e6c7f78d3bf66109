# Written by `tfelastic embed`.
if(CONFIG_@NAME@)
  zephyr_library_named(@name@)
  zephyr_library_sources(
@source_lines@)
  zephyr_include_directories(.)
  zephyr_compile_definitions(TF_LITE_STATIC_MEMORY)
endif()
