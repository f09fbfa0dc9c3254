# The three kinds of target, so that a folder's CMakeLists.txt is a list of files.
#
#   krypton_library(NAME SOURCES ... DEPS ... TESTS ... TEST_DEPS ...)
#   krypton_binary(NAME SOURCES ... DEPS ...)        installed; all of them: the target `programs`
#   krypton_test(NAME [WAITS] SOURCES ... DEPS ...)  GoogleTest, registered test by test. WAITS: for processes
#                                                    and times, so that a test needs no core of its own

include(GoogleTest)

# What a library cannot give an executable: how sanitizers see and tell.
add_library(krypton_executable INTERFACE)
if(KRYPTON_SANITIZER MATCHES thread)
  add_library(krypton_tsan_grpc OBJECT ${CMAKE_SOURCE_DIR}/cmake/tsan_grpc.cc)
  target_link_libraries(krypton_executable INTERFACE
    $<TARGET_OBJECTS:krypton_tsan_grpc> absl::synchronization ${CMAKE_DL_LIBS})
elseif(KRYPTON_SANITIZER MATCHES undefined AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  add_library(krypton_ubsan_reports OBJECT ${CMAKE_SOURCE_DIR}/cmake/ubsan_reports.cc)
  target_link_libraries(krypton_executable INTERFACE $<TARGET_OBJECTS:krypton_ubsan_reports>)
endif()

# What most sources read is compiled once: `krypton_precompiled` for libraries, `krypton_precompiled_test` for
# tests (which are position-independent in another way). A source still includes what it uses: the fuzz preset,
# ./dev lint and -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON compile without.
set(precompiled <algorithm> <chrono> <condition_variable> <functional> <map> <memory> <mutex> <optional> <set> <string>
  <string_view> <thread> <utility> <vector> <absl/container/flat_hash_map.h> <absl/status/statusor.h>
  <absl/strings/str_cat.h> <google/protobuf/message.h> <grpcpp/grpcpp.h>)
add_library(krypton_precompiled OBJECT ${CMAKE_SOURCE_DIR}/cmake/precompiled.cc)
target_precompile_headers(krypton_precompiled PRIVATE ${precompiled})
add_executable(krypton_precompiled_test ${CMAKE_SOURCE_DIR}/cmake/precompiled.cc)
target_precompile_headers(krypton_precompiled_test PRIVATE ${precompiled} <fstream> <gmock/gmock.h> <gtest/gtest.h>)
# g++ refuses the result where another macro is defined that it asks for. So they have the headers of these
# libraries without their definitions; and what newer Abseil defines for whoever links it, all have.
if(absl_VERSION VERSION_GREATER_EQUAL 20230101)
  add_compile_definitions(NOMINMAX)
endif()
foreach(target krypton_precompiled krypton_precompiled_test)
  foreach(library absl::flat_hash_map absl::statusor absl::strings gRPC::grpc++ protobuf::libprotobuf)
    target_include_directories(${target} SYSTEM PRIVATE $<TARGET_PROPERTY:${library},INTERFACE_INCLUDE_DIRECTORIES>)
    target_link_libraries(${target} PRIVATE $<LINK_ONLY:${library}>)
  endforeach()
  target_link_libraries(${target} PRIVATE krypton_warnings krypton_precompiled_warnings)
endforeach()
target_link_libraries(krypton_precompiled_test PRIVATE GTest::gmock)  # With its definitions: all tests have them.
set_target_properties(krypton_precompiled_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

function(krypton_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS;TESTS;TEST_DEPS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${arg_DEPS} PRIVATE krypton_warnings krypton_precompiled_warnings)
  target_precompile_headers(${name} REUSE_FROM krypton_precompiled)
  if(arg_TESTS)
    krypton_test(${name}_test SOURCES ${arg_TESTS} DEPS ${name} ${arg_TEST_DEPS})
  endif()
endfunction()

add_custom_target(programs)
function(krypton_binary name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${arg_DEPS} krypton_warnings krypton_executable)
  add_dependencies(programs ${name})
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()

function(krypton_test name)
  cmake_parse_arguments(arg "WAITS" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${arg_DEPS} krypton_warnings krypton_precompiled_warnings
    krypton_executable GTest::gmock GTest::gtest_main)
  target_precompile_headers(${name} REUSE_FROM krypton_precompiled_test)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  # gtest_discover_tests splits lists in its properties, so ENVIRONMENT could hold one variable only;
  # the emulator is a prefix of the command line, for the discovery and for the tests.
  set(launcher ${CMAKE_COMMAND} -E env KRYPTON_SOURCE_DIR=${CMAKE_SOURCE_DIR}
    KRYPTON_BINARY_DIR=${CMAKE_BINARY_DIR}/bin KRYPTON_TEST_SLOWNESS=${KRYPTON_TEST_SLOWNESS}
    ${KRYPTON_TEST_WRAPPER})
  set_target_properties(${name} PROPERTIES CROSSCOMPILING_EMULATOR "${launcher}")
  math(EXPR limit "120 * ${KRYPTON_TEST_SLOWNESS}")
  # Of CTest's places there are three a core (scripts/test.sh).
  set(places 3)
  if(arg_WAITS AND NOT KRYPTON_SANITIZER)
    set(places 1)
  endif()
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT ${limit} PROCESSORS ${places})
endfunction()
