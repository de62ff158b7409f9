// Which client a reverse proxy speaks for. Only for limits and records: whoever can reach
// the public socket without the proxy can say what he likes.
#pragma once

#include <string>

#include "control/http.h"

namespace berth {

// The last address of X-Forwarded-For, which is what the proxy itself has seen (what comes
// before it the client may have invented). Empty when there is none.
std::string client_address(const Headers& headers);

}  // namespace berth
