// The numbers of the messages between berthd and berth-runner.
#pragma once

#include <cstdint>

namespace berth::ipc {

// The type of a message, in its frame. A new message gets a new number.
enum class MessageType : std::uint16_t {
    hello = 1,
    load_keys = 2,
    keys_loaded = 3,
    new_data_key = 4,
    data_key = 5,
    seal = 6,
    sealed = 7,
    start = 8,
    started = 9,
    output = 10,
    ended = 11,
    cancel = 12,
    connection = 13,
    pool = 14,
    live_runs = 15,
    adopt = 16,
    stored = 17,
    settled = 18,
    start_job = 19,
    job_ended = 20,
    job_settled = 21,
    check_mac = 22,
    mac_checked = 23,
    new_kek = 24,
    kek_made = 25,
    rewrap_keks = 26,
    rewrap_data_keys = 27,
    reseal = 28,
    rewrapped = 29,
    make_manifest = 30,
    manifest_made = 31,
    anchor = 32,
    accept_restore = 33,
    anchor_set = 34,
    // to 39: keys and their rotation
};

}  // namespace berth::ipc
