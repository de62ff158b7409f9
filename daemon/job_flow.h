// Sees each job from its record to its answer: a row before it starts, the runner's word
// after it has ended, the row's end before anybody hears of the answer. The others wait for
// their turn (job_slots.h).
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/loop/timer.h"
#include "daemon/job_slots.h"
#include "daemon/jobs.h"
#include "daemon/runner_link.h"
#include "model/jobs.h"
#include "store/jobs.h"
#include "store/store.h"

namespace berth {

// Thread: loop.
class JobFlow final : public Jobs {
public:
    struct Parts {
        Loop& loop;
        const Clock& clock;
        Store& store;
        RunnerLink& runner;
        // Asks for programs_stored(), when the first job needs them.
        std::function<void()> store_programs;
    };
    explicit JobFlow(Parts parts)
        : parts_{std::move(parts)}, again_{parts_.loop, [this] { record_again(); }} {}
    JobFlow(const JobFlow&) = delete;
    JobFlow& operator=(const JobFlow&) = delete;
    ~JobFlow() override { *alive_ = false; }

    void run(Job job, Done<JobAnswer> done) override;
    void settled(std::uint64_t job) override;
    void on_left(std::string purpose, Take take) override;

    // The release that has the programs; or why there is none, which those who wait are told.
    void programs_stored(Result<std::string> release);

    // What the runner says. Those on record that it does not have are lost.
    void live_jobs(const std::vector<std::uint64_t>& jobs);
    void ended(ipc::JobEnded message);
    void runner_gone(const std::string& why);

    // Nothing more is begun; what is live is left to the next berthd.
    void close();

    // Those that ended since this berthd began, by purpose and state.
    using Counts = std::map<std::pair<std::string, JobState>, std::uint64_t>;
    const Counts& counts() const { return counts_; }

    std::size_t in_flight() const { return slots_.in_flight(); }
    std::size_t waiting() const { return waiting_.size(); }

private:
    struct Flight {
        Job job;
        Done<JobAnswer> done;
    };
    using FlightPtr = std::shared_ptr<Flight>;
    // On record, with secrets and keys as they are at that moment: it may have waited long.
    struct Begun {
        JobId id;
        std::vector<ipc::RunSecret> secrets;
        std::vector<ipc::JobSeal> seals;
        std::vector<ipc::Manifest> manifests;
    };

    std::optional<Failure> refusal() const;
    Result<void> may_wait(const Job& job) const;
    std::deque<FlightPtr>::iterator pick();
    void next();
    void refuse_waiting(const Failure& why);
    void begin(FlightPtr flight);
    void tell_runner(const FlightPtr& flight, Result<Begun> begun);
    void on_record(ipc::JobEnded message, Result<JobView> job);
    void record_again();
    void over(const FlightPtr& flight, Result<JobAnswer> answer);

    Parts parts_;
    std::optional<std::string> programs_;
    bool programs_asked_ = false;
    std::deque<FlightPtr> waiting_;
    JobSlots slots_;
    std::map<std::uint64_t, FlightPtr> live_;  // told to the runner
    std::vector<ipc::JobEnded> unrecorded_;    // ends that the store did not take yet
    Timer again_;
    std::map<std::string, Take, std::less<>> takes_;
    Counts counts_;
    bool closed_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace berth
