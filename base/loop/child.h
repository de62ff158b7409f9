// Child processes, held by their pidfd: waited for and signalled through it, so
// that a pid that was given to somebody else is never hit.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/loop/poll.h"

namespace berth {

struct ChildOptions {
    std::vector<std::string> argv;         // argv[0] is the path of an ELF program, not of a script
    std::vector<std::string> env;          // `NAME=value`, nothing is inherited
    std::vector<std::pair<int, int>> fds;  // ours → theirs (3 and up); 0, 1, 2 stay as they are
    std::optional<uid_t> uid;              // with gid: setresgid, setgroups(groups), setresuid
    std::optional<gid_t> gid;
    std::vector<gid_t> groups;
    bool drop_capabilities = false;  // empties the bounding set and all the others
    bool die_with_parent = true;     // PR_SET_PDEATHSIG
};

// Thread: loop. The destructor kills and reaps a child that is still there.
class Child {
public:
    // Throws SystemError, also with the errno of a failed exec or credential change.
    Child(Loop& loop, const ChildOptions& options, std::function<void(int status)> on_exit);
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child();

    pid_t pid() const noexcept { return pid_; }
    void signal(int signo) noexcept;  // nothing when it has ended

private:
    void reap();

    pid_t pid_ = -1;
    Fd pidfd_;
    bool ended_ = false;
    std::function<void(int)> on_exit_;
    std::optional<Poll> poll_;
};

}  // namespace berth
