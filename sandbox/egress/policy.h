// What a script may connect to: pure functions over names and addresses. Public
// addresses are reached, all others are refused with their reason, unless an entry
// of the administrator's list opens exactly that.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "sandbox/egress/address.h"

namespace berth::egress {

// Which kind of address it is that scripts do not reach, as in `a private address`;
// empty for a public one. An IPv4 address within an IPv6 one counts as itself.
std::string_view kind_of_refused(const Address& address);

// One entry of the administrator's list: `db.internal`, `*.internal:5432`,
// `10.1.0.0/16`, `10.1.2.3:5432`, `[fd00::5]:443`, `[fd00::]/8`.
struct AllowEntry {
    std::string name;  // a host name, or empty: `network` counts
    Network network;
    std::uint16_t port = 0;  // 0: every port

    bool operator==(const AllowEntry&) const = default;
};
Result<AllowEntry> parse_allow(std::string_view text);

// The form that names are compared in: lower case, no dot at the end. Nothing when it
// cannot be the name of a host; what ends in a number is an address or nothing.
std::optional<std::string> host_name(std::string_view text);

// `*.example.com` stands for all below it, not for itself.
bool name_matches(std::string_view pattern, std::string_view name);

// Where a script wants to go. Without a name it used an address.
struct Destination {
    std::string name;
    std::uint16_t port = 0;
};

// The rules of one run.
struct Policy {
    std::span<const AllowEntry> allow;     // the administrator's
    std::span<const std::string> names;    // the run's own; empty: any public one
    std::span<const std::uint16_t> ports;  // empty: any but that of mail servers
};

// Why the run may not ask for this name at all, before anything is looked up; empty: it may.
std::string refuse_name(const Policy& policy, std::string_view name);

// Why `address` must not be connected to, empty: it may be. `own` are the host's own
// addresses at this moment.
std::string refuse_address(const Policy& policy, const Destination& destination,
                           const Address& address, std::span<const Address> own);

// The same for all addresses that a name was found to have: one that is refused
// refuses the name, since who owns the name chose it. `refused` is which one.
std::string refuse_any(const Policy& policy, const Destination& destination,
                       std::span<const Address> addresses, std::span<const Address> own,
                       Address& refused);

}  // namespace berth::egress
