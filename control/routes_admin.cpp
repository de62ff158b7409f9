// Health, readiness, and what the daemons have found of this host.
#include <nlohmann/json.hpp>

#include "control/answer.h"
#include "control/routes.h"
#include "model/version.h"

namespace berth {

void add_admin_routes(Router& router, Api& api) {
    router.add({
        {Method::get, "/v2/health", Role::administrator, "whether the daemon lives",
         [&api](Request, Reply reply) {
             reply.json(200, Json{{"status", "ok"},
                                  {"version", kVersion},
                                  {"started_date", to_rfc3339(api.started())}});
         }},
        {Method::get, "/v2/ready", Role::administrator, "whether runs can start",
         [&api](Request, Reply reply) {
             const auto missing = api.waiting_for();
             if (missing.empty()) return reply.json(200, Json{{"ready", true}});
             reply.header("retry-after", "1");
             reply.json(503, Json{{"ready", false}, {"waiting_for", missing}});
         }},
        {Method::get, "/v2/doctor", Role::administrator, "the protections that are active",
         [&api](Request, Reply reply) {
             Json checks = Json::array();
             for (const DoctorCheck& check : api.doctor())
                 checks.push_back(
                     {{"name", check.name},
                      {"ok", check.ok},
                      {"needed", check.needed},
                      {"detail", check.detail},
                      {"cure", check.cure.empty() ? Json(nullptr) : Json(check.cure)}});
             reply.json(200, Json{{"checks", std::move(checks)}});
         }},
    });
}

}  // namespace berth
