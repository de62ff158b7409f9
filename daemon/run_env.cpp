#include "daemon/run_env.h"

#include <array>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "model/env_name.h"
#include "model/json.h"
#include "model/limits.h"

namespace berth {
namespace {

constexpr std::string_view kWork = "/work/";
constexpr std::string_view kTriggersName = "PAN_CTX_RUN_TRIGGERS";
constexpr std::string_view kMetadataFile = ".berth/metadata.json";

// Decimal text: no exponent, no `.0` behind a whole number (contract 3.1).
std::string number_text(const Json& value) {
    if (!value.is_number_float()) return to_text(value);
    std::array<char, 400> digits;  // 1e308 has 309 of them
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(),
                                            value.get<double>(), std::chars_format::fixed);
    return error == std::errc{} ? std::string{digits.data(), end} : to_text(value);
}

std::string setting_text(const Json& value) {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
    if (value.is_number()) return number_text(value);
    return to_text(value);  // lists and objects
}

// What a script printed may hold anything; an entry ends at a NUL.
std::string without_nul(std::string text) {
    for (std::size_t at = text.find('\0'); at != std::string::npos; at = text.find('\0', at))
        text.replace(at, 1, "\uFFFD");
    return text;
}

class Builder {
public:
    explicit Builder(const RunEnvInput& input) : in_{input} {}

    Result<RunEnv> build() {
        add_base();
        add_context();
        add_last_run("PAN_CTX_LAST_RUN", in_.last_run);
        add_last_run("PAN_CTX_LAST_SUCCESSFUL_RUN", in_.last_successful_run);
        if (in_.last_run)
            add_state({"PAN_CTX_LAST_RUN_STD_OUT", "PAN_CTX_LAST_RUN_STDOUT"}, *in_.last_run);
        // The second is the documentation's own spelling, one C and one S.
        if (in_.last_successful_run)
            add_state({"PAN_CTX_LAST_SUCCESSFUL_RUN_STD_OUT", "PAN_CTX_LAST_SUCESSFUL_RUN_STDOUT"},
                      *in_.last_successful_run);
        add_metadata();
        add_triggers();
        add_settings();
        add_secrets();
        check_sizes();
        if (refused_) return tl::unexpected<Failure>{*std::move(refused_)};
        for (auto& [name, value] : entries_)
            env_.entries.push_back(name + "=" + value);
        return std::move(env_);
    }

private:
    template <typename... Args>
    void refuse(FailureKind kind, std::string where, fmt::format_string<Args...> what,
                Args&&... args) {
        if (!refused_)  // the first is told
            refused_ =
                Failure{kind, fmt::format(what, std::forward<Args>(args)...), std::move(where)};
    }

    void add(std::string_view name, std::string value) {
        entries_.insert_or_assign(std::string{name}, std::move(value));
    }

