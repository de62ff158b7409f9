// The generated /etc of a sandbox: the same for all of them, with nothing about
// the host but its library cache, port names and trusted certificates.
#pragma once

namespace berth::launcher {

// Writes into the open folder `etc`; 0, or an errno value.
int make_etc(int etc);

}  // namespace berth::launcher
