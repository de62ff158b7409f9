// The little of DNS (RFC 1035, 6891) that the stub speaks: one question in, one
// answer with at most one IPv4 address out. Pure; the bytes come from scripts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sandbox/egress/address.h"

namespace berth::egress {

struct DnsQuestion {
    std::uint16_t id = 0;
    std::uint16_t type = 0;
    std::uint16_t kind = 0;  // the class; 1: the Internet
    unsigned opcode = 0;     // 0: a query
    bool recursion_desired = false;
    bool edns = false;
    std::string name;  // lower case, without the last dot; empty: the root
    std::string raw;   // the question as it came, to be repeated
};

inline constexpr std::uint16_t kDnsTypeA = 1;
inline constexpr std::uint16_t kDnsTypeAaaa = 28;
inline constexpr std::uint16_t kDnsClassInternet = 1;
inline constexpr std::uint32_t kDnsTimeToLive = 60;  // of an answer, in seconds

enum class DnsCode : std::uint8_t {
    no_error = 0,
    server_failure = 2,
    no_such_name = 3,
    not_implemented = 4,
    refused = 5,
};

// Nothing for what is not exactly one question; it gets no answer.
std::optional<DnsQuestion> parse_dns(std::string_view packet);

// `no_error` without an address: the name is there, and has nothing of that type.
std::string make_dns_answer(const DnsQuestion& question, DnsCode code,
                            const std::optional<Address>& address = {});

}  // namespace berth::egress
