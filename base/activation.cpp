#include "base/activation.h"

#include <unistd.h>

#include <cstdlib>
#include <string>

#include "base/text.h"

namespace berth {
namespace {

constexpr int kFirst = 3;
constexpr int kMost = 65'536;

std::string_view variable(const char* name) {
    const char* text = std::getenv(name);
    return text != nullptr ? text : "";
}

}  // namespace

std::optional<int> inherited_socket(std::string_view name) {
    if (to_number<pid_t>(variable("LISTEN_PID")) != ::getpid()) return {};
    const int count = to_number<int>(variable("LISTEN_FDS")).value_or(0);
    if (count < 1 || count > kMost) return {};
    int fd = kFirst;
    for (const std::string& given : split(variable("LISTEN_FDNAMES"), ':')) {
        if (fd == kFirst + count) break;
        if (given == name) return fd;
        ++fd;
    }
    return {};
}

}  // namespace berth
