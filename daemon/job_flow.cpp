#include "daemon/job_flow.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "daemon/manifests.h"
#include "daemon/store_retry.h"
#include "model/limits.h"

namespace berth {
namespace {

const char* program_of(JobProgram program) {
    return program == JobProgram::oauth ? "berth-oauth" : "berth-call";
}

bool answered(const ipc::JobEnded& message) {
    return message.kind == ipc::EndKind::exited && message.number == 0 && message.text.empty();
}

// Why there is no answer, in words for people.
std::string why_not(const ipc::JobEnded& message) {
    using ipc::EndKind;
    switch (message.kind) {
        case EndKind::exited:
            return message.text.empty() ? fmt::format("it ended with exit code {}", message.number)
                                        : message.text;
        case EndKind::signalled: return fmt::format("it was ended by signal {}", message.number);
        case EndKind::timed_out: return fmt::format("it had not ended after {} s", message.number);
        case EndKind::out_of_memory:
            return fmt::format("it needed more than {} MiB", message.number >> 20);
        case EndKind::cancelled: return "it was cancelled";
        case EndKind::setup_failed: return "it could not be started: " + message.text;
        case EndKind::lost: return "it was lost: " + message.text;
        case EndKind::state_too_large: return "its answer could not be read";
    }
    return "it ended in a way that this berthd does not know";
}

JobEnd end_of(const ipc::JobEnded& message) {
    JobEnd end;
    end.state = answered(message) ? JobState::succeeded : JobState::failed;
    if (!answered(message)) end.reason = why_not(message);
    end.user_us = message.user_us;
    end.system_us = message.system_us;
    end.log = message.log;
    for (const ipc::Connection& c : message.connections)
        end.connections.push_back({{},
                                   c.attempt,
                                   time_from_micros(c.time_us),
                                   c.name,
                                   c.address,
                                   static_cast<std::uint16_t>(c.port),
                                   c.sent_bytes,
                                   c.received_bytes,
                                   c.refused});
    return end;
}

JobAnswer answer_of(ipc::JobEnded message) {
    JobAnswer answer;
    answer.job = message.job;
    for (auto& field : message.answer)
        answer.plain.emplace(std::move(field.name), std::move(field.value));
    for (auto& field : message.sealed)
        answer.sealed.emplace(std::move(field.name), std::move(field.value));
    answer.log = std::move(message.log);
    return answer;
}

ipc::StartJob start_of(JobId id, Job& job, std::vector<ipc::Manifest> manifests,
                       const std::string& release) {
    ipc::StartJob start;
    start.job = static_cast<std::uint64_t>(id.value);
    start.program = program_of(job.program);
    start.release = release;
    start.env = std::move(job.env);
    start.secrets = std::move(job.secrets);
    start.passing = std::move(job.passing);
    start.files = std::move(job.files);
    start.seal = std::move(job.seal);
    start.egress_names = std::move(job.egress_names);
    start.memory_bytes = limits::kJobMemoryBytes;
    start.wall_time_s = std::clamp(job.wall_time, std::chrono::seconds{1},
                                   std::chrono::seconds{limits::kJobWallTime})
                            .count();
    start.manifests = std::move(manifests);
    return start;
}

}  // namespace

// ---- beginning

void JobFlow::run(Job job, Done<JobAnswer> done) {
    auto flight = std::make_shared<Flight>(Flight{std::move(job), std::move(done)});
    if (auto may = may_wait(flight->job); !may)
        return parts_.loop.later(
            [flight, why = may.error()] { flight->done(tl::unexpected<Failure>{why}); });
    waiting_.push_back(std::move(flight));
    parts_.loop.later([this, alive = alive_] {
        if (*alive) next();
    });
}

Result<void> JobFlow::may_wait(const Job& job) const {
    if (waiting_.size() >= limits::kWaitingJobs)
        return fail(FailureKind::busy,
                    "{} programs with the secrets of connections run and {} wait; try again in a "
                    "moment",
                    in_flight(), waiting_.size());
    if (job.program != JobProgram::oauth) return {};
    const auto same = std::ranges::count_if(waiting_, [&](const FlightPtr& flight) {
        return JobSlots::same_partner(flight->job, job);
    });
    const auto all = slots_.of_partner(job) + static_cast<std::size_t>(same);
    if (all >= JobSlots::kOfPartner + JobSlots::kWaitingOfPartner)
        return fail(FailureKind::over_limit,
                    "{} others wait for its provider, which is slow to answer", all);
    return {};
}

// What refuses every job; with nothing, one may begin or has to wait.
std::optional<Failure> JobFlow::refusal() const {
    if (closed_) return Failure{FailureKind::unavailable, "berthd is just ending", {}};
    if (!parts_.runner.ready())
        return Failure{FailureKind::unavailable,
                       "berth-runner is not ready to start programs; see 'berth doctor'",
                       {}};
    return {};
}

void JobFlow::refuse_waiting(const Failure& why) {
    for (const FlightPtr& flight : std::exchange(waiting_, {}))
        flight->done(tl::unexpected<Failure>{why});
}

void JobFlow::next() {
    if (waiting_.empty()) return;
    if (const auto why = refusal()) return refuse_waiting(*why);
    if (!programs_) {
        if (!std::exchange(programs_asked_, true)) parts_.store_programs();
        return;
    }
    for (auto at = pick(); at != waiting_.end(); at = pick()) {
        auto flight = std::move(*at);
        waiting_.erase(at);
        begin(std::move(flight));
    }
}

std::deque<JobFlow::FlightPtr>::iterator JobFlow::pick() {
    auto picked = waiting_.end();
    for (auto at = waiting_.begin(); at != waiting_.end(); ++at) {
        if (!slots_.has_room((*at)->job)) continue;
        if (picked == waiting_.end() || slots_.goes_before((*at)->job, (*picked)->job)) picked = at;
    }
    return picked;
}

void JobFlow::begin(FlightPtr flight) {
    slots_.take(flight->job);
    parts_.store.write(
        [by = By{flight->job.actor, parts_.clock.now()}, begins = flight->job.begins,
         job = NewJob{flight->job.connection, program_of(flight->job.program), flight->job.purpose},
         secrets = flight->job.secrets, seals = flight->job.seal](Db& db) mutable -> Result<Begun> {
            if (begins)
                if (auto may = begins(db, by.now); !may) return pass_on(may);
            auto id = begin_job(db, by, job);
            if (!id) return pass_on(id);
            auto manifests = manifests_now(db, secrets);
            if (!manifests) return pass_on(manifests);
            if (auto used = use_keys_of_now(db, seals); !used) return pass_on(used);
            return Begun{*id, std::move(secrets), std::move(seals), std::move(*manifests)};
        },
        [this, flight, alive = alive_](Result<Begun> begun) {
            if (*alive) tell_runner(flight, std::move(begun));
        });
}

void JobFlow::tell_runner(const FlightPtr& flight, Result<Begun> begun) {
    if (!begun) return over(flight, pass_on(begun));
    const auto number = static_cast<std::uint64_t>(begun->id.value);
    flight->job.secrets = std::move(begun->secrets);
    flight->job.seal = std::move(begun->seals);
    live_.emplace(number, flight);
    if (auto why = refusal()) {  // it has come since
        ipc::JobEnded never;
        never.job = number;
        never.kind = ipc::EndKind::setup_failed;
        never.text = why->message;
        return ended(std::move(never));
    }
    parts_.runner.start_job(
        start_of(begun->id, flight->job, std::move(begun->manifests), *programs_));
}

void JobFlow::programs_stored(Result<std::string> release) {
    programs_asked_ = false;
    if (!release) {
        log_error("berth-oauth and berth-call cannot be run",
                  {{"reason", release.error().message}});
        return refuse_waiting(release.error());
    }
    programs_ = std::move(*release);
    next();
}

// ---- ending

void JobFlow::ended(ipc::JobEnded message) {
    const JobId id{static_cast<std::int64_t>(message.job)};
    auto end = end_of(message);
    parts_.store.finish(
        [id, end = std::move(end), now = parts_.clock.now()](Db& db) {
            return end_job(db, id, end, now);
        },
        [this, message = std::move(message), alive = alive_](Result<JobView> job) mutable {
            if (*alive) on_record(std::move(message), std::move(job));
        });
}

// A full disk heals by itself: its end is told until it is on record, since what it answered
// may be the only copy of a token. The runner keeps it all the same, for the next berthd.
void JobFlow::on_record(ipc::JobEnded message, Result<JobView> job) {
    if (!job && heals(job.error())) {
        unrecorded_.push_back(std::move(message));
        return again_.start(kStoreRetry);
    }
    const auto found = live_.extract(message.job);
    const bool unknown = !job && job.error().kind == FailureKind::not_found;
    const bool has_answer = job && answered(message);
    if (job) ++counts_[{job->purpose, job->state}];
    if (unknown || (job && !has_answer)) settled(message.job);
    if (found) {
        const FlightPtr flight = found.mapped();
        if (!job) return over(flight, pass_on(job));
        if (has_answer) return over(flight, answer_of(message));
        return over(flight,
                    fail(FailureKind::unavailable, "job {} ({} {}) has no answer: {}", message.job,
                         program_of(flight->job.program), flight->job.purpose, why_not(message)));
    }
    if (!has_answer) return;
    const auto take = takes_.find(job->purpose);
    if (take == takes_.end()) return settled(message.job);
    take->second(job->connection_id, answer_of(message));
}

void JobFlow::record_again() {
    for (ipc::JobEnded& message : std::exchange(unrecorded_, {}))
        ended(std::move(message));
}

void JobFlow::over(const FlightPtr& flight, Result<JobAnswer> answer) {
    slots_.give_back(flight->job);
    flight->done(std::move(answer));
    next();
}

void JobFlow::settled(std::uint64_t job) { parts_.runner.job_settled(job); }

void JobFlow::on_left(std::string purpose, Take take) {
    takes_.insert_or_assign(std::move(purpose), std::move(take));
}

// ---- the runner comes and goes

void JobFlow::live_jobs(const std::vector<std::uint64_t>& jobs) {
    std::vector<JobId> live;
    for (const std::uint64_t job : jobs)
        live.push_back({static_cast<std::int64_t>(job)});
    parts_.store.finish(
        [live, now = parts_.clock.now()](Db& db) {
            return lose_jobs(db, live, "berth-runner ended before it had told how the job ended",
                             now);
        },
        [](const Result<std::int64_t>& lost) {
            if (lost && *lost > 0) log_warning("jobs were lost", {{"jobs", *lost}});
        });
}

// Their secrets and what they answered were in its memory only. Should it be there still,
// it tells of them when it is connected again.
void JobFlow::runner_gone(const std::string& why) {
    for (const auto& [id, flight] : std::exchange(live_, {})) {
        ++counts_[{flight->job.purpose, JobState::lost}];
        over(flight, fail(FailureKind::conflict,
                          "job {} ({} {}) was lost with the connection to berth-runner: {}", id,
                          program_of(flight->job.program), flight->job.purpose, why));
    }
    next();
}

void JobFlow::close() {
    closed_ = true;
    next();
}

}  // namespace berth
