#include "connectors/kind_file.h"

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace berth {
namespace {

// `/fields/0/name` → `fields[0].name`
std::string path_of(const std::string& pointer) {
    std::string path;
    for (const std::string& part : split(pointer, '/')) {
        if (part.empty()) continue;
        if (to_number<std::size_t>(part))
            path += "[" + part + "]";
        else
            path += (path.empty() ? "" : ".") + printable(part, 60);
    }
    return path;
}

}  // namespace

std::string KindFile::place(const std::string& pointer) const {
    const YamlMark mark = document_.place(pointer).value;
    return fmt::format("{}:{}:{}", document_.file, mark.line, mark.column);
}

void KindFile::complain(const std::string& where, const std::string& about, std::string_view what) {
    const std::string path = path_of(about);
    add(fmt::format("{}: {}{}{}", place(where), path, path.empty() ? "" : ": ", what));
}

tl::unexpected<Failure> KindFile::refused() const {
    return fail(FailureKind::unprocessable, "{}", fmt::join(complaints_, "\n"));
}

bool KindFile::check_keys(const std::string& at, const Json& map, const Keys& known) {
    if (!map.is_object()) {
        wrong(at, "must be a map with keys such as '{}'", *known.begin());
        return false;
    }
    for (const auto& [key, value] : map.items())
        if (!known.contains(key))
            complain(at + "/" + key, at,
                     fmt::format("key '{}' is not known here; one of: {}", printable(key, 60),
                                 fmt::join(known, ", ")));
    return true;
}

std::string KindFile::text(const std::string& at, const Json& map, const char* key, Need need) {
    const auto found = map.find(key);
    if (found == map.end()) {
        if (need == Need::needed) wrong(at, "'{0}' is missing; write '{0}: ...'", key);
        return {};
    }
    const std::string value = found->is_string() ? found->get<std::string>() : "";
    if (!found->is_string())
        wrong(at + "/" + key, "must be a text; put quotes around it");
    else if (need == Need::needed && value.empty())
        wrong(at + "/" + key, "must not be empty; write a text");
    return value;
}

std::optional<std::string> KindFile::given_text(const std::string& at, const Json& map,
                                                const char* key) {
    if (!map.contains(key)) return {};
    return text(at, map, key);
}

bool KindFile::flag(const std::string& at, const Json& map, const char* key, bool otherwise) {
    const auto found = map.find(key);
    if (found == map.end()) return otherwise;
    if (found->is_boolean()) return found->get<bool>();
    wrong(at + "/" + key, "must be true or false");
    return otherwise;
}

std::vector<std::string> KindFile::texts(const std::string& at, const Json& map, const char* key) {
    std::vector<std::string> list;
    const auto found = map.find(key);
    if (found == map.end()) return list;
    if (!found->is_array()) {
        wrong(at + "/" + key, "must be a list of texts, as in [one, two]");
        return list;
    }
    for (std::size_t i = 0; i < found->size(); ++i)
        if ((*found)[i].is_string())
            list.push_back((*found)[i].get<std::string>());
        else
            wrong(fmt::format("{}/{}/{}", at, key, i), "must be a text; put quotes around it");
    return list;
}

std::map<std::string, std::string> KindFile::pairs(const std::string& at, const Json& map,
                                                   const char* key) {
    std::map<std::string, std::string> list;
    const auto found = map.find(key);
    if (found == map.end()) return list;
    if (!found->is_object()) {
        wrong(at + "/" + key, "must be a map of texts, as in {{name: text}}");
        return list;
    }
    for (const auto& [name, value] : found->items())
        list[name] = text(at + "/" + key, *found, name.c_str());
    return list;
}

}  // namespace berth
