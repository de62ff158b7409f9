#include "sandbox/runner/shelf.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <type_traits>
#include <utility>

namespace berth::runner {
namespace {

// But for the number that the runner knows it by.
bool equal(const ipc::BuildRequest& a, const ipc::BuildRequest& b) {
    static_assert(std::has_unique_object_representations_v<ipc::Class>);
    static_assert(std::has_unique_object_representations_v<ipc::Assignment>);
    return std::memcmp(&a.kind, &b.kind, sizeof a.kind) == 0 &&
           std::memcmp(&a.assignment, &b.assignment, sizeof a.assignment) == 0;
}

}  // namespace

void Shelf::open(std::uint32_t pool_size) {
    most_ = (std::size_t{pool_size} + 1) / 2;
    wishes_.clear();
    complete_.clear();
}

void Shelf::wish(const ipc::BuildRequest& request) {
    deaths_ = 0;
    add_wish(request);
}

void Shelf::add_wish(const ipc::BuildRequest& request) {
    wishes_.push_front(request);
    if (wishes_.size() > most_) wishes_.pop_back();
}

bool Shelf::has_room(std::size_t coming) const {
    const SteadyTime now = clock_.steady();
    const auto kept = std::ranges::count_if(
        complete_, [&](const Complete& one) { return now - one.since < kSafeAge; });
    return static_cast<std::size_t>(kept) + coming < most_;
}

std::optional<ipc::BuildRequest> Shelf::next_wish(
    std::size_t coming, const std::function<bool(const ipc::Class&)>& can_be_made) {
    if (!has_room(coming)) return {};
    const auto found = std::ranges::find_if(
        wishes_, [&](const ipc::BuildRequest& one) { return can_be_made(one.kind); });
    if (found == wishes_.end()) return {};
    const ipc::BuildRequest wish = *found;
    wishes_.erase(found);
    return wish;
}

void Shelf::put(const ipc::BuildRequest& request, Sandbox sandbox) {
    complete_.push_back({request, std::move(sandbox), clock_.steady(), {}});
    // Its pid 1 has nothing to say before there is a plan: what comes is its end, or that
    // of its pid 2.
    const auto at = std::prev(complete_.end());
    at->end.emplace(loop_, at->sandbox.status.get(), [this, at](int) { died(at); });
    at->end->want(Poll::readable | Poll::hung_up);
    if (complete_.size() > most_) complete_.pop_front();
}

void Shelf::died(Place at) {
    if (deaths_++ < most_) add_wish(at->request);
    complete_.erase(at);
    on_death_();
}

std::optional<Sandbox> Shelf::take(const ipc::BuildRequest& request) {
    const auto found = std::find_if(complete_.rbegin(), complete_.rend(), [&](const Complete& one) {
        return equal(one.request, request);
    });
    if (found == complete_.rend()) return {};
    Sandbox sandbox = std::move(found->sandbox);
    complete_.erase(std::next(found).base());
    return sandbox;
}

std::size_t Shelf::let_go(std::size_t count) {
    count = std::min(count, complete_.size());
    complete_.erase(complete_.begin(),
                    std::next(complete_.begin(), static_cast<std::ptrdiff_t>(count)));
    return count;
}

void Shelf::let_go_of_old() {
    const SteadyTime now = clock_.steady();
    std::erase_if(complete_, [&](const Complete& one) { return now - one.since >= kMostAge; });
}

std::optional<std::chrono::milliseconds> Shelf::next_change() const {
    if (complete_.empty()) return {};
    const auto left = complete_.front().since + kMostAge - clock_.steady();
    return std::max(std::chrono::ceil<std::chrono::milliseconds>(left),
                    std::chrono::milliseconds{1});
}

}  // namespace berth::runner
