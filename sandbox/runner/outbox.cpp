#include "sandbox/runner/outbox.h"

namespace berth::runner {

Outbox::Said* Outbox::find(std::int64_t run_id, std::int32_t attempt) {
    const auto found = runs_.find({run_id, attempt});
    return found == runs_.end() ? nullptr : &found->second;
}

bool Outbox::add(const ipc::Started& started) {
    Said* const said = find(started.run_id, started.attempt);
    if (said != nullptr) said->started = started;
    return said != nullptr;
}

bool Outbox::add(const ipc::Output& output) {
    Said* const said = find(output.run_id, output.attempt);
    if (said == nullptr) return false;
    bytes_ += output.bytes.size();
    said->bytes += output.bytes.size();
    said->outputs.push_back(output);
    return true;
}

bool Outbox::add(const ipc::Connection& connection) {
    Said* const said = find(connection.run_id, connection.attempt);
    if (said != nullptr) said->connections.push_back(connection);
    return said != nullptr;
}

bool Outbox::add(const ipc::Ended& ended) {
    Said* const said = find(ended.run_id, ended.attempt);
    if (said != nullptr) said->ended = ended;
    return said != nullptr;
}

void Outbox::stored(const ipc::Stored& stored) {
    Said* const said = find(stored.run.run_id, stored.run.attempt);
    if (said == nullptr) return;
    auto& outputs = said->outputs;
    for (; !outputs.empty() && outputs.front().seq <= stored.seq; outputs.pop_front()) {
        bytes_ -= outputs.front().bytes.size();
        said->bytes -= outputs.front().bytes.size();
    }
    auto& connections = said->connections;
    while (!connections.empty() && connections.front().number <= stored.connections)
        connections.pop_front();
}

void Outbox::close(RunKey run) {
    const auto found = runs_.find(run);
    if (found == runs_.end()) return;
    bytes_ -= found->second.bytes;
    runs_.erase(found);
}

std::size_t Outbox::bytes(RunKey run) const {
    const auto found = runs_.find(run);
    return found == runs_.end() ? 0 : found->second.bytes;
}

std::vector<RunKey> Outbox::runs() const {
    std::vector<RunKey> keys;
    for (const auto& [key, said] : runs_)
        keys.push_back(key);
    return keys;
}

}  // namespace berth::runner
