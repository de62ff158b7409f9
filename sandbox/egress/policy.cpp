#include "sandbox/egress/policy.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "model/limits.h"

namespace berth::egress {
namespace {

struct Special {
    std::string_view network;
    std::string_view what;
};

// The IANA registries of special addresses (RFC 6890 and what came after). The first
// that fits counts.
constexpr std::uint16_t kMailServers = 25;  // SMTP between them, RFC 5321

constexpr Special kSpecialV4[] = {
    {"0.0.0.0/8", "an address of 'this network'"},
    {"10.0.0.0/8", "a private address"},
    {"100.64.0.0/10", "an address within a carrier's network"},
    {"127.0.0.0/8", "a loopback address"},
    {"168.63.129.16/32", "an address of a cloud's own services"},  // Azure's, though public
    {"169.254.0.0/16", "a link-local address, where clouds keep their metadata"},
    {"172.16.0.0/12", "a private address"},
    {"192.0.0.0/24", "an address for protocol assignments"},
    {"192.0.2.0/24", "an address for documentation"},
    {"192.88.99.0/24", "an address of 6to4 relays"},
    {"192.168.0.0/16", "a private address"},
    {"198.18.0.0/15", "an address for benchmarks"},
    {"198.51.100.0/24", "an address for documentation"},
    {"203.0.113.0/24", "an address for documentation"},
    {"224.0.0.0/4", "a multicast address"},
    {"240.0.0.0/4", "a reserved address"},
};
constexpr Special kSpecialV6[] = {
    {"::/128", "the address of no host"},
    {"::1/128", "a loopback address"},
    {"64:ff9b:1::/48", "an address of a local translation to IPv4"},
    {"fc00::/7", "a private address"},
    {"fe80::/10", "a link-local address"},
    {"fec0::/10", "a site-local address"},
    {"ff00::/8", "a multicast address"},
    {"2001:db8::/32", "an address for documentation"},
    {"2001::/32", "an address of a Teredo tunnel"},
    {"2001::/23", "an address for protocol assignments"},
    {"3fff::/20", "an address for documentation"},
};

struct Judged {
    Network network;
    std::string_view what;
};

template <std::size_t n>
std::array<Judged, n> parsed(const Special (&specials)[n]) {
    std::array<Judged, n> all;
    for (std::size_t i = 0; i < n; ++i)
        all[i] = {*Network::parse(specials[i].network), specials[i].what};
    return all;
}

std::string_view first_of(std::span<const Judged> specials, const Address& address) {
    const auto found = std::ranges::find_if(
        specials, [&](const Judged& special) { return special.network.contains(address); });
    return found == specials.end() ? std::string_view{} : found->what;
}

// The IPv4 address that an IPv6 one leads to by a translation or a tunnel.
std::optional<Address> embedded(const Address& address) {
    const auto& bytes = address.bytes();
    const auto four = [&](std::size_t at) {
        return Address::v4(std::uint32_t{bytes[at]} << 24 | std::uint32_t{bytes[at + 1]} << 16 |
                           std::uint32_t{bytes[at + 2]} << 8 | bytes[at + 3]);
    };
    static const Network kTranslated = *Network::parse("64:ff9b::/96");
    static const Network k6to4 = *Network::parse("2002::/16");
    if (kTranslated.contains(address)) return four(12);
    if (k6to4.contains(address)) return four(2);
    // ISATAP: ...:[02]00:5efe:a.b.c.d below any prefix.
    if ((bytes[8] & 0xfdU) == 0 && bytes[9] == 0 && bytes[10] == 0x5e && bytes[11] == 0xfe)
        return four(12);
    return {};
}

bool is_label(std::string_view label) {
    const auto good = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    };
    return !label.empty() && label.size() <= 63 && std::ranges::all_of(label, good);
}

// As URLs have it (WHATWG): such a last part makes the whole an IPv4 address.
bool is_number(std::string_view label) {
    if (std::ranges::all_of(label, [](char c) { return c >= '0' && c <= '9'; })) return true;
    return label.starts_with("0x") &&
           label.find_first_not_of("0123456789abcdef", 2) == std::string_view::npos;
}

// Also by a translation: what leads back to this host is this host.
bool is_own(const Address& address, std::span<const Address> own) {
    const auto is_listed = [&](const Address& one) {
        return std::ranges::find(own, one) != own.end();
    };
    if (is_listed(address)) return true;
    if (address.is_v4()) return false;
    const auto inner = embedded(address);
    return inner && is_listed(*inner);
}

bool opens(const AllowEntry& entry, const Destination& destination, const Address& address) {
    if (entry.port != 0 && entry.port != destination.port) return false;
    if (!entry.name.empty()) return name_matches(entry.name, destination.name);
    return entry.network.contains(address);
}

}  // namespace

