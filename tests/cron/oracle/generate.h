// Random cron texts that are well formed, in every way people write them, with the
// hours in which clocks change more often than others.
#pragma once

#include <random>
#include <string>

namespace berth::oracle {

std::string random_cron(std::mt19937_64& random);

}  // namespace berth::oracle
