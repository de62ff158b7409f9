// What the tests of tokens in one process play by hand: the clock, the programs that speak to
// a provider, and a disk that is full.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "connectors/kind.h"
#include "connectors/oauth_request.h"
#include "tests/daemon/key_house.h"

namespace berth::test {

inline ConnectorKind kind_of(AuthMethod auth) {
    ConnectorKind kind;
    kind.name = "custom";
    kind.auth = auth;
    kind.oauth2.emplace();
    kind.oauth2->token_url = "https://provider.example/token";
    return kind;
}

class SetClock final : public Clock {
public:
    Time now() const override { return time; }
    SteadyTime steady() const override { return SteadyTime{kNow.time_since_epoch()}; }
    Time time = kNow;
};

struct PlayedJobs final : Jobs {
    struct Asked {
        Job job;
        Done<JobAnswer> done;
    };
    void run(Job job, Done<JobAnswer> done) override {
        asked.push_back({std::move(job), std::move(done)});
    }
    void settled(std::uint64_t job) override { settled_jobs.push_back(job); }
    void on_left(std::string purpose, Take take) override { takes[purpose] = std::move(take); }
    Asked take_first() {
        auto first = std::move(asked.front());
        asked.pop_front();
        return first;
    }

    std::deque<Asked> asked;
    std::vector<std::uint64_t> settled_jobs;
    std::map<std::string, Take> takes;
};

// In front of the real store: refuses as a full disk does, or as a store with too long a queue,
// for as long as it is told to.
class ShakyStore final : public Store {
public:
    ShakyStore(Store& behind, Loop& loop) : behind_{behind}, loop_{loop} {}

    bool refuses_changes = false;  // what ends something goes through
    bool refuses_reads = false;
    int refused = 0;

    void on_broken(std::function<void(const Failure&)>) override {}
    void checkpoint() override {}
    bool full() const override { return refuses_changes; }
    Counts counts() const override { return behind_.counts(); }

protected:
    void submit_write(std::unique_ptr<Pending> pending) override {
        if (refuses_changes && pending->purpose != Purpose::end) return refuse(std::move(pending));
        const bool ends = pending->purpose == Purpose::end;
        const Held held{std::move(pending)};
        if (ends)
            behind_.finish(run(held), answer(held));
        else
            behind_.write(run(held), answer(held));
    }
    void submit_read(std::unique_ptr<Pending> pending) override {
        if (refuses_reads) return refuse(std::move(pending));
        const Held held{std::move(pending)};
        behind_.read(run(held), answer(held));
    }

private:
    using Held = std::shared_ptr<Pending>;
    void refuse(Held held) {
        ++refused;
        loop_.later([held = std::move(held)] {
            held->refuse({FailureKind::unavailable, "the disk of the store is full", {}});
            held->answer();
        });
    }
    static std::function<Result<void>(Db&)> run(const Held& held) {
        return [held](Db& db) -> Result<void> {
            if (held->run(db)) return {};
            return fail(FailureKind::conflict, "refused by the operation");
        };
    }
    static Callback<void(Result<void>)> answer(const Held& held) {
        return [held](const Result<void>&) { held->answer(); };
    }

    Store& behind_;
    Loop& loop_;
};

inline std::uint64_t ticket_of(const Job& job) {
    const std::string prefix = std::string{oauth_env::kRequest} + "=";
    for (const std::string& entry : job.env)
        if (entry.starts_with(prefix))
            return *to_number<std::uint64_t>(
                must(parse_oauth_request(entry.substr(prefix.size()))).ticket);
    FAIL("a job without its request");
    return 0;
}

// What berth-oauth and the runner make of a provider's answer.
inline JobAnswer answer_to(KeyHouse& keys, const Job& job, std::uint64_t number,
                           OAuthVerdict verdict, std::string reason = "") {
    OAuthOutcome outcome;
    outcome.verdict = verdict;
    outcome.reason = std::move(reason);
    outcome.ticket = std::to_string(ticket_of(job));
    JobAnswer made;
    made.job = number;
    if (verdict == OAuthVerdict::granted) {
        outcome.renewable = true;
        outcome.expires_in = std::chrono::hours{1};
        for (const ipc::JobSeal& seal : job.seal) {
            Wait<std::string> sealed{keys.loop};
            keys.daemon->link.seal(seal.data_key, seal.where, Secret{"a-new-" + seal.name},
                                   sealed.callback());
            made.sealed[seal.name] = must(sealed.get());
        }
    }
    for (const auto& [name, value] : to_records(outcome))
        made.plain[name] = value;
    return made;
}

}  // namespace berth::test
