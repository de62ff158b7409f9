// Programs run without any sandbox: the controls.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/fd.h"

namespace berth::isolation {

// A plain child process of `uid`, with pipes. Killed, if it still runs, at the end.
class Outside {
public:
    Outside(const std::vector<std::string>& argv, const std::vector<std::string>& env,
            uid_t uid = 0);
    ~Outside();
    Outside(const Outside&) = delete;
    Outside& operator=(const Outside&) = delete;

    pid_t pid() const { return pid_; }
    std::string read_line();
    std::string read_all();
    int await_end();  // its wait status

private:
    pid_t pid_ = -1;
    Fd input_;
    Fd output_;
};

// `name\tresult` lines, or longer ones, as words.
std::vector<std::vector<std::string>> table(const std::string& text);

}  // namespace berth::isolation
