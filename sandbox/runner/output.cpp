#include "sandbox/runner/output.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace berth::runner {
namespace {

std::string limit_note(std::uint64_t bytes) {
    const auto mib = limits::MiB;
    return bytes % mib == 0
               ? fmt::format("output limit of {} MiB reached; the rest is not kept", bytes / mib)
               : fmt::format("output limit of {} bytes reached; the rest is not kept", bytes);
}

constexpr const char* kNotAllMasked =
    "the secrets of this run are large: some of their encoded forms are not masked here";

OutputStream mask_stream(ipc::StreamKind stream) {
    return stream == ipc::StreamKind::out ? OutputStream::out : OutputStream::err;
}

}  // namespace

RunOutput::RunOutput(vault::Masker masker, Limits limits, Emit emit)
    : masker_{std::move(masker)},
      limits_{limits},
      emit_{std::move(emit)},
      last_line_{limits.state_bytes} {}

void RunOutput::add(ipc::StreamKind stream, std::string_view raw) {
    if (printed_ == 0 && !masker_.complete()) emit_(ipc::StreamKind::note, kNotAllMasked);
    printed_ += raw.size();
    // Past the limit only stdout matters, for the state in its last line.
    if (cut_ && stream != ipc::StreamKind::out) return;
    keep(stream, masker_.feed(mask_stream(stream), raw));
}

RunOutput::Progress RunOutput::progress() const {
    return {printed_,
            kept_,
            cut_,
            last_line_.progress(),
            masker_.held(OutputStream::out),
            masker_.held(OutputStream::err)};
}

void RunOutput::take_over(vault::Masker masker, const Progress& before) {
    masker_ = std::move(masker);
    masker_.take_over(OutputStream::out, before.out);
    masker_.take_over(OutputStream::err, before.err);
    last_line_.take_over(before.last_line);
    printed_ = before.printed;
    kept_ = before.kept;
    cut_ = before.cut;
}

void RunOutput::finish() {
    keep(ipc::StreamKind::out, masker_.flush(OutputStream::out));
    if (!cut_) keep(ipc::StreamKind::err, masker_.flush(OutputStream::err));
    last_line_.finish();
}

void RunOutput::keep(ipc::StreamKind stream, std::string masked) {
    if (stream == ipc::StreamKind::out) last_line_.add(masked);
    if (cut_ || masked.empty()) return;
    const bool over = masked.size() > limits_.log_bytes - kept_;
    if (over) masked.resize(static_cast<std::size_t>(limits_.log_bytes - kept_));
    kept_ += masked.size();
    // What the masker held back can make a piece a little larger than a record.
    for (std::size_t at = 0; at < masked.size(); at += limits::kLogChunkBytes)
        emit_(stream, masked.substr(at, limits::kLogChunkBytes));
    if (!over) return;
    cut_ = true;
    emit_(ipc::StreamKind::note, limit_note(limits_.log_bytes));
}

}  // namespace berth::runner
