// The hostile acts by which the sandbox is counted: 54 operations that a script has
// no business doing. Each is tried for real (with arguments that work for root
// outside), in a process of its own, and says what the kernel answered.
#pragma once

#include <cerrno>
#include <span>
#include <string>

namespace berth::acts {

// Things of the host that the acts reach for; they exist while the acts run.
struct Host {
    int port = 0;          // something listens there on 127.0.0.1
    std::string abstract;  // and on the abstract Unix socket of this name
    std::string state;     // a folder of Berth's own
    std::string release;   // the run's release; holds a file `data`
    std::string scratch;   // where the script may write
};

struct Act {
    const char* kind;
    const char* name;
    // 0 when it was possible, else the errno that stopped it.
    int (*attempt)(const Host& host);
};

std::span<const Act> file_acts();
std::span<const Act> kernel_acts();
std::span<const Act> wall_acts();      // namespaces and mounts, other processes
std::span<const Act> outside_acts();   // sockets and devices
std::span<const Act> right_acts();     // identity, priority, clock
std::span<const Act> leftover_acts();  // what is shared with others, or inherited

inline int outcome(long rc) { return rc < 0 ? errno : 0; }

// Opens, and closes again at the end of the process.
int can_open(const std::string& path, int flags);

}  // namespace berth::acts
