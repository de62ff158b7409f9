#include "sandbox/launcher/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "base/fd.h"
#include "sandbox/launcher/kernel.h"

namespace berth::launcher {
namespace {

// Newer than Debian 12's headers.
constexpr std::uint64_t kTruncate = 1ULL << 14;             // ABI 3
constexpr std::uint64_t kIoctlDev = 1ULL << 15;             // ABI 5
constexpr std::uint64_t kScopeAbstractSockets = 1ULL << 0;  // ABI 6
constexpr std::uint64_t kScopeSignals = 1ULL << 1;

struct RulesetAttr {
    std::uint64_t handled_access_fs;
    std::uint64_t handled_access_net;  // ABI 4
    std::uint64_t scoped;              // ABI 6
};

constexpr std::uint64_t kRead =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kUpToMakeSym = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
// Device nodes are made nowhere.
constexpr std::uint64_t kWrite =
    ~std::uint64_t{LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK};
constexpr std::uint64_t kDevice =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate | kIoctlDev;

std::uint64_t known_rights(int abi) {
    std::uint64_t rights = kUpToMakeSym;
    if (abi >= 2) rights |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= 3) rights |= kTruncate;
    if (abi >= 5) rights |= kIoctlDev;
    return rights;
}

int allow(int ruleset, int folder, std::uint64_t rights) {
    landlock_path_beneath_attr rule{};
    rule.allowed_access = rights;
    rule.parent_fd = folder;
    return errno_of(
        ::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0));
}

int allow(int ruleset, const char* path, std::uint64_t rights) {
    const Fd at{::open(path, O_PATH | O_CLOEXEC)};
    return at ? allow(ruleset, at.get(), rights) : errno;
}

}  // namespace

int landlock_abi() noexcept {
    const long abi =
        ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return abi < 0 ? 0 : static_cast<int>(abi);
}

int restrict_paths(int abi, int data) noexcept {
    if (abi == 0) return 0;
    const std::uint64_t known = known_rights(abi);
    RulesetAttr attr{};
    attr.handled_access_fs = known;
    if (abi >= 6) attr.scoped = kScopeAbstractSockets | kScopeSignals;
    const std::size_t size = abi >= 6   ? sizeof attr
                             : abi >= 4 ? offsetof(RulesetAttr, scoped)
                                        : offsetof(RulesetAttr, handled_access_net);
    const Fd ruleset{static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attr, size, 0))};
    if (!ruleset) return errno;

    struct Rule {
        const char* path;
        std::uint64_t rights;
    };
    const Rule rules[] = {
        {"/", kRead}, {"/dev", kDevice}, {"/tmp", kWrite}, {"/work", kWrite}, {"/dev/shm", kWrite}};
    for (const Rule& rule : rules)
        if (const int err = allow(ruleset.get(), rule.path, rule.rights & known); err != 0)
            return err;
    if (data >= 0)
        if (const int err = allow(ruleset.get(), data, kWrite & known); err != 0) return err;
    return errno_of(::syscall(SYS_landlock_restrict_self, ruleset.get(), 0));
}

}  // namespace berth::launcher
