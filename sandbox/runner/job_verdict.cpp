#include "sandbox/runner/job_verdict.h"

#include <algorithm>
#include <utility>

#include "model/job_answer.h"
#include "model/limits.h"
#include "vault/mask.h"

namespace berth::runner {
namespace {

constexpr std::string_view kLogCut = "\n(the log is cut here)\n";

// Where a log is cut, a secret may be cut too, and half of one is not found: what the masker
// still holds back there is dropped.
std::string masked_log(const vault::Masker& whole, vault::Masker& streaming, const JobSaid& said) {
    std::string log =
        said.log_cut ? streaming.feed(OutputStream::err, said.log) : whole.mask(said.log);
    if (said.log_cut) log += kLogCut;
    if (log.size() > limits::kJobLogBytes) log.erase(0, log.size() - limits::kJobLogBytes);
    return log;
}

Result<std::vector<ipc::JobField>> seal_named(Keys& keys, const std::vector<JobRecord>& records,
                                              const std::vector<ipc::JobSeal>& seal) {
    std::vector<ipc::JobField> sealed;
    for (const ipc::JobSeal& wanted : seal) {
        const auto record = std::ranges::find_if(
            records, [&](const JobRecord& one) { return one.secret && one.name == wanted.name; });
        if (record == records.end()) continue;
        auto done = keys.seal({0, wanted.data_key, wanted.where, Secret{record->value}});
        if (!done.why.empty())
            return fail(FailureKind::unavailable, "cannot seal '{}' of its answer: {}", wanted.name,
                        done.why);
        sealed.push_back({wanted.name, std::move(done.envelope)});
    }
    return sealed;
}

}  // namespace

ipc::JobEnded judge_job(Keys& keys, std::uint64_t job, const ipc::Ended& ended,
                        const std::vector<Secret>& inputs, const std::vector<ipc::JobSeal>& seal,
                        const JobSaid& said) {
    ipc::JobEnded out;
    out.job = job;
    out.kind = ended.kind;
    out.number = ended.number;
    out.text = ended.text;
    out.user_us = ended.user_us;
    out.system_us = ended.system_us;

    std::vector<JobRecord> records;
    const auto parsed = parse_job_answer(said.answer, records);
    std::vector<std::string_view> secrets;
    for (const Secret& input : inputs)
        secrets.push_back(input.reveal());
    for (const JobRecord& record : records)
        if (record.secret) secrets.push_back(record.value);
    const vault::Masker masker{secrets};
    vault::Masker streaming{secrets};
    out.log = masked_log(masker, streaming, said);

    const bool good = ended.kind == ipc::EndKind::exited && ended.number == 0;
    if (!good) return out;
    if (said.answer_cut) {
        out.text =
            fmt::format("its answer has more than {} MiB", limits::kJobAnswerBytes / limits::MiB);
        return out;
    }
    if (!parsed) {
        out.text = parsed.error().message;
        return out;
    }
    auto sealed = seal_named(keys, records, seal);
    if (!sealed) {
        out.text = sealed.error().message;
        return out;
    }
    out.sealed = std::move(*sealed);
    for (const JobRecord& record : records)
        if (!record.secret)
            out.answer.push_back({std::string{record.name}, masker.mask(record.value)});
    return out;
}

}  // namespace berth::runner
