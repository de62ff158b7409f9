// Addresses of webhooks, what was delivered there, and jobs.
#include "store/jobs.h"
#include "store/webhooks.h"
#include "tests/faults/places.h"

namespace berth::test {
namespace {

using enum Effect;
using namespace std::chrono_literals;

Result<std::string> done() { return std::string{"done"}; }

Result<HookOwner> some_owner(Db& db, Dice& dice) {
    auto owner = find_hook(db, any_text(db, dice, "webhook_endpoints", "token"), dice.now);
    if (!owner) return fail(FailureKind::not_found, "there is no address");
    return *owner;
}

HookDelivery some_delivery(Dice& dice) {
    HookDelivery delivery;
    delivery.time = dice.now;
    delivery.outcome = dice.one_in(2) ? HookOutcome::accepted : HookOutcome::refused;
    delivery.delivery_id = dice.hex(12);
    delivery.event = "order.created";
    delivery.bytes = dice.below(9'000);
    if (delivery.outcome == HookOutcome::accepted) delivery.trigger_id = TriggerId{dice.hex(32)};
    return delivery;
}

Result<std::string> size_of(const Result<std::vector<HookAddress>>& addresses) {
    if (!addresses) return tl::unexpected<Failure>{addresses.error()};
    std::string said;
    for (const HookAddress& address : *addresses)
        said += fmt::format("{}{} ", address.token, address.ends ? " ends" : "");
    return said;
}

Result<std::string> begin_one(Db& db, Dice& dice) {
    if (auto ok = at_most(db, "jobs", 40); !ok) return pass_on(ok);
    auto connection = some_connection(db, dice);
    if (!connection) return pass_on(connection);
    return answer(begin_job(db, dice.by(), {connection->id, "berth-call", "call"}));
}

JobId some_job(Db& db, Dice& dice) { return {dice.any(db, "jobs")}; }

Result<std::string> end_one(Db& db, Dice& dice) {
    JobEnd end;
    end.state = dice.one_in(3) ? JobState::failed : JobState::succeeded;
    end.log = dice.hex(dice.below(2'000));
    end.connections.resize(dice.below(3));
    auto job = end_job(db, some_job(db, dice), end, dice.now);
    if (!job) return pass_on(job);
    return fmt::format("{} {}", job->id.str(), to_string(job->state));
}

std::vector<Operation> job_operations() {
    return {
        {"begin_job", writes, 4, begin_one},
        {"end_job", writes, 2, end_one},
        {"lose_jobs", writes, 1,
         [](Db& db, Dice& dice) {
             return answer(lose_jobs(db, {some_job(db, dice)}, "the runner ended", dice.now));
         }},
        {"get_job", reads, 1,
         [](Db& db, Dice& dice) { return answer(get_job(db, some_job(db, dice))); }},
        {"list_jobs", reads, 1, [](Db& db, Dice&) { return answer(list_jobs(db, {}, {})); }},
        {"forget_jobs", writes, 2,
         [](Db& db, Dice& dice) { return answer(forget_jobs(db, dice.now, 5)); }},
    };
}

}  // namespace

std::vector<Operation> webhook_operations() {
    std::vector<Operation> operations = job_operations();
    const std::vector<Operation> hooks{
        {"open_hook", writes, 2,
         [](Db& db, Dice& dice) {
             return with_address(db, dice, [&](const Address& at) {
                 return size_of(open_hook(db, dice.by(), at.tenant, at.connector, dice.hex(48)));
             });
         }},
        {"rotate_hook", writes, 1,
         [](Db& db, Dice& dice) {
             return with_address(db, dice, [&](const Address& at) {
                 return size_of(
                     rotate_hook(db, dice.by(), at.tenant, at.connector, dice.hex(48), 1min));
             });
         }},
        {"revoke_hooks", writes, 1,
         [](Db& db, Dice& dice) {
             return with_address(db, dice, [&](const Address& at) {
                 return revoke_hooks(db, dice.by(), at.tenant, at.connector);
             });
         }},
        {"list_hooks", reads, 1,
         [](Db& db, Dice& dice) {
             return with_address(db, dice, [&](const Address& at) {
                 return size_of(list_hooks(db, at.tenant, at.connector, dice.now));
             });
         }},
        {"find_hook", reads, 1,
         [](Db& db, Dice& dice) -> Result<std::string> {
             auto owner = some_owner(db, dice);
             if (!owner) return pass_on(owner);
             return owner->tenant_id.str() + owner->connector_name;
         }},
        {"hook_stamp", reads, 1,
         [](Db& db, Dice& dice) -> Result<std::string> {
             auto owner = some_owner(db, dice);
             if (!owner) return pass_on(owner);
             return answer(hook_stamp(db, *owner));
         }},
        {"record_delivery", writes, 2,
         [](Db& db, Dice& dice) {
             return with_address(db, dice, [&](const Address& at) {
                 record_delivery(db, at.tenant, at.connector_id, some_delivery(dice));
                 return done();
             });
         }},
        {"list_deliveries", reads, 1,
         [](Db& db, Dice& dice) {
             return with_address(db, dice, [&](const Address& at) -> Result<std::string> {
                 auto deliveries = list_deliveries(db, at.tenant, at.connector, 20);
                 if (!deliveries) return pass_on(deliveries);
                 return say(deliveries->size());
             });
         }},
    };
    operations.insert(operations.end(), hooks.begin(), hooks.end());
    return operations;
}

}  // namespace berth::test
