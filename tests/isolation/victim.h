// What a run gives away about itself to its neighbour, who uses all of it: whoever
// guesses is worse off. One line of text.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <istream>
#include <ostream>
#include <string>

namespace berth::neighbours {

inline constexpr const char* kSecret = "of-the-neighbour-5c1f";
inline constexpr const char* kKeyName = "berth-neighbour";

struct Victim {
    pid_t pid = 0;  // on the host
    uid_t uid = 0;
    std::uintptr_t address = 0;  // of the secret in its memory
    int tcp = 0;
    int udp = 0;
    int shared_memory = -1;
    int queue = -1;
    int semaphores = -1;
    std::string name;    // of its abstract socket, POSIX queue and shared memory
    std::string folder;  // its temporary one

    friend std::ostream& operator<<(std::ostream& out, const Victim& v) {
        return out << v.pid << ' ' << v.uid << ' ' << v.address << ' ' << v.tcp << ' ' << v.udp
                   << ' ' << v.shared_memory << ' ' << v.queue << ' ' << v.semaphores << ' '
                   << v.name << ' ' << v.folder << '\n';
    }
    friend std::istream& operator>>(std::istream& in, Victim& v) {
        return in >> v.pid >> v.uid >> v.address >> v.tcp >> v.udp >> v.shared_memory >> v.queue >>
               v.semaphores >> v.name >> v.folder;
    }
};

}  // namespace berth::neighbours
