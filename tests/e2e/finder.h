// Finds secrets in what is read piece by piece, in all the forms that masking knows; and
// makes some that are like nothing else.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/seed.h"
#include "vault/mask_automaton.h"
#include "vault/mask_forms.h"

namespace berth::test {

// Any form of any of the secrets.
class Finder {
public:
    explicit Finder(const std::vector<std::string>& secrets) {
        std::vector<std::string> forms;
        for (const std::string& secret : secrets) {
            const std::string_view one{secret};
            auto made = berth::vault::mask_forms({&one, 1});
            REQUIRE(made.complete);
            forms.insert(forms.end(), made.forms.begin(), made.forms.end());
        }
        std::ranges::sort(forms);
        forms.erase(std::unique(forms.begin(), forms.end()), forms.end());
        forms_ = forms.size();
        automaton_ = std::make_unique<berth::vault::MaskAutomaton>(forms);
    }
    std::size_t forms() const { return forms_; }

    void begin() { state_ = 0; }
    // Where the first hit is, or nothing.
    std::size_t read(std::string_view bytes) {
        std::size_t hits = 0;
        state_ = automaton_->scan(state_, bytes, [&](std::size_t, std::size_t) { ++hits; });
        read_ += bytes.size();
        return hits;
    }
    std::size_t in(std::string_view bytes) {
        begin();
        return read(bytes);
    }
    std::uint64_t total() const { return read_; }

private:
    std::unique_ptr<berth::vault::MaskAutomaton> automaton_;
    berth::vault::MaskAutomaton::State state_ = 0;
    std::size_t forms_ = 0;
    std::uint64_t read_ = 0;
};

// Unlike anything else of this machine, with letters that the forms write differently.
inline std::vector<std::string> make_canaries(std::size_t count) {
    auto random = seeded_random("canaries");
    std::vector<std::string> secrets;
    for (std::size_t i = 0; i < count; ++i)
        secrets.push_back("cnry-" + random_text(random, 20, "0123456789abcdefghijklmnop") +
                          random_text(random, 4, "\"&</=+ ") + "x");
    return secrets;
}

}  // namespace berth::test
