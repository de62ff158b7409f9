// What one run tries against another that is running now: 40 acts, in two files.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <span>
#include <string>

#include "tests/isolation/victim.h"

namespace berth::neighbours {

struct Attack {
    const char* name;
    int (*attempt)(const Victim& victim);  // 0 when it worked, else the errno
};

std::span<const Attack> process_attacks();  // by its pid
std::span<const Attack> sharing_attacks();  // by what two runs might have in common

inline int outcome(long rc) { return rc < 0 ? errno : 0; }

inline int can_open(const std::string& path, int flags) {
    return outcome(::open(path.c_str(), flags | O_NONBLOCK | O_CLOEXEC));
}

std::string content(const std::string& path);

}  // namespace berth::neighbours
