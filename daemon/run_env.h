// What a run finds in its environment (pandium-contract.md 3 and 5.3). This is the
// only file that decides it: a pure function from values to names and values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "model/values.h"

namespace berth {

// A secret the run gets: a field of one of its connections.
struct SecretField {
    std::string connector;  // slug, `hubspot-oauth`
    std::string field;      // `access_token`, or what its kind calls it in the environment
    bool operator==(const SecretField&) const = default;
};
// One that is no secret: a shop's name.
struct OpenField {
    SecretField field;
    std::string value;
};

struct RunEnvInput {
    Integration integration;
    Tenant tenant;
    Run run;
    std::vector<Trigger> triggers;  // in the order they came
    std::optional<Run> last_run;    // the tenant's last finished run
    std::optional<Run> last_successful_run;
    std::string configs = "{}";           // JSON object, defaults filled in (with_defaults())
    std::optional<std::string> metadata;  // JSON object; set when the release has metadata_schema
    std::vector<SecretField> secrets;
    std::vector<OpenField> open_fields;
    std::string environment = "prod";  // PAN_CTX_ENV
};

struct EnvFile {
    std::string name;  // below /work: `.berth/metadata.json`
    std::string content;
    bool operator==(const EnvFile&) const = default;
};

struct RunEnv {
    std::vector<std::string> entries;                    // `NAME=value`, without the secrets
    std::vector<std::vector<std::string>> secret_names;  // for each of `secrets`, in its order
    std::vector<EnvFile> files;
};

// Refuses (`unprocessable`, `over_limit`) what no environment can hold, naming the
// setting at fault: names with `=` or NUL, two names that become one, sizes.
Result<RunEnv> make_run_env(const RunEnvInput& input);

}  // namespace berth
