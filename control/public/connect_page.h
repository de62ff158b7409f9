// The page behind an auth link as HTML: plain, without script, readable aloud. Pure.
#pragma once

#include <string>
#include <string_view>

#include "control/public/connect_api.h"

namespace berth {

struct ConnectView {
    std::string token;
    std::string mark;    // hidden in each form
    std::string notice;  // what has just been done, or gone wrong; may be empty
    std::string failed;  // the connector whose form was refused
    bool notice_is_error = false;
    std::map<std::string, std::string> typed;  // of that form, what is no secret
};
std::string connect_page_html(const ConnectPage& page, const ConnectView& view);

// A page with nothing but words.
std::string plain_page_html(std::string_view title, std::string_view text);

// The same and a button, which sends `hidden` to `action`.
struct ButtonPage {
    std::string title;
    std::string text;
    std::string action;
    std::map<std::string, std::string> hidden;
    std::string button;
};
std::string button_page_html(const ButtonPage& page);

// For both: nothing is loaded, nothing runs, nobody frames it. A form may lead on to a
// provider's own page, so its action may end at any https address.
std::string content_security_policy();

}  // namespace berth
