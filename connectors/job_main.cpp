#include "connectors/job_main.h"

#include <curl/curl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>

#include "base/file.h"
#include "base/secret.h"

namespace berth {

int job_main(const char* program, JobWork work) {
    try {
        if (::curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
            std::fprintf(stderr, "%s: libcurl cannot be used\n", program);
            return 1;
        }
        auto answer = work();
        if (!answer) {
            std::fprintf(stderr, "%s: %s\n", program, answer.error().message.c_str());
            return 2;
        }
        write_all(STDOUT_FILENO, *answer);
        cleanse(answer->data(), answer->size());
        return 0;
    } catch (const std::exception& error) {  // the boundary of the program
        std::fprintf(stderr, "%s: %s\n", program, error.what());
        return 1;
    }
}

std::string from_environment(const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return value ? value : "";
}

}  // namespace berth
