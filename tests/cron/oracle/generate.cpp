#include "tests/cron/oracle/generate.h"

#include <array>
#include <functional>

#include "tests/support/seed.h"

namespace berth::oracle {
namespace {

using Random = std::mt19937_64;

int between(Random& random, int least, int most) {
    return std::uniform_int_distribution<int>{least, most}(random);
}
bool chance(Random& random, int percent) { return between(random, 1, 100) <= percent; }

constexpr std::array kMonths{"JAN", "feb", "Mar",  "APR", "may",      "JUNE",
                             "jul", "AUG", "sept", "OCT", "november", "DEC"};
constexpr std::array kWeekdays{"SUN", "mon", "Tue", "WED", "thursday", "FRI", "Saturday"};

struct Field {
    int least, most;
    std::function<std::string(Random&, int)> write;  // a value
};

std::string digits(Random& random, int value) {
    auto text = std::to_string(value);
    return value < 10 && chance(random, 10) ? "0" + text : text;
}

std::string item(Random& random, const Field& field) {
    const auto value = [&] {
        return field.write(random, between(random, field.least, field.most));
    };
    const int size = field.most - field.least + 1;
    switch (between(random, 0, 9)) {
        case 0: return value() + "-" + value();
        case 1: return value() + "-" + value() + "/" + std::to_string(between(random, 1, size / 2));
        case 2: return "*/" + std::to_string(between(random, 1, size / 2));
        case 3: return value() + "/" + std::to_string(between(random, 1, size / 2));
        default: return value();
    }
}

std::string list(Random& random, const Field& field, int star_percent,
                 const std::function<std::string(Random&)>& special = {}) {
    if (chance(random, star_percent)) return "*";
    std::string text;
    do {
        if (!text.empty()) text += ',';
        text += special && chance(random, 25) ? special(random) : item(random, field);
    } while (chance(random, 25));
    return text;
}

std::string month_name(Random& random, int month) {
    if (chance(random, 70)) return digits(random, month);
    return kMonths[static_cast<std::size_t>(month - 1)];
}

std::string weekday_name(Random& random, int weekday) {
    if (chance(random, 60) || weekday == 7) return std::to_string(weekday);
    return kWeekdays[static_cast<std::size_t>(weekday)];
}

std::string special_day(Random& random) {
    switch (between(random, 0, 4)) {
        case 0: return "L-" + std::to_string(between(random, 0, 30));
        case 1: return "LW";
        case 2: return "L-" + std::to_string(between(random, 0, 30)) + "W";
        case 3: return std::to_string(between(random, 1, 31)) + "W";
        default: return "L";
    }
}

std::string special_weekday(Random& random) {
    const auto name = weekday_name(random, between(random, 0, 7));
    return chance(random, 50) ? name + "L" : name + "#" + std::to_string(between(random, 1, 5));
}

}  // namespace

std::string random_cron(Random& random) {
    const Field minute{0, 59, digits};
    const Field hour{0, 23, digits};
    const Field night{0, 4, digits};
    const Field day{1, 31, digits};
    const Field month{1, 12, month_name};
    const Field weekday{0, 7, weekday_name};

    const auto minutes = list(random, minute, 10);
    const auto hours = list(random, chance(random, 60) ? night : hour, 15);
    auto days = list(random, day, 65, special_day);
    const auto months = list(random, month, 80);
    auto weekdays = list(random, weekday, 65, special_weekday);
    if (days == "*" && chance(random, 20)) days = "?";
    if (weekdays == "*" && chance(random, 20)) weekdays = "?";
    const char* blank = chance(random, 10) ? "  " : " ";
    return minutes + blank + hours + ' ' + days + blank + months +
           (chance(random, 5) ? '\t' : ' ') + weekdays;
}

}  // namespace berth::oracle
