// Health, readiness, metrics, and what the daemons have found of this host. The paths
// that do not begin with /v2 are those that other people's tools ask for.
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
        {Method::get, "/healthz", Role::administrator, "whether the daemon lives, for probes",
         [](Request, Reply reply) { reply.text(200, "ok\n"); }},
        {Method::get, "/readyz", Role::administrator, "whether runs can start, for probes",
         [&api](Request, Reply reply) {
             std::string missing;
             for (const std::string& part : api.waiting_for())
                 missing += part + "\n";
             if (missing.empty()) return reply.text(200, "ready\n");
             reply.header("retry-after", "1");
             reply.text(503, "waiting for:\n" + missing);
         }},
        {Method::get, "/metrics", Role::administrator, "counts and measures, for Prometheus",
         [&api](Request, Reply reply) {
             api.metrics([reply = std::move(reply)](Result<std::vector<Metric>> got) mutable {
                 if (!got) return reply.failed(got.error());
                 reply.text(200, exposition(*got), kExpositionType);
             });
         }},
    });
}

}  // namespace berth
