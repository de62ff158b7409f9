// Names of hosts, as an integration lists those that its runs may reach.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace berth {

// `api.example.com`, or `*.example.com` for all below it but not itself; in lower
// case, without the last dot. Refused: addresses, ports, URLs, other wildcards. The
// refusal begins with the name: "'http://x' is not a host name ...".
Result<std::string> parse_egress_name(std::string_view text);

}  // namespace berth
