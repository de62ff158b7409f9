#include "control/public/client_address.h"

#include <arpa/inet.h>

#include <array>

#include "base/text.h"

namespace berth {

std::string client_address(const Headers& headers) {
    const auto all = headers.find("x-forwarded-for");  // of several lines, the last
    if (!all) return {};
    const std::string last{trim(all->substr(all->rfind(',') + 1))};
    std::array<unsigned char, sizeof(in6_addr)> bytes{};
    const int family = last.find(':') == last.npos ? AF_INET : AF_INET6;
    if (::inet_pton(family, last.c_str(), bytes.data()) != 1) return {};
    std::array<char, INET6_ADDRSTRLEN> text{};  // in one spelling, whatever the proxy's is
    return ::inet_ntop(family, bytes.data(), text.data(), text.size());
}

}  // namespace berth
