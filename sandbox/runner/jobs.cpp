#include "sandbox/runner/jobs.h"

#include <algorithm>
#include <iterator>
#include <new>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/secret.h"
#include "model/limits.h"
#include "sandbox/runner/job_verdict.h"
#include "sandbox/runner/plan.h"

namespace berth::runner {
namespace {

constexpr std::size_t kRawLogBytes = limits::MiB;
constexpr std::int32_t kAttempt = 1;

RunKey key_of(std::uint64_t job) { return {-static_cast<std::int64_t>(job), kAttempt}; }
std::uint64_t job_of(std::int64_t run_id) { return static_cast<std::uint64_t>(-run_id); }

// What is taken of a stream, wiped in the end.
struct Taken {
    std::string bytes;
    bool cut = false;

    Taken() = default;
    Taken(const Taken&) = delete;
    Taken& operator=(const Taken&) = delete;
    ~Taken() { cleanse(bytes.data(), bytes.size()); }

    // Grown by hand, so that what it grew out of is wiped too.
    void add(std::string& more, std::size_t most) {
        if (cut || more.size() > most - bytes.size()) {
            cut = true;
        } else {
            if (bytes.size() + more.size() > bytes.capacity()) {
                std::string larger;
                larger.reserve(std::min(most, 2 * (bytes.size() + more.size())));
                larger = bytes;
                cleanse(bytes.data(), bytes.size());
                bytes.swap(larger);
            }
            bytes += more;
        }
        cleanse(more.data(), more.size());
    }
};

ipc::Start start_of(const ipc::StartJob& message) {
    ipc::Start start;
    start.run_id = key_of(message.job).run_id;
    start.attempt = kAttempt;
    start.argv = {"/app/" + message.program};
    start.env = message.env;
    start.secrets = message.secrets;
    start.secrets.insert(start.secrets.end(), message.passing.begin(), message.passing.end());
    start.files = message.files;
    start.runtime = "host";
    start.release = message.release;
    start.network = static_cast<std::uint32_t>(message.egress_names.empty() ? ipc::Network::none
                                                                            : ipc::Network::egress);
    start.egress_names = message.egress_names;
    start.memory_bytes = message.memory_bytes;
    start.wall_time_s = message.wall_time_s;
    return start;
}

}  // namespace

struct Jobs::Job {
    std::vector<Secret> inputs;
    std::vector<ipc::JobSeal> seal;
    Taken out, err;
    std::vector<ipc::Connection> connections;
    std::unique_ptr<LiveRun> run;
};

Jobs::Jobs(Parts parts, Events events) : parts_{parts}, events_{std::move(events)} {}

Jobs::~Jobs() { *alive_ = false; }

void Jobs::start(ipc::StartJob message) {
    const std::uint64_t id = message.job;
    if (id == 0 || live_.contains(id) || ended_.contains(id)) {
        log_warning("a start for a job that is there, ignoring", {{"job", id}});
        return;
    }
    try {
        auto job = std::make_unique<Job>();
        auto order = prepare(message, *job);
        if (!order) return refuse(id, order.error().message);
        LiveRun::Events events;
        events.on_started = [](const ipc::Started&) {};
        events.on_listeners = [this, key = order->key,
                               names = message.egress_names](std::vector<Fd> listeners) {
            parts_.egress.serve(key, names, std::move(listeners));
        };
        events.on_output = [this, id](ipc::Output said) { output(id, std::move(said)); };
        events.on_ended = [this, id](const ipc::Ended& ended) { run_ended(id, ended); };
        job->run = std::make_unique<LiveRun>(parts_.loop, parts_.clock, parts_.launcher, no_store_,
                                             std::move(*order), std::move(events));
        live_.emplace(id, std::move(job));
    } catch (const SystemError& error) {
        refuse(id, error.what(), error.err());
    } catch (const std::bad_alloc&) {
        refuse(id, "not enough locked memory for its secrets; raise LimitMEMLOCK=", ENOMEM);
    }
}

// The masker of the run itself knows no secret: what comes is taken raw.
Result<RunOrder> Jobs::prepare(const ipc::StartJob& message, Job& job) {
    const ipc::Start start = start_of(message);
    auto request = make_build_request(start);
    if (!request) return pass_on(request);
    if (request->kind.network == ipc::Network::egress && !parts_.egress.present())
        return fail(FailureKind::unavailable,
                    "berth-egress is not there; see whether it is running");
    auto secrets = parts_.keys.open(message.secrets, message.manifests);
    if (!secrets) return pass_on(secrets);
    auto passing = parts_.keys.open_unlisted(message.passing);
    if (!passing) return pass_on(passing);
    std::ranges::move(*passing, std::back_inserter(*secrets));
    auto plan = make_plan(start, *secrets);
    if (!plan) return pass_on(plan);
    job.inputs = std::move(*secrets);
    job.seal = message.seal;
    return RunOrder{key_of(message.job),
                    *request,
                    parts_.launcher.take(*request),
                    std::move(*plan),
                    vault::Masker{{}},
                    std::chrono::seconds{message.wall_time_s},
                    {},
                    message.egress_names};
}

void Jobs::output(std::uint64_t id, ipc::Output said) {
    const auto job = live_.find(id);
    if (job == live_.end() || said.stream == ipc::StreamKind::note) return;
    if (said.stream == ipc::StreamKind::out)
        job->second->out.add(said.bytes, limits::kJobAnswerBytes);
    else
        job->second->err.add(said.bytes, kRawLogBytes);
}

void Jobs::connection(const ipc::Connection& connection) {
    const auto job = live_.find(job_of(connection.run_id));
    if (job == live_.end() || job->second->connections.size() >= limits::kRunConnections) return;
    job->second->connections.push_back(connection);
}

// After the last of its connections, on a later turn: the run is calling us.
void Jobs::run_ended(std::uint64_t id, const ipc::Ended& ended) {
    parts_.egress.stop(key_of(id), [this, id, ended, alive = alive_] {
        if (*alive) finish(id, ended);
    });
}

void Jobs::finish(std::uint64_t id, const ipc::Ended& ended) {
    auto node = live_.extract(id);
    if (node.empty()) return;  // killed meanwhile
    Job& job = *node.mapped();
    auto told = judge_job(parts_.keys, id, ended, job.inputs, job.seal,
                          {job.out.bytes, job.out.cut, job.err.bytes, job.err.cut});
    told.connections = std::move(job.connections);
    tell(std::move(told));
}

void Jobs::refuse(std::uint64_t job, std::string why, int err) {
    ipc::JobEnded ended;
    ended.job = job;
    ended.kind = ipc::EndKind::setup_failed;
    ended.number = err;
    ended.text = std::move(why);
    tell(std::move(ended));
}

void Jobs::tell(ipc::JobEnded ended) {
    const auto& kept = ended_[ended.job] = std::move(ended);
    events_.on_ended(kept);
    events_.on_change();
}

void Jobs::settled(std::uint64_t job) {
    if (ended_.erase(job) > 0) events_.on_change();
}

void Jobs::kill_all() {
    live_.clear();
    ended_.clear();
}

std::vector<std::uint64_t> Jobs::all() const {
    std::vector<std::uint64_t> jobs;
    for (const auto& [id, job] : live_)
        jobs.push_back(id);
    for (const auto& [id, ended] : ended_)
        jobs.push_back(id);
    return jobs;
}

}  // namespace berth::runner
