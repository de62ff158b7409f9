// `berth run rerun`: a run of the past once more.
#include <nlohmann/json.hpp>

#include "base/crypto.h"
#include "cli/fields.h"
#include "cli/input.h"
#include "cli/resolve.h"
#include "cli/runs.h"
#include "model/limits.h"

namespace berth {

Result<Exit> run_rerun(Session& session, const std::string& which, const RerunOptions& options) {
    const auto is_word = [](const std::string& text) {
        return text == "original" || text == "current";
    };
    Json body{{"release_from", options.release}, {"keeps_state", options.keeps_state}};
    if (is_word(options.configs)) {
        body["configs_from"] = options.configs;
    } else {
        auto configs = json_argument(session.io, "--config", options.configs);
        if (!configs) return pass_on(configs);
        body["configs"] = Json::parse(*configs);
    }
    if (is_word(options.state)) {
        body["state_from"] = options.state;
    } else {
        auto state = text_argument(session.io, "--state", options.state, limits::kStateBytes);
        if (!state) return pass_on(state);
        // A file ends with a line end; a state is one line.
        if (state->ends_with('\n')) state->pop_back();
        body["state"] = *state;
    }
    auto run = find_run(session.api(), which);
    if (!run) return pass_on(run);
    // Always with a key: whoever repeats the request gets the same trigger.
    const std::string key = options.idempotency_key.value_or(random_id());
    auto accepted = session.api().send("POST", api_path({"runs", field(*run, "id"), "rerun"}),
                                       to_text(body), {{"Idempotency-Key", key}});
    if (!accepted) return pass_on(accepted);
    return after_trigger(session, *accepted, options.after);
}

}  // namespace berth
