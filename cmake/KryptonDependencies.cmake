# What Krypton stands on: packages of Debian 12 and 13 (packages.list), and Google's API protos.

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Protobuf REQUIRED)
find_package(absl REQUIRED)
find_package(gRPC CONFIG QUIET)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(spdlog REQUIRED)
find_package(GTest REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json)
pkg_check_modules(ISAL REQUIRED IMPORTED_TARGET libisal)
pkg_check_modules(HTTPLIB REQUIRED IMPORTED_TARGET cpp-httplib)

if(NOT TARGET gRPC::grpc++)
  message(FATAL_ERROR "gRPC was not found. Run ./dev build, which installs libgrpc++-dev.")
endif()
find_program(PROTOC protoc REQUIRED)
find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)

# llhttp: a package on Debian 13; on 12 its C sources come with node-llhttp.
pkg_check_modules(LLHTTP QUIET IMPORTED_TARGET libllhttp)
add_library(krypton_llhttp INTERFACE)
find_path(LLHTTP_INCLUDE_DIR llhttp.h PATHS /usr/share/include/llhttp REQUIRED)
target_include_directories(krypton_llhttp SYSTEM INTERFACE ${LLHTTP_INCLUDE_DIR})
find_library(LLHTTP_LIBRARY llhttp)
if(LLHTTP_LIBRARY)
  target_link_libraries(krypton_llhttp INTERFACE ${LLHTTP_LIBRARY})
else()
  set(llhttp_dir /usr/share/llhttp)
  add_library(krypton_llhttp_c STATIC
    ${llhttp_dir}/api.c ${llhttp_dir}/http.c ${llhttp_dir}/llhttp.c)
  target_include_directories(krypton_llhttp_c PRIVATE ${LLHTTP_INCLUDE_DIR})
  target_link_libraries(krypton_llhttp INTERFACE krypton_llhttp_c)
endif()

# google/api/*.proto: Debian has no package; PyPI's googleapis-common-protos ships them. ./dev build
# fetches it into the user's cache folder.
set(KRYPTON_GOOGLEAPIS_DIR "$ENV{KRYPTON_GOOGLEAPIS_DIR}" CACHE PATH
  "Folder that holds google/api/annotations.proto")
if(NOT EXISTS "${KRYPTON_GOOGLEAPIS_DIR}/google/api/annotations.proto")
  message(FATAL_ERROR
    "google/api/annotations.proto was not found in KRYPTON_GOOGLEAPIS_DIR "
    "('${KRYPTON_GOOGLEAPIS_DIR}'). Run ./dev build, which fetches it, or unpack PyPI's "
    "googleapis-common-protos and give its folder: cmake -DKRYPTON_GOOGLEAPIS_DIR=DIR")
endif()
