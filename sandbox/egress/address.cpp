#include "sandbox/egress/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/text.h"

namespace berth::egress {

Address Address::v4(std::uint32_t host_order) {
    Address address;
    const std::uint32_t raw = htonl(host_order);
    std::memcpy(address.bytes_.data(), &raw, sizeof raw);
    return address;
}

Address Address::v6(const std::array<std::uint8_t, 16>& bytes) {
    constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    Address address;
    if (std::equal(kMapped.begin(), kMapped.end(), bytes.begin())) {
        std::copy_n(bytes.begin() + 12, 4, address.bytes_.begin());
        return address;
    }
    address.is_v4_ = false;
    address.bytes_ = bytes;
    return address;
}

std::optional<Address> Address::parse(std::string_view text) {
    const std::string ended{text};
    if (ended.find('\0') != std::string::npos) return {};
    in_addr four{};
    if (::inet_pton(AF_INET, ended.c_str(), &four) == 1) return v4(ntohl(four.s_addr));
    std::array<std::uint8_t, 16> six{};
    if (::inet_pton(AF_INET6, ended.c_str(), six.data()) == 1) return v6(six);
    return {};
}

std::optional<Address> Address::parse_loosely(std::string_view text) {
    if (const auto strict = parse(text)) return strict;
    const std::string ended{text};
    // inet_aton(3) takes what follows a space for a comment.
    if (ended.find_first_not_of("0123456789abcdefABCDEFxX.") != std::string::npos) return {};
    in_addr four{};
    if (::inet_aton(ended.c_str(), &four) == 0) return {};
    return v4(ntohl(four.s_addr));
}

std::optional<Address> Address::from(const sockaddr& address) {
    if (address.sa_family == AF_INET) {
        sockaddr_in four{};
        std::memcpy(&four, &address, sizeof four);
        return v4(ntohl(four.sin_addr.s_addr));
    }
    if (address.sa_family != AF_INET6) return {};
    sockaddr_in6 six{};
    std::memcpy(&six, &address, sizeof six);
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &six.sin6_addr, bytes.size());
    return v6(bytes);
}

std::uint32_t Address::v4_number() const {
    BERTH_ASSERT(is_v4_);
    std::uint32_t raw = 0;
    std::memcpy(&raw, bytes_.data(), sizeof raw);
    return ntohl(raw);
}

std::string Address::text() const {
    char buffer[INET6_ADDRSTRLEN] = {};
    ::inet_ntop(is_v4_ ? AF_INET : AF_INET6, bytes_.data(), buffer, sizeof buffer);
    return buffer;
}

socklen_t Address::to_sockaddr(std::uint16_t port, sockaddr_storage& into) const {
    into = {};
    if (is_v4_) {
        sockaddr_in four{};
        four.sin_family = AF_INET;
        four.sin_port = htons(port);
        std::memcpy(&four.sin_addr, bytes_.data(), sizeof four.sin_addr);
        std::memcpy(&into, &four, sizeof four);
        return sizeof four;
    }
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    std::memcpy(&six.sin6_addr, bytes_.data(), sizeof six.sin6_addr);
    std::memcpy(&into, &six, sizeof six);
    return sizeof six;
}

std::optional<Network> Network::parse(std::string_view text) {
    const auto slash = text.find('/');
    const auto base = Address::parse(text.substr(0, slash));
    if (!base) return {};
    const unsigned most = base->is_v4() ? 32 : 128;
    if (slash == std::string_view::npos) return Network{*base, most};
    // `::ffff:10.0.0.0/104` has become an IPv4 address, and its bits another meaning.
    if (base->is_v4() && text.find(':') != std::string_view::npos) return {};
    const auto bits = to_number<unsigned>(text.substr(slash + 1));
    if (!bits || *bits > most) return {};
    return Network{*base, *bits};
}

bool Network::contains(const Address& address) const {
    if (address.is_v4() != base.is_v4()) return false;
    const std::size_t whole = bits / 8;
    const auto& mine = base.bytes();
    const auto& other = address.bytes();
    if (!std::equal(mine.begin(), mine.begin() + static_cast<std::ptrdiff_t>(whole), other.begin()))
        return false;
    if (bits % 8 == 0) return true;
    const auto mask = static_cast<std::uint8_t>(0xff00U >> (bits % 8));
    return ((mine[whole] ^ other[whole]) & mask) == 0;
}

}  // namespace berth::egress