    void add_base() {
        add("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        add("HOME", "/work");
        add("TMPDIR", "/tmp");
        add("LANG", "C.UTF-8");
        add("TZ", "UTC");
    }

    void add_context() {
        add("PAN_CTX_INTEGRATION_ID", in_.integration.id.str());
        add("PAN_CTX_INTEGRATION_NAME", in_.integration.name);
        add("PAN_CTX_TENANT_ID", in_.tenant.id.str());
        add("PAN_CTX_TENANT_NAME", in_.tenant.name);
        add("PAN_CTX_RUN_MODE", std::string{to_string(in_.run.mode)});
        add("PAN_CTX_ENV", in_.environment);
        // Berth's own: a script that may be executed twice can tell by these.
        add("PAN_CTX_RUN_ID", in_.run.id.str());
        add("PAN_CTX_RUN_ATTEMPT", std::to_string(in_.run.attempt));
    }

    void add_last_run(const std::string& prefix, const std::optional<Run>& run) {
        if (!run) return;
        if (run->started) add(prefix + "_START_TIME", to_go_text(*run->started));
        if (run->completed) add(prefix + "_COMPLETION_TIME", to_go_text(*run->completed));
        add(prefix + "_PHASE", std::string{phase_text(run->state)});
    }

    void add_state(const std::array<std::string_view, 2>& names, const Run& run) {
        if (run.std_out.empty()) return;
        for (const std::string_view name : names)
            add(name, without_nul(run.std_out));
    }

    void add_metadata() {
        if (!in_.metadata) return;
        env_.files.push_back({std::string{kMetadataFile}, *in_.metadata});
        add("PAN_CTX_TENANT_METADATA_FILE", fmt::format("{}{}", kWork, kMetadataFile));
    }

    // How much of a trigger stands in the variable; the rest is in its files.
    enum class Inline { all, headers, nothing };

    void add_triggers() {
        for (const Trigger& trigger : in_.triggers)
            if (has_body(trigger)) env_.files.push_back({body_file(trigger), trigger.body});
        std::string text;
        for (const Inline how : {Inline::all, Inline::headers, Inline::nothing}) {
            Json list = Json::array();
            for (const Trigger& trigger : in_.triggers)
                list.push_back(trigger_json(trigger, how));
            text = to_text(list);
            if (how == Inline::nothing)
                for (const Trigger& trigger : in_.triggers)
                    if (has_headers(trigger))
                        env_.files.push_back({headers_file(trigger), trigger.headers});
            if (text.size() <= limits::kTriggersEnvBytes) break;
        }
        // A full bundle of webhooks needs more than that even bare: up to what an entry may have.
        const std::size_t most = limits::kEnvEntryBytes - kTriggersName.size() - 1;
        if (text.size() > most)
            refuse(FailureKind::over_limit, std::string{kTriggersName},
                   "{} triggers do not fit into the environment of one run ({} bytes, at most {})",
                   in_.triggers.size(), text.size(), most);
        add(kTriggersName, std::move(text));
    }

    static bool has_body(const Trigger& trigger) {
        return trigger.source == TriggerSource::webhook || !trigger.body.empty();
    }
    static bool has_headers(const Trigger& trigger) {
        return !trigger.headers.empty() && trigger.headers != "{}";
    }
    static std::string body_file(const Trigger& trigger) {
        return fmt::format(".berth/trigger-{}.body", trigger.id.str());
    }
    static std::string headers_file(const Trigger& trigger) {
        return fmt::format(".berth/trigger-{}.headers.json", trigger.id.str());
    }

    Json trigger_json(const Trigger& trigger, Inline how) {
        Json payload = how == Inline::all ? object(trigger.payload, "payload") : Json::object();
        // Ours come last: a sender must not point a script at a file of its choice.
        if (has_body(trigger))
            payload["file"] = fmt::format("{}{}", kWork, body_file(trigger));
        else
            payload.erase("file");
        if (has_headers(trigger)) {
            if (how == Inline::nothing)
                payload["headers_file"] = fmt::format("{}{}", kWork, headers_file(trigger));
            else
                payload["headers"] = object(trigger.headers, "headers");
        }
        return {{"id", trigger.id.str()},
                {"source", to_string(trigger.source)},
                {"mode", to_string(trigger.mode)},
                {"created_date", to_rfc3339(trigger.created)},
                {"payload", std::move(payload)}};
    }

    Json object(const std::string& text, std::string_view what) {
        auto value = parse_json(text.empty() ? "{}" : text);
        if (value && value->is_object()) return *std::move(value);
        refuse(FailureKind::unprocessable, std::string{what},
               "the {} of the run is not a JSON object", what);
        return Json::object();
    }

    void add_settings() {
        std::map<std::string, std::string> seen;  // variable -> setting
        const Json configs = object(in_.configs, "configs");
        for (const auto& [name, value] : configs.items()) {
            if (value.is_null()) continue;  // unset
            const std::string variable = "PAN_CFG_" + to_upper_ascii(name);
            if (!is_env_name(name))
                refuse(FailureKind::unprocessable, name,
                       "setting '{}' cannot name a variable: it is empty, or has '=' or NUL in it",
                       printable(name, 80));
            if (const auto [other, fresh] = seen.try_emplace(variable, name); !fresh)
                refuse(FailureKind::unprocessable, name,
                       "settings '{}' and '{}' would both become {}; rename one in the manifest",
                       printable(other->second, 80), printable(name, 80), printable(variable, 90));
            std::string text = setting_text(value);
            if (text.find('\0') != std::string::npos)
                refuse(FailureKind::unprocessable, name, "setting '{}' contains a NUL character",
                       printable(name, 80));
            add(variable, std::move(text));
        }
    }

    void add_secrets() {
        for (const SecretField& secret : in_.secrets)
            env_.secret_names.push_back(take_names(secret));
        for (const OpenField& open : in_.open_fields)
            for (const std::string& name : take_names(open.field))
                add(name, without_nul(open.value));
    }

    // The variables of a connection's field, which no other has.
    std::vector<std::string> take_names(const SecretField& field) {
        const std::string whose = field.connector + "/" + field.field;
        if (!is_env_name(field.connector) || !is_env_name(field.field))
            refuse(FailureKind::unprocessable, whose,
                   "secret '{}' cannot name a variable: it is empty, or has '=' or NUL in it",
                   printable(whose, 120));
        auto names = secret_env_names(field.connector, field.field);
        for (const std::string& name : names)
            if (const auto [other, fresh] = of_connections_.try_emplace(name, whose); !fresh)
                refuse(FailureKind::unprocessable, whose,
                       "secrets '{}' and '{}' would both become {}; rename one",
                       printable(other->second, 120), printable(whose, 120), printable(name, 160));
        return names;
    }

    static bool is_env_name(std::string_view name) {
        return !name.empty() && name.find_first_of(std::string_view{"=\0", 2}) == std::string::npos;
    }

    void check_sizes() {
        std::size_t total = 0;
        for (const auto& [name, value] : entries_) {
            const std::size_t bytes = name.size() + 1 + value.size() + 1;
            total += bytes;
            if (bytes > limits::kEnvEntryBytes)
                refuse(
                    FailureKind::over_limit, name,
                    "{} has {} bytes; one variable holds at most {} (large data belongs into the "
                    "tenant's metadata or behind an API)",
                    printable(name, 100), bytes, limits::kEnvEntryBytes);
        }
        if (total > limits::kEnvBytes)
            refuse(FailureKind::over_limit, "configs",
                   "the environment has {} bytes; a run gets at most {}", total, limits::kEnvBytes);
        std::size_t files = 0;
        for (const EnvFile& file : env_.files)
            files += file.content.size();
        if (files > limits::kPlanFilesBytes)
            refuse(FailureKind::over_limit, "triggers",
                   "the payload and metadata files of one run have {} bytes, at most {} are handed "
                   "over",
                   files, limits::kPlanFilesBytes);
    }

    const RunEnvInput& in_;
    RunEnv env_;
    std::map<std::string, std::string> of_connections_;  // variable -> connector and field
    std::map<std::string, std::string> entries_;         // sorted, so that a run's can be compared
    std::optional<Failure> refused_;
};

}  // namespace

Result<RunEnv> make_run_env(const RunEnvInput& input) { return Builder{input}.build(); }

}  // namespace berth
