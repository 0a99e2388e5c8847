# TTT_CUDA=EMULATED, included where ttt_library is defined: kernels as C++, the emulator in place of CUDA.
file(GLOB_RECURSE kernels CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cu)
list(FILTER kernels EXCLUDE REGEX "(_library|_hopper)\\.cu$")
file(GLOB emulator CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/cuda/*.cpp)
list(FILTER emulator EXCLUDE REGEX "/test_[^/]*$")

# Callers of vendors' libraries stand aside; tests/cuda has what replaces them.
file(GLOB_RECURSE cuda_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cuda*.c
  ${CMAKE_CURRENT_SOURCE_DIR}/*_cuda*.c)
list(FILTER cuda_sources EXCLUDE REGEX "_library\\.c$")

# The pragma is `unroll`, which only CUDA has.
set_source_files_properties(${kernels} PROPERTIES LANGUAGE CXX
  COMPILE_OPTIONS "-Wno-unknown-pragmas;-Wno-extra;-Wno-maybe-uninitialized")

# The emulator waits on all that it runs; what looks only at its own state goes unwatched.
set_source_files_properties(${emulator} PROPERTIES COMPILE_OPTIONS "-O3")
set_source_files_properties(${CMAKE_SOURCE_DIR}/tests/cuda/emulator.cpp ${CMAKE_SOURCE_DIR}/tests/cuda/warp.cpp
  PROPERTIES COMPILE_OPTIONS "-O3;-fno-sanitize=all")

target_sources(ttt_library PRIVATE ${cuda_sources} ${kernels} ${emulator})
target_include_directories(ttt_library BEFORE PUBLIC ${CMAKE_SOURCE_DIR}/tests/cuda/include)
target_compile_definitions(ttt_library PUBLIC TTT_HAVE_CUDA=1 TTT_CUDA_EMULATED=1)
