#include "sandbox/launcher/request.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace berth::launcher {
namespace {

// Ended within its field, with nothing behind its end: equal names are equal bytes.
template <std::size_t N>
bool is_clean(const char (&name)[N]) {
    const auto* end = static_cast<const char*>(std::memchr(name, '\0', N));
    return end != nullptr && std::all_of(end, name + N, [](char c) { return c == '\0'; });
}

// A single path component.
template <std::size_t N>
bool is_component(const char (&name)[N]) {
    if (!is_clean(name) || name[0] == '\0') return false;
    if (std::strchr(name, '/') != nullptr) return false;
    return std::strcmp(name, ".") != 0 && std::strcmp(name, "..") != 0;
}

bool within(std::uint64_t value, std::uint64_t least, std::uint64_t most) {
    return value >= least && value <= most;
}

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

bool limits_make_sense(const ipc::SandboxLimits& limits) {
    return within(limits.memory_bytes, 4 * kMiB, kMiB * kMiB) &&
           within(limits.scratch_bytes, 64 << 10, kMiB * kMiB) &&
           within(limits.scratch_inodes, 16, 100'000'000) && within(limits.processes, 1, 100'000) &&
           within(limits.open_files, 8, 1 << 20) && within(limits.file_bytes, 4096, kMiB * kMiB) &&
           within(limits.cpu_percent, 0, 100'000);
}

// A name goes with its grant, and must be one of the command line.
int check_names(const ipc::BuildRequest& request, const Allowed& allowed) {
    const char(&folder)[sizeof request.assignment.writable] = request.assignment.writable;
    const char(&set)[sizeof request.kind.syscalls] = request.kind.syscalls;
    if (!is_clean(folder) || !is_clean(set)) return EINVAL;
    const auto is_set = [&](std::uint32_t grant) { return (request.kind.grants & grant) != 0; };
    if (is_set(ipc::grant_writable_path) != (folder[0] != '\0')) return EPERM;
    if (is_set(ipc::grant_extra_syscalls) != (set[0] != '\0')) return EPERM;
    if (folder[0] != '\0' && (!is_component(folder) || allowed.folder(folder) == nullptr))
        return ENOENT;
    if (set[0] != '\0' && (!is_component(set) || allowed.set(set) == nullptr)) return ENOENT;
    return 0;
}

template <typename Request>
bool has_header(const Request& request) {
    const Request expected;
    return std::memcmp(&request.header, &expected.header, sizeof expected.header) == 0;
}

}  // namespace

int check_request(const ipc::BuildRequest& request, const Allowed& allowed) {
    if (!has_header(request)) return EPROTO;
    const ipc::Class& kind = request.kind;
    if (!is_component(request.assignment.release) || !is_component(kind.runtime)) return EINVAL;
    if ((kind.grants & ~allowed.grants) != 0) return EPERM;
    if (const int err = check_names(request, allowed); err != 0) return err;
    if (kind.network > ipc::Network::egress) return EINVAL;
    if (kind.network == ipc::Network::host && (kind.grants & ipc::grant_host_network) == 0)
        return EPERM;
    return limits_make_sense(request.assignment.limits) ? 0 : ERANGE;
}

int check_request(const ipc::TakeRequest& request) {
    if (!has_header(request)) return EPROTO;
    if (!is_component(request.assignment.release)) return EINVAL;
    if (request.assignment.writable[0] != '\0') return EPERM;  // parked ones have no grants
    return limits_make_sense(request.assignment.limits) ? 0 : ERANGE;
}

int check_request(const ipc::KillRequest& request) { return has_header(request) ? 0 : EPROTO; }

bool may_be_parked(const ipc::Class& kind) {
    return kind.grants == 0 && kind.network != ipc::Network::host;
}

bool same_class(const ipc::Class& a, const ipc::Class& b) {
    static_assert(sizeof(ipc::Class) == 2 * sizeof(std::uint32_t) + sizeof a.runtime +
                                            sizeof a.syscalls);  // no padding to compare
    return std::memcmp(&a, &b, sizeof a) == 0;
}

}  // namespace berth::launcher
