#include "bench/endtoend.h"

#include <fmt/format.h>

#include <atomic>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"

namespace berth::bench {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr auto kPatience = 60s;
constexpr auto kAskAgain = 500us;  // there is no event of a run's end before its id is known
constexpr auto kAskSeldom = 20ms;  // while many are worked off: asking costs berthd time, too

std::string must(Client& client, std::string_view method, const std::string& target) {
    const auto response = client.request(method, target);
    if (!response) throw std::runtime_error{response.error().message};
    if (!response->ok())
        throw std::runtime_error{
            fmt::format("{}: {} {}", target, response->status, response->body)};
    return response->body;
}

std::string send_trigger(Client& client, std::int64_t tenant) {
    const auto answer =
        must(client, "POST", fmt::format("/v2/tenants/{}/sync?mode=normal", tenant));
    return json::parse(answer)["trigger_id"];
}

// The id of the trigger's run, when that has succeeded; else what became of it.
Result<std::int64_t> ended_run(Client& client, const std::string& trigger,
                               Steady::time_point deadline, Steady::duration again) {
    const auto target = fmt::format("/v2/runs/triggers/{}/status", trigger);
    for (;;) {
        const auto response = client.request("GET", target);
        if (!response) throw std::runtime_error{response.error().message};
        if (response->ok()) {
            const json status = json::parse(response->body);
            const std::string state = status["state"];
            if (state == "succeeded") return status["run_id"].get<std::int64_t>();
            if (state.starts_with("failed"))
                return fail(FailureKind::conflict, "a run of the benchmark is {}", state);
        }
        if (Steady::now() > deadline) return fail(FailureKind::busy, "a run did not end");
        std::this_thread::sleep_for(again);
    }
}

std::int64_t await_run(Client& client, const std::string& trigger, Steady::duration first_wait,
                       Steady::duration again = kAskAgain) {
    std::this_thread::sleep_for(first_wait);
    const auto run = ended_run(client, trigger, Steady::now() + kPatience, again);
    if (!run) throw std::runtime_error{run.error().message};
    return *run;
}

Steady::time_point began(const json& run) {
    const auto printed = to_number<std::int64_t>(trim(run["std_out"].get<std::string>()));
    if (!printed) throw std::runtime_error{"the script did not print when it began"};
    return Steady::time_point{std::chrono::nanoseconds{*printed}};
}

Steady::duration since(Time begin, const json& date) {
    return parse_rfc3339(date.get<std::string>()).value() - begin;
}

}  // namespace

EndToEnd::EndToEnd(int tenants, std::optional<int> in_flight)
    : daemons_{in_flight ? fmt::format("max_runs = {}\nslots = {}\n", *in_flight, 4 * *in_flight)
                         : ""} {
    started_in_ = daemons_.start();
    integration_ = daemons_.install("bench", programs() / "first_line", "./program");
    for (int i = 0; i < tenants; ++i)
        tenants_.push_back(daemons_.add_tenant(integration_, fmt::format("tenant-{}", i)));
}

OneRun EndToEnd::run_once() {
    const Time wall = SystemClock{}.now();
    const auto begin = Steady::now();
    const auto trigger = send_trigger(client_, tenants_.front());
    OneRun times{.accepted = Steady::now() - begin};
    const auto id = await_run(client_, trigger, 3ms);
    const json run = json::parse(must(client_, "GET", fmt::format("/v2/runs/{}", id)));
    times.first_byte = began(run) - begin;
    times.ended = since(wall, run["completed_date"]);
    for (const json& event :
         json::parse(must(client_, "GET", fmt::format("/v2/runs/{}/events", id))))
        times.states.emplace_back(event["state"], since(wall, event["date"]));
    return times;
}

std::optional<Steady::time_point> EndToEnd::first_byte(const std::string& trigger,
                                                       Steady::time_point deadline) {
    const auto id = ended_run(client_, trigger, deadline, kAskSeldom);
    if (!id) return {};
    const auto known = first_bytes_.find(*id);
    if (known != first_bytes_.end()) return known->second;
    const json run = json::parse(must(client_, "GET", fmt::format("/v2/runs/{}", *id)));
    return first_bytes_.emplace(*id, began(run)).first->second;
}

void EndToEnd::run_of_client(std::int64_t tenant, int count) const {
    Client client{daemons_.socket()};
    Steady::duration usual = 3ms;  // asked much earlier it would only be slowed down
    for (int i = 0; i < count; ++i) {
        const auto trigger = send_trigger(client, tenant);
        const auto begin = Steady::now();
        (void)await_run(client, trigger, usual * 4 / 5,
                        std::max<Steady::duration>(usual / 10, kAskAgain));
        usual = std::min<Steady::duration>((usual * 7 + (Steady::now() - begin)) / 8, 100ms);
    }
}

Sustained EndToEnd::sustained(int count, Steady::duration took, const Cpu& before) {
    double sum = 0;
    for (const auto& [program, ms] : daemons_.cpu_ms()) {
        const double used = ms - before.at(program);
        cpu_ms_[program] += used;
        sum += used;
    }
    runs_ += count;
    return {count / std::chrono::duration<double>{took}.count(), sum / count};
}

std::map<std::string, double> EndToEnd::cpu_ms_per_run() const {
    Cpu each;
    for (const auto& [program, ms] : cpu_ms_)
        each[program] = ms / runs_;
    return each;
}

Sustained EndToEnd::sustain(int clients, int count) {
    const int each = std::max(count / clients, 1);
    const Cpu cpu = daemons_.cpu_ms();
    std::mutex lock;
    std::string trouble;
    const auto begin = Steady::now();
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < clients; ++i)
            threads.emplace_back([&, tenant = tenants_.at(static_cast<std::size_t>(i))] {
                try {
                    run_of_client(tenant, each);
                } catch (const std::exception& failure) {
                    const std::lock_guard guard{lock};
                    trouble = failure.what();
                }
            });
    }
    if (!trouble.empty()) throw std::runtime_error{trouble};
    return sustained(each * clients, Steady::now() - begin, cpu);
}

Sustained EndToEnd::work_off(int count) {
    const auto integration = fmt::format("/v2/integrations/{}", integration_);
    daemons_.must("PATCH", integration, R"({"paused":true})");
    std::vector<std::string> triggers;
    for (int i = 0; i < count; ++i)
        triggers.push_back(send_trigger(client_, tenants_.at(static_cast<std::size_t>(i))));
    const Cpu cpu = daemons_.cpu_ms();
    const Time begin = SystemClock{}.now();
    daemons_.must("PATCH", integration, R"({"paused":false})");
    // The last of the fair order ends last, but for a few.
    Steady::duration took{};
    for (auto trigger = triggers.rbegin(); trigger != triggers.rend(); ++trigger) {
        const auto id = await_run(client_, *trigger, 0ms, kAskSeldom);
        const json run = json::parse(must(client_, "GET", fmt::format("/v2/runs/{}", id)));
        took = std::max(took, since(begin, run["completed_date"]));
        if (trigger - triggers.rbegin() > 16) break;
    }
    return sustained(count, took, cpu);
}

}  // namespace berth::bench
