#include "vault/mask.h"

#include <algorithm>

#include "base/secret.h"
#include "vault/mask_automaton.h"
#include "vault/mask_forms.h"

namespace berth::vault {

Masker::Masker(std::span<const std::string_view> secrets) {
    MaskForms made = mask_forms(secrets);
    complete_ = made.complete;
    if (!made.forms.empty()) automaton_ = std::make_unique<MaskAutomaton>(made.forms);
    for (std::string& form : made.forms)
        cleanse(form.data(), form.size());
}

Masker::Masker(Masker&&) noexcept = default;
Masker& Masker::operator=(Masker&&) noexcept = default;
Masker::~Masker() = default;

std::string Masker::feed(OutputStream stream, std::string_view bytes) {
    return advance(streams_.at(static_cast<std::size_t>(stream)), bytes);
}

std::string Masker::flush(OutputStream stream) {
    return streams_.at(static_cast<std::size_t>(stream)).finish();
}

Masker::Held Masker::held(OutputStream stream) const {
    const Progress& now = streams_.at(static_cast<std::size_t>(stream));
    return {now.held, now.in_mask ? now.mask_end - now.held_at : 0, now.in_mask};
}

// What is held back is the beginning of a form, so that reading it again leads to the
// same state.
void Masker::take_over(OutputStream stream, const Held& held) {
    if (!automaton_) return;
    Progress& now = streams_.at(static_cast<std::size_t>(stream));
    now.in_mask = held.in_mask;
    now.mask_end = held.covered;
    now.held = held.bytes;
    now.state = automaton_->scan(0, held.bytes, [&](std::size_t end, std::uint32_t length) {
        now.add({end - length, end});
    });
}

std::string Masker::mask(std::string_view text) const {
    Progress progress;
    std::string out = advance(progress, text);
    out += progress.finish();
    return out;
}

std::string Masker::advance(Progress& progress, std::string_view bytes) const {
    if (!automaton_) return std::string{bytes};  // nothing to look for
    const std::uint64_t at = progress.held_at + progress.held.size();
    progress.state =
        automaton_->scan(progress.state, bytes, [&](std::size_t end, std::uint32_t length) {
            progress.add({at + end - length, at + end});
        });
    std::string out;
    progress.release(bytes, at + bytes.size() - automaton_->depth(progress.state), out);
    return out;
}

Masker::Progress::~Progress() { cleanse(held.data(), held.size()); }

// Spans come in the order of their ends; those that overlap or touch become one.
void Masker::Progress::add(Span span) {
    if (in_mask && span.begin <= mask_end) {
        found.clear();  // they lie between the two
        mask_end = span.end;
        return;
    }
    while (!found.empty() && found.back().end >= span.begin) {
        span.begin = std::min(span.begin, found.back().begin);
        found.pop_back();
    }
    found.push_back(span);
}

void Masker::Progress::release(std::string_view fresh, std::uint64_t upto, std::string& out) {
    const std::uint64_t fresh_at = held_at + held.size();
    const auto pass = [&](std::uint64_t from, std::uint64_t to) {
        if (from < fresh_at) {
            const auto end = std::min(to, fresh_at);
            out.append(held, from - held_at, end - from);
            from = end;
        }
        if (from < to) out += fresh.substr(from - fresh_at, to - from);
    };
    std::uint64_t at = held_at;
    const auto skip_mask = [&] {
        at = std::max(at, std::min(mask_end, upto));
        in_mask = mask_end >= upto;  // a form that begins right behind it would join it
    };
    if (in_mask) skip_mask();
    auto span = found.begin();
    for (; span != found.end() && span->begin < upto; ++span) {
        pass(at, span->begin);
        out += "***";
        mask_end = span->end;
        skip_mask();
    }
    found.erase(found.begin(), span);
    pass(at, upto);

    if (upto >= fresh_at) {
        cleanse(held.data(), held.size());
        held = fresh.substr(upto - fresh_at);
    } else {
        held.erase(0, upto - held_at);
        held += fresh;
    }
    held_at = upto;
}

std::string Masker::Progress::finish() {
    std::string out;
    release({}, held_at + held.size(), out);
    state = 0;
    in_mask = false;
    return out;
}

}  // namespace berth::vault
