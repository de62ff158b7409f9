// Folders of the host for runs to write to (allowed.h). The script has another user in
// each run, so the folder is shown through a mount that maps its owner to that user:
// what the script makes belongs to the owner, and no file has to be given away.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "sandbox/launcher/allowed.h"
#include "sandbox/launcher/kernel.h"
#include "sandbox/launcher/mounts.h"

namespace berth::launcher {
namespace {

int write_map(const Fd& proc, pid_t pid, const char* file, const char* text) {
    char path[48];
    std::snprintf(path, sizeof path, "%d/%s", pid, file);
    const Fd map{::openat(proc.get(), path, O_WRONLY | O_CLOEXEC)};
    if (!map) return errno;
    const std::size_t size = std::strlen(text);
    return ::write(map.get(), text, size) == static_cast<ssize_t>(size) ? 0 : errno;
}

// Enters a user namespace of its own and waits until that was opened from outside.
[[noreturn]] void hold_namespace(int socket) {
    // Else its namespace could not be opened; there is nothing in this copy to read.
    (void)::prctl(PR_SET_DUMPABLE, 1);
    const char made = ::unshare(CLONE_NEWUSER) == 0 ? 1 : 0;
    char done = 0;
    if (::write(socket, &made, 1) == 1) (void)!::read(socket, &done, 1);
    ::_exit(0);
}

}  // namespace

const char* add_folder(Allowed& allowed, const Named& named) {
    if (allowed.folder(named.name) != nullptr) return "has a name that was given before";
    WritableFolder folder;
    std::strcpy(folder.name, named.name);
    folder.path = named.value;
    struct stat status {};
    if (::lstat(folder.path, &status) < 0 || !S_ISDIR(status.st_mode))
        return "is not a folder that can be opened";
    // A script can give its own files the set-user-id bit: outside they would be root's.
    if (status.st_uid == 0 || status.st_gid == 0)
        return "belongs to root: give it an owner and a group of its own with chown";
    folder.owner = status.st_uid;
    folder.group = status.st_gid;
    allowed.folders.push_back(std::move(folder));
    allowed.grants |= ipc::grant_writable_path;
    return nullptr;
}

int mount_folders(Allowed& allowed, int root) {
    for (WritableFolder& one : allowed.folders) {
        // Only now, by this namespace's mounts: of others none can be copied.
        one.folder.reset(::open(one.path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!one.folder) return errno;
        char path[16 + sizeof one.name];
        std::snprintf(path, sizeof path, "data/%s", one.name);
        if (::mkdirat(root, path, 0755) < 0) return errno;
        const Fd copy = copy_mount(one.folder.get(), "", kNoSuidNoDev);
        if (!copy) return errno;
        if (const int err = attach(copy, root, path); err != 0) return err;
    }
    return 0;
}

int open_folders(Allowed& allowed) {
    for (WritableFolder& one : allowed.folders) {
        char path[16 + sizeof one.name];
        std::snprintf(path, sizeof path, "/data/%s", one.name);
        one.stored.reset(::open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!one.stored) return errno;
    }
    return 0;
}

Fd copy_folder(const WritableFolder& folder, const Fd& id_map) {
    Fd copy{
        ::open_tree(folder.stored.get(), "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH)};
    if (!copy) return {};
    mount_attr wanted{};
    wanted.attr_set = kNoSuidNoDev | MOUNT_ATTR_IDMAP;
    wanted.propagation = MS_PRIVATE;
    wanted.userns_fd = static_cast<decltype(wanted.userns_fd)>(id_map.get());
    if (::mount_setattr(copy.get(), "", AT_EMPTY_PATH, &wanted, sizeof wanted) < 0) return {};
    return copy;
}

Fd make_id_map(const Fd& proc, const WritableFolder& folder, uid_t script) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) return {};
    Fd ours{ends[0]};
    Fd theirs{ends[1]};
    const pid_t pid = ::fork();
    if (pid < 0) return {};
    if (pid == 0) {
        ours.reset();  // else the child would hold itself
        hold_namespace(theirs.get());
    }
    theirs.reset();

    Fd id_map;
    int err = 0;
    char made = 0;
    if (::read(ours.get(), &made, 1) != 1 || made != 1) err = EPERM;
    char text[48];
    const auto map = [&](const char* file, unsigned from) {
        std::snprintf(text, sizeof text, "%u %u 1\n", from, script);
        if (err == 0) err = write_map(proc, pid, file, text);
    };
    map("uid_map", folder.owner);
    map("gid_map", folder.group);
    if (err == 0) {
        std::snprintf(text, sizeof text, "%d/ns/user", pid);
        id_map.reset(::openat(proc.get(), text, O_RDONLY | O_CLOEXEC));
        if (!id_map) err = errno;
    }
    ours.reset();  // and the child ends
    (void)::waitpid(pid, nullptr, 0);
    errno = err;
    return id_map;
}

}  // namespace berth::launcher
