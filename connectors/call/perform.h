// berth-call's one request, with its redirects: HTTPS with the host's certificates, to the
// connector's hosts only, no proxies, no cookies, everything limited.
#pragma once

#include <string>

#include "connectors/call_request.h"
#include "connectors/call_rules.h"

namespace berth {

// `ca_file`: instead of the host's certificates. Always an answer; a fault is one, too.
CallAnswer perform(const CallRequest& request, const FilledAuth& auth,
                   const std::string& ca_file = {});

}  // namespace berth
