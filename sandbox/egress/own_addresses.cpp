#include "sandbox/egress/own_addresses.h"

#include <ifaddrs.h>

#include "base/cptr.h"
#include "base/error.h"

namespace berth::egress {

std::vector<Address> own_addresses() {
    ifaddrs* raw = nullptr;
    check(::getifaddrs(&raw), "asking for the host's own addresses");
    const CPtr<ifaddrs, ::freeifaddrs> list{raw};  // frees it
    std::vector<Address> own;
    for (const ifaddrs* at = raw; at != nullptr; at = at->ifa_next) {
        if (at->ifa_addr == nullptr) continue;
        if (const auto address = Address::from(*at->ifa_addr)) own.push_back(*address);
    }
    return own;
}

}  // namespace berth::egress
