// What berth-egress can still ask of the kernel once it serves: scripts and name servers
// send it bytes, and whoever took it over would find little to call. Its unit filters
// system calls too, but not everybody has units.
#pragma once

namespace berth::egress {

// For this thread and those it starts from now on, for good. Needs no_new_privs. Refused
// calls fail with EPERM, and the kernel's log has them (seccomp, type=1326). Throws
// SystemError.
void confine();

}  // namespace berth::egress
