// The Aho-Corasick automaton behind Masker: all forms of all secrets of a run, found
// in one pass. Built once per run in time linear in their bytes.
//
// The states near the root, where ordinary text stays, have a dense row each; the
// deep ones, of which there are thousands and where one comes only along a secret,
// are a compact trie with failure links.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace berth::vault {

class MaskAutomaton {
public:
    using State = std::uint32_t;  // 0 is the beginning

    // `forms` sorted, each once, none shorter than limits::kMaskableSecretBytes.
    explicit MaskAutomaton(const std::vector<std::string>& forms);
    ~MaskAutomaton();  // cleanses: the trie spells the secrets
    MaskAutomaton(const MaskAutomaton&) = delete;
    MaskAutomaton& operator=(const MaskAutomaton&) = delete;

    // Reads `bytes` from `state` and returns the state it ends in; calls
    // found(end, length) for the longest form ending before bytes[end].
    template <typename F>
    State scan(State state, std::string_view bytes, F&& found) const {
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            const auto byte = static_cast<unsigned char>(bytes[i]);
            state = state < rows_ ? dense_[state << 8 | byte] : step(state, byte);
            if (state >= rows_ && matched_[state - rows_] != 0) [[unlikely]]
                found(i + 1, matched_[state - rows_]);
        }
        return state;
    }

    // How many of the last bytes may be the beginning of a form.
    std::size_t depth(State state) const;

private:
    using Node = std::uint32_t;  // in the order of the sorted forms; 0 is the root

    std::vector<Node> insert(const std::vector<std::string>& forms);
    void link(const std::vector<Node>& parents);
    Node child(Node node, unsigned char byte) const;  // 0: there is none
    State step(State state, unsigned char byte) const;

    // Per node; the first child of n is n + 1, if that is deeper than n.
    std::vector<unsigned char> label_;
    std::vector<std::uint32_t> depth_;
    std::vector<Node> sibling_;           // the next child of the same parent, 0: none
    std::vector<Node> fail_;              // the longest proper suffix that is a node too
    std::vector<std::uint32_t> matched_;  // length of the longest form that ends here, 0: none
    std::vector<State> state_;            // its row, or rows_ + the node

    std::uint32_t rows_ = 0;    // states below this are dense rows
    std::vector<State> dense_;  // rows_ * 256
    std::vector<std::uint32_t> row_depth_;
};

}  // namespace berth::vault
