#include "vault/mask_automaton.h"

#include <algorithm>

#include "base/assert.h"
#include "base/secret.h"
#include "model/limits.h"

namespace berth::vault {
namespace {

// Ordinary text rarely gets past the second byte of a form; a row is 1 KiB.
constexpr std::uint32_t kDenseDepth = 2;
constexpr std::size_t kMostRows = 1024;
static_assert(kDenseDepth < limits::kMaskableSecretBytes);  // no form ends in a row

}  // namespace

MaskAutomaton::MaskAutomaton(const std::vector<std::string>& forms) { link(insert(forms)); }

MaskAutomaton::~MaskAutomaton() { cleanse(label_.data(), label_.size()); }

std::size_t MaskAutomaton::depth(State state) const {
    return state < rows_ ? row_depth_[state] : depth_[state - rows_];
}

// Builds the trie in the order of the sorted forms and returns each node's parent.
std::vector<MaskAutomaton::Node> MaskAutomaton::insert(const std::vector<std::string>& forms) {
    std::vector<Node> parents, last_child, path;
    const auto add = [&](Node parent, unsigned char label) {
        const auto node = static_cast<Node>(label_.size());
        if (node != 0) {
            if (last_child[parent] != 0) sibling_[last_child[parent]] = node;
            last_child[parent] = node;
        }
        label_.push_back(label);
        depth_.push_back(static_cast<std::uint32_t>(path.size()));
        sibling_.push_back(0);
        matched_.push_back(0);
        parents.push_back(parent);
        last_child.push_back(0);
        path.push_back(node);
        return node;
    };
    std::size_t most = 1;
    for (const std::string& form : forms)
        most += form.size();
    label_.reserve(most);  // never moved: no copy of a secret is left behind
    add(0, 0);
    std::string_view before;
    for (const std::string& form : forms) {
        BERTH_ASSERT(form.size() >= limits::kMaskableSecretBytes && before < form);
        const auto common =
            static_cast<std::size_t>(std::ranges::mismatch(before, form).in2 - form.begin());
        path.resize(common + 1);
        Node node = path.back();
        for (const char c : form.substr(common))
            node = add(node, static_cast<unsigned char>(c));
        matched_[node] = depth_[node];
        before = form;
    }
    return parents;
}

void MaskAutomaton::link(const std::vector<Node>& parents) {
    // Nearest the root first: a failure link leads to a node less deep.
    const std::size_t count = label_.size();
    std::vector<std::size_t> starts(*std::ranges::max_element(depth_) + 2);
    for (const std::uint32_t depth : depth_)
        ++starts[depth + 1];
    for (std::size_t i = 1; i < starts.size(); ++i)
        starts[i] += starts[i - 1];
    std::vector<Node> by_depth(count);
    for (Node node = 0; node < count; ++node)
        by_depth[starts[depth_[node]]++] = node;

    const auto deep =
        std::ranges::find_if(by_depth, [&](Node n) { return depth_[n] > kDenseDepth; });
    rows_ = static_cast<std::uint32_t>(
        std::min<std::size_t>(static_cast<std::size_t>(deep - by_depth.begin()), kMostRows));
    state_.resize(count);
    for (Node node = 0; node < count; ++node)
        state_[node] = rows_ + node;
    for (State row = 0; row < rows_; ++row) {
        state_[by_depth[row]] = row;
        row_depth_.push_back(depth_[by_depth[row]]);
    }

    fail_.resize(count);
    for (const Node node : by_depth) {
        if (depth_[node] < 2) continue;  // the root
        Node suffix = fail_[parents[node]];
        Node longer = child(suffix, label_[node]);
        while (longer == 0 && suffix != 0) {
            suffix = fail_[suffix];
            longer = child(suffix, label_[node]);
        }
        fail_[node] = longer;
        if (matched_[node] == 0) matched_[node] = matched_[longer];
    }

    dense_.resize(std::size_t{rows_} << 8);
    for (State row = 0; row < rows_; ++row) {
        const Node node = by_depth[row];
        const auto cells = dense_.begin() + (std::ptrdiff_t{row} << 8);
        if (row != 0)
            std::copy_n(dense_.begin() + (std::ptrdiff_t{state_[fail_[node]]} << 8), 256, cells);
        if (node + 1 < count && depth_[node + 1] > depth_[node])
            for (Node next = node + 1; next != 0; next = sibling_[next])
                cells[label_[next]] = state_[next];
    }
}

MaskAutomaton::Node MaskAutomaton::child(Node node, unsigned char byte) const {
    Node next = node + 1;
    if (next >= label_.size() || depth_[next] <= depth_[node]) return 0;
    while (next != 0 && label_[next] != byte)
        next = sibling_[next];
    return next;
}

MaskAutomaton::State MaskAutomaton::step(State state, unsigned char byte) const {
    Node node = state - rows_;
    do {
        if (const Node next = child(node, byte); next != 0) return state_[next];
        node = fail_[node];
    } while (state_[node] >= rows_);
    return dense_[std::size_t{state_[node]} << 8 | byte];
}

}  // namespace berth::vault
