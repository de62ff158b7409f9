#include "model/job_answer.h"

#include <algorithm>

#include "base/assert.h"
#include "base/text.h"
#include "model/limits.h"

namespace berth {
namespace {

constexpr std::string_view kPlain = "plain ";
constexpr std::string_view kSecret = "secret ";
constexpr std::string_view kEnd = "end\n";

bool is_name(std::string_view name) {
    const auto good = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    };
    return !name.empty() && name.size() <= limits::kNameBytes && std::ranges::all_of(name, good);
}

void put(std::string& answer, std::string_view kind, std::string_view name,
         std::string_view value) {
    BERTH_ASSERT(is_name(name));
    answer += kind;
    answer += name;
    answer += ' ';
    answer += std::to_string(value.size());
    answer += '\n';
    answer += value;
    answer += '\n';
}

// "12", but not "", "+12", "012" or what no answer can hold.
std::optional<std::size_t> read_length(std::string_view text) {
    if (text.empty() || (text.size() > 1 && text.front() == '0')) return {};
    if (!std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; })) return {};
    const auto length = to_number<std::size_t>(text);
    if (!length || *length > limits::kJobAnswerBytes) return {};
    return length;
}

tl::unexpected<Failure> broken(std::size_t number, std::string_view what) {
    return fail(FailureKind::invalid, "record {} of the answer {}", number, what);
}

}  // namespace

void put_plain(std::string& answer, std::string_view name, std::string_view value) {
    put(answer, kPlain, name, value);
}

void put_secret(std::string& answer, std::string_view name, std::string_view value) {
    put(answer, kSecret, name, value);
}

void put_end(std::string& answer) { answer += kEnd; }

Result<void> parse_job_answer(std::string_view answer, std::vector<JobRecord>& records) {
    for (std::size_t number = 1;; ++number) {
        if (answer == kEnd) return {};
        if (number > limits::kJobRecords) return broken(number, "is one too many");
        JobRecord record;
        record.secret = answer.starts_with(kSecret);
        if (!record.secret && !answer.starts_with(kPlain))
            return broken(number, answer.empty() ? "is missing: it has no end"
                                                 : "is neither plain, secret nor the end");
        answer.remove_prefix(record.secret ? kSecret.size() : kPlain.size());
        const auto line_end = answer.find('\n');
        const std::string_view head = answer.substr(0, line_end);
        const auto space = head.find(' ');
        if (line_end == std::string_view::npos || space == std::string_view::npos)
            return broken(number, "has no name and length");
        record.name = head.substr(0, space);
        if (!is_name(record.name)) return broken(number, "has a name that cannot be");
        const auto same = [&](const JobRecord& other) { return other.name == record.name; };
        if (std::ranges::any_of(records, same)) return broken(number, "has a name that was there");
        const auto length = read_length(head.substr(space + 1));
        if (!length) return broken(number, "has a length that cannot be");
        answer.remove_prefix(line_end + 1);
        if (answer.size() <= *length) return broken(number, "is cut off");
        record.value = answer.substr(0, *length);
        if (answer[*length] != '\n') return broken(number, "is longer than its length");
        records.push_back(record);
        answer.remove_prefix(*length + 1);
    }
}

}  // namespace berth
