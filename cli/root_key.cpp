#include "cli/root_key.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/error.h"
#include "base/file.h"
#include "base/secret.h"
#include "base/text.h"

namespace berth {

Owner owner_of(std::optional<uid_t> given, const char* user) {
    const passwd* entry = given ? ::getpwuid(*given) : ::getpwnam(user);
    if (entry != nullptr) return {entry->pw_uid, entry->pw_gid};
    if (given) return {*given, static_cast<gid_t>(*given)};
    return {};
}

std::string make_root_key(const Fd& dir, const char* name, const Owner& owner) {
    constexpr std::size_t kKeyBytes = 32, kIdBytes = 8;
    const std::string temporary = std::string{name} + ".new";
    ::unlinkat(dir.get(), temporary.c_str(), 0);  // left by an interrupted init
    std::string key = random_bytes(kKeyBytes);
    const Fd file{check(::openat(dir.get(), temporary.c_str(),
                                 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400),
                        "creating the root key")};
    check(::fchown(file.get(), owner.uid, owner.gid), "giving the root key to its owner");
    check(::fchmod(file.get(), 0400), "setting the mode of the root key");
    write_all(file.get(), key);
    const std::string id = to_hex(sha256("berth root key id" + key).substr(0, kIdBytes));
    cleanse(key.data(), key.size());
    check(::fsync(file.get()), "syncing the root key");
    check(::renameat2(dir.get(), temporary.c_str(), dir.get(), name, RENAME_NOREPLACE),
          "putting the root key in place");
    check(::fsync(dir.get()), "syncing the directory of the root key");
    return id;
}

}  // namespace berth
