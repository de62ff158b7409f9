# Every library from outside, in one place: what it is for is in docs/decisions/002.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED COMPONENTS Crypto)
find_package(fmt 9 REQUIRED)
find_package(spdlog 1.10 REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(yaml-cpp 0.7 REQUIRED)
pkg_check_modules(uv REQUIRED IMPORTED_TARGET libuv>=1.44)
pkg_check_modules(sqlite3 REQUIRED IMPORTED_TARGET sqlite3>=3.40)
pkg_check_modules(seccomp REQUIRED IMPORTED_TARGET libseccomp>=2.5)
pkg_check_modules(re2 REQUIRED IMPORTED_TARGET re2)
pkg_check_modules(archive REQUIRED IMPORTED_TARGET libarchive>=3.6)
pkg_check_modules(curl REQUIRED IMPORTED_TARGET libcurl>=7.88)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd>=1.5)

# llhttp: the C sources that Debian ships inside node-llhttp (feasibility.md 4).
# ./dev unpacks them; a distribution that has a libllhttp can point here as well.
set(BERTH_LLHTTP_DIR "${CMAKE_SOURCE_DIR}/.cache/llhttp/usr" CACHE PATH "where llhttp's C sources are")
find_path(BERTH_LLHTTP_INCLUDE llhttp.h HINTS ${BERTH_LLHTTP_DIR}
    PATH_SUFFIXES include share/include/llhttp share/nodejs/llhttp/include NO_CACHE)
find_path(BERTH_LLHTTP_SOURCE llhttp.c HINTS ${BERTH_LLHTTP_DIR}
    PATH_SUFFIXES share/llhttp src share/nodejs/llhttp/src NO_CACHE)
if(NOT BERTH_LLHTTP_INCLUDE OR NOT BERTH_LLHTTP_SOURCE)
    message(FATAL_ERROR "llhttp's C sources are not in ${BERTH_LLHTTP_DIR}; run ./dev setup")
endif()
add_library(llhttp STATIC ${BERTH_LLHTTP_SOURCE}/api.c ${BERTH_LLHTTP_SOURCE}/http.c
    ${BERTH_LLHTTP_SOURCE}/llhttp.c)
target_include_directories(llhttp SYSTEM PUBLIC ${BERTH_LLHTTP_INCLUDE})
# Strict: without it "Host : a" and a lone CR count as header ends (CVE-2023-30589).
target_compile_definitions(llhttp PRIVATE LLHTTP_STRICT_MODE=1)
target_compile_options(llhttp PRIVATE -w)
