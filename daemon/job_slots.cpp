#include "daemon/job_slots.h"

#include <tuple>

namespace berth {
namespace {

template <typename Key>
std::size_t count_of(const std::map<Key, std::size_t>& counts, const Key& key) {
    const auto found = counts.find(key);
    return found == counts.end() ? 0 : found->second;
}

template <typename Key>
void take_one_off(std::map<Key, std::size_t>& counts, const Key& key) {
    const auto found = counts.find(key);
    if (--found->second == 0) counts.erase(found);
}

}  // namespace

bool JobSlots::has_room(const Job& job) const {
    const std::size_t most = job.program == JobProgram::oauth ? kExchanges : kCalls;
    return in_flight() < limits::kJobs && of_program_[index(job.program)] < most &&
           of_partner(job) < kOfPartner &&
           count_of(of_connection_, job.connection) < limits::kJobsOfConnection;
}

bool JobSlots::goes_before(const Job& one, const Job& other) const {
    const auto rank = [this](const Job& job) {
        return std::tuple{job.program != JobProgram::oauth, of_partner(job)};
    };
    return rank(one) < rank(other);
}

std::size_t JobSlots::of_partner(const Job& job) const {
    return count_of(of_partner_, partner(job));
}

void JobSlots::take(const Job& job) {
    ++of_program_[index(job.program)];
    ++of_partner_[partner(job)];
    ++of_connection_[job.connection];
}

void JobSlots::give_back(const Job& job) {
    --of_program_[index(job.program)];
    take_one_off(of_partner_, partner(job));
    take_one_off(of_connection_, job.connection);
}

}  // namespace berth
