#include "daemon/calls.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "daemon/call_order.h"
#include "model/limits.h"
#include "store/connections.h"
#include "store/jobs.h"
#include "store/tenants.h"

namespace berth {
namespace {

constexpr std::size_t kRememberedTenants = 10'000;

Result<Connection> connection_of_call(Db& db, TenantId id, const std::string& connector) {
    auto tenant = get_tenant(db, id);
    if (!tenant) return pass_on(tenant);
    auto all = connections_of(db, id);
    if (!all) return pass_on(all);
    const auto found = std::ranges::find(*all, connector, &Connection::connector_name);
    if (found == all->end())
        return fail(FailureKind::not_found, "tenant '{}' has no connector '{}'", id.value,
                    printable(connector));
    if (found->status != ConnectionStatus::connected)
        return fail(FailureKind::conflict, "connector '{}' is {}{}{}; connect it first", connector,
                    to_string(found->status), found->reason.empty() ? "" : ": ", found->reason);
    return *found;
}

}  // namespace

// ---- how often

Result<void> CallBudget::begin(TenantId tenant, const std::string& connector) {
    if (spent_.size() > kRememberedTenants) forget_rested();
    const auto now = clock_.steady();
    const auto [entry, fresh] = spent_.try_emplace(tenant, Spent{0, limits::kCallsPerMinute, now});
    Spent& spent = entry->second;
    const std::chrono::duration<double> since = now - spent.at;
    spent.left = std::min<double>(limits::kCallsPerMinute,
                                  spent.left + since.count() * limits::kCallsPerMinute / 60);
    spent.at = now;
    if (spent.running >= kAtOnce)
        return fail(FailureKind::over_limit,
                    "tenant '{}' has {} calls going on, which is all it may; wait for one to end",
                    tenant.value, spent.running);
    if (spent.left < 1)
        return fail(FailureKind::over_limit,
                    "tenant '{}' has made {} calls in a minute, which is all it may; wait a moment",
                    tenant.value, limits::kCallsPerMinute);
    if (in_all_ >= kInAll)
        return fail(FailureKind::busy, "{} calls are going on; try again in a moment", in_all_);
    const auto of = of_connector_.find(connector);
    if (of != of_connector_.end() && of->second >= kOfConnector)
        return fail(FailureKind::busy,
                    "{} calls of connector '{}' are going on and its partner is slow to answer; "
                    "try again in a moment",
                    of->second, printable(connector));
    ++of_connector_[connector];
    ++in_all_;
    spent.left -= 1;
    ++spent.running;
    return {};
}

void CallBudget::end(TenantId tenant, const std::string& connector) {
    --spent_.at(tenant).running;
    --in_all_;
    const auto of = of_connector_.find(connector);
    if (--of->second == 0) of_connector_.erase(of);
}

void CallBudget::forget_rested() {
    const auto now = clock_.steady();
    std::erase_if(spent_, [&](const auto& entry) {
        return entry.second.running == 0 && now - entry.second.at > std::chrono::minutes{1};
    });
}

// ---- a call

struct Calls::Going {
    Caller who;
    TenantId tenant;
    std::string connector;
    CallInput input;
    Done<CallOutput> done;
    const ConnectorKind* kind = nullptr;
    ConnectionId connection{};
};

Calls::Calls(Parts parts)
    : parts_{std::move(parts)}, named_{named_hosts(parts_.egress_allow)}, budget_{parts_.clock} {}

void Calls::call(Caller who, TenantId tenant, std::string connector, CallInput input,
                 Done<CallOutput> done) {
    auto going = std::make_shared<Going>(Going{std::move(who),
                                               tenant,
                                               std::move(connector),
                                               std::move(input),
                                               std::move(done),
                                               nullptr,
                                               {}});
    if (auto may = budget_.begin(tenant, going->connector); !may)
        return parts_.loop.later(
            [going, why = may.error()] { going->done(tl::unexpected<Failure>{why}); });
    parts_.store.read(
        [tenant, name = going->connector](Db& db) { return connection_of_call(db, tenant, name); },
        [this, going, alive = alive_](Result<Connection> connection) {
            if (*alive) found(going, std::move(connection));
        });
}

void Calls::found(const GoingPtr& going, Result<Connection> connection) {
    if (!connection) return over(going, pass_on(connection));
    going->kind = parts_.kinds(connection->kind);
    if (going->kind == nullptr)
        return over(going,
                    fail(FailureKind::invalid,
                         "connector '{}' is of the kind '{}', which says no host to call; give it "
                         "a kind that does",
                         going->connector, connection->kind));
    going->connection = connection->id;
    parts_.ensure_fresh(connection->id, parts_.clock.now() + limits::kCallTime,
                        [this, going, alive = alive_](Result<void> ready) {
                            if (!*alive) return;
                            if (!ready) return over(going, pass_on(ready));
                            fresh(going);
                        });
}

void Calls::fresh(const GoingPtr& going) {
    parts_.store.write([by = By{going->who.name, parts_.clock.now()}, id = going->connection,
                        only = fields_of_auth(going->kind->request)](
                           Db& db) { return connection_secrets(db, by, id, "call", only); },
                       [this, going, alive = alive_](Result<ConnectionMaterial> got) {
                           if (*alive) material(going, std::move(got));
                       });
}

void Calls::material(const GoingPtr& going, Result<ConnectionMaterial> got) {
    if (!got) return over(going, pass_on(got));
    auto request = make_call(*going->kind, *got, going->input, named_);
    if (!request) return over(going, pass_on(request));
    parts_.jobs.run(make_call_job(*got, *request, going->who.name),
                    [this, going, alive = alive_](Result<JobAnswer> answer) {
                        if (*alive) answered(going, std::move(answer));
                    });
}

// Nothing of it is kept: whoever asked has it, or asks again.
void Calls::answered(const GoingPtr& going, Result<JobAnswer> answer) {
    if (!answer && answer.error().kind == FailureKind::conflict)  // nobody knows what came of it
        return over(going, fail(FailureKind::unavailable, "{}", answer.error().message));
    if (!answer) return over(going, pass_on(answer));
    parts_.jobs.settled(answer->job);
    auto read = read_call_answer(answer->plain);
    if (!read) return over(going, pass_on(read));
    over(going, output_of(*read));
}

void Calls::over(const GoingPtr& going, Result<CallOutput> output) {
    budget_.end(going->tenant, going->connector);
    going->done(std::move(output));
}

// ---- records

void JobRecords::list_jobs(JobFilter filter, Page page, Done<std::vector<JobView>> done) {
    store_.read([query = JobQuery{filter.tenant_id, {}, filter.state},
                 page](Db& db) { return berth::list_jobs(db, query, page); },
                std::move(done));
}

void JobRecords::get_job(JobId id, Done<JobView> done) {
    store_.read([id](Db& db) { return berth::get_job(db, id); }, std::move(done));
}

}  // namespace berth
