#include "sandbox/runner/plan.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string_view>

#include "base/assert.h"
#include "base/text.h"
#include "model/limits.h"
#include "sandbox/runner/record.h"

namespace berth::runner {
namespace {

constexpr auto kInvalid = FailureKind::invalid;

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

// "a/b" but not "", "/a", "a//b", "./a", "a/../b".
bool is_plain_relative(std::string_view path) {
    if (path.empty() || path.front() == '/' || path.back() == '/') return false;
    while (!path.empty()) {
        const auto name = path.substr(0, path.find('/'));
        if (name.empty() || name == "." || name == "..") return false;
        path.remove_prefix(std::min(name.size() + 1, path.size()));
    }
    return true;
}

// One refusal, or nothing.
using Refusal = std::optional<Failure>;

template <typename... Args>
Refusal refuse(std::string_view field, fmt::format_string<Args...> what, Args&&... args) {
    return Failure{kInvalid,
                   fmt::format("'{}' {}", field, fmt::format(what, std::forward<Args>(args)...)),
                   std::string{field}};
}

Refusal check_argv(const ipc::Start& start) {
    if (start.argv.empty()) return refuse("argv", "is empty: there is nothing to execute");
    if (start.argv[0].empty() || start.argv[0][0] != '/')
        return refuse("argv", "begins with a program that is not an absolute path");
    std::size_t bytes = 0;
    for (const std::string& arg : start.argv) {
        if (has_nul(arg)) return refuse("argv", "has an argument with a zero byte");
        if (arg.size() > limits::kEnvEntryBytes)
            return refuse("argv", "has an argument over {} bytes", limits::kEnvEntryBytes);
        bytes += arg.size() + 1;
    }
    if (bytes > limits::kEnvBytes)
        return refuse("argv", "has {} bytes, {} are allowed", bytes, limits::kEnvBytes);
    return {};
}

Refusal check_entry(std::string_view field, std::string_view name, std::string_view value,
                    std::size_t& bytes) {
    if (name.empty()) return refuse(field, "has an entry without a name");
    if (has_nul(name) || name.find('=') != std::string_view::npos)
        return refuse(field, "has a name with '=' or a zero byte");
    if (has_nul(value)) return refuse(field, "has a zero byte in the value of '{}'", name);
    const std::size_t size = name.size() + 1 + value.size();
    if (size > limits::kEnvEntryBytes)
        return refuse(field, "has {} bytes in '{}', {} are allowed", size, name,
                      limits::kEnvEntryBytes);
    bytes += size + 1;
    return {};
}

Refusal check_environment(const ipc::Start& start, std::span<const Secret> secrets) {
    std::size_t bytes = 0;
    for (const std::string& entry : start.env) {
        const auto equals = entry.find('=');
        if (equals == std::string::npos) return refuse("env", "has an entry without '='");
        const std::string_view all{entry};
        if (auto r = check_entry("env", all.substr(0, equals), all.substr(equals + 1), bytes))
            return r;
    }
    for (std::size_t i = 0; i < secrets.size(); ++i)
        for (const std::string& name : start.secrets[i].names)
            if (auto r = check_entry("secrets", name, secrets[i].reveal(), bytes)) return r;
    if (bytes > limits::kEnvBytes)
        return refuse("env", "has {} bytes with the secrets, {} are allowed", bytes,
                      limits::kEnvBytes);
    return {};
}

Refusal check_files(const ipc::Start& start) {
    std::uint64_t bytes = 0;
    for (const ipc::RunFile& file : start.files) {
        if (has_nul(file.name) || !is_plain_relative(file.name))
            return refuse("files", "has the name '{}', which is not a plain path below /work",
                          printable(file.name));
        bytes += file.content.size();
    }
    if (bytes > limits::kPlanFilesBytes)
        return refuse("files", "have {} bytes, {} are allowed", bytes, limits::kPlanFilesBytes);
    return {};
}

Refusal check_rest(const ipc::Start& start) {
    const std::string& folder = start.working_folder;
    if (!folder.empty() && (has_nul(folder) || !is_plain_relative(folder)))
        return refuse("working_folder", "is '{}', which is not a plain path below /app",
                      printable(folder));
    constexpr std::int64_t longest = std::chrono::seconds{limits::kMaxWallTime}.count();
    if (start.wall_time_s < 1 || start.wall_time_s > longest)
        return refuse("wall_time_s", "is {}, allowed are 1 to {}", start.wall_time_s, longest);
    return {};
}

ipc::SandboxLimits limits_of(const ipc::Start& start) {
    return {.memory_bytes = start.memory_bytes,
            .scratch_bytes = limits::kScratchBytes,
            .scratch_inodes = limits::kScratchInodes,
            .processes = limits::kProcesses,
            .open_files = limits::kOpenFiles,
            .file_bytes = limits::kFileBytes};
}

ipc::PlanHeader measure(const ipc::Start& start, std::span<const Secret> secrets,
                        std::string_view folder) {
    std::uint64_t strings = folder.size() + 1;
    std::uint64_t files = 0;
    std::size_t envc = start.env.size();
    for (const auto& arg : start.argv)
        strings += arg.size() + 1;
    for (const auto& entry : start.env)
        strings += entry.size() + 1;
    for (std::size_t i = 0; i < secrets.size(); ++i) {
        envc += start.secrets[i].names.size();
        for (const auto& name : start.secrets[i].names)
            strings += name.size() + 1 + secrets[i].size() + 1;
    }
    for (const auto& file : start.files)
        files += sizeof(ipc::PlanFile) + file.name.size() + 1 + file.content.size();

    ipc::PlanHeader header;
    header.bytes = sizeof header + strings + files;
    header.argc = static_cast<std::uint32_t>(start.argv.size());
    header.envc = static_cast<std::uint32_t>(envc);
    header.filec = static_cast<std::uint32_t>(start.files.size());
    header.strings_bytes = static_cast<std::uint32_t>(strings);
    header.limits = limits_of(start);
    return header;
}

// Fills the mapped plan from its front.
class Filler {
public:
    explicit Filler(std::span<char> into) : rest_{into} {}

