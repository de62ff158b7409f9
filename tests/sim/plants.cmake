# Run by `cmake -P`: copies FILE to OUT with the planted bugs that concern it. Each
# change must match exactly once, so that no plant outlives the code it was made for.
set(changed FALSE)
file(READ ${FILE} text)

function(change from to)
    string(FIND "${text}" "${from}" first)
    string(FIND "${text}" "${from}" last REVERSE)
    if(first EQUAL -1 OR NOT first EQUAL last)
        message(FATAL_ERROR "'${from}' is not there exactly once in ${FILE}: the code has changed, "
            "so plant the bug anew in tests/sim/plants.cmake")
    endif()
    string(REPLACE "${from}" "${to}" text "${text}")
    set(text "${text}" PARENT_SCOPE)
endfunction()

if(NAME STREQUAL "daemon/schedule_book.cpp")
    change([[if (!write_slot(db_, due_.schedule, slot, trigger.id, now_)) return;]]
        [[if (!write_slot(db_, due_.schedule, slot, trigger.id, now_) &&
            !sim::planted("ledger_ignored")) return;
        if (sim::planted("ledger_ignored")) trigger.idempotency_key.clear();]])
    change([[slot_skipped(db_, due_.schedule.id, slot.nominal, reason);]]
        [[if (!sim::planted("refused_slot_stays_fired"))
                slot_skipped(db_, due_.schedule.id, slot.nominal, reason);]])
elseif(NAME STREQUAL "daemon/recovery.cpp")
    change([[        ++recovered.waiting_again;]]
        [[        ++recovered.waiting_again;
        if (sim::planted("recovery_forgets_preparing")) continue;]])
    change([[if (was_handed_over(run)) {]]
        [[if (was_handed_over(run) && !sim::planted("recovery_begins_anew")) {]])
elseif(NAME STREQUAL "daemon/run_end.cpp")
    change([[integration->on_lost == OnLost::retry &&]]
        [[(integration->on_lost == OnLost::retry || sim::planted("lost_run_begun_anew")) &&]])
elseif(NAME STREQUAL "daemon/run_queue.cpp")
    change([[if (policy.most_running > 0) cap]]
        [[if (policy.most_running > 0 && !sim::planted("cap_ignored")) cap]])
elseif(NAME STREQUAL "scheduler/bundle.cpp")
    change([[if (is_cron(trigger) != crons) continue;]]
        [[if (is_cron(trigger) != crons && !sim::planted("crons_bundled_with_others")) continue;]])
elseif(NAME STREQUAL "scheduler/engine.cpp")
    change([[const int places = max_runs_ -]]
        [[const int places = (sim::planted("one_place_too_many") ? 1 : 0) + max_runs_ -]])
    change([[    live_.erase(run);
    kick();]]
        [[    live_.erase(run);
    if (!sim::planted("end_without_kick")) kick();]])
elseif(NAME STREQUAL "scheduler/settle.cpp")
    change([[if (!found.empty()) out_.settled = found.back();]]
        [[if (!found.empty()) out_.settled = sim::planted("settled_at_now") ? now_ : found.back();]])
    change([[if (!due_.paused_since || !due_.fired) return {};]]
        [[if (!due_.paused_since || !due_.fired || sim::planted("resume_ignores_policy")) return {};]])
elseif(NAME STREQUAL "store/leases.cpp")
    change([[return holder.clock->steady()]]
        [[if (sim::planted("lease_by_wall_clock")) return to_micros(holder.clock->now());
    return holder.clock->steady()]])
elseif(NAME STREQUAL "store/runs.cpp")
    change([[if (run->attempt != attempt)]]
        [[if (run->attempt != attempt && !sim::planted("fence_ignored"))]])
    change([[    const RunState from = run->state;]]
        [[    if (sim::planted("fence_ignored")) attempt = run->attempt;
    const RunState from = run->state;]])
elseif(NAME STREQUAL "store/shares.cpp")
    # Two halves of one rule: whoever joined had to wait for what others had saved up.
    change([[    const VirtualTime now = row.integer(0);
]]
        [[    const VirtualTime now = row.integer(0);
    if (sim::planted("credit_kept")) return std::max(share_of(db, tenant), now);
]])
    change([[void forget_credit(Db& db, IntegrationId integration) {
]]
        [[void forget_credit(Db& db, IntegrationId integration) {
    if (sim::planted("credit_kept")) return;
]])
    change([[    less_load(db, IntegrationId{row->integer(0)}, taken);]]
        [[    if (!sim::planted("load_not_given_back"))
        less_load(db, IntegrationId{row->integer(0)}, taken);]])
    change([[std::max(std::min(took, longest), kLeastCharge).count();]]
        [[(sim::planted("turns_not_charged")
                                   ? 0
                                   : std::max(std::min(took, longest), kLeastCharge).count());]])
else()
    message(FATAL_ERROR "nothing is planted in '${NAME}'")
endif()

file(WRITE ${OUT} "#include \"tests/sim/plants.h\"\n${text}")
