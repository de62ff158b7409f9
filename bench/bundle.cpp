#include "bench/bundle.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "sandbox/launcher/filter.h"
#include "sandbox/launcher/syscalls.h"

namespace berth::bench {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::uint32_t kFirstUid = 1879060000;  // not among Berth's own

Json filter_names() {
    Json names = Json::array();
    for (const char* name : launcher::allowed_syscalls())
        names.push_back(name);
    for (const char* name : launcher::sharing_syscalls())
        names.push_back(name);
    for (const auto& one : launcher::conditional_syscalls())
        names.push_back(one.name);
    return {{"defaultAction", "SCMP_ACT_ERRNO"},
            {"defaultErrnoRet", ENOSYS},  // as Berth answers: glibc goes back from clone3 to clone
            {"architectures", {"SCMP_ARCH_X86_64"}},
            {"syscalls", {{{"names", names}, {"action", "SCMP_ACT_ALLOW"}}}}};
}

Json id_map() { return {{{"containerID", 0}, {"hostID", kFirstUid}, {"size", 2}}}; }

Json linux_part(bool confined) {
    Json spaces = Json::array();
    for (const char* type : {"pid", "network", "ipc", "uts", "mount", "cgroup"})
        spaces.push_back({{"type", type}});
    Json part{{"maskedPaths", {"/proc/kcore", "/proc/keys", "/proc/timer_list"}},
              {"readonlyPaths", {"/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"}}};
    if (confined) {
        spaces.push_back({{"type", "user"}});
        part["uidMappings"] = part["gidMappings"] = id_map();
        part["seccomp"] = filter_names();
    }
    part["namespaces"] = std::move(spaces);
    return part;
}

Json mount(const char* target, const char* type, const char* source, Json options) {
    return {{"destination", target},
            {"type", type},
            {"source", source},
            {"options", std::move(options)}};
}

}  // namespace

Bundle::Bundle(const fs::path& program) : root_{folder_.path() / "root"} {
    for (const char* name : {"usr", "proc", "sys", "dev", "tmp", "app", "work", "run", "etc"})
        fs::create_directories(root_ / name);
    for (const char* name : {"bin", "sbin", "lib", "lib64"})
        if (fs::exists(fs::path{"/usr"} / name))
            fs::create_symlink(fs::path{"usr"} / name, root_ / name);
    fs::copy_file(program, root_ / "app/program");
    std::ofstream{root_ / "etc/localtime"};  // systemd-nspawn wants to show the host's there
    for (const auto& path : {folder_.path(), root_, root_ / "app", root_ / "app/program"})
        check(::chmod(path.c_str(), 0755), "opening '{}' to all", path.string());

    int err = 0;
    const auto filter = launcher::make_script_filter({}, err);
    if (filter.program.empty()) throw SystemError{err, "making the system call filter"};
    std::ofstream file{filter_file(), std::ios::binary};
    file.write(reinterpret_cast<const char*>(filter.program.data()),
               static_cast<std::streamsize>(filter.program.size() * sizeof(sock_filter)));
    file.close();
    if (!file) throw std::runtime_error{"the system call filter could not be written"};
}

std::string Bundle::filter_file() const { return (folder_.path() / "filter.bpf").string(); }

std::string Bundle::oci(const std::vector<std::string>& argv, bool confined) {
    const auto folder = folder_.path() / fmt::format("oci{}", count_++);
    fs::create_directory(folder);
    Json config{{"ociVersion", "1.0.0"},
                {"hostname", "bench"},
                {"root", {{"path", root_.string()}, {"readonly", true}}},
                {"linux", linux_part(confined)}};
    config["process"] = {{"user", {{"uid", confined ? 1 : 0}, {"gid", confined ? 1 : 0}}},
                         {"args", argv},
                         {"env", {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp"}},
                         {"cwd", "/"},
                         {"noNewPrivileges", true},
                         {"capabilities", Json::object()}};
    config["mounts"] = {
        mount("/proc", "proc", "proc", {"nosuid", "nodev", "noexec"}),
        mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
        mount("/usr", "bind", "/usr", {"bind", "ro", "nosuid", "nodev"}),
        mount("/tmp", "tmpfs", "tmpfs", {"nosuid", "nodev", "mode=1777"})};
    std::ofstream file{folder / "config.json"};
    file << config.dump(1);
    return folder.string();
}

}  // namespace berth::bench
