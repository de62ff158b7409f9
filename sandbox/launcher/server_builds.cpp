// What is on its way: sandboxes that runs wait for, and those that will be parked.
#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "sandbox/launcher/packets.h"
#include "sandbox/launcher/request.h"
#include "sandbox/launcher/server.h"

namespace berth::launcher {
namespace {

using ipc::Step;

constexpr unsigned kAtOncePerCore = 2;

}  // namespace

std::vector<ipc::Class> Server::parking() const {
    std::vector<ipc::Class> kinds;
    for (const auto& building : building_)
        if (building->parks()) kinds.push_back(building->request().kind);
    return kinds;
}

// Nothing and a failure when it could not even begin.
Failed Server::begin(const ipc::BuildRequest& request) {
    if (workshop_.slots.has_survivors()) {
        const int err = workshop_.slots.find_survivors(workshop_.equipment.host.proc.get());
        if (err != 0) return {Step::slot, err};
    }
    const auto slot = workshop_.slots.take();
    if (!slot) return {Step::slot, EAGAIN};
    auto building = std::make_unique<Building>(request);
    const Failed failed = building->begin(workshop_, *slot, now_ms());
    if (failed.step == Step::none) building_.push_back(std::move(building));
    return failed;
}

// In the order they were asked for. More at once than there are cores: with one for each
// core, a quarter of their time was left (docs/decisions/024-benches.md).
bool Server::begin_waiting() {
    while (!waiting_.empty() && building_.size() - parking().size() < kAtOncePerCore * cores_) {
        const Failed failed = begin(waiting_.front());
        const bool full = failed.step == Step::slot && failed.err == EAGAIN;
        // A parked one gives way to a run; its slot is free once it has been reaped.
        if (full && pool_.count() > 0) return make_room();
        // So does one that the runner holds complete. Once for each run.
        if (full && full_since_ms_ < 0 && !let_go_of_complete(1)) return false;
        // A run that has ended may not have been reaped yet, or one is being built to park.
        if (full && full_since_ms_ < 0) full_since_ms_ = now_ms();
        if (full && now_ms() < full_since_ms_ + kSlotWaitMs) return true;
        if (!full) full_since_ms_ = -1;
        if (failed.step != Step::none && !refuse(waiting_.front(), failed)) return false;
        waiting_.pop_front();
    }
    if (waiting_.empty()) full_since_ms_ = -1;
    return true;
}

// One at a time.
bool Server::make_room() {
    if (pool_.any_retiring()) return true;
    const auto name = pool_.retire_oldest(now_ms());
    return !name || retire(*name);
}

bool Server::let_go_of_complete(unsigned count) {
    if (!runner_) return false;
    ipc::Retire retire;
    retire.complete = count;
    return send_record(runner_, retire);
}

// A core's share beside what runs wait for: refilling must go on under load too, or the
// pool would never help again. A part of the slots is for runs.
void Server::begin_parking() {
    for (;;) {
        const auto kinds = parking();
        const bool runs_wait = building_.size() > kinds.size();
        if (kinds.size() >= (runs_wait ? kAtOncePerCore : kAtOncePerCore * cores_)) return;
        if (workshop_.slots.free_count() <= workshop_.slots.count() / 4) return;
        const auto wanted = pool_.missing(kinds, now_ms());
        if (!wanted) return;
        ipc::BuildRequest request;
        request.kind = wanted->kind;
        request.assignment.limits = wanted->limits;
        const Failed failed = begin(request);
        if (failed.step != Step::none) return parking_failed(failed);
    }
}

void Server::parking_failed(const Failed& failed) {
    warn(ipc::step_text(failed.step), failed.err);
    pool_.build_failed(now_ms());
}

bool Server::advance_all(const std::vector<pollfd>& watched) {
    bool there = true;
    const std::int64_t now = now_ms();
    for (const pollfd& one : watched) {
        const auto found =
            std::find_if(building_.begin(), building_.end(),
                         [&](const auto& building) { return building->setup() == one.fd; });
        if (found == building_.end()) continue;
        Building& building = **found;
        auto stage = Building::Stage::working;
        if (one.revents != 0)
            stage = building.advance(workshop_, now);
        else if (building.deadline_ms() <= now)
            stage = building.give_up();
        if (stage == Building::Stage::working) continue;
        const auto done = std::move(*found);
        building_.erase(found);
        there = finish(*done, stage) && there;
    }
    return there;
}

bool Server::finish(Building& building, Building::Stage stage) {
    if (stage == Building::Stage::failed) {
        if (!building.parks()) return refuse(building.request(), building.failure());
        parking_failed(building.failure());
        return true;
    }
    Building::Result result = building.hand_over(workshop_);
    ipc::Ready reply = building.reply(workshop_, result, now_us());
    reply.serial = pool_.next_serial();
    workshop_.slots.set_serial(building.slot(), reply.serial);
    if (building.parks()) {
        Parked parked;
        parked.slot = building.slot();
        parked.serial = reply.serial;
        parked.kind = reply.kind;
        parked.limits = building.request().assignment.limits;
        parked.since_ms = now_ms();
        if (!send_sandbox(runner_, reply, result)) return false;
        parked.mounts = std::move(result.mounts);
        parked.plan = std::move(result.plan);
        parked.lifeline = std::move(result.lifeline);
        pool_.add(std::move(parked));
        return true;
    }
    // One that ended just now is found out by the runner, as if it had ended later.
    (void)Building::tell_taken(result.lifeline);
    return send_sandbox(runner_, reply, result);
}

bool Server::retire_expired() {
    while (const auto name = pool_.retire_expired(now_ms()))
        if (!retire(*name)) return false;
    return true;
}

bool Server::retire(const Pool::Name& name) {
    if (!runner_) return false;
    ipc::Retire retire;
    retire.slot = name.slot;
    retire.serial = name.serial;
    return send_record(runner_, retire);
}

}  // namespace berth::launcher
