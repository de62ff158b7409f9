#include "tests/layers/layers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <span>
#include <string_view>

#include "base/text.h"

namespace berth {
namespace {

namespace fs = std::filesystem;
using std::string_view;

// Who may include what, besides its own folder (ARCHITECTURE.md). A name that ends
// in '/' stands for all below it, `sandbox/*` for the files in that folder itself.
// The longest matching folder counts.
struct Layer {
    string_view folder;
    std::vector<string_view> may_include;
};

const std::vector<Layer>& layers() {
    static const std::vector<Layer> kLayers{
        {"base/", {}},
        {"model/", {"base/"}},
        {"store/", {"base/", "model/"}},
        {"vault/", {"base/", "model/"}},
        {"scheduler/", {"base/", "model/"}},
        {"source/", {"base/", "model/"}},
        {"connectors/", {"base/", "model/"}},
        {"control/", {"base/", "model/"}},
        {"sandbox/", {"base/", "model/", "sandbox/ipc/"}},
        {"sandbox/ipc/", {"base/", "model/"}},
        // The process with the kernel's capabilities stays small: nothing else of the product.
        {"sandbox/launcher/",
         {"base/fd.h", "base/notify.h", "sandbox/ipc/launcher_protocol.h", "sandbox/*"}},
        {"sandbox/runner/", {"base/", "model/", "sandbox/ipc/", "sandbox/*", "vault/"}},
        {"sandbox/egress/", {"base/", "model/", "sandbox/ipc/", "sandbox/*"}},
        {"daemon/",
         {"base/", "model/", "store/", "vault/", "scheduler/", "source/", "connectors/", "control/",
          "sandbox/ipc/", "sandbox/*"}},
        {"cli/", {"base/", "model/", "control/client.h"}},
        {"web/", {"base/", "model/", "control/client.h"}},
        {"tests/", {"*"}},
        {"bench/", {"*"}},
    };
    return kLayers;
}

bool starts_with_any(string_view text, std::span<const string_view> prefixes) {
    return std::ranges::any_of(prefixes,
                               [&](string_view prefix) { return text.starts_with(prefix); });
}

// Whoever includes or links these can turn envelopes into plaintext.
constexpr std::array kOpeningHeaders{string_view{"vault/open.h"}, string_view{"vault/keeper.h"},
                                     string_view{"vault/aead_open.h"}};
constexpr std::array kMayOpen{string_view{"vault/"}, string_view{"sandbox/runner/"},
                              string_view{"tests/"}, string_view{"bench/"}};

// Seconds of compile time for each file that sees them: in .cpp files only.
constexpr std::array kHeavyHeaders{
    string_view{"nlohmann/json.hpp"}, string_view{"yaml-cpp/"}, string_view{"sqlite3.h"},
    string_view{"openssl/"},          string_view{"CLI/"},      string_view{"spdlog/"},
    string_view{"archive.h"},         string_view{"regex"}};

// Headers there are seen by few files.
constexpr std::array kCompiledOnce{string_view{"tests/"}, string_view{"bench/"}};

// <openssl/types.h> only declares names.
bool is_heavy(string_view header) {
    return starts_with_any(header, kHeavyHeaders) && header != "openssl/types.h";
}

constexpr std::size_t kMostLines = 500;

const Layer* layer_of(string_view path) {
    const Layer* found = nullptr;
    for (const Layer& layer : layers()) {
        if (!path.starts_with(layer.folder)) continue;
        if (found == nullptr || layer.folder.size() > found->folder.size()) found = &layer;
    }
    return found;
}

bool matches(string_view included, string_view rule) {
    if (rule == "*") return true;
    if (rule.ends_with("/*")) {
        rule.remove_suffix(1);
        return included.starts_with(rule) &&
               included.substr(rule.size()).find('/') == string_view::npos;
    }
    return rule.ends_with('/') ? layer_of(included)->folder == rule : included == rule;
}

bool may_include(const Layer& from, string_view included) {
    const Layer* to = layer_of(included);
    if (to == nullptr) return false;
    if (to == &from) return true;
    return std::ranges::any_of(from.may_include,
                               [&](string_view rule) { return matches(included, rule); });
}

// The name between the delimiters of an `#include` line; empty when it is none.
string_view included_name(string_view line, char open, char close) {
    line = trim(line);
    if (!line.starts_with('#')) return {};
    line = trim(line.substr(1));
    if (!line.starts_with("include")) return {};
    line = trim(line.substr(std::strlen("include")));
    if (!line.starts_with(open)) return {};
    const auto end = line.find(close, 1);
    return end == string_view::npos ? string_view{} : line.substr(1, end - 1);
}

std::vector<std::string> lines_of(const fs::path& file) {
    std::ifstream in{file};
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);)
        lines.push_back(std::move(line));
    return lines;
}

