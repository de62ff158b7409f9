// From what somebody wants to ask a partner to a job for berth-call: pure functions between
// the connector's kind, the connection's fields and the call.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "connectors/call_request.h"
#include "connectors/kind.h"
#include "control/calls_api.h"
#include "daemon/jobs.h"
#include "store/connection_secrets.h"

namespace berth {

// Fields that the kind's way to authenticate a request names.
std::vector<std::string> fields_of_auth(const RequestAuth& auth);

// HOST:PORT of the administrator's list: reached beside the kind's hosts, also without TLS.
std::vector<std::string> named_hosts(std::span<const std::string> egress_allow);

// Everything that is wrong with a call is found here, before a secret is opened: `invalid`,
// `denied`, or `unprocessable` naming what the connection lacks.
Result<CallRequest> make_call(const ConnectorKind& kind, const ConnectionMaterial& material,
                              const CallInput& input, std::span<const std::string> named);

Job make_call_job(const ConnectionMaterial& material, const CallRequest& request,
                  std::string actor);

CallOutput output_of(const CallAnswer& answer);

}  // namespace berth
