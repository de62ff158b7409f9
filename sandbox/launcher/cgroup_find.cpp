#include "sandbox/launcher/cgroup_find.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <string_view>

#include "base/fd.h"

namespace berth::launcher {
namespace {

std::string_view take(std::string_view& rest, char end) {
    const std::size_t at = rest.find(end);
    const std::string_view part = rest.substr(0, at);
    rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + 1);
    return part;
}

bool has(std::string_view list, std::string_view word) {
    while (!list.empty())
        if (take(list, ',') == word) return true;
    return false;
}

// `number:controllers:path`; v2 has number 0 and no controllers.
std::string_view path_in(std::string_view groups, std::string_view controller) {
    while (!groups.empty()) {
        std::string_view line = take(groups, '\n');
        const std::string_view number = take(line, ':');
        const std::string_view controllers = take(line, ':');
        if (controller.empty() ? number == "0" : has(controllers, controller)) return line;
    }
    return {};
}

// Spaces and the like are written as `\040`.
std::string unescaped(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool escape = text[i] == '\\' && i + 3 < text.size();
        if (!escape) {
            plain += text[i];
            continue;
        }
        plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                   (text[i + 3] - '0'));
        i += 3;
    }
    return plain;
}

}  // namespace

std::string own_group(const std::string& groups, const std::string& mounts,
                      const char* controller) {
    const std::string path{path_in(groups, controller)};
    if (path.empty() || path.find("..") != std::string::npos) return {};  // above our namespace
    const bool v2 = *controller == '\0';
    std::string_view rest{mounts};
    while (!rest.empty()) {
        std::string_view line = take(rest, '\n');
        for (int skipped = 0; skipped < 3; ++skipped)
            take(line, ' ');
        const std::string root = unescaped(take(line, ' '));
        const std::string point = unescaped(take(line, ' '));
        const std::size_t dash = line.find(" - ");
        if (dash == std::string_view::npos) continue;
        line.remove_prefix(dash + 3);
        const std::string_view type = take(line, ' ');
        take(line, ' ');  // the source
        if (type != (v2 ? "cgroup2" : "cgroup") || (!v2 && !has(line, controller))) continue;
        if (root == "/") return path == "/" ? point : point + path;
        if (path == root) return point;
        if (path.compare(0, root.size() + 1, root + "/") == 0)
            return point + path.substr(root.size());
    }
    return {};
}

std::string text_of(const char* path) {
    std::string text;
    const Fd file{::open(path, O_RDONLY | O_CLOEXEC)};
    if (!file) return text;
    char part[4096];
    for (ssize_t n; (n = ::read(file.get(), part, sizeof part)) > 0;)
        text.append(part, static_cast<std::size_t>(n));
    return text;
}

}  // namespace berth::launcher
