#include "sandbox/ipc/launcher_protocol.h"

namespace berth::ipc {

const char* step_text(Step step) noexcept {
    switch (step) {
        case Step::none: return "nothing failed";
        case Step::request: return "checking the build request";
        case Step::slot: return "taking a uid pair (all are in use)";
        case Step::cgroup: return "preparing the cgroup";
        case Step::sockets: return "making the control sockets";
        case Step::clone: return "making the namespaces";
        case Step::parent_death: return "setting the parent-death signal";
        case Step::close_descriptors: return "closing inherited descriptors";
        case Step::private_mounts: return "making mounts private";
        case Step::root: return "making the root";
        case Step::runtime: return "mounting the runtime";
        case Step::release: return "mounting the release at /app";
        case Step::writable: return "mounting the granted folder at /data";
        case Step::proc: return "mounting /proc";
        case Step::dev: return "making /dev";
        case Step::scratch: return "mounting the scratch space";
        case Step::pivot: return "entering the root";
        case Step::network: return "setting up the network";
        case Step::hostname: return "setting the host name";
        case Step::user_namespace: return "entering the user namespace";
        case Step::id_maps: return "writing the uid and gid maps";
        case Step::identity: return "taking the sandbox's user";
        case Step::fork: return "forking the script's process";
        case Step::session: return "starting a session";
        case Step::capabilities: return "dropping capabilities";
        case Step::securebits: return "locking the secure bits";
        case Step::rlimits: return "setting resource limits";
        case Step::no_new_privs: return "forbidding new privileges";
        case Step::landlock: return "restricting paths with Landlock";
        case Step::seccomp: return "loading the system call filter";
        case Step::ready: return "reporting the sandbox ready";
        case Step::plan: return "reading the plan";
        case Step::plan_files: return "writing the plan's files";
        case Step::standard_streams: return "connecting stdin, stdout and stderr";
        case Step::working_folder: return "changing to the working folder";
        case Step::exec: return "executing the program";
    }
    return "an unknown step";
}

}  // namespace berth::ipc
