# Puts migrations/NNN_name.sql into the program: one table of raw strings, made
# when CMake configures, and again when a file or the list of them changes.
file(GLOB files ${CMAKE_CURRENT_SOURCE_DIR}/migrations/*.sql)
list(SORT files)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
    ${CMAKE_CURRENT_SOURCE_DIR}/migrations ${files})
set(table "")
set(expected 0)
foreach(file IN LISTS files)
    get_filename_component(stem ${file} NAME_WE)
    if(NOT stem MATCHES "^([0-9][0-9][0-9])_([a-z0-9_]+)$")
        message(FATAL_ERROR "'${file}' is not named NNN_name.sql")
    endif()
    set(digits ${CMAKE_MATCH_1})
    set(name ${CMAKE_MATCH_2})
    string(REGEX REPLACE "^0+" "" number ${digits})
    math(EXPR expected "${expected} + 1")
    if(NOT number EQUAL expected)
        message(FATAL_ERROR "migration ${expected} is missing before '${file}'")
    endif()
    file(READ ${file} sql)
    string(APPEND table "    {${number}, \"${name}\", R\"sql(${sql})sql\"},\n")
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/migrations.cpp @ONLY CONTENT
"// Made by store/embed_migrations.cmake.
#include \"store/migrate.h\"

namespace berth {
namespace {
constexpr Migration kMigrations[] = {
@table@};
}  // namespace
std::span<const Migration> migrations() { return kMigrations; }
}  // namespace berth
")
