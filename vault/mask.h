// Masking: the secrets of a run are replaced by `***` in what it prints, as it
// streams by. A courtesy, not a boundary: a script can always transform a value in
// a way that nobody has thought of.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/values.h"

namespace berth::vault {

class MaskAutomaton;

// One run's masker. Finds each secret as it is, trimmed, line by line, reversed, and
// in base64, hex, JSON, URI, XML and shell forms (mask_forms.h), however the output is
// cut into pieces. Shorter than limits::kMaskableSecretBytes: not masked.
class Masker {
public:
    explicit Masker(std::span<const std::string_view> secrets);
    Masker(Masker&&) noexcept;
    Masker& operator=(Masker&&) noexcept;
    ~Masker();

    // What can be passed on now. Held back is only what may be the beginning of a
    // secret, at most as long as the longest form of one.
    std::string feed(OutputStream stream, std::string_view bytes);
    // The rest, at the end of the stream.
    std::string flush(OutputStream stream);
    // Where a stream stands, for a masker of the same secrets that goes on in its place.
    struct Held {
        std::string bytes;          // held back: raw
        std::uint64_t covered = 0;  // of them, by the `***` that was written last,
        bool in_mask = false;       // which may still grow
    };
    Held held(OutputStream stream) const;
    // Before the first feed() of that stream.
    void take_over(OutputStream stream, const Held& held);
    // A whole text at once, apart from the streams.
    std::string mask(std::string_view text) const;

    // False when the secrets' forms were too large to look for all of them
    // (kMaskPatternBytes): the plain ones go first, the rarer ones are left out.
    bool complete() const { return complete_; }

private:
    // Where one stream stands between two calls. Positions count from its beginning.
    struct Progress {
        struct Span {
            std::uint64_t begin, end;
        };
        std::uint32_t state = 0;
        std::string held;            // read, not yet decided
        std::uint64_t held_at = 0;   // position of held[0]
        std::vector<Span> found;     // in order, apart from each other, after what was released
        bool in_mask = false;        // a `***` was written that may still grow,
        std::uint64_t mask_end = 0;  // and covers what comes before this

        Progress() = default;
        Progress(Progress&&) = default;
        Progress& operator=(Progress&&) = default;
        ~Progress();  // cleanses what was held

        void add(Span span);
        // Hands out everything before `upto`; `fresh` follows what is held.
        void release(std::string_view fresh, std::uint64_t upto, std::string& out);
        std::string finish();
    };
    std::string advance(Progress& progress, std::string_view bytes) const;

    std::unique_ptr<const MaskAutomaton> automaton_;
    bool complete_ = true;
    std::array<Progress, 3> streams_;  // by OutputStream
};

}  // namespace berth::vault
