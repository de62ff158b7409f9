#include "model/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <vector>

#include "base/text.h"
#include "model/limits.h"
#include "model/yaml_scalar.h"

namespace berth {
namespace {

constexpr std::size_t kKeyBytes = 256;
// Deeper places are told by what is around them; this bounds what a hostile text
// can make the table of places cost.
constexpr std::size_t kPointerBytes = 512;
constexpr std::size_t kPlacesBytes = 4 * limits::MiB;

// Leaves the parser from inside its callbacks; never leaves this file.
struct Refused {
    FailureKind kind;
    YamlMark mark;
    std::string message;
};

template <typename... Args>
[[noreturn]] void refuse(FailureKind kind, YamlMark mark, fmt::format_string<Args...> what,
                         Args&&... args) {
    throw Refused{kind, mark, fmt::format(what, std::forward<Args>(args)...)};
}

YamlMark to_mark(const YAML::Mark& mark) {
    return {std::max(mark.line, 0) + 1, std::max(mark.column, 0) + 1};
}

std::string escape_pointer(std::string_view key) {
    std::string out;
    for (const char c : key) {
        if (c == '~')
            out += "~0";
        else if (c == '/')
            out += "~1";
        else
            out += c;
    }
    return out;
}

class Builder final : public YAML::EventHandler {
public:
    explicit Builder(YamlDocument& document) : document_{document} {}

    Json take() { return std::move(root_); }

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (++documents_ > 1)
            refuse(FailureKind::invalid, to_mark(mark),
                   "a second document begins here; the file must hold one");
    }
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        scalar(to_mark(mark), "", "", anchor);
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        scalar(to_mark(mark), tag, value, anchor);
    }

    void OnAlias(const YAML::Mark& yaml_mark, YAML::anchor_t anchor) override {
        const YamlMark mark = to_mark(yaml_mark);
        if (++aliases_ > limits::kManifestAliases)
            refuse(FailureKind::over_limit, mark, "there are more than {} aliases",
                   limits::kManifestAliases);
        const auto found = anchors_.find(anchor);
        if (found == anchors_.end())
            refuse(FailureKind::invalid, mark, "the alias stands inside what it refers to");
        if (expects_key())
            refuse(FailureKind::invalid, mark, "an alias cannot be a key; write the key out");
        const Anchored& anchored = found->second;
        if (stack_.size() + anchored.depth > limits::kManifestDepth) too_deep(mark);
        count(mark, anchored.nodes, anchored.bytes);
        add(anchored.value, mark, "", anchored.depth);
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        open(Json::array(), "seq", to_mark(mark), tag, anchor);
    }
    void OnSequenceEnd() override { close(); }

    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        open(Json::object(), "map", to_mark(mark), tag, anchor);
    }
    void OnMapEnd() override { close(); }

