// Sockets that the service manager opened for us and handed over (sd_listen_fds(3)).
#pragma once

#include <optional>
#include <string_view>

namespace berth {

// The descriptor with this FileDescriptorName=, if LISTEN_FDS is meant for this process.
// It stays where it is; whoever takes it owns it.
std::optional<int> inherited_socket(std::string_view name);

}  // namespace berth