    void put(const void* bytes, std::size_t size) {
        BERTH_ASSERT(size <= rest_.size());
        if (size > 0) std::memcpy(rest_.data(), bytes, size);
        rest_ = rest_.subspan(size);
    }
    void put(std::string_view text) { put(text.data(), text.size()); }
    void put_string(std::string_view text) {
        put(text);
        put("\0", 1);
    }
    bool full() const { return rest_.empty(); }

private:
    std::span<char> rest_;
};

void fill(std::span<char> into, const ipc::PlanHeader& header, const ipc::Start& start,
          std::span<const Secret> secrets, std::string_view folder) {
    Filler filler{into};
    filler.put(&header, sizeof header);
    for (const auto& arg : start.argv)
        filler.put_string(arg);
    for (const auto& entry : start.env)
        filler.put_string(entry);
    for (std::size_t i = 0; i < secrets.size(); ++i)
        for (const auto& name : start.secrets[i].names) {
            filler.put(name);
            filler.put("=");
            filler.put_string(secrets[i].reveal());
        }
    filler.put_string(folder);
    for (const auto& file : start.files) {
        ipc::PlanFile head;
        head.name_bytes = static_cast<std::uint32_t>(file.name.size() + 1);
        head.mode = 0400;
        head.content_bytes = file.content.size();
        filler.put(&head, sizeof head);
        filler.put_string(file.name);
        filler.put(file.content);
    }
    BERTH_ASSERT(filler.full());
}

// Filled once by `filler`, then changed by nobody.
template <typename Filler>
Fd sealed_memory(std::size_t size, Filler filler) {
    Fd memfd{check(::memfd_create("plan", MFD_CLOEXEC | MFD_ALLOW_SEALING),
                   "making memory for the plan")};
    check(::ftruncate(memfd.get(), static_cast<off_t>(size)), "sizing the plan");
    // Allocated now, so that a full memory is an error here and not a SIGBUS below.
    if (const int err = ::posix_fallocate(memfd.get(), 0, static_cast<off_t>(size)); err != 0)
        throw SystemError{err, "allocating the plan"};
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd.get(), 0);
    if (memory == MAP_FAILED) throw SystemError{errno, "mapping the plan"};
    filler(std::span{static_cast<char*>(memory), size});
    ::munmap(memory, size);  // F_SEAL_WRITE refuses while a writable mapping is there
    check(
        ::fcntl(memfd.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE),
        "sealing the plan");
    return memfd;
}

// Copies a name into a record's fixed field; false when it does not fit with its
// ending zero or is not a single path component.
template <std::size_t N>
bool put_component(char (&field)[N], const std::string& name) {
    if (name.size() >= N || has_nul(name) || !is_plain_relative(name) ||
        name.find('/') != std::string::npos)
        return false;
    std::memcpy(field, name.data(), name.size());
    return true;
}

}  // namespace

