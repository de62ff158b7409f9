// An IPv4 or IPv6 address as a value. An IPv4 address in its IPv6 clothes
// (::ffff:0:0/96) is the IPv4 address: there is one form for each, to be judged once.
#pragma once

#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace berth::egress {

class Address {
public:
    static Address v4(std::uint32_t host_order);
    static Address v6(const std::array<std::uint8_t, 16>& bytes);
    // The usual text forms, as inet_pton(3) has them.
    static std::optional<Address> parse(std::string_view text);
    // Those too that old libraries take for an IPv4 address: `0x7f.1`, `017700000001`,
    // `2130706433`. What ends in a number is never a name.
    static std::optional<Address> parse_loosely(std::string_view text);
    // Nothing for another family.
    static std::optional<Address> from(const sockaddr& address);

    bool is_v4() const noexcept { return is_v4_; }
    std::uint32_t v4_number() const;                     // of IPv4 only
    const std::array<std::uint8_t, 16>& bytes() const {  // IPv4: the first four
        return bytes_;
    }
    std::string text() const;
    socklen_t to_sockaddr(std::uint16_t port, sockaddr_storage& into) const;

    auto operator<=>(const Address&) const = default;

private:
    bool is_v4_ = true;
    std::array<std::uint8_t, 16> bytes_{};
};

// `10.0.0.0/8`; a bare address is a network of one.
struct Network {
    Address base = Address::v4(0);
    unsigned bits = 0;

    static std::optional<Network> parse(std::string_view text);
    bool contains(const Address& address) const;
    bool operator==(const Network&) const = default;
};

}  // namespace berth::egress
