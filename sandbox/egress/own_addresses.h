// The addresses of the host itself, as they are at this moment: what listens there is
// the host's, though the address may be a public one.
#pragma once

#include <vector>

#include "sandbox/egress/address.h"

namespace berth::egress {

// Throws SystemError.
std::vector<Address> own_addresses();

}  // namespace berth::egress