private:
    struct Key {
        std::string text;
        YamlMark mark;
    };
    // A map or list that is being read.
    struct Frame {
        Json value;
        YamlMark mark;
        std::string pointer;
        bool tracked = true;  // its pointer is short enough to keep places below it
        std::optional<Key> key;
        YAML::anchor_t anchor = 0;
        std::size_t nodes_before = 0;
        std::size_t bytes_before = 0;
        std::size_t depth_below = 0;
    };
    struct Anchored {
        Json value;
        std::size_t nodes = 0;
        std::size_t bytes = 0;
        std::size_t depth = 0;
    };

    [[noreturn]] static void too_deep(YamlMark mark) {
        refuse(FailureKind::over_limit, mark, "nested deeper than {} levels",
               limits::kManifestDepth);
    }

    static Json typed(const std::string& tag, const std::string& text, YamlMark mark) {
        auto value = read_scalar(tag, text);
        if (!value) throw Refused{value.error().kind, mark, value.error().message};
        return *std::move(value);
    }

    bool expects_key() const {
        return !stack_.empty() && stack_.back().value.is_object() && !stack_.back().key;
    }

    void count(YamlMark mark, std::size_t nodes, std::size_t bytes) {
        nodes_ += nodes;
        bytes_ += bytes;
        if (nodes_ > limits::kManifestNodes || bytes_ > limits::kManifestBytes)
            refuse(FailureKind::over_limit, mark,
                   "with its aliases written out, the file has more than {} values or {} bytes",
                   limits::kManifestNodes, limits::kManifestBytes);
    }

    void scalar(YamlMark mark, const std::string& tag, const std::string& text,
                YAML::anchor_t anchor) {
        count(mark, 1, text.size());
        if (expects_key()) return key(mark, tag, text, anchor);
        Json value = typed(tag, text, mark);
        if (anchor != 0) anchors_[anchor] = {value, 1, text.size(), 0};
        add(std::move(value), mark, text, 0);
    }

    void key(YamlMark mark, const std::string& tag, const std::string& text,
             YAML::anchor_t anchor) {
        if (anchor != 0) anchors_[anchor] = {text, 1, text.size(), 0};
        if (tag != "!" && text == "<<")
            refuse(FailureKind::invalid, mark, "merge keys ('<<') are not read; repeat the keys");
        if (tag != "!" && typed(tag, text, mark).is_null())
            refuse(FailureKind::invalid, mark, "a key is missing before ':'");
        if (text.size() > kKeyBytes)
            refuse(FailureKind::over_limit, mark, "a key is longer than {} bytes", kKeyBytes);
        if (stack_.back().value.contains(text))
            refuse(FailureKind::invalid, mark,
                   "key '{}' comes twice in the same place; remove one of them",
                   printable(text, 80));
        stack_.back().key = Key{text, mark};
    }

    void open(Json value, std::string_view type, YamlMark mark, const std::string& tag,
              YAML::anchor_t anchor) {
        if (!tag.empty() && tag != "?" && tag != "!" &&
            tag != fmt::format("tag:yaml.org,2002:{}", type))
            refuse(FailureKind::invalid, mark, "tag '{}' is not known; leave it out",
                   printable(tag, 80));
        if (expects_key())
            refuse(FailureKind::invalid, mark, "a key must be plain text, not a list or a map");
        if (stack_.size() >= limits::kManifestDepth) too_deep(mark);
        Frame frame{std::move(value), mark, next_pointer(), /*tracked=*/true, {}, anchor};
        frame.tracked = frame.pointer.size() <= kPointerBytes;
        frame.nodes_before = nodes_;
        frame.bytes_before = bytes_;
        count(mark, 1, 0);
        stack_.push_back(std::move(frame));
    }

    void close() {
        Frame frame = std::move(stack_.back());
        stack_.pop_back();
        const std::size_t depth = frame.depth_below + 1;
        if (frame.anchor != 0)
            anchors_[frame.anchor] = {frame.value, nodes_ - frame.nodes_before,
                                      bytes_ - frame.bytes_before, depth};
        add(std::move(frame.value), frame.mark, "", depth);
    }

    // The JSON pointer of the value that comes next.
    std::string next_pointer() const {
        if (stack_.empty()) return "";
        const Frame& top = stack_.back();
        if (!top.tracked) return top.pointer;
        return top.pointer + "/" +
               (top.key ? escape_pointer(top.key->text) : std::to_string(top.value.size()));
    }

    void add(Json value, YamlMark mark, const std::string& written, std::size_t depth) {
        const bool tracked = stack_.empty() || stack_.back().tracked;
        if (tracked && places_bytes_ < kPlacesBytes) {
            const std::string pointer = next_pointer();
            places_bytes_ += pointer.size() + written.size() + sizeof(YamlPlace);
            const YamlMark key =
                !stack_.empty() && stack_.back().key ? stack_.back().key->mark : mark;
            document_.places[pointer] = {key, mark, written};
        }
        if (stack_.empty()) {
            root_ = std::move(value);
            return;
        }
        Frame& top = stack_.back();
        top.depth_below = std::max(top.depth_below, depth);
        if (top.value.is_array()) {
            top.value.push_back(std::move(value));
        } else {
            top.value[top.key->text] = std::move(value);
            top.key.reset();
        }
    }

    YamlDocument& document_;
    Json root_;
    std::vector<Frame> stack_;
    std::map<YAML::anchor_t, Anchored> anchors_;
    int documents_ = 0;
    std::size_t nodes_ = 0;
    std::size_t bytes_ = 0;
    std::size_t aliases_ = 0;
    std::size_t places_bytes_ = 0;
};

// What the parser would take, or would explain badly.
void check_text(std::string_view text) {
    if (text.size() > limits::kManifestBytes)
        refuse(FailureKind::over_limit, {}, "the file is larger than {} bytes",
               limits::kManifestBytes);
    YamlMark mark;
    bool indenting = true;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '\t' && indenting)
            refuse(FailureKind::invalid, mark, "a tab in the indentation; use spaces");
        if ((byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7f)
            refuse(FailureKind::invalid, mark, "byte 0x{:02x} is not text", byte);
        indenting = c == '\n' || (indenting && c == ' ');
        if (c == '\n')
            mark = {mark.line + 1, 1};
        else if ((byte & 0xC0) != 0x80)
            ++mark.column;
    }
    if (!is_utf8(text)) refuse(FailureKind::invalid, {}, "the file is not valid UTF-8");
}

}  // namespace

const YamlPlace& YamlDocument::place(std::string_view pointer) const {
    for (;;) {
        const auto found = places.find(std::string{pointer});
        if (found != places.end()) return found->second;
        const std::size_t slash = pointer.rfind('/');
        pointer = pointer.substr(0, slash == std::string_view::npos ? 0 : slash);
    }
}

Result<YamlDocument> read_yaml(std::string_view text, std::string_view file_name) {
    YamlDocument document{std::string{file_name}, {}, {{"", {}}}};
    const auto failed = [&](FailureKind kind, YamlMark mark, std::string_view why) {
        std::string where = fmt::format("{}:{}:{}", file_name, mark.line, mark.column);
        std::string message = fmt::format("{}: {}", where, why);
        return tl::unexpected<Failure>{Failure{kind, std::move(message), std::move(where)}};
    };
    try {
        check_text(text);
        std::istringstream in{std::string{text}};
        YAML::Parser parser{in};
        Builder builder{document};
        while (parser.HandleNextDocument(builder)) {
        }
        document.value = std::make_shared<const Json>(builder.take());
    } catch (const Refused& refused) {
        return failed(refused.kind, refused.mark, refused.message);
    } catch (const YAML::Exception& error) {
        return failed(FailureKind::invalid, to_mark(error.mark), error.msg);
    }
    return document;
}

}  // namespace berth
