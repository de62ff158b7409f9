// Log intake with masking: 64 KiB pieces through a pipe, as the runner reads them,
// with and without the masker behind it. Goal: at least 200 MB/s with 64 secrets.
#include <fmt/format.h>

#include <array>
#include <random>

#include "base/crypto.h"
#include "base/file.h"
#include "base/pipe.h"
#include "base/text.h"
#include "bench/bench.h"
#include "vault/mask.h"

using namespace berth;
using bench::Steady;

namespace {

constexpr std::size_t kPiece = 64 * 1024;
constexpr int kPieces = 128;  // a round: 8 MiB

std::string log_text(const std::vector<std::string>& secrets, std::size_t lines_between) {
    std::mt19937 random{1};
    std::string text;
    for (std::size_t line = 0; text.size() < kPiece; ++line) {
        text += fmt::format(
            "2026-11-22T03:04:{:02}Z INFO order r-{} of customer c-{} copied, total {}.{:02} EUR",
            line % 60, random() % 100'000, random() % 1000, random() % 900, random() % 100);
        if (lines_between > 0 && line % lines_between == 0)
            text += " token=" + secrets[line % secrets.size()];
        text += '\n';
    }
    text.resize(kPiece);
    return text;
}

// One round through the pipe; `take` gets each piece as it is read.
template <typename Take>
Steady::duration round(const Pipe& pipe, const std::string& text, Take take) {
    std::array<char, kPiece> buffer;
    const auto begin = Steady::now();
    for (int i = 0; i < kPieces; ++i) {
        write_all(pipe.write.get(), text);
        for (std::size_t got = 0; got < text.size();) {
            const auto n = check(::read(pipe.read.get(), buffer.data(), buffer.size()), "reading");
            take(std::string_view{buffer.data(), static_cast<std::size_t>(n)});
            got += static_cast<std::size_t>(n);
        }
    }
    return Steady::now() - begin;
}

void compare(std::size_t count, std::size_t lines_between, int rounds) {
    std::vector<std::string> secrets;
    for (std::size_t i = 0; i < count; ++i)
        secrets.push_back(to_hex(random_bytes(20)));
    const std::vector<std::string_view> views{secrets.begin(), secrets.end()};
    const auto building = Steady::now();
    vault::Masker masker{views};
    const auto built = Steady::now() - building;

    const Pipe pipe = make_pipe();
    const auto text = log_text(secrets, lines_between);
    std::size_t bytes = 0;
    bench::Samples plain, masked;
    for (int i = 0; i < rounds; ++i) {
        plain.add(round(pipe, text, [&](std::string_view piece) { bytes += piece.size(); }));
        masked.add(round(pipe, text, [&](std::string_view piece) {
            bytes += masker.feed(OutputStream::err, piece).size();
        }));
    }
    const auto rate = [](const bench::Samples& samples) {
        return static_cast<double>(kPiece) * kPieces / samples.percentile(0.5);  // bytes a µs: MB/s
    };
    fmt::print("{:>7} {:>18} {:>10.0f} {:>12.0f} {:>7.2f} {:>13.2f}\n", count,
               lines_between > 0 ? fmt::format("every {} lines", lines_between) : "never",
               rate(masked), rate(plain), rate(masked) / rate(plain),
               std::chrono::duration<double, std::milli>{built}.count());
}

}  // namespace

int main() {
    fmt::print("\nlog intake, masked (goal: 200 MB/s with 64 secrets)\n");
    fmt::print("{:>7} {:>18} {:>10} {:>12} {:>7} {:>13}\n", "secrets", "printed", "MB/s",
               "pipe MB/s", "ratio", "building ms");
    const int rounds = bench::times(20);
    for (const std::size_t count : {1U, 4U, 64U})
        compare(count, 0, rounds);
    compare(64, 20, rounds);
    return 0;
}