class Checker {
public:
    void source(const std::string& path, const std::vector<std::string>& lines) {
        const bool header = path.ends_with(".h");
        if (lines.size() > kMostLines)
            add(path, lines.size(), "has {} lines, more than {}: split it", lines.size(),
                kMostLines);
        const bool told =
            !lines.empty() && (lines[0].starts_with("//") || lines[0].starts_with("#pragma") ||
                               (!header && is_own_header(path, included_name(lines[0], '"', '"'))));
        if (!told) add(path, 1, "does not open with a comment that says what lives in it");

        const Layer* from = layer_of(path);
        for (std::size_t i = 0; i < lines.size(); ++i) {
            if (const auto name = included_name(lines[i], '"', '"'); !name.empty())
                included(path, i + 1, *from, name);
            const auto system = included_name(lines[i], '<', '>');
            if (header && is_heavy(system) && !starts_with_any(path, kCompiledOnce))
                add(path, i + 1, "includes <{}>, which belongs into .cpp files", system);
        }
    }

    void build_file(const std::string& path, const std::vector<std::string>& lines) {
        if (starts_with_any(path, kMayOpen)) return;
        for (std::size_t i = 0; i < lines.size(); ++i) {
            const auto code = string_view{lines[i]}.substr(0, lines[i].find('#'));
            if (code.find("berth_vault_open") != string_view::npos)
                add(path, i + 1, "links berth_vault_open: only berth-runner may open secrets");
        }
    }

    std::vector<std::string> take() {
        std::ranges::sort(breaches_);
        return std::move(breaches_);
    }

private:
    // yaml.h tells what yaml.cpp is for, and also what yaml_scalar.cpp is part of; a
    // test says by its first include what it tests.
    static bool is_own_header(string_view path, string_view header) {
        if (!header.ends_with(".h")) return false;
        if (path.ends_with("_test.cpp")) return true;
        header.remove_suffix(2);
        return path.starts_with(header) &&
               (path[header.size()] == '.' || path[header.size()] == '_');
    }

    void included(const std::string& path, std::size_t line, const Layer& from, string_view name) {
        if (layer_of(name) == nullptr)
            add(path, line, "includes \"{}\": write the path from the repository root", name);
        else if (!may_include(from, name))
            add(path, line, "includes \"{}\": there is no arrow from {} to it", name, from.folder);
        else if (std::ranges::count(kOpeningHeaders, name) > 0 && !starts_with_any(path, kMayOpen))
            add(path, line, "includes \"{}\": only berth-runner may open secrets", name);
    }

    template <typename... Args>
    void add(const std::string& path, std::size_t line, fmt::format_string<Args...> text,
             Args&&... args) {
        breaches_.push_back(
            fmt::format("{}:{}: {}", path, line, fmt::format(text, std::forward<Args>(args)...)));
    }

    std::vector<std::string> breaches_;
};

// Calls visit(path from the root) for each file in the folders named above.
template <typename Visit>
void each_file(const fs::path& root, Visit visit) {
    for (const Layer& layer : layers()) {
        const auto folder = root / layer.folder;
        // sandbox/ipc and its like are reached through sandbox.
        if (std::ranges::count(layer.folder, '/') > 1 || !fs::exists(folder)) continue;
        for (const auto& entry : fs::recursive_directory_iterator{folder})
            if (entry.is_regular_file()) visit(fs::relative(entry.path(), root).string());
    }
}

bool is_source(string_view path) { return path.ends_with(".h") || path.ends_with(".cpp"); }

}  // namespace

std::vector<std::string> breaches(const fs::path& root) {
    Checker checker;
    each_file(root, [&](const std::string& path) {
        if (is_source(path)) checker.source(path, lines_of(root / path));
        if (path.ends_with("CMakeLists.txt") || path.ends_with(".cmake"))
            checker.build_file(path, lines_of(root / path));
    });
    return checker.take();
}

std::size_t count_sources(const fs::path& root) {
    std::size_t count = 0;
    each_file(root, [&](const std::string& path) {
        if (is_source(path)) ++count;
    });
    return count;
}

}  // namespace berth