std::string_view kind_of_refused(const Address& address) {
    static const auto kV4 = parsed(kSpecialV4);
    static const auto kV6 = parsed(kSpecialV6);
    static const Network kGlobal = *Network::parse("2000::/3");
    if (address.is_v4()) return first_of(kV4, address);
    if (const auto what = first_of(kV6, address); !what.empty()) return what;
    const auto inner = embedded(address);
    if (inner) {
        if (const auto what = first_of(kV4, *inner); !what.empty()) return what;
    }
    const bool translated = inner && !kGlobal.contains(address);
    return translated || kGlobal.contains(address) ? "" : "a reserved address";
}

std::optional<std::string> host_name(std::string_view text) {
    if (text.ends_with('.')) text.remove_suffix(1);
    std::string name = to_lower_ascii(text);
    if (name.empty() || name.size() > limits::kHostNameBytes) return {};
    const auto labels = split(name, '.');
    if (!std::ranges::all_of(labels, is_label) || is_number(labels.back())) return {};
    return name;
}

bool name_matches(std::string_view pattern, std::string_view name) {
    if (!pattern.starts_with("*.")) return pattern == name && !name.empty();
    pattern.remove_prefix(1);
    return name.size() > pattern.size() && name.ends_with(pattern);
}

Result<AllowEntry> parse_allow(std::string_view text) {
    const auto refuse = [&] {
        return fail(FailureKind::unprocessable,
                    "'{}' cannot be allowed: give a host name ('*.' in front for all below it), an "
                    "address or a network as in '10.1.0.0/16', and ':PORT' for one port of it",
                    printable(text, 80));
    };
    AllowEntry entry;
    std::string_view rest = text;
    std::string_view port;
    std::string_view host;
    if (rest.starts_with('[')) {
        const auto end = rest.find(']');
        if (end == std::string_view::npos) return refuse();
        host = rest.substr(1, end - 1);
        rest.remove_prefix(end + 1);
        std::string network{host};
        if (rest.starts_with('/')) {
            const auto colon = rest.find(':');
            network += rest.substr(0, colon);
            rest.remove_prefix(std::min(colon, rest.size()));
        }
        const auto parsed_network = Network::parse(network);
        if (!parsed_network || (!rest.empty() && !rest.starts_with(':'))) return refuse();
        entry.network = *parsed_network;
        if (!rest.empty()) port = rest.substr(1);
        if (!rest.empty() && port.empty()) return refuse();
    } else if (const auto whole = Network::parse(rest)) {
        entry.network = *whole;  // an IPv6 one without brackets has no port
    } else {
        const auto colon = rest.rfind(':');
        host = rest.substr(0, colon);
        if (colon != std::string_view::npos) {
            port = rest.substr(colon + 1);
            if (port.empty()) return refuse();
        }
        if (const auto network = Network::parse(host)) {
            // The last part of an IPv6 address is no port.
            if (!network->base.is_v4()) return refuse();
            entry.network = *network;
        } else {
            const bool all_below = host.starts_with("*.");
            const auto name = host_name(all_below ? host.substr(2) : host);
            if (!name) return refuse();
            entry.name = (all_below ? "*." : "") + *name;
        }
    }
    if (!port.empty()) {
        const auto number = to_number<std::uint16_t>(port);
        if (!number || *number == 0) return refuse();
        entry.port = *number;
    }
    return entry;
}

std::string refuse_name(const Policy& policy, std::string_view name) {
    if (policy.names.empty()) return {};
    const bool listed = std::ranges::any_of(
        policy.names, [&](const std::string& pattern) { return name_matches(pattern, name); });
    return listed ? std::string{} : "not one of the names that the integration may reach";
}

std::string refuse_address(const Policy& policy, const Destination& destination,
                           const Address& address, std::span<const Address> own) {
    const bool opened = std::ranges::any_of(
        policy.allow, [&](const AllowEntry& entry) { return opens(entry, destination, address); });
    if (opened) return {};
    if (!policy.ports.empty() &&
        std::ranges::find(policy.ports, destination.port) == policy.ports.end())
        return "not one of the ports that scripts may reach";
    if (policy.ports.empty() && destination.port == kMailServers)
        return "port 25 is for mail servers among themselves; send mail by port 465 or 587";
    if (const auto what = kind_of_refused(address); !what.empty()) return std::string{what};
    if (is_own(address, own)) return "an address of this host itself";
    if (destination.name.empty() && !policy.names.empty())
        return "an address, where the integration may reach names only";
    return {};
}

std::string refuse_any(const Policy& policy, const Destination& destination,
                       std::span<const Address> addresses, std::span<const Address> own,
                       Address& refused) {
    for (const Address& address : addresses) {
        if (auto why = refuse_address(policy, destination, address, own); !why.empty()) {
            refused = address;
            return why;
        }
    }
    return {};
}

}  // namespace berth::egress
