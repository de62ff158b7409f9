// The values of a kind's file, each looked at for its form, with all that is wrong gathered
// by its place: `acme.yaml:4:12: fields[0].name: what is wrong; what to write instead`.
// What the values mean is the reader's (kind_reader.cpp).
//
// `at` is the JSON pointer of the map that a key is in.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "model/yaml.h"

namespace berth {

class KindFile {
public:
    using Keys = std::set<std::string_view>;
    enum class Need { optional, needed };

    explicit KindFile(YamlDocument document) : document_{std::move(document)} {}

    const Json& root() const { return *document_.value; }
    std::string place(const std::string& pointer) const;  // `FILE:LINE:COLUMN`

    template <typename... Args>
    void wrong(const std::string& pointer, fmt::format_string<Args...> what, Args&&... args) {
        complain(pointer, pointer, fmt::format(what, std::forward<Args>(args)...));
    }
    void add(std::string complaint) { complaints_.push_back(std::move(complaint)); }
    bool is_wrong() const { return !complaints_.empty(); }
    tl::unexpected<Failure> refused() const;

    // What is absent is empty, or the default; what is of another form is wrong, and so, too.
    bool check_keys(const std::string& at, const Json& map, const Keys& known);
    std::string text(const std::string& at, const Json& map, const char* key,
                     Need need = Need::optional);
    bool flag(const std::string& at, const Json& map, const char* key, bool otherwise);
    std::vector<std::string> texts(const std::string& at, const Json& map, const char* key);
    std::map<std::string, std::string> pairs(const std::string& at, const Json& map,
                                             const char* key);
    template <typename T>
    T word(const std::string& at, const Json& map, const char* key,
           const std::vector<std::pair<std::string_view, T>>& words, T otherwise) {
        const auto given = given_text(at, map, key);
        if (!given) return otherwise;
        std::vector<std::string_view> names;
        for (const auto& [name, value] : words) {
            if (name == *given) return value;
            names.push_back(name);
        }
        wrong(at + "/" + key, "must be one of: {}", fmt::join(names, ", "));
        return otherwise;
    }

private:
    void complain(const std::string& where, const std::string& about, std::string_view what);
    std::optional<std::string> given_text(const std::string& at, const Json& map, const char* key);

    YamlDocument document_;
    std::vector<std::string> complaints_;
};

}  // namespace berth
