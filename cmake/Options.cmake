# Compiler and linker settings for every target. Each hardening flag is probed, so
# that an older or newer compiler takes what it knows (OpenSSF compiler guide).
include(CheckCXXCompilerFlag)
include(CheckLinkerFlag)

function(berth_probe_flags out)
    set(known)
    foreach(flag IN LISTS ARGN)
        string(MAKE_C_IDENTIFIER "BERTH_HAS${flag}" name)
        check_cxx_compiler_flag("${flag}" ${name})
        if(${name})
            list(APPEND known "${flag}")
        endif()
    endforeach()
    set(${out} ${known} PARENT_SCOPE)
endfunction()

find_program(BERTH_CCACHE ccache)
if(BERTH_CCACHE)
    set(CMAKE_C_COMPILER_LAUNCHER ${BERTH_CCACHE})
    set(CMAKE_CXX_COMPILER_LAUNCHER ${BERTH_CCACHE})
endif()
# Not mold: its 1.10 made programs whose protection of relocated data the loader refuses.
find_program(BERTH_LLD ld.lld)
if(BERTH_LLD)
    add_link_options(-fuse-ld=lld)
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
    $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor> $<$<COMPILE_LANGUAGE:CXX>:-Woverloaded-virtual>
    -Wformat=2 -Wswitch-enum -Wimplicit-fallthrough)
if(BERTH_WERROR)
    add_compile_options(-Werror)
endif()

berth_probe_flags(BERTH_HARDENING
    -fstack-protector-strong -fstack-clash-protection -fcf-protection=full
    -fzero-init-padding-bits=all -fstrict-flex-arrays=3
    -fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing
    -Wtrampolines -Wbidi-chars=any)
add_compile_options(${BERTH_HARDENING})
add_compile_definitions(_GLIBCXX_ASSERTIONS _GNU_SOURCE)
# Paths of the build machine stay out of the binaries.
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)

if(CMAKE_BUILD_TYPE STREQUAL "Debug")
    # -g1: line numbers are enough for a stack trace and halve the time of a compile.
    set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g1")
    set(CMAKE_C_FLAGS_DEBUG "-O1 -g1")
else()
    set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")
    set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g1")
    add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
    # Not in Debug: GCC 12 then calls fmt's own temporaries uninitialised.
    berth_probe_flags(BERTH_AUTO_INIT -ftrivial-auto-var-init=zero)
    add_compile_options(${BERTH_AUTO_INIT})
endif()

include(CheckPIESupported)
check_pie_supported()
add_link_options(LINKER:-z,relro LINKER:-z,now LINKER:-z,noexecstack LINKER:-z,nodlopen
    LINKER:--as-needed)

if(BERTH_SANITIZE)
    set(BERTH_SANITIZE_COMPILE -fsanitize=${BERTH_SANITIZE} -fno-sanitize-recover=all
        -fno-omit-frame-pointer)
    set(BERTH_SANITIZE_LINK -fsanitize=${BERTH_SANITIZE})
endif()

# Of what is installed; a target's own folder has to know it.
set(CMAKE_STRIP ${CMAKE_SOURCE_DIR}/packaging/strip)
