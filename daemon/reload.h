// What a setting that changed needs before it is used: nothing, or the restart of a
// unit. Pure.
#pragma once

#include <string>
#include <vector>

#include "daemon/config.h"

namespace berth {

struct ChangedSetting {
    std::string name;
    std::string restart;  // the units, as `systemctl restart` takes them; empty: used at once

    bool operator==(const ChangedSetting&) const = default;
};

// In the order of the settings' file.
std::vector<ChangedSetting> changed_settings(const Config& before, const Config& now);

// Takes over into `config` what is used at once.
void take_live_settings(Config& config, const Config& now);

// One line on what is not used yet and how it will be; empty when all is.
std::string restart_hint(const std::vector<ChangedSetting>& changed);

}  // namespace berth
