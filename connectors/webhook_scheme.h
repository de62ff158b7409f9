// Reads how a provider signs its deliveries from a kind's file. What would let a stranger
// forge a delivery is refused here: a body or a timestamp that no MAC covers.
#pragma once

#include <string>

#include "base/error.h"
#include "connectors/signature.h"
#include "model/json.h"

namespace berth {

// The keys are the members' names; `window` is in seconds and `timestamp_form`, `handshake`
// and the like are the enumerators' words. Refusals begin with `where`, and are at the
// key's pointer.
Result<WebhookScheme> parse_webhook_scheme(const Json& scheme, const std::string& where);

}  // namespace berth
