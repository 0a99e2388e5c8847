# TTT_CUDA=EMULATED, included where ttt_library is defined: kernels as C++, the emulator in place of CUDA.
file(GLOB_RECURSE kernels CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cu)
list(FILTER kernels EXCLUDE REGEX "_library\\.cu$")
file(GLOB emulator CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/cuda/*.cpp)
list(FILTER emulator EXCLUDE REGEX "/test_[^/]*$")

# Callers of vendors' libraries stand aside; tests/cuda has what replaces them.
set(libraries ${sources})
list(FILTER libraries INCLUDE REGEX "_library\\.c$")
set_source_files_properties(${libraries} PROPERTIES HEADER_FILE_ONLY ON)

# The pragma is `unroll`, which only CUDA has.
set_source_files_properties(${kernels} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS -Wno-unknown-pragmas)

target_sources(ttt_library PRIVATE ${kernels} ${emulator})
target_include_directories(ttt_library BEFORE PUBLIC ${CMAKE_SOURCE_DIR}/tests/cuda/include)
target_compile_definitions(ttt_library PUBLIC TTT_HAVE_CUDA=1 TTT_CUDA_EMULATED=1)
