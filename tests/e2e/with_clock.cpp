// Becomes the daemon of this program's name, with the environment that the file beside it
// gives: berthd starts its daemons with one of its own, in which no library is preloaded.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

int main(int, char** argv) {
    namespace fs = std::filesystem;
    const fs::path self = argv[0];
    std::ifstream file{self.parent_path() / "environment"};
    std::string line, programs;
    std::getline(file, programs);
    while (std::getline(file, line))
        if (const auto at = line.find('='); at != line.npos)
            ::setenv(line.substr(0, at).c_str(), line.substr(at + 1).c_str(), 1);
    const fs::path program = fs::path{programs} / self.filename();
    ::execv(program.c_str(), argv);
    return 127;
}
