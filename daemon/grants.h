// What the administrator's configuration lets the runs of an integration do beyond
// the plain sandbox; the launcher knows each by the same word (ipc::Grant). Nobody gets a
// grant through the API: berthd only reads the table, and berth-launcher was told at its
// start, by whoever wrote the configuration, what may be asked for at all. Pure.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace berth {

struct Granted {
    bool host_network = false;                // it may choose `network: host`
    std::filesystem::path writable_path;      // seen at /data; empty: none
    std::vector<std::string> extra_syscalls;  // sorted; empty: none
    bool operator==(const Granted&) const = default;
};

// By the integration's name; `*` is for those that have no line of their own.
using GrantTable = std::map<std::string, Granted, std::less<>>;
const Granted& granted_to(const GrantTable& table, std::string_view integration);

// `host_network, writable_path:/srv/x, extra_syscalls:bpf+perf_event_open`. The
// refusal says what is wrong with the text, to follow the key's name.
Result<Granted> parse_grants(std::string_view text);

// unprocessable at `body.network`, with the line of the configuration that is missing.
Result<void> may_use_host_network(const Granted& granted, std::string_view integration);

std::string join_calls(const std::vector<std::string>& calls);  // `bpf+perf_event_open`

// Under which name berth-launcher's command line has the folder or the set. Made from
// the content, so that a berthd with another configuration than the launcher's is
// refused instead of being given something else.
std::string folder_name(const std::filesystem::path& folder);
std::string syscalls_name(const std::vector<std::string>& calls);

}  // namespace berth
