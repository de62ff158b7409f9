// Gives a sandbox that stands what only its run decides: the release, seen at /app.
// The launcher enters the sandbox's mount namespace, moves a detached copy in and
// comes back; docs/decisions/015 has the alternatives and their figures.
#pragma once

#include "base/fd.h"
#include "sandbox/ipc/launcher_protocol.h"
#include "sandbox/launcher/allowed.h"
#include "sandbox/launcher/template_root.h"

namespace berth::launcher {

class Attacher {
public:
    // In the template root: leaves the releases behind in a mount namespace of their
    // own, so that no sandbox is ever a copy of one that shows them. 0, or an errno value.
    int open(const HostFiles& host, Allowed& allowed);

    // Whether there is such a release. Cheap; for saying so before a sandbox is built.
    Failed find(const char* release) const;

    // `mounts` is the sandbox's mount namespace, `built_with` what its scratch space was
    // made for. Nothing of a tenant may be in it yet.
    Failed attach(const Fd& mounts, const ipc::SandboxLimits& built_with,
                  const ipc::Assignment& assignment) const;

    // A folder of the host that the run was granted, seen at /data; before attach().
    Failed attach_data(const Fd& mounts, const WritableFolder& folder, uid_t script) const;
    // Whether its file system can show a folder's owner as somebody else; 0, or errno.
    int try_data(const WritableFolder& folder, uid_t script) const;

private:
    Fd copy_release(const char* release) const;
    Fd copy_data(const WritableFolder& folder, uid_t script) const;

    Fd proc_;
    Fd home_;      // where this program lives, and what sandboxes are copies of
    Fd store_;     // the same with the releases
    Fd releases_;  // their folder
};

}  // namespace berth::launcher
