# tfelastic::host needs threads; a firmware's toolchain may have none.
include(CMakeFindDependencyMacro)
find_package(Threads QUIET)
include("${CMAKE_CURRENT_LIST_DIR}/tfelasticTargets.cmake")
