// What a program of Berth's own (berth-oauth, berth-call) answers, on its standard output:
//
//   plain NAME LENGTH\nBYTES\n
//   secret NAME LENGTH\nBYTES\n
//   end\n
//
// Written by those programs, read by berth-runner only, which seals the secret ones.
// NAME is 1 to 64 of a-z, 0-9 and _, and comes once; LENGTH counts the BYTES, decimal,
// without a zero in front. Without `end` it was cut off, and counts for nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace berth {

// Its texts belong to what was parsed.
struct JobRecord {
    bool secret = false;
    std::string_view name;
    std::string_view value;
    bool operator==(const JobRecord&) const = default;
};

void put_plain(std::string& answer, std::string_view name, std::string_view value);
void put_secret(std::string& answer, std::string_view name, std::string_view value);
void put_end(std::string& answer);

// Adds the records to `records`, also those before a fault: what is a secret among them
// must be masked whatever follows. `invalid` names the fault, never a value.
Result<void> parse_job_answer(std::string_view answer, std::vector<JobRecord>& records);

}  // namespace berth
