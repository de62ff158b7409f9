// What one run prints, from raw bytes to the chunks that are kept: masked per
// stream, cut at the log's limit with one note, the last stdout line remembered as
// the run's state. Pure: no descriptors, no clock.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "model/limits.h"
#include "sandbox/ipc/messages.h"
#include "sandbox/runner/last_line.h"
#include "vault/mask.h"

namespace berth::runner {

class RunOutput {
public:
    using Emit = std::function<void(ipc::StreamKind stream, std::string bytes)>;
    struct Limits {
        std::uint64_t log_bytes;  // kept, of both streams together
        std::size_t state_bytes;  // of the last stdout line
    };
    static constexpr Limits kLimits{limits::kLogBytes, limits::kStateBytes};
    RunOutput(vault::Masker masker, Limits limits, Emit emit);

    // What was read from one stream, out or err.
    void add(ipc::StreamKind stream, std::string_view raw);
    // Both streams have ended: gives out what the masker held back.
    void finish();

    // All it knows, for one that goes on in its place; what the masker holds back is raw.
    struct Progress {
        std::uint64_t printed = 0;
        std::uint64_t kept = 0;
        bool cut = false;
        LastLine::Progress last_line;
        vault::Masker::Held out, err;
        template <class V>
        void fields(V& v) {
            v(printed, kept, cut, last_line);
            v(out.bytes, out.covered, out.in_mask, err.bytes, err.covered, err.in_mask);
        }
    };
    Progress progress() const;
    // `masker` of the same secrets, without them.
    void take_over(vault::Masker masker, const Progress& before);

    // Printed, also what was cut.
    std::uint64_t printed_bytes() const noexcept { return printed_; }
    // The last non-empty stdout line, masked; complete after finish().
    const LastLine::Line& state() const noexcept { return last_line_.line(); }

private:
    void keep(ipc::StreamKind stream, std::string masked);

    vault::Masker masker_;
    Limits limits_;
    Emit emit_;
    LastLine last_line_;
    std::uint64_t printed_ = 0;
    std::uint64_t kept_ = 0;
    bool cut_ = false;
};

}  // namespace berth::runner
