# Written by `tfelastic embed`. Needs TFLM_TARGET, the name of TFLM's target.
add_library(@name@ STATIC
@source_lines@)
target_compile_features(@name@ PUBLIC cxx_std_17)
target_include_directories(@name@ PUBLIC "${CMAKE_CURRENT_SOURCE_DIR}")
target_link_libraries(@name@ PUBLIC "${TFLM_TARGET}")
