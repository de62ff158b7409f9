#include "control/public/connect_page.h"

#include <fmt/format.h>

#include "base/crypto.h"
#include "base/text.h"
#include "control/public/form.h"

namespace berth {
namespace {

constexpr std::string_view kStyle =
    "body{font:1rem/1.5 system-ui,sans-serif;margin:0;color:#1b1b1f;background:#f6f6f8}"
    "main{max-width:40rem;margin:0 auto;padding:2rem 1rem}"
    "section{background:#fff;border:1px solid #c9c9d1;border-radius:.5rem;padding:1rem 1.25rem;"
    "margin:1rem 0}"
    "h1{font-size:1.5rem}h2{font-size:1.15rem;margin:0}"
    "label{display:block;font-weight:600;margin-top:.75rem}"
    "input,textarea{box-sizing:border-box;width:100%;font:inherit;padding:.45rem;"
    "border:1px solid #6f6f7a;border-radius:.3rem}"
    "button{font:inherit;font-weight:600;margin-top:1rem;padding:.5rem 1.25rem;border:0;"
    "border-radius:.3rem;background:#1d4ed8;color:#fff}"
    "button:focus-visible,input:focus-visible,textarea:focus-visible{outline:3px solid #f59e0b;"
    "outline-offset:2px}"
    ".help{font-size:.9rem;color:#45454f;margin:.1rem 0}"
    ".status{margin:.25rem 0}.notice{border-left:.35rem solid #1d4ed8;padding:.5rem 1rem;"
    "background:#fff}.error{border-color:#b91c1c}";

std::string_view status_words(const ConnectItem& item) {
    switch (item.status) {
        case ConnectionStatus::connected: return "Connected";
        case ConnectionStatus::disconnected: return "Not connected";
        case ConnectionStatus::pending: return "Not finished";
        case ConnectionStatus::failed_refresh: return "Needs to be connected again";
    }
    std::abort();
}

std::string frame(std::string_view title, std::string_view body) {
    return fmt::format(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta name=\"robots\" content=\"noindex\">\n<title>{}</title>\n<style>{}</style>\n"
        "</head>\n<body>\n<main>\n{}</main>\n</body>\n</html>\n",
        html_escaped(title), kStyle, body);
}

std::string field_html(const ConnectField& field, const std::string& id, std::string_view value,
                       bool keeps) {
    const std::string help = keeps && field.secret ? "leave it empty to keep what is stored" : "";
    const std::string words = field.help + (field.help.empty() || help.empty() ? "" : "; ") + help;
    std::string html = fmt::format("<label for=\"{}\">{}{}</label>\n", id,
                                   html_escaped(field.label), field.required ? "" : " (optional)");
    std::string more = field.required && !(keeps && field.secret) ? " required" : "";
    if (!words.empty()) {
        html += fmt::format("<p class=\"help\" id=\"{}-help\">{}</p>\n", id, html_escaped(words));
        more += fmt::format(" aria-describedby=\"{}-help\"", id);
    }
    const std::string name = html_escaped(field.name);
    if (field.multiline)
        html += fmt::format(
            "<textarea id=\"{}\" name=\"{}\" rows=\"6\" spellcheck=\"false\" "
            "autocomplete=\"off\"{}>"
            "{}</textarea>\n",
            id, name, more, html_escaped(value));
    else
        html += fmt::format(
            "<input id=\"{}\" name=\"{}\" type=\"{}\" spellcheck=\"false\" autocomplete=\"off\""
            "{}{}>\n",
            id, name, field.secret ? "password" : "text", more,
            field.secret ? std::string{} : fmt::format(" value=\"{}\"", html_escaped(value)));
    return html;
}

std::string item_html(const ConnectItem& item, const ConnectView& view, std::size_t number) {
    const bool connected = item.status == ConnectionStatus::connected;
    std::string html = fmt::format(
        "<section aria-labelledby=\"c{0}\">\n<h2 id=\"c{0}\">{1}</h2>\n"
        "<p class=\"status\">{2}{3}</p>\n<form method=\"post\" action=\"/connect/{4}/{5}\">\n"
        "<input type=\"hidden\" name=\"_mark\" value=\"{6}\">\n",
        number, html_escaped(item.title), status_words(item),
        item.reason.empty() || connected ? "" : ": " + html_escaped(item.reason),
        html_escaped(view.token), html_escaped(item.connector), html_escaped(view.mark));
    for (std::size_t i = 0; i < item.fields.size(); ++i) {
        const ConnectField& field = item.fields[i];
        std::string value = field.value;
        if (view.failed == item.connector)
            if (const auto typed = view.typed.find(field.name); typed != view.typed.end())
                value = typed->second;
        html += field_html(field, fmt::format("c{}f{}", number, i), field.secret ? "" : value,
                           connected);
    }
    const std::string to = item.consent ? " at " + html_escaped(item.title) : "";
    return html + fmt::format("<button type=\"submit\">{}{}</button>\n</form>\n</section>\n",
                              connected ? "Connect again" : "Connect", to);
}

}  // namespace

std::string connect_page_html(const ConnectPage& page, const ConnectView& view) {
    std::string body = fmt::format("<h1>Connect {}</h1>\n", html_escaped(page.title));
    if (!view.notice.empty())
        body += fmt::format("<p class=\"notice{}\" role=\"{}\">{}</p>\n",
                            view.notice_is_error ? " error" : "",
                            view.notice_is_error ? "alert" : "status", html_escaped(view.notice));
    if (page.items.empty()) body += "<p>There is nothing to connect here.</p>\n";
    for (std::size_t i = 0; i < page.items.size(); ++i)
        body += item_html(page.items[i], view, i);
    return frame("Connect " + page.title, body);
}

std::string plain_page_html(std::string_view title, std::string_view text) {
    return frame(title,
                 fmt::format("<h1>{}</h1>\n<p>{}</p>\n", html_escaped(title), html_escaped(text)));
}

std::string button_page_html(const ButtonPage& page) {
    std::string body =
        fmt::format("<h1>{}</h1>\n<p>{}</p>\n<form method=\"post\" action=\"{}\">\n",
                    html_escaped(page.title), html_escaped(page.text), html_escaped(page.action));
    for (const auto& [name, value] : page.hidden)
        body += fmt::format("<input type=\"hidden\" name=\"{}\" value=\"{}\">\n",
                            html_escaped(name), html_escaped(value));
    return frame(page.title, body + fmt::format("<button type=\"submit\">{}</button>\n</form>\n",
                                                html_escaped(page.button)));
}

std::string content_security_policy() {
    static const std::string policy = fmt::format(
        "default-src 'none'; style-src 'sha256-{}'; form-action 'self' https:; base-uri 'none'; "
        "frame-ancestors 'none'",
        to_base64(sha256(kStyle)));
    return policy;
}

}  // namespace berth
