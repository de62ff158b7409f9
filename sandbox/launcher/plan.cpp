#include "sandbox/launcher/plan.h"

#include <cerrno>
#include <cstring>

namespace berth::launcher {
namespace {

bool is_component(std::span<const char> name) {
    if (name.empty()) return false;
    if (name[0] != '.') return true;
    return name.size() > 2 || (name.size() == 2 && name[1] != '.');
}

bool is_plain_relative(std::span<const char> path) {
    std::size_t begin = 0;
    for (std::size_t i = 0; i <= path.size(); ++i) {
        if (i < path.size() && path[i] != '/') continue;
        if (!is_component(path.subspan(begin, i - begin))) return false;
        begin = i + 1;
    }
    return true;
}

}  // namespace

std::size_t plan_pointers(const ipc::PlanHeader& header) {
    const ipc::PlanHeader expected;
    if (std::memcmp(&header.header, &expected.header, sizeof expected.header) != 0) return 0;
    if (header.bytes > kMaxPlanBytes || header.argc == 0) return 0;
    if (header.bytes < sizeof header || header.strings_bytes > header.bytes - sizeof header)
        return 0;
    // Every string has at least its zero.
    const std::uint64_t strings = std::uint64_t{header.argc} + header.envc + 1;
    if (strings > header.strings_bytes) return 0;
    // Without the folder, with two null pointers.
    return static_cast<std::size_t>(strings + 1) + kSpareEnvironment;
}

int parse_plan(const ipc::PlanHeader& packet, std::span<char> memory, std::span<char*> pointers,
               Plan& plan) {
    const std::size_t needed = plan_pointers(packet);
    if (needed == 0 || pointers.size() < needed || memory.size() != packet.bytes) return EINVAL;
    if (std::memcmp(memory.data(), &packet, sizeof packet) != 0) return EINVAL;

    auto rest = memory.subspan(sizeof packet, packet.strings_bytes);
    if (rest.back() != '\0') return EINVAL;  // so that no string runs into what follows
    const auto take = [&rest]() -> char* {
        if (rest.empty()) return nullptr;
        char* text = rest.data();
        rest = rest.subspan(std::strlen(text) + 1);
        return text;
    };
    std::size_t at = 0;
    const auto take_list = [&](std::uint32_t count) {
        char** list = &pointers[at];
        for (std::uint32_t i = 0; i < count; ++i)
            pointers[at++] = take();
        pointers[at++] = nullptr;
        return list;
    };
    plan.argv = take_list(packet.argc);
    plan.envp = take_list(packet.envc);
    plan.folder = take();
    if (plan.folder == nullptr || !rest.empty()) return EINVAL;  // too few strings, or too many
    if (plan.argv[0][0] != '/' || plan.folder[0] != '/') return EINVAL;

    plan.files = memory.subspan(sizeof packet + packet.strings_bytes);
    auto files = plan.files;
    File file;
    std::uint32_t count = 0;
    while (next_file(files, file))
        ++count;
    return files.empty() && count == packet.filec ? 0 : EINVAL;
}

bool next_file(std::span<char>& files, File& file) {
    ipc::PlanFile head;
    if (files.size() < sizeof head) return false;
    std::memcpy(&head, files.data(), sizeof head);
    const auto rest = files.subspan(sizeof head);
    if (head.name_bytes == 0 || head.name_bytes > rest.size()) return false;
    if (head.content_bytes > rest.size() - head.name_bytes) return false;
    const std::size_t length = head.name_bytes - 1;
    if (std::memchr(rest.data(), '\0', head.name_bytes) != rest.data() + length) return false;
    if (!is_plain_relative(rest.first(length))) return false;
    file.name = rest.data();
    file.mode = head.mode & 0777;
    file.content = rest.subspan(head.name_bytes, head.content_bytes);
    files = rest.subspan(head.name_bytes + head.content_bytes);
    return true;
}

}  // namespace berth::launcher
