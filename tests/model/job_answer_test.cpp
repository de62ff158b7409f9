// What Berth's own programs answer: written and read, and whatever else is refused.
#include "model/job_answer.h"

#include <catch2/catch.hpp>

#include "model/limits.h"
#include "tests/support/seed.h"

using namespace berth;

namespace {

std::string refusal(std::string_view answer) {
    std::vector<JobRecord> records;
    const auto parsed = parse_job_answer(answer, records);
    if (parsed) return "";
    CHECK(parsed.error().kind == FailureKind::invalid);
    return parsed.error().message;
}

}  // namespace

TEST_CASE("an answer is read as it was written, whatever bytes it has", "[job_answer]") {
    auto random = test::seeded_random("answers");
    for (int round = 0; round < 200; ++round) {
        std::vector<std::string> names, values;
        std::vector<JobRecord> wanted;
        const auto count = test::below(random, 8);
        for (std::size_t i = 0; i < count; ++i) {
            names.push_back("n" + std::to_string(i) + test::random_text(random, 3, "az09_"));
            std::string value(test::below(random, 300), '\0');
            for (char& c : value)
                c = static_cast<char>(test::below(random, 256));
            values.push_back(std::move(value));
        }
        std::string answer;
        for (std::size_t i = 0; i < count; ++i) {
            const bool secret = test::below(random, 2) == 0;
            secret ? put_secret(answer, names[i], values[i])
                   : put_plain(answer, names[i], values[i]);
            wanted.push_back({secret, names[i], values[i]});
        }
        put_end(answer);
        std::vector<JobRecord> records;
        REQUIRE(parse_job_answer(answer, records));
        CHECK(records == wanted);
        // Cut anywhere it is no answer.
        const auto cut = test::below(random, answer.size());
        records.clear();
        CHECK_FALSE(parse_job_answer(std::string_view{answer}.substr(0, cut), records));
    }
}

TEST_CASE("an answer that is not exactly one is refused with the place", "[job_answer]") {
    CHECK(refusal("end\n").empty());
    CHECK(refusal("plain a 1\nx\nend\n").empty());
    CHECK(refusal("") == "record 1 of the answer is missing: it has no end");
    CHECK(refusal("end") == "record 1 of the answer is neither plain, secret nor the end");
    CHECK(refusal("end\nend\n") == "record 1 of the answer is neither plain, secret nor the end");
    CHECK(refusal("plain a 1\nx\n") == "record 2 of the answer is missing: it has no end");
    CHECK(refusal("plain a\nx\nend\n") == "record 1 of the answer has no name and length");
    CHECK(refusal("plain a 1") == "record 1 of the answer has no name and length");
    CHECK(refusal("plain A 1\nx\nend\n") == "record 1 of the answer has a name that cannot be");
    CHECK(refusal("plain  1\nx\nend\n") == "record 1 of the answer has a name that cannot be");
    CHECK(refusal("plain " + std::string(64, 'a') + " 1\nx\nend\n") ==
          "record 1 of the answer has a name that cannot be");
    for (const char* length :
         {"", "+1", "-1", "01", "1 ", " 1", "0x1", "99999999999999999999", "9999999"})
        CHECK(refusal(std::string{"plain a "} + length + "\nx\nend\n") ==
              "record 1 of the answer has a length that cannot be");
    CHECK(refusal("plain a 0\n\nend\n").empty());
    CHECK(refusal("plain a 100\nx\nend\n") == "record 1 of the answer is cut off");
    CHECK(refusal("plain a 1\nxyz\nend\n") == "record 1 of the answer is longer than its length");
    CHECK(refusal("plain a 1\nx\nsecret a 1\ny\nend\n") ==
          "record 2 of the answer has a name that was there");
    std::string many;
    for (std::size_t i = 0; i <= limits::kJobRecords; ++i)
        put_plain(many, "n" + std::to_string(i), "");
    CHECK(refusal(many + "end\n") == "record 129 of the answer is one too many");
}

TEST_CASE("secrets before the fault of an answer are known, so that they can be masked",
          "[job_answer]") {
    std::vector<JobRecord> records;
    CHECK_FALSE(parse_job_answer("secret token 3\nabc\nplain b 9\nx", records));
    CHECK(records == std::vector{JobRecord{true, "token", "abc"}});
}

TEST_CASE("random bytes never make the reader of answers fail otherwise", "[job_answer]") {
    auto random = test::seeded_random("random answers");
    // Alphabets that come far into the grammar as well as any bytes.
    const std::vector<std::string> pieces{"plain ", "secret ", "end\n", "a",  "b_1",  " ",
                                          "\n",     "0",       "1",     "12", "4096", "x"};
    for (int round = 0; round < 3000; ++round) {
        std::string answer;
        for (auto count = test::below(random, 30); count > 0; --count) {
            if (test::below(random, 8) == 0)
                answer += static_cast<char>(test::below(random, 256));
            else
                answer += pieces[test::below(random, pieces.size())];
        }
        std::vector<JobRecord> records;
        const auto parsed = parse_job_answer(answer, records);
        if (!parsed) {
            CHECK(parsed.error().kind == FailureKind::invalid);
            continue;
        }
        std::string again;  // there is one way to write an answer
        for (const JobRecord& record : records)
            record.secret ? put_secret(again, record.name, record.value)
                          : put_plain(again, record.name, record.value);
        put_end(again);
        CHECK(again == answer);
    }
}
