// `berth job` and `berth connection call`: what Berth's own programs do with the secrets of
// connections.
#pragma once

#include <string>
#include <vector>

#include "cli/session.h"

namespace berth {

struct JobListFilter {
    std::string tenant;  // id or name
    std::string state;
    Paging paging;
};
Result<Exit> job_list(Session& session, const JobListFilter& filter);
Result<Exit> job_show(Session& session, const std::string& id);

struct CallOptions {
    std::string tenant;
    std::string connector;
    std::string target;
    std::string method;                // empty: GET, or POST with a body
    std::vector<std::string> headers;  // `Name: value`
    std::vector<std::string> query;    // `name=value`
    std::string body;                  // JSON or XML, @file or -
    std::string form = "json";         // json, soap, xml
};
// Prints what the partner answered.
Result<Exit> connection_call(Session& session, const CallOptions& options);

}  // namespace berth
