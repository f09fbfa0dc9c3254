# How everything is compiled: warnings are errors, hardened, through ccache where present.

set(KRYPTON_SANITIZER "" CACHE STRING "Sanitizers for -fsanitize=, or empty")

find_program(CCACHE ccache)
if(CCACHE)
  # The cache serves every checkout and build folder of one user: paths are made relative.
  set(ccache_launcher ${CMAKE_COMMAND} -E env
    CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${ccache_launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${ccache_launcher})
endif()

set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g1")
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# -pthread for all: one precompiled header serves only sources with the same macros.
add_compile_options(-fstack-protector-strong -fno-plt -pthread)
add_link_options(-pie -Wl,-z,relro,-z,now -Wl,--as-needed)
if(CMAKE_BUILD_TYPE STREQUAL RelWithDebInfo)
  add_compile_options(-D_FORTIFY_SOURCE=2)
endif()

# Sanitizers slow what they watch: the tests' deadlines stretch by this. The wrapper sees to it that no
# report of any process is missed.
set(KRYPTON_TEST_SLOWNESS 1)
set(KRYPTON_TEST_WRAPPER)
if(KRYPTON_SANITIZER)
  set(KRYPTON_TEST_SLOWNESS 4)
  if(KRYPTON_SANITIZER MATCHES thread)
    set(KRYPTON_TEST_SLOWNESS 6)
  endif()
  set(KRYPTON_TEST_WRAPPER ${CMAKE_SOURCE_DIR}/cmake/sanitized.sh)
  # -O1: at -O0 a sanitized coroutine is too slow for the tests' deadlines.
  add_compile_options(-fsanitize=${KRYPTON_SANITIZER} -fno-omit-frame-pointer -O1)
  add_link_options(-fsanitize=${KRYPTON_SANITIZER})
  add_compile_definitions(KRYPTON_SANITIZED=1)
endif()

# Ours only; generated and third-party sources are compiled without.
add_library(krypton_warnings INTERFACE)
target_compile_options(krypton_warnings INTERFACE
  -Wall -Wextra -Werror -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
  $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized -Wno-mismatched-new-delete
    -Wno-missing-field-initializers>)

# For what is compiled with precompiled headers, after krypton_warnings: g++ 12 takes <string> for our own source there
# and warns of what it believes to see in it (as in GCC bug 105329).
add_library(krypton_precompiled_warnings INTERFACE)
if(NOT CMAKE_DISABLE_PRECOMPILE_HEADERS)
  target_compile_options(krypton_precompiled_warnings INTERFACE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:
    -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread>)
endif()
if(KRYPTON_SANITIZER MATCHES thread)
  # Debian's protobuf and Abseil are compiled without it; where their headers see it, they lay out their
  # classes otherwise than the libraries do (MapFieldBase, Mutex).
  add_compile_options(-U__SANITIZE_THREAD__)
  target_compile_options(krypton_warnings INTERFACE -Wno-tsan)
endif()
