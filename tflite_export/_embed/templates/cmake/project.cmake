# `tfelastic embed` wrote this once; it is yours. Name TFLM by a target of this build, or by its files:
#   cmake -B build -DTFLM_LIBRARY=/tflm/libtensorflow-microlite.a -DTFLM_INCLUDE="/tflm;/tflm/..."
cmake_minimum_required(VERSION 3.16)
project(firmware CXX)

set(TFLM_TARGET "" CACHE STRING "TFLM's target, where this build has one")
set(TFLM_LIBRARY "" CACHE FILEPATH "TFLM's library, where it is built already")
set(TFLM_INCLUDE "" CACHE STRING "TFLM's include folders, separated by semicolons")
if(NOT TFLM_TARGET)
  if(NOT TFLM_LIBRARY OR NOT TFLM_INCLUDE)
    message(FATAL_ERROR "name TFLM: -DTFLM_TARGET=..., or -DTFLM_LIBRARY=... and -DTFLM_INCLUDE=...")
  endif()
  add_library(tflm STATIC IMPORTED GLOBAL)
  set_target_properties(tflm PROPERTIES IMPORTED_LOCATION "${TFLM_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${TFLM_INCLUDE}"
    INTERFACE_COMPILE_DEFINITIONS TF_LITE_STATIC_MEMORY)
  set(TFLM_TARGET tflm)
endif()

add_subdirectory(@name@)
add_executable(firmware main.cc)
target_link_libraries(firmware PRIVATE @name@)
