// Runs the attacks, each in a process of its own, and prints a line for each.
//   attacker "VICTIM'S LINE"
#include "tests/isolation/attacker.h"

#include <sys/wait.h>

#include <cstdio>
#include <cstring>
#include <sstream>

namespace berth::neighbours {

std::string content(const std::string& path) {
    std::string all;
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    char part[4096];
    for (ssize_t n; fd >= 0 && (n = ::read(fd, part, sizeof part)) > 0;)
        all.append(part, static_cast<std::size_t>(n));
    ::close(fd);
    return all;
}

namespace {

std::string result_of(const Attack& attack, const Victim& victim) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::alarm(120);
        ::_exit(attack.attempt(victim));
    }
    int status = 0;
    if (pid < 0 || ::waitpid(pid, &status, 0) < 0) return "not tried";
    if (WIFSIGNALED(status)) return std::string{"SIG"} + ::sigabbrev_np(WTERMSIG(status));
    const int err = WEXITSTATUS(status);
    return err == 0 ? "possible" : ::strerrorname_np(err);
}

}  // namespace
}  // namespace berth::neighbours

int main(int argc, char** argv) {
    using namespace berth::neighbours;
    Victim victim;
    if (argc < 2 || !(std::istringstream{argv[1]} >> victim)) return 2;
    for (const auto& attacks : {process_attacks(), sharing_attacks()}) {
        for (const Attack& attack : attacks) {
            std::printf("%s\t%s\n", attack.name, result_of(attack, victim).c_str());
            std::fflush(stdout);
        }
    }
}
