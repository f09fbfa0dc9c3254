# krypton_fuzz(NAME SOURCE x_fuzz.cc DEPS ...): a fuzz target with its inputs in corpus/NAME.
#
# With KRYPTON_FUZZ (preset `fuzz`, clang) the target fuzz_NAME searches with libFuzzer; without, it
# replays the corpus as the test fuzz.NAME. See common/fuzz/README.md.

option(KRYPTON_FUZZ "Build the fuzz targets with libFuzzer (clang)" OFF)
if(KRYPTON_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL Clang)
    message(FATAL_ERROR "KRYPTON_FUZZ needs clang: use the preset `fuzz`, or ./dev fuzz")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
  set(CMAKE_DISABLE_PRECOMPILE_HEADERS ON)  # Those were made without that option.
endif()

function(krypton_fuzz name)
  cmake_parse_arguments(arg "" "SOURCE" "DEPS" ${ARGN})
  set(corpus ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
  add_executable(fuzz_${name} ${arg_SOURCE})
  target_include_directories(fuzz_${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(fuzz_${name} PRIVATE ${arg_DEPS} krypton_warnings)
  set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  if(KRYPTON_FUZZ)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    # For ./dev fuzz: where the target's inputs are.
    file(WRITE ${CMAKE_BINARY_DIR}/fuzz/${name}.corpus "${corpus}\n")
  else()
    target_sources(fuzz_${name} PRIVATE ${CMAKE_SOURCE_DIR}/common/fuzz/replay.cc)
    add_test(NAME fuzz.${name} COMMAND ${KRYPTON_TEST_WRAPPER} $<TARGET_FILE:fuzz_${name}> ${corpus})
    set_tests_properties(fuzz.${name} PROPERTIES TIMEOUT 600)
  endif()
endfunction()
