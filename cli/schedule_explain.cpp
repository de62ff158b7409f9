// `berth schedule explain`: one explanation, told to people or as JSON.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "cli/schedules.h"
#include "model/jitter.h"
#include "model/limits.h"
#include "model/schedule_preview.h"
#include "model/schedule_words.h"

namespace berth {
namespace {

using namespace std::chrono;

struct Explanation {
    std::string text;
    Schedule schedule;
    std::vector<Firing> firings = {};
    std::vector<ChangePreview> changes = {};
    std::optional<seconds> window = {};      // of the jitter
    std::optional<milliseconds> delay = {};  // of the tenant asked for
    std::int64_t tenant = 0;
    std::string zone_data = {};
};

// The text with a mark below what is wrong in it, unless it is too long to show.
Failure pointed_at(const TextError& error, std::string_view text) {
    auto message = "cannot read the schedule: " + error.message;
    if (text.size() <= limits::kScheduleBytes) {
        const auto before = display_width(shown(text.substr(0, error.offset)));
        const auto marked = display_width(shown(text.substr(error.offset, error.length)));
        message += fmt::format("\n  {}\n  {}{}", shown(text), std::string(before, ' '),
                               std::string(std::max<std::size_t>(marked, 1), '^'));
    }
    return {FailureKind::unprocessable, message, {}};
}

Result<Explanation> explain(const ExplainOptions& options) {
    const auto pattern =
        parse_pattern(options.text, options.seconds ? Seconds::allowed : Seconds::refused);
    if (!pattern) return tl::unexpected{pointed_at(pattern.error(), options.text)};
    Zones zones;
    auto zone = zones.find(options.zone);
    if (!zone) return pass_on(zone);
    auto now = floor<seconds>(SystemClock{}.now());
    if (!options.now.empty()) {
        const auto given = parse_rfc3339(options.now);
        if (!given)
            return fail(FailureKind::invalid,
                        "'{}' is not a time: write it as 2027-03-27T12:00:00Z", options.now);
        now = floor<seconds>(*given);
    }
    // The words were checked with the other arguments.
    const ClockRule rule{*parse_gap_rule(options.gap), *parse_overlap_rule(options.overlap)};
    Explanation found{options.text, Schedule{*pattern, *zone, rule}};
    found.tenant = options.tenant;
    found.zone_data = zones.version();
    found.firings = found.schedule.firings(now, UtcSeconds::max(), options.count);
    if (std::holds_alternative<Cron>(*pattern)) {
        for (auto& change : {next_gap(found.schedule, now), next_overlap(found.schedule, now)})
            if (change) found.changes.push_back(*change);
        std::ranges::sort(found.changes, {}, &ChangePreview::at);
    }
    if (!options.jitter.empty()) {
        const auto window = parse_duration(options.jitter);
        if (!window)
            return fail(FailureKind::invalid, "--jitter '{}': {}", options.jitter,
                        window.error().message);
        found.window = *window;
        if (options.tenant > 0) found.delay = jitter(TenantId{options.tenant}, 0, *window);
    }
    return found;
}

std::string offset_text(seconds offset) {
    const hh_mm_ss parts{abs(offset)};
    auto text = fmt::format("{}{:02}:{:02}", offset < 0s ? '-' : '+', parts.hours().count(),
                            parts.minutes().count());
    if (parts.seconds() != 0s) text += fmt::format(":{:02}", parts.seconds().count());
    return text;
}

std::string date_text(LocalSeconds t) {
    const year_month_day date{floor<days>(t)};
    return fmt::format("{:04}-{:02}-{:02}", int{date.year()}, unsigned{date.month()},
                       unsigned{date.day()});
}

std::string clock_text(LocalSeconds t) {
    const hh_mm_ss clock{t - floor<days>(t)};
    return fmt::format("{:02}:{:02}:{:02}", clock.hours().count(), clock.minutes().count(),
                       clock.seconds().count());
}

std::string weekday_text(LocalSeconds t) {
    constexpr std::array kNames{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    return kNames[weekday{floor<days>(t)}.c_encoding()];
}

std::string utc_text(UtcSeconds t) {
    const LocalSeconds as_local{t.time_since_epoch()};
    return fmt::format("{}T{}Z", date_text(as_local), clock_text(as_local));
}

std::string local_text(const Zone& zone, UtcSeconds t) {
    const ZoneSpan span = zone.span_at(t);
    const auto local = span.to_local(t);
    return fmt::format("{} {} {}", date_text(local), clock_text(local), offset_text(span.offset));
}

// By the clocks on the day of the change: `03:00:00 +02:00`.
std::string time_of_day(const Zone& zone, UtcSeconds t) {
    const ZoneSpan span = zone.span_at(t);
    return clock_text(span.to_local(t)) + ' ' + offset_text(span.offset);
}

std::string_view why(FiringKind kind) {
    switch (kind) {
        case FiringKind::regular: return "";
        case FiringKind::gap_made_up: return "its time was jumped over";
        case FiringKind::repeated: return "the second time the clocks show it";
    }
    std::abort();
}

std::string_view word(FiringKind kind) {
    switch (kind) {
        case FiringKind::regular: return "regular";
        case FiringKind::gap_made_up: return "gap_made_up";
        case FiringKind::repeated: return "repeated";
    }
    std::abort();
}

std::string_view rule_word(const ChangePreview& change, ClockRule rule) {
    return change.forward() ? to_string(rule.gap) : to_string(rule.overlap);
}

std::string fires_text(const Zone& zone, const ChangePreview::Choice& choice) {
    if (choice.fires.empty()) return "not at all";
    std::vector<std::string> times;
    for (const auto at : choice.fires)
        times.push_back(time_of_day(zone, at));
    return fmt::format("at {}", fmt::join(times, ", "));
}

void tell_change(const Explanation& told, const ChangePreview& change, std::string& out) {
    const Zone& zone = *told.schedule.zone();
    const LocalSeconds before{change.at.time_since_epoch() + change.before};
    const LocalSeconds after{change.at.time_since_epoch() + change.after};
    out += fmt::format("  {} {}: the clocks go {} from {} {} to {} {}\n", weekday_text(before),
                       date_text(before), change.forward() ? "forward" : "back", clock_text(before),
                       offset_text(change.before), clock_text(after), offset_text(change.after));
    if (!told.schedule.fixed_times()) {
        out += "    the schedule follows the clock: nothing is made up, nothing is left out\n";
        return;
    }
    if (change.concerned.empty()) {
        out += change.forward() ? "    none of its times is jumped over\n"
                                : "    none of its times comes twice\n";
        return;
    }
    std::vector<std::string> times;
    for (const auto t : change.concerned)
        times.push_back(clock_text(t));
    if (change.more > 0) times.push_back(fmt::format("{} more", change.more));
    out += fmt::format("    {} {}\n", fmt::join(times, ", "),
                       change.forward() ? "jumped over" : "twice");
    if (change.correction) {
        out += change.forward() ? "    more than three hours are a correction: not made up\n"
                                : "    more than three hours are a correction: fires again\n";
        return;
    }
    for (const auto& choice : change.choices) {
        const bool own = &choice == &change.choices.front();
        out += fmt::format("    {} {:8} fires {}\n", own ? "now" : "or ",
                           rule_word(change, choice.rule), fires_text(zone, choice));
    }
}

void tell_jitter(const Explanation& told, std::string& out) {
    if (!told.window) return;
    out += "\njitter\n";
    if (told.delay)
        out += fmt::format("  tenant {} starts {}.{:03} s after each of these times (window {})\n",
                           told.tenant, told.delay->count() / 1000, told.delay->count() % 1000,
                           in_words(*told.window));
    else
        out += fmt::format(
            "  each tenant starts up to {} after these times, always by the same delay;\n"
            "  '--tenant ID' tells which\n",
            in_words(*told.window));
}

void tell(Session& session, const Explanation& told) {
    const Zone& zone = *told.schedule.zone();
    std::string head = fmt::format("'{}' in {}", shown(told.text), zone.name());
    session.io.out << toned(head, Tone::heading, session.colour()) << "\n  "
                   << in_words(told.schedule.pattern()) << "\n\n";
    if (told.firings.empty()) {
        session.io.out << "it will never fire under this rule\n";
    } else {
        Table table{{"day", "by the clocks", "utc", "note"}};
        for (const Firing& firing : told.firings)
            table.row({weekday_text(zone.to_local(firing.at)), local_text(zone, firing.at),
                       utc_text(firing.at), std::string{why(firing.kind)}});
        session.print(table);
    }
    std::string rest = "\nwhen the clocks change\n";
    if (std::holds_alternative<Interval>(told.schedule.pattern()))
        rest += "  nothing: an interval counts elapsed time, from 1970-01-01 00:00 UTC\n";
    else if (told.changes.empty())
        rest += fmt::format("  those of {} do not change in the next 40 years\n", zone.name());
    for (const auto& change : told.changes)
        tell_change(told, change, rest);
    tell_jitter(told, rest);
    session.io.out << rest;
    if (!told.zone_data.empty()) session.remark("zone data: " + told.zone_data);
}

Json change_json(const Explanation& told, const ChangePreview& change) {
    const Zone& zone = *told.schedule.zone();
    Json concerned = Json::array(), choices = Json::array();
    for (const auto t : change.concerned)
        concerned.push_back(date_text(t) + 'T' + clock_text(t));
    for (const auto& choice : change.choices) {
        Json fires = Json::array();
        for (const auto at : choice.fires)
            fires.push_back({{"utc", utc_text(at)}, {"local", local_text(zone, at)}});
        choices.push_back({{"rule", rule_word(change, choice.rule)}, {"fires", fires}});
    }
    return {{"at", utc_text(change.at)},
            {"direction", change.forward() ? "forward" : "back"},
            {"offset_before", offset_text(change.before)},
            {"offset_after", offset_text(change.after)},
            {"correction", change.correction},
            {"concerned", concerned},
            {"concerned_more", change.more},
            {"choices", choices}};
}

Json to_json(const Explanation& told) {
    const Zone& zone = *told.schedule.zone();
    Json firings = Json::array(), changes = Json::array();
    for (const Firing& firing : told.firings)
        firings.push_back({{"utc", utc_text(firing.at)},
                           {"local", local_text(zone, firing.at)},
                           {"kind", word(firing.kind)}});
    for (const auto& change : told.changes)
        changes.push_back(change_json(told, change));
    Json json{{"schedule", told.text},
              {"timezone", zone.name()},
              {"words", in_words(told.schedule.pattern())},
              {"gap", to_string(told.schedule.rule().gap)},
              {"overlap", to_string(told.schedule.rule().overlap)},
              {"fixed_times", told.schedule.fixed_times()},
              {"firings", firings},
              {"clock_changes", changes},
              {"zone_data", told.zone_data}};
    if (told.window) json["jitter_window_seconds"] = told.window->count();
    if (told.delay) json["jitter_ms"] = told.delay->count();
    return json;
}

}  // namespace

Result<void> check_schedule_text(const std::string& text) {
    if (text.empty() || parse_pattern(text, Seconds::allowed)) return {};
    return tl::unexpected{pointed_at(parse_pattern(text, Seconds::refused).error(), text)};
}

Result<Exit> explain_schedule(Session& session, const ExplainOptions& options) {
    auto told = explain(options);
    if (!told) return pass_on(told);
    if (session.json())
        session.print(to_json(*told));
    else
        tell(session, *told);
    return Exit::ok;
}

}  // namespace berth
