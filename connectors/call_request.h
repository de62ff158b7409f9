// One request to a partner on behalf of a connection: what berthd decides about it and
// hands to berth-call as a file (`request.json`), and what berth-call answers. No secret is
// in either: those come by the environment, and are put in where the kind says.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "connectors/kind.h"

namespace berth {

inline constexpr const char* kCallRequestFile = "request.json";
// BERTH_FIELD_access_token: where the value of a secret field is.
inline constexpr std::string_view kCallSecretPrefix = "BERTH_FIELD_";

using CallHeaders = std::vector<std::pair<std::string, std::string>>;

struct CallRequest {
    std::string method = "GET";
    std::string url;
    CallHeaders headers;
    std::string body;
    bool has_body = false;
    RequestAuth auth;
    std::map<std::string, std::string> fields;  // that are no secret
    std::vector<std::string> secrets;           // names of those in the environment
    std::vector<std::string> hosts;             // the kind's; `*.` in front for all below
    std::vector<std::string> named;  // HOST:PORT of the administrator's, also without TLS
    std::chrono::milliseconds time{20'000};
    bool operator==(const CallRequest&) const = default;
};

std::string to_text(const CallRequest& request);
Result<CallRequest> parse_call_request(std::string_view text);

// How a call went, as berth-call's answer has it: the partner's, or none.
enum class CallFault {
    none,
    refused,      // by a rule of ours: another host, no TLS, a field that is not there
    unreachable,  // no connection, a certificate that is not its own, a broken answer
    timed_out,
    too_large
};
std::string_view to_string(CallFault fault);
std::optional<CallFault> parse_call_fault(std::string_view word);

struct CallAnswer {
    CallFault fault = CallFault::none;
    std::string reason;  // of the fault
    int status = 0;
    std::string type;  // `application/json`, without its parameters
    std::string body;
};
// From and to the records of model/job_answer.h.
std::map<std::string, std::string> to_fields(const CallAnswer& answer);
Result<CallAnswer> read_call_answer(const std::map<std::string, std::string>& fields);

}  // namespace berth
