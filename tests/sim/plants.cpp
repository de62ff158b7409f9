#include "tests/sim/plants.h"

namespace berth::sim {
namespace {

std::string& current() {
    static std::string bug;
    return bug;
}

}  // namespace

bool planted(std::string_view bug) { return current() == bug; }
void plant(std::string bug) { current() = std::move(bug); }

const std::vector<std::string>& all_plants() {
    static const std::vector<std::string> kAll{
        "cap_ignored",
        "crons_bundled_with_others",
        "end_without_kick",
        "fence_ignored",
        "lease_by_wall_clock",
        "ledger_ignored",
        "load_not_given_back",
        "lost_run_begun_anew",
        "one_place_too_many",
        "recovery_begins_anew",
        "recovery_forgets_preparing",
        "refused_slot_stays_fired",
        "resume_ignores_policy",
        "settled_at_now",
        "synchronous_normal",
        "turns_not_charged",
    };
    return kAll;
}

const std::vector<RarePlant>& rare_plants() {
    static const std::vector<RarePlant> kRare{{"credit_kept", {5'000'057, 1'000'173}}};
    return kRare;
}

}  // namespace berth::sim
