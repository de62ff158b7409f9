#include "sandbox/launcher/template_etc.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/fd.h"
#include "sandbox/launcher/kernel.h"
#include "sandbox/launcher/mounts.h"

namespace berth::launcher {
namespace {

struct Text {
    const char* name;
    const char* content;
};

constexpr Text kTexts[] = {
    {"passwd",
     "root:x:0:0:root:/:/usr/sbin/nologin\n"
     "script:x:1000:1000:script:/work:/bin/sh\n"
     "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"},
    {"group", "root:x:0:\nscript:x:1000:\nnogroup:x:65534:\n"},
    {"hosts", "127.0.0.1 localhost berth\n::1 localhost ip6-localhost ip6-loopback\n"},
    {"hostname", "berth\n"},
    {"nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\nservices: files\n"},
    // berth-egress answers there, or nobody does. A sandbox with the host's network has
    // the host's copy over it.
    {"resolv.conf", "nameserver 127.0.0.1\n"},
};

// Absent ones are left out.
constexpr const char* kCopied[] = {"ld.so.cache", "services", "protocols", "mime.types",
                                   "ssl/openssl.cnf"};
// Debian's `alternatives` are links out of /usr; of `ssl` only the certificates, never the keys.
constexpr const char* kMounted[] = {"alternatives", "ssl/certs"};

int write_text(int etc, const Text& text) {
    const Fd file{::openat(etc, text.name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)};
    if (!file) return errno;
    const std::size_t size = std::strlen(text.content);
    return ::write(file.get(), text.content, size) == static_cast<ssize_t>(size) ? 0 : EIO;
}

int copy_file(int etc, int host_etc, const char* name) {
    const Fd from{::openat(host_etc, name, O_RDONLY | O_CLOEXEC)};
    if (!from) return errno == ENOENT ? 0 : errno;
    struct stat status {};
    if (::fstat(from.get(), &status) < 0) return errno;
    if (!S_ISREG(status.st_mode)) return 0;
    const Fd to{::openat(etc, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)};
    if (!to) return errno;
    for (off_t left = status.st_size; left > 0;) {
        const ssize_t n = ::sendfile(to.get(), from.get(), nullptr, static_cast<std::size_t>(left));
        if (n < 0) return errno;
        if (n == 0) break;
        left -= n;
    }
    return 0;
}

int mount_folder(int etc, int host_etc, const char* name) {
    const Fd from{::openat(host_etc, name, O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!from) return errno == ENOENT ? 0 : errno;
    if (::mkdirat(etc, name, 0755) < 0) return errno;
    const Fd copy = copy_mount(from.get(), "", kReadOnly);
    if (!copy) return errno;
    return attach(copy, etc, name);
}

}  // namespace

int make_etc(int etc) {
    const Fd host_etc{::open("/etc", O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!host_etc) return errno;
    for (const Text& text : kTexts)
        if (const int err = write_text(etc, text); err != 0) return err;
    if (::mkdirat(etc, "ssl", 0755) < 0) return errno;
    for (const char* name : kCopied)
        if (const int err = copy_file(etc, host_etc.get(), name); err != 0) return err;
    for (const char* name : kMounted)
        if (const int err = mount_folder(etc, host_etc.get(), name); err != 0) return err;
    // Scripts see UTC, whatever the host's clock shows.
    if (::symlinkat("/usr/share/zoneinfo/Etc/UTC", etc, "localtime") < 0) return errno;
    return errno_of(::symlinkat("../usr/lib/os-release", etc, "os-release"));
}

}  // namespace berth::launcher