std::string working_folder_path(const ipc::Start& start) {
    return start.working_folder.empty() ? "/app" : "/app/" + start.working_folder;
}

Result<Plan> make_plan(const ipc::Start& start, std::span<const Secret> secrets) {
    BERTH_ASSERT(secrets.size() == start.secrets.size());
    for (const Refusal& refusal : {check_argv(start), check_environment(start, secrets),
                                   check_files(start), check_rest(start)})
        if (refusal) return tl::unexpected<Failure>{*refusal};

    const std::string folder = working_folder_path(start);
    const ipc::PlanHeader header = measure(start, secrets, folder);
    const bool fits = header.bytes <= ipc::kPlanPacketBytes;
    Plan plan;
    plan.packet.resize(fits ? header.bytes : sizeof header);
    if (fits) {
        fill(plan.packet, header, start, secrets, folder);
    } else {
        std::memcpy(plan.packet.data(), &header, sizeof header);
        plan.memory = sealed_memory(header.bytes, [&](std::span<char> memory) {
            fill(memory, header, start, secrets, folder);
        });
    }
    return plan;
}

int send_plan(int socket, const Plan& plan, const std::array<int, 3>& streams) {
    const int descriptors[] = {streams[0], streams[1], streams[2], plan.memory.get()};
    return send_packet(socket, plan.packet.data(), plan.packet.size(),
                       {descriptors, plan.memory ? std::size_t{4} : std::size_t{3}});
}

Result<ipc::BuildRequest> make_build_request(const ipc::Start& start) {
    ipc::BuildRequest request;
    const auto refused = [](std::string_view field, std::string_view why) {
        return fail_at(kInvalid, std::string{field}, "'{}' {}", field, why);
    };
    if (!put_component(request.kind.runtime, start.runtime))
        return refused("runtime", "is not a short name of one path component");
    if (!put_component(request.assignment.release, start.release))
        return refused("release", "is not a short name of one path component");
    if (start.network > static_cast<std::uint32_t>(ipc::Network::egress))
        return refused("network", "is a kind this program does not know");
    if (start.memory_bytes == 0) return refused("memory_bytes", "must not be 0");
    request.kind.network = static_cast<ipc::Network>(start.network);
    request.kind.grants = start.grants;
    if (!start.extra_syscalls.empty() &&
        !put_component(request.kind.syscalls, start.extra_syscalls))
        return refused("extra_syscalls", "is not a short name of one path component");
    if (!start.writable_path.empty() &&
        !put_component(request.assignment.writable, start.writable_path))
        return refused("writable_path", "is not a short name of one path component");
    request.assignment.limits = limits_of(start);
    return request;
}

}  // namespace berth::runner
