// From what a job's program said to what berthd is told of it: secrets sealed, everything
// else masked. Pure but for the keys.
#pragma once

#include <string_view>
#include <vector>

#include "base/secret.h"
#include "sandbox/ipc/messages.h"
#include "sandbox/runner/keys.h"

namespace berth::runner {

// What it said, raw; with `cut` that was more than is kept.
struct JobSaid {
    std::string_view answer;
    bool answer_cut = false;
    std::string_view log;
    bool log_cut = false;
};

// `inputs` are the secrets that it was given. Of what it answered in secret only what
// `seal` names leaves, sealed. `ended` has how the program ended.
ipc::JobEnded judge_job(Keys& keys, std::uint64_t job, const ipc::Ended& ended,
                        const std::vector<Secret>& inputs, const std::vector<ipc::JobSeal>& seal,
                        const JobSaid& said);

}  // namespace berth::runner
