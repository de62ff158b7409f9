#include "tests/isolation/outside.h"

#include <grp.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "base/error.h"
#include "base/pipe.h"
#include "base/text.h"

namespace berth::isolation {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& words) {
    std::vector<char*> all;
    for (const auto& word : words)
        all.push_back(const_cast<char*>(word.c_str()));
    all.push_back(nullptr);
    return all;
}

}  // namespace

Outside::Outside(const std::vector<std::string>& argv, const std::vector<std::string>& env,
                 uid_t uid) {
    Pipe in = make_pipe();
    Pipe out = make_pipe();
    check(::fchmod(out.write.get(), 0666), "opening a pipe to everybody");  // as for a script
    const auto arguments = pointers(argv);
    const auto environment = pointers(env);
    pid_ = check(::fork(), "forking");
    if (pid_ == 0) {
        ::dup2(in.read.get(), 0);
        ::dup2(out.write.get(), 1);
        if (uid != 0 && (::setgroups(0, nullptr) < 0 || ::setresgid(uid, uid, uid) < 0 ||
                         ::setresuid(uid, uid, uid) < 0))
            ::_exit(126);
        ::execve(arguments[0], arguments.data(), environment.data());
        ::_exit(127);
    }
    input_ = std::move(in.write);
    output_ = std::move(out.read);
}

Outside::~Outside() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

int Outside::await_end() {
    int status = 0;
    check(::waitpid(pid_, &status, 0), "waiting");
    pid_ = -1;
    return status;
}

std::string Outside::read_line() {
    std::string line;
    for (char byte; ::read(output_.get(), &byte, 1) == 1 && byte != '\n';)
        line += byte;
    return line;
}

std::string Outside::read_all() {
    std::string text;
    std::array<char, 4096> part;
    for (ssize_t n; (n = ::read(output_.get(), part.data(), part.size())) > 0;)
        text.append(part.data(), static_cast<std::size_t>(n));
    return text;
}

std::vector<std::vector<std::string>> table(const std::string& text) {
    std::vector<std::vector<std::string>> lines;
    for (const auto& line : split(text, '\n'))
        if (!line.empty()) lines.push_back(split(line, '\t'));
    return lines;
}

}  // namespace berth::isolation
