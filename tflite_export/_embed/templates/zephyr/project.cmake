# `tfelastic embed` wrote this once; it is yours.
cmake_minimum_required(VERSION 3.20)
list(APPEND ZEPHYR_EXTRA_MODULES "${CMAKE_CURRENT_SOURCE_DIR}/@name@")
find_package(Zephyr REQUIRED HINTS $ENV{ZEPHYR_BASE})
project(firmware)
target_sources(app PRIVATE src/main.cc)
