// Which of the jobs that wait may begin. So many at once: on the host, of each program, of each
// partner (the connector stands for him) and of each connection. A partner who hangs holds his
// own places for as long as a job may live, and never those of the others. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <utility>

#include "daemon/jobs.h"
#include "model/limits.h"

namespace berth {

class JobSlots {
public:
    // Of limits::kJobs. Together they are more, so that neither lies idle; what calls leave,
    // only renewals and consents get, since all runs of a connection wait for those.
    static constexpr std::size_t kCalls = 8;
    static constexpr std::size_t kExchanges = 14;
    static constexpr std::size_t kOfPartner = 4;  // of each program
    // Exchanges of one partner, those that wait for a place too: each holds up a run in its own
    // place, which others could use. (Calls are few: CallBudget.)
    static constexpr std::size_t kWaitingOfPartner = 16;
    static_assert(kCalls + kOfPartner < limits::kJobs, "one who hangs leaves room for renewals");

    bool has_room(const Job& job) const;
    // Of two that have room: exchanges first, then the one whose partner has fewer. Neither: who
    // came first.
    bool goes_before(const Job& one, const Job& other) const;

    std::size_t of_partner(const Job& job) const;
    static bool same_partner(const Job& one, const Job& other) {
        return partner(one) == partner(other);
    }

    void take(const Job& job);
    void give_back(const Job& job);
    std::size_t in_flight() const { return of_program_[0] + of_program_[1]; }

private:
    using Partner = std::pair<JobProgram, ConnectorId>;
    static Partner partner(const Job& job) { return {job.program, job.connector}; }
    static std::size_t index(JobProgram program) { return static_cast<std::size_t>(program); }

    std::array<std::size_t, 2> of_program_{};
    std::map<Partner, std::size_t> of_partner_;
    std::map<ConnectionId, std::size_t> of_connection_;
};

}  // namespace berth
