// Runs every act (or those named) and prints a line for each: kind, name, result.
//   acts [--apart] PORT ABSTRACT STATE RELEASE SCRATCH [NAME...]
// --apart: in pid, mount, ipc and uts namespaces of its own, the last three anew for
// each act, so that an act which is possible harms nobody.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "tests/isolation/acts.h"

namespace berth::acts {

int can_open(const std::string& path, int flags) {
    return outcome(::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600));
}

namespace {

constexpr int kNotApart = 254;

// Goes on as pid 1 of a namespace, with a /proc of its own.
void become_pid_1() {
    if (::unshare(CLONE_NEWPID) < 0) ::_exit(kNotApart);
    if (const pid_t pid = ::fork(); pid != 0) {
        int status = 0;
        ::waitpid(pid, &status, 0);
        ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : kNotApart);
    }
}

void go_apart() {
    if (::unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS) < 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0 ||
        ::mount("proc", "/proc", "proc", 0, nullptr) < 0)
        ::_exit(kNotApart);
}

std::string result_of(const Act& act, const Host& host, bool apart) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::alarm(120);
        if (apart) go_apart();
        ::_exit(act.attempt(host));
    }
    int status = 0;
    if (pid < 0 || ::waitpid(pid, &status, 0) < 0) return "not tried";
    if (WIFSIGNALED(status)) return std::string{"SIG"} + ::sigabbrev_np(WTERMSIG(status));
    const int err = WEXITSTATUS(status);
    if (err == kNotApart) return "not tried";
    return err == 0 ? "possible" : ::strerrorname_np(err);
}

bool wanted(const Act& act, const std::vector<std::string>& names) {
    if (names.empty()) return true;
    for (const auto& name : names)
        if (name == act.name) return true;
    return false;
}

}  // namespace
}  // namespace berth::acts

int main(int argc, char** argv) {
    using namespace berth::acts;
    std::vector<std::string> words{argv + 1, argv + argc};
    const bool apart = !words.empty() && words[0] == "--apart";
    if (apart) words.erase(words.begin());
    if (words.size() < 5) {
        std::fputs("usage: acts [--apart] PORT ABSTRACT STATE RELEASE SCRATCH [NAME...]\n", stderr);
        return 2;
    }
    const Host host{std::atoi(words[0].c_str()), words[1], words[2], words[3], words[4]};
    words.erase(words.begin(), words.begin() + 5);
    if (apart) become_pid_1();
    for (const auto& acts :
         {file_acts(), kernel_acts(), wall_acts(), outside_acts(), right_acts(), leftover_acts()}) {
        for (const Act& act : acts) {
            if (!wanted(act, words)) continue;
            const std::string result = result_of(act, host, apart);
            std::printf("%s\t%s\t%s\n", act.kind, act.name, result.c_str());
            std::fflush(stdout);
        }
    }
}
