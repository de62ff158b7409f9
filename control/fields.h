// Reads the named fields of a JSON body: right type, known name, or a refusal
// that names the field. A field that no route knows is refused, since a mistyped
// name would otherwise be lost in silence.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "model/json.h"
#include "model/values.h"

namespace berth {

class Fields {
public:
    explicit Fields(const Json& body) : body_{body} {}

    // Absent and null are both nothing. The first wrong field is kept for finish().
    std::optional<std::string> text(const char* name, std::size_t max_bytes);
    std::optional<std::int64_t> integer(const char* name, std::int64_t min, std::int64_t max);
    std::optional<bool> boolean(const char* name);
    std::optional<std::string> object(const char* name);  // its JSON text
    // One of the words that `parse` knows; `allowed` is for the message.
    template <typename Enum>
    std::optional<Enum> word(const char* name, std::optional<Enum> (*parse)(std::string_view),
                             const char* allowed) {
        const auto value = text(name, 100);
        if (!value) return {};
        const auto parsed = parse(*value);
        if (!parsed) wrong(name, "must be one of: {}", allowed);
        return parsed;
    }
    std::optional<std::vector<IntegrationConnector>> connectors(const char* name);
    // Of names of hosts, at most limits::kEgressNames, each once.
    std::optional<std::vector<std::string>> egress_names(const char* name);
    std::optional<std::vector<std::string>> texts(const char* name, std::size_t most,
                                                  std::size_t max_bytes);
    // A map of field → secret text; handed to `take` one by one, never kept here.
    void secrets(const char* name, const std::function<void(std::string, std::string_view)>& take);

    void required(const char* name);
    // For routes that take a field but do nothing with it alone.
    void known(const char* name) { seen_.insert(name); }

    // The first refusal, an unknown field included.
    Result<void> finish();

private:
    const Json* find(const char* name);
    template <typename... Args>
    void wrong(const char* name, fmt::format_string<Args...> what, Args&&... args) {
        if (!failure_)
            failure_ = Failure{
                FailureKind::unprocessable,
                fmt::format("field '{}' ", name) + fmt::format(what, std::forward<Args>(args)...),
                std::string{"body."} + name};
    }

    const Json& body_;
    std::set<std::string> seen_;
    std::optional<Failure> failure_;
};

}  // namespace berth
