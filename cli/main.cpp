// The program `berth`.
#include "base/secret.h"
#include "cli/cli.h"

int main(int argc, char** argv) {
    constexpr std::size_t kSecretMemory = 256 * 1024;
    // Without the right to lock memory, secrets pass through ordinary memory.
    (void)berth::lock_secret_memory(kSecretMemory);
    berth::Io io = berth::process_io();
    return static_cast<int>(berth::run_cli(std::vector<std::string>{argv + 1, argv + argc}, io));
}
