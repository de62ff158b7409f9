#include "tests/sim/truth.h"

#include <fmt/format.h>

#include "model/schedule_settings.h"
#include "store/schedules.h"

namespace berth::sim {
namespace {

constexpr std::uint64_t kSumsEvery = 16;  // commits: counting costs most

}  // namespace

void Truth::told(TenantId tenant, const std::string& key, const TriggerId& id) {
    const auto [known, fresh] = told_.try_emplace({tenant, key}, id);
    if (!fresh && known->second != id)
        world_.wrong(fmt::format("key '{}' was answered with two triggers", key));
}

void Truth::executed(const Run& run) {
    world_.log("executed", run.id.value, run.attempt);
    if (!executed_.emplace(run.id, run.attempt).second)
        world_.wrong(
            fmt::format("attempt {} of run {} was executed twice", run.attempt, run.id.value));
    if (const auto other = alive_.find(run.tenant_id); other != alive_.end())
        world_.wrong(fmt::format("runs {} and {} of tenant {} are executed at once",
                                 other->second.first.value, run.id.value, run.tenant_id.value));
    alive_[run.tenant_id] = {run.id, run.attempt};
    if (++executions_[run.id] > 1 && run.integration_id == rules_.fails)
        world_.wrong(
            fmt::format("run {} was executed again, though a lost run of its integration "
                        "is to fail",
                        run.id.value));
}

void Truth::exited(RunId run, int attempt, bool well) {
    if (well) well_.emplace(run, attempt);
    std::erase_if(alive_, [&](const auto& entry) {
        return entry.second == std::pair{run, attempt};
    });
}

void Truth::all_killed() { alive_.clear(); }

void Truth::look(Db& db) {
    ++looks_;
    look_at_triggers(db);
    look_at_events(db);
    look_at_caps(db);
    look_at_pauses(db);
    look_at_turns(db);
    if (looks_ % kSumsEvery == 0) look_at_sums(db);
}

// Every cron trigger is that of the one slot which says so.
void Truth::look_at_triggers(Db& db) {
    for (const Row& row : db.query("select seq, id, source from triggers where seq > $1"
                                   " order by seq",
                                   {trigger_seen_})) {
        trigger_seen_ = row.integer(0);
        world_.log("trigger", trigger_seen_);
        if (row.text(2) != "cron") continue;
        const auto slots =
            db.query("select outcome from slots where trigger_id = $1", {row.text(1)});
        if (slots.size() != 1 || slots[0].text(0) != "fired")
            world_.wrong(fmt::format("trigger {} of a schedule has {} slots that say it fired",
                                     trigger_seen_, slots.size()));
    }
}

void Truth::look_at_events(Db& db) {
    for (const Row& row : db.query("select id, run_id, tenant_id, attempt, state from run_events"
                                   " where id > $1 order by id",
                                   {event_seen_})) {
        event_seen_ = row.integer(0);
        const RunId run{row.integer(1)};
        const TenantId tenant{row.integer(2)};
        const int attempt = static_cast<int>(row.integer(3));
        const RunState state = parse_run_state(row.text(4)).value();
        world_.log(row.text(4), run.value, attempt);
        if (ended_.contains(run))
            world_.wrong(fmt::format("run {} became {} after its end", run.value, row.text(4)));
        if (attempt < std::exchange(last_attempt_[run], attempt))
            world_.wrong(fmt::format("an older attempt of run {} was heard", run.value));
        if (state == RunState::queued && attempt == 1) look_at_bundle(db, run);
        if (state == RunState::succeeded && !well_.contains({run, attempt}))
            world_.wrong(fmt::format("run {} has succeeded, but attempt {} never exited with 0",
                                     run.value, attempt));
        if (state == RunState::running) running_since_[run] = {tenant, world_.steady()};
        if (is_final(state) || state == RunState::queued) {
            if (const auto ran = running_since_.extract(run); !ran.empty())
                // A daemon that was away noticed the end late.
                for (auto& [waiting, others] : passed_by_)
                    others[tenant] += std::min<microseconds>(world_.steady() - ran.mapped().second,
                                                             rules_.wall_time);
        }
        if (is_final(state)) ended_.insert(run);
    }
}

void Truth::look_at_bundle(Db& db, RunId run) {
    const auto row = db.must(
        "select count(*), coalesce(sum(case when source = 'cron' then 1 else 0 end), 0)"
        " from triggers where run_id = $1",
        {run});
    if (row.integer(0) == 0) world_.wrong(fmt::format("run {} has no trigger", run.value));
    if (row.integer(0) > 1) world_.sometimes("triggers bundled");
    if (row.integer(1) != 0 && row.integer(1) != row.integer(0))
        world_.wrong(fmt::format("run {} bundles crons with others", run.value));
}

void Truth::look_at_caps(Db& db) {
    std::int64_t all = 0;
    for (const Row& row : db.query("select integration_id, count(*) from runs"
                                   " where completed is null and state <> 'queued'"
                                   " group by integration_id")) {
        all += row.integer(1);
        if (IntegrationId{row.integer(0)} == rules_.capped && row.integer(1) > 1)
            world_.wrong("a cap of one run of an integration was passed");
    }
    if (all > rules_.max_runs)
        world_.wrong(fmt::format("{} runs at once; {} are allowed", all, rules_.max_runs));
}

// When a pause ends, the policy makes up for what it let pass.
void Truth::look_at_pauses(Db& db) {
    for (const Row& row :
         db.query("select id, coalesce(paused_since, 0), modified, settled, missed, when_busy,"
                  " coalesce(fired, 0) from schedules where enabled = 1")) {
        const std::int64_t id = row.integer(0), since = row.integer(1);
        const auto before = pauses_.find(id);
        if (since != 0) {
            if (before == pauses_.end() || before->second.since != since)
                pauses_[id] = {since, row.integer(2), world_.clock_changes()};
            continue;
        }
        if (before == pauses_.end()) continue;
        const Pause pause = before->second;
        pauses_.erase(before);
        if (pause.modified != row.integer(2) || pause.clock != world_.clock_changes()) continue;
        // Its first instant is yet to come: the clock was set back while that was on its way.
        if (pause.since > to_micros(world_.wall())) continue;
        if (row.text(4) == "skip" || row.text(5) == "skip" || row.integer(6) == 0) continue;
        world_.sometimes("a pause ended with something to make up");
        if (!db.one("select 1 from slots where schedule_id = $1 and nominal > $2"
                    " and (outcome = 'fired' or reason in ('limit', 'refused'))",
                    {id, pause.since}))
            world_.wrong(fmt::format("schedule {} made up for nothing after a pause", id));
    }
}

// While a tenant could run, no other gets more than its own share before it.
void Truth::look_at_turns(Db& db) {
    std::set<TenantId> ready;
    for (const Row& row :
         db.query("select waiting.tenant_id from waiting join tenants on tenants.id ="
                  " waiting.tenant_id join integrations on integrations.id ="
                  " tenants.integration_id where tenants.archived = 0 and integrations.paused = 0"
                  " and integrations.id = $1 and not exists (select 1 from runs"
                  "  where runs.tenant_id = waiting.tenant_id and runs.completed is null)",
                  {rules_.plain}))
        ready.insert(TenantId{row.integer(0)});
    std::erase_if(passed_by_, [&](const auto& entry) { return !ready.contains(entry.first); });
    // Runs are charged by the wall clock: across a step nothing can be said.
    if (std::exchange(clock_seen_, world_.clock_changes()) != world_.clock_changes())
        passed_by_.clear();
    for (const TenantId tenant : ready) {
        const auto& others = passed_by_[tenant];
        // Its own debt, the run that goes on, the next turn, and some.
        const microseconds most = 7 * rules_.wall_time;
        for (const auto& [other, ran] : others)
            if (ran > most)
                world_.wrong(fmt::format("tenant {} waited while tenant {} ran for {} s",
                                         tenant.value, other.value, ran.count() / 1'000'000));
    }
}

void Truth::look_at_sums(Db& db) {
    const auto all = db.must("select count(*) from triggers where run_id is null").integer(0);
    if (db.must("select waiting from loads where integration_id = 0").integer(0) != all)
        world_.wrong("the sum of what waits on the host is wrong");
    if (db.must("select coalesce(sum(triggers), 0) from waiting").integer(0) != all)
        world_.wrong("the sums of what waits per tenant are wrong");
    if (db.must("select coalesce(sum(waiting), 0) from loads where integration_id <> 0")
            .integer(0) != all)
        world_.wrong("the sums of what waits per integration are wrong");
    if (db.must("select count(*) from slots where outcome = 'fired' and not exists"
                " (select 1 from triggers where triggers.id = slots.trigger_id)")
            .integer(0) != 0)
        world_.wrong("a slot says that it fired, and there is no trigger");
}

void Truth::look_at_the_end(Db& db) {
    look(db);
    look_at_sums(db);
    for (const auto& [asked, id] : told_) {
        const auto row = db.one("select run_id from triggers where id = $1", {id});
        if (!row)
            world_.wrong(fmt::format("trigger '{}' was accepted and is lost", asked.second));
        else if (row->is_null(0))
            world_.wrong(fmt::format("trigger '{}' was accepted and never ran", asked.second));
        else if (!ended_.contains(RunId{row->integer(0)}))
            world_.wrong(fmt::format("run {} never ended", row->integer(0)));
    }
    look_at_ledger(db);
}

// Nothing is missing in the ledger, and nothing has stopped.
void Truth::look_at_ledger(Db& db) {
    Zones zones;
    for (const TenantSchedule& schedule : list_schedules(db, {}, {}, 100)) {
        if (!schedule.enabled) continue;
        auto read = check_schedule(schedule.settings, zones);
        if (!read || !schedule.fire) {
            world_.wrong(fmt::format("schedule {} is not armed", schedule.id.value));
            continue;
        }
        const auto next = read->next(std::chrono::floor<std::chrono::seconds>(world_.wall()));
        if (*schedule.fire > Time{next->at} + schedule.settings.jitter ||
            *schedule.fire < world_.wall() - std::chrono::seconds{10})
            world_.wrong(fmt::format("schedule {} is looked at next at {}, its next instant is {}",
                                     schedule.id.value, to_rfc3339(*schedule.fire),
                                     to_rfc3339(Time{next->at})));
        const auto modified = time_from_micros(
            db.must("select modified from schedules where id = $1", {schedule.id}).integer(0));
        // What was cut away is at the beginning.
        const auto slots =
            db.must("select count(*), coalesce(min(nominal), 0) from slots where schedule_id = $1",
                    {schedule.id});
        Time from = std::max(modified, schedule.forgotten);
        if (slots.integer(0) >= kSlotsKept)
            from = std::max(from, time_from_micros(slots.integer(1)) - microseconds{1});
        std::vector<UtcSeconds> missing;
        for (const Firing& firing : read->firings(std::chrono::floor<std::chrono::seconds>(from),
                                                  std::chrono::floor<std::chrono::seconds>(
                                                      std::min(schedule.settled, world_.wall())),
                                                  100'000))
            if (!db.one("select 1 from slots where schedule_id = $1 and nominal <= $2"
                        " and last >= $2",
                        {schedule.id, Time{firing.at}}))
                missing.push_back(firing.at);
        if (!missing.empty())
            world_.wrong(
                fmt::format("{} instants of schedule {} from {} to {} are not in the ledger",
                            missing.size(), schedule.id.value, to_rfc3339(Time{missing.front()}),
                            to_rfc3339(Time{missing.back()})));
    }
}

}  // namespace berth::sim
